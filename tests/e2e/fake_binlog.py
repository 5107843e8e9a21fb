"""Makes binlog files as MySQL and MariaDB write them, down to lengths, positions and checksums.

    log = BinlogMaker(folder, DIALECTS["mysql-8.0"])
    log.transaction(insert(TABLE, [(1, "a")]))
    log.rotate()

Only the events that a test needs; what each server version writes differently is in its Dialect.
"""

import dataclasses
import datetime
import pathlib
import struct
import threading
import uuid as uuids
import zlib

import zstandard

MAGIC = b"\xfebin"
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
TIME = 1_700_000_000

# ---- event numbers and flags -------------------------------------------------------------------

QUERY, STOP, ROTATE, FORMAT, XID = 2, 3, 4, 15, 16
TABLE_MAP, WRITE_V1, UPDATE_V1, DELETE_V1 = 19, 23, 24, 25
INCIDENT, HEARTBEAT, IGNORABLE, ROWS_QUERY = 26, 27, 28, 29
WRITE, UPDATE, DELETE = 30, 31, 32
GTID, ANONYMOUS, PREVIOUS_GTIDS = 33, 34, 35
TRANSACTION_CONTEXT, VIEW_CHANGE, XA_PREPARE, PARTIAL_UPDATE, PAYLOAD = 36, 37, 38, 39, 40
HEARTBEAT_V2, GTID_TAGGED, LARGE_TRANSACTION = 41, 42, 43
AURORA_PADDING = 100
ANNOTATE, CHECKPOINT, MARIADB_GTID, GTID_LIST = 160, 161, 162, 163
START_ENCRYPTION, QUERY_COMPRESSED, WRITE_COMPRESSED_V1, PARTIAL_ROW_DATA = 164, 165, 166, 172

FLAG_IN_USE, FLAG_ARTIFICIAL, FLAG_IGNORABLE = 0x01, 0x20, 0x80
STMT_END = 1


# ---- numbers -----------------------------------------------------------------------------------

def lenenc(n):
    if n < 251:
        return bytes([n])
    for lead, size in ((0xfc, 2), (0xfd, 3), (0xfe, 8)):
        if n < 1 << (8 * size):
            return bytes([lead]) + n.to_bytes(size, "little")
    raise ValueError(n)


def read_lenenc(data, at):
    first = data[at]
    if first < 251:
        return first, at + 1
    size = {0xfc: 2, 0xfd: 3, 0xfe: 8}[first]
    return int.from_bytes(data[at + 1:at + 1 + size], "little"), at + 1 + size


def lenenc_bytes(data):
    return lenenc(len(data)) + data


def vli(n):
    """Unsigned number of mysql::serialization: as many low 1 bits as bytes follow the first."""
    for size in range(1, 9):
        if n < 1 << (7 * size):
            return ((n << size) | ((1 << (size - 1)) - 1)).to_bytes(size, "little")
    return b"\xff" + n.to_bytes(8, "little")


def vli_signed(n):
    return vli(n * 2 if n >= 0 else -n * 2 - 1)


# ---- dialects ----------------------------------------------------------------------------------

_LENGTHS = [0, 13, 0, 8, 0, 0, 0, 0, 4, 0, 4, 0, 0, 0, 0, 0, 4, 26, 8, 0, 0, 0, 8, 8, 8, 2, 0, 0, 0,
            10, 10, 10, 42, 42, 0, 18, 52, 0, 10, 40, 0, 0]
_MARIADB_LENGTHS = {160: 0, 161: 4, 162: 19, 163: 4, 164: 0, 165: 13, 166: 8, 167: 8, 168: 8,
                    169: 10, 170: 10, 171: 10, 172: 9}


@dataclasses.dataclass(frozen=True)
class Dialect:
    """What differs between server versions."""

    name: str
    version: str  # as VERSION() has it
    number: int
    comment: str = "MySQL Community Server - GPL"
    types: int = 41  # how many the format description lists
    format_version: str = ""  # in the format description, where it is another
    metadata: str = "MINIMAL"  # optional fields of table maps
    gtid: str = "8.0"  # form of the GTID event's tail
    rows_v1: bool = False
    mariadb: bool = False
    log_pos: bool = True  # inside of transactions
    old_status: bool = True  # SHOW MASTER STATUS
    new_status: bool = False  # SHOW BINARY LOG STATUS
    heartbeat_v2: bool = True
    native: bool = True  # has mysql_native_password

    @property
    def wire_version(self):
        """As the handshake has it."""
        return f"5.5.5-{self.version}" if self.mariadb and self.number < 110000 else self.version

    def lengths(self):
        found = [0] * self.types
        for i, n in enumerate(_LENGTHS[:self.types]):
            found[i] = n
        if self.number >= 80400 and not self.mariadb:
            found[22:25] = [0, 0, 0]
        found[FORMAT - 1] = (57 + self.types) & 0xff
        if self.mariadb:
            for kind, n in _MARIADB_LENGTHS.items():
                if kind <= self.types:
                    found[kind - 1] = n
        return bytes(found)


def _mysql(name, version, number, **kwargs):
    return Dialect(name, version, number, **kwargs)


def _mariadb(name, version, number, **kwargs):
    options = {"comment": "mariadb.org binary distribution", "types": 171, "metadata": "NO_LOG",
               "rows_v1": True, "mariadb": True, "gtid": "mariadb", "heartbeat_v2": False}
    return Dialect(name, version, number, **(options | kwargs))


DIALECTS = {d.name: d for d in (
    _mysql("mysql-5.7", "5.7.44-log", 50744, types=38, metadata="", gtid="5.7", heartbeat_v2=False),
    _mysql("mysql-8.0", "8.0.43", 80043),
    _mysql("mysql-8.4", "8.4.6", 80406, types=42, old_status=False, new_status=True),
    _mysql("mysql-9", "9.6.0", 90600, types=42, old_status=False, new_status=True, native=False),
    _mysql("percona-8.0", "8.0.42-33", 80042, comment="Percona Server (GPL), Release 33, Revision 9dc49998"),
    _mysql("aurora-5.7", "5.7.12-log", 50712, comment="MySQL Community Server (GPL)", types=100,
           format_version="5.7.12", metadata="", gtid="5.7", heartbeat_v2=False),
    _mariadb("mariadb-10.5", "10.5.29-MariaDB-log", 100529),
    _mariadb("mariadb-10.11", "10.11.14-MariaDB-log", 101114),
    _mariadb("mariadb-11.4", "11.4.8-MariaDB-log", 110408, log_pos=False),
    _mariadb("mariadb-12", "12.3.1-MariaDB-log", 120301, types=172, log_pos=False),
)}


# ---- GTID sets ---------------------------------------------------------------------------------

class GtidSet:
    """MySQL: {(uuid, tag): [(start, end)]}, ends not in it, sorted and apart."""

    def __init__(self, text=""):
        self.ranges = {}
        for part in text.replace("\n", "").replace(" ", "").lower().split(","):
            if not part:
                continue
            uuid, *rest = part.split(":")
            tag = ""
            for piece in rest:
                if piece[0].isdigit():
                    first, _, last = piece.partition("-")
                    self._add(uuid, tag, int(first), int(last or first) + 1)
                else:
                    tag = piece

    def _add(self, uuid, tag, start, end):
        found = sorted([*self.ranges.get((uuid, tag), []), (start, end)])
        merged = [found[0]]
        for a, b in found[1:]:
            if a <= merged[-1][1]:
                merged[-1] = (merged[-1][0], max(b, merged[-1][1]))
            else:
                merged.append((a, b))
        self.ranges[uuid, tag] = merged

    def add(self, gtid):
        uuid, tag, number = gtid
        self._add(uuid, tag, number, number + 1)

    def copy(self):
        new = GtidSet()
        new.ranges = {k: list(v) for k, v in self.ranges.items()}
        return new

    def __contains__(self, gtid):
        uuid, tag, number = gtid
        return any(a <= number < b for a, b in self.ranges.get((uuid, tag), []))

    def minus(self, other):
        new = GtidSet()
        for (uuid, tag), ranges in self.ranges.items():
            for a, b in ranges:
                for c, d in other.ranges.get((uuid, tag), []):
                    if c < b and d > a:
                        if a < c:
                            new._add(uuid, tag, a, c)
                        a = max(a, d)
                if a < b:
                    new._add(uuid, tag, a, b)
        return new

    def __le__(self, other):
        return not self.minus(other).ranges

    def __eq__(self, other):
        return self.ranges == other.ranges

    def __str__(self):
        parts = {}
        for (uuid, tag), ranges in sorted(self.ranges.items()):
            text = ":".join(f"{a}-{b - 1}" if b > a + 1 else f"{a}" for a, b in ranges)
            parts.setdefault(uuid, []).append(f"{tag}:{text}" if tag else text)
        return ",".join(f"{uuid}:{':'.join(p)}" for uuid, p in parts.items())

    def encode(self):
        """The block of PREVIOUS_GTIDS and of the dump command."""
        tagged = any(tag for _, tag in self.ranges)
        count = len(self.ranges)
        out = struct.pack("<Q", 1 << 56 | count << 8 | 1 if tagged else count)
        for (uuid, tag), ranges in sorted(self.ranges.items()):
            out += uuids.UUID(uuid).bytes
            if tagged:
                out += vli(len(tag)) + tag.encode()
            out += struct.pack("<Q", len(ranges))
            for a, b in ranges:
                out += struct.pack("<QQ", a, b)
        return out

    @classmethod
    def decode(cls, data):
        new = cls()
        head = struct.unpack_from("<Q", data)[0]
        tagged = data[7] == 1
        count = head >> 8 & 0xffffffffffff if tagged else head
        at = 8
        for _ in range(count):
            uuid, tag = str(uuids.UUID(bytes=data[at:at + 16])), ""
            at += 16
            if tagged:
                length = data[at] >> 1
                tag = data[at + 1:at + 1 + length].decode()
                at += 1 + length
            n = struct.unpack_from("<Q", data, at)[0]
            at += 8
            for _ in range(n):
                new._add(uuid, tag, *struct.unpack_from("<QQ", data, at))
                at += 16
        assert at == len(data), f"{len(data) - at} bytes behind the GTID set"
        return new


class GtidState(dict):
    """MariaDB: {domain: (server id, sequence number)}."""

    @classmethod
    def parse(cls, text):
        new = cls()
        for part in filter(None, text.split(",")):
            domain, server, seq = map(int, part.split("-"))
            new[domain] = (server, seq)
        return new

    def add(self, gtid):
        domain, server, seq = gtid
        self[domain] = (server, seq)

    def copy(self):
        return GtidState(self)

    def __contains__(self, gtid):
        return gtid[0] in self.keys() and gtid[2] <= self[gtid[0]][1]

    def __str__(self):
        return ",".join(f"{d}-{s}-{n}" for d, (s, n) in sorted(self.items()))

    def encode(self):
        return struct.pack("<I", len(self)) + b"".join(
            struct.pack("<IIQ", d, s, n) for d, (s, n) in sorted(self.items()))


# ---- columns -----------------------------------------------------------------------------------

@dataclasses.dataclass
class Column:
    """One column: how it stands in table maps, rows and information_schema."""

    name: str
    wire: int
    meta: bytes
    data_type: str
    column_type: str
    encode: object
    nullable: bool = True
    unsigned: bool = False
    numeric: bool = False
    collation: int = 0  # of character columns
    charset: str = None
    characters: int = None
    precision: int = None
    scale: int = None
    fsp: int = None


def _integer(name, wire, size, data_type, unsigned, nullable):
    def encode(v):
        return int(v).to_bytes(size, "little", signed=not unsigned)

    digits = {1: 3, 2: 5, 3: 7, 4: 10, 8: 19}[size]
    return Column(name, wire, b"", data_type, data_type + (" unsigned" if unsigned else ""), encode,
                  nullable, unsigned, True, precision=digits, scale=0)


def int_(name, unsigned=False, nullable=False):
    return _integer(name, 3, 4, "int", unsigned, nullable)


def tinyint(name, unsigned=False, nullable=True):
    return _integer(name, 1, 1, "tinyint", unsigned, nullable)


def smallint(name, unsigned=False, nullable=True):
    return _integer(name, 2, 2, "smallint", unsigned, nullable)


def mediumint(name, unsigned=False, nullable=True):
    return _integer(name, 9, 3, "mediumint", unsigned, nullable)


def bigint(name, unsigned=False, nullable=True):
    return _integer(name, 8, 8, "bigint", unsigned, nullable)


def double(name):
    return Column(name, 5, b"\x08", "double", "double", lambda v: struct.pack("<d", v), numeric=True,
                  precision=22)


def varchar(name, characters, nullable=True):
    most = characters * 4
    size = 1 if most < 256 else 2

    def encode(v):
        data = v.encode()
        return len(data).to_bytes(size, "little") + data

    return Column(name, 15, struct.pack("<H", most), "varchar", f"varchar({characters})", encode,
                  nullable, collation=45, charset="utf8mb4", characters=characters)


def _blob(name, data_type, size, text):
    def encode(v):
        data = v.encode() if isinstance(v, str) else v
        return len(data).to_bytes(size, "little") + data

    return Column(name, 252, bytes([size]), data_type, data_type, encode,
                  collation=45 if text else 63, charset="utf8mb4" if text else None,
                  characters=(1 << 8 * size) - 1)


def text(name):
    return _blob(name, "text", 2, True)


def longtext(name):
    return _blob(name, "longtext", 4, True)


def longblob(name):
    return _blob(name, "longblob", 4, False)


def datetime_(name, fsp=0):
    def encode(v):
        ymd = (v.year * 13 + v.month) << 5 | v.day
        whole = ymd << 17 | v.hour << 12 | v.minute << 6 | v.second
        fraction = v.microsecond // 10 ** (6 - fsp - fsp % 2)
        return (whole + 0x8000000000).to_bytes(5, "big") + fraction.to_bytes((fsp + 1) // 2, "big")

    return Column(name, 18, bytes([fsp]), "datetime", f"datetime({fsp})" if fsp else "datetime",
                  encode, fsp=fsp)


def date(name):
    def encode(v):
        assert isinstance(v, datetime.date)
        return (v.year << 9 | v.month << 5 | v.day).to_bytes(3, "little")

    return Column(name, 10, b"", "date", "date", encode)


def json_(name):
    def encode(v):
        data = jsonb(v)
        return struct.pack("<I", len(data)) + data

    return Column(name, 245, b"\x04", "json", "json", encode)


def jsonb(value):
    """MySQL's binary JSON, small form."""
    kind, body = _jsonb_value(value)
    return bytes([kind]) + body


def _jsonb_value(v):
    if v is None or isinstance(v, bool):
        return 4, bytes([{None: 0, True: 1, False: 2}[v]])
    if isinstance(v, int):
        return (5, struct.pack("<h", v)) if -1 << 15 <= v < 1 << 15 else (9, struct.pack("<q", v))
    if isinstance(v, float):
        return 11, struct.pack("<d", v)
    if isinstance(v, str):
        data = v.encode()
        length, n = b"", len(data)
        while n > 127:
            length += bytes([n & 127 | 128])
            n >>= 7
        return 12, length + bytes([n]) + data
    return (0, _jsonb_container(v, True)) if isinstance(v, dict) else (2, _jsonb_container(v, False))


def _jsonb_container(v, is_object):
    keys = sorted((k.encode() for k in v), key=lambda k: (len(k), k)) if is_object else []
    values = [v[k.decode()] for k in keys] if is_object else v
    at = 4 + 4 * len(keys) + 3 * len(values)
    entries = b""
    for k in keys:
        entries += struct.pack("<HH", at, len(k))
        at += len(k)
    tail = b""
    for item in values:
        kind, body = _jsonb_value(item)
        if kind in (4, 5):
            entries += bytes([kind]) + body.ljust(2, b"\0")
        else:
            entries += bytes([kind]) + struct.pack("<H", at)
            tail += body
            at += len(body)
    return struct.pack("<HH", len(values), at) + entries + b"".join(keys) + tail


# ---- tables ------------------------------------------------------------------------------------

def bits(flags):
    """First flag in the lowest bit."""
    out = bytearray((len(flags) + 7) // 8)
    for i, on in enumerate(flags):
        out[i // 8] |= on << i % 8
    return bytes(out)


def bits_msb(flags):
    out = bytearray((len(flags) + 7) // 8)
    for i, on in enumerate(flags):
        out[i // 8] |= on << (7 - i % 8)
    return bytes(out)


@dataclasses.dataclass
class Table:
    schema: str
    name: str
    columns: list
    key: tuple = ("id",)
    number: int = 100

    @property
    def full_name(self):
        return f"{self.schema}.{self.name}"

    def map_body(self, metadata):
        """A TABLE_MAP body. metadata: "" (5.7), "NO_LOG", "MINIMAL" or "FULL"."""
        out = struct.pack("<IHH", self.number, 0, 1)
        for name in (self.schema.encode(), self.name.encode()):
            out += bytes([len(name)]) + name + b"\0"
        metas = b"".join(c.meta for c in self.columns)
        out += lenenc(len(self.columns)) + bytes(c.wire for c in self.columns)
        out += lenenc_bytes(metas) + bits([c.nullable for c in self.columns])
        if metadata in ("", "NO_LOG"):
            return out
        numeric = [c.unsigned for c in self.columns if c.numeric]
        if numeric:
            out += b"\x01" + lenenc_bytes(bits_msb(numeric))
        character = [c for c in self.columns if c.collation]
        if character:
            out += b"\x03" + lenenc_bytes(b"".join(lenenc(c.collation) for c in character))
        if metadata == "FULL":
            out += b"\x04" + lenenc_bytes(b"".join(lenenc_bytes(c.name.encode()) for c in self.columns))
            names = [c.name for c in self.columns]
            if self.key:
                out += b"\x08" + lenenc_bytes(b"".join(lenenc(names.index(k)) for k in self.key))
            out += b"\x0c" + lenenc_bytes(bits_msb([True] * len(names)))
        return out

    def image(self, row):
        """One row image: null bits, values."""
        assert len(row) == len(self.columns), row
        return bits([v is None for v in row]) + b"".join(
            c.encode(v) for c, v in zip(self.columns, row) if v is not None)

    def rows_body(self, images, version, update=False, flags=STMT_END):
        """A rows body of images that are ready."""
        out = struct.pack("<IHH", self.number, 0, flags)
        if version == 2:
            out += struct.pack("<H", 2)
        present = bits([True] * len(self.columns))
        out += lenenc(len(self.columns)) + present * (2 if update else 1)
        return out + b"".join(images)


# ---- what a transaction consists of ------------------------------------------------------------

@dataclasses.dataclass
class Part:
    """An event of a transaction that has no place yet."""

    kind: int
    body: object  # bytes, or a function of the dialect
    flags: int = 0

    def of(self, dialect):
        kind, body = self.kind, self.body
        if callable(body):
            body = body(dialect)
        if dialect.rows_v1 and WRITE <= kind <= DELETE:
            kind -= WRITE - WRITE_V1
        return kind, body


def table_map(table, metadata=None):
    return Part(TABLE_MAP, lambda d: table.map_body(d.metadata if metadata is None else metadata))


def _rows(kind, table, images, update=False, last=True):
    return Part(kind, lambda d: table.rows_body(images, 1 if d.rows_v1 else 2, update,
                                                STMT_END if last else 0))


def insert_rows(table, rows, last=True):
    return _rows(WRITE, table, [table.image(r) for r in rows], last=last)


def insert(table, rows):
    return [table_map(table), insert_rows(table, rows)]


def update(table, pairs):
    images = [table.image(r) for pair in pairs for r in pair]
    return [table_map(table), _rows(UPDATE, table, images, True)]


def delete(table, rows):
    return [table_map(table), _rows(DELETE, table, [table.image(r) for r in rows])]


def query_body(sql, schema="", status=None, error=0):
    if status is None:
        # flags2, sql_mode, collations of the session: utf8mb4, and its server's.
        status = b"\0" + bytes(4) + b"\1" + bytes(8) + b"\4" + struct.pack("<HHH", 45, 45, 45)
    name = schema.encode()
    sql = sql.encode() if isinstance(sql, str) else sql
    return struct.pack("<IIBHH", 7, 0, len(name), error, len(status)) + status + name + b"\0" + sql


def query(sql, schema=""):
    return Part(QUERY, query_body(sql, schema))


def xid(number=1):
    return Part(XID, struct.pack("<Q", number))


def rows_query(sql):
    return Part(ROWS_QUERY, bytes([min(len(sql), 255)]) + sql.encode(), FLAG_IGNORABLE)


def ignorable(kind=IGNORABLE, body=b"what nobody knows"):
    return Part(kind, body, FLAG_IGNORABLE)


def incident(message="mysqld startup", kind=1):
    return Part(INCIDENT, struct.pack("<H", kind) + bytes([len(message)]) + message.encode())


def xa_prepare(gtrid=b"x", bqual=b"", one_phase=False, format_id=1):
    return Part(XA_PREPARE, struct.pack("<BIII", one_phase, format_id, len(gtrid), len(bqual))
                + gtrid + bqual)


def partial_update(table, before, after, diffs):
    """UPDATE with PARTIAL_JSON: diffs {column: [(op, path, value)]}; op 0 replace, 1 insert, 2 remove."""
    names = [c.name for c in table.columns if c.wire == 245]
    images = table.image(before) + lenenc(1) + bits([n in diffs for n in names])
    images += bits([v is None for v in after])
    for c, v in zip(table.columns, after):
        if c.name in diffs:
            body = b""
            for op, path, new in diffs[c.name]:
                body += bytes([op]) + lenenc_bytes(path.encode())
                body += lenenc_bytes(jsonb(new)) if op != 2 else b""
            images += struct.pack("<I", len(body)) + body
        elif v is not None:
            images += c.encode(v)
    return [table_map(table), _rows(PARTIAL_UPDATE, table, [images], True)]


def mariadb_compress(data):
    size = (len(data).bit_length() + 7) // 8
    return bytes([0x80 | size]) + len(data).to_bytes(size, "big") + zlib.compress(data)


def compressed_query(sql, schema=""):
    plain = query_body(b"", schema)
    return Part(QUERY_COMPRESSED, plain + mariadb_compress(sql.encode()))


def compressed_rows(table, rows, how="insert"):
    """(WRITE, UPDATE, DELETE)_ROWS_COMPRESSED_V1 behind its map; rows of an update are pairs."""
    is_update = how == "update"
    images = [r for pair in rows for r in pair] if is_update else rows
    head = table.rows_body([], 1, is_update)
    data = b"".join(table.image(r) for r in images)
    kind = WRITE_COMPRESSED_V1 + ("insert", "update", "delete").index(how)
    return [table_map(table), Part(kind, head + mariadb_compress(data))]


def fragments(dialect, part, size):
    """PARTIAL_ROW_DATA events that hold a rows event with its own header."""
    kind, body = part.of(dialect)
    whole = event(kind, body, 0, 0, checksum=False)
    chunks = [whole[i:i + size] for i in range(0, len(whole), size)]
    out = []
    for i, chunk in enumerate(chunks):
        head = struct.pack("<IIB", len(chunks), i + 1, 1 if i == 0 else 0)
        if i == 0:
            head += struct.pack("<Q", len(whole))
        out.append(Part(PARTIAL_ROW_DATA, head + chunk))
    return out


def flat(parts):
    found = []
    for p in parts:
        found += flat(p) if isinstance(p, list) else [p]
    return found


# ---- events ------------------------------------------------------------------------------------

def event(kind, body, log_pos, flags=0, checksum=True, server_id=1, timestamp=TIME):
    """A whole event with its header."""
    size = 19 + len(body) + (4 if checksum else 0)
    out = struct.pack("<IBIIIH", timestamp, kind, server_id, size, log_pos & 0xffffffff, flags) + body
    return out + struct.pack("<I", zlib.crc32(out)) if checksum else out


def reseal(data, checksum):
    """An event whose bytes were changed, with its checksum made right again."""
    return data[:-4] + struct.pack("<I", zlib.crc32(data[:-4])) if checksum else data


def format_event(dialect, start, checksum, flags=0, created=TIME, server_id=1, log_pos=None):
    version = (dialect.format_version or dialect.version).encode().ljust(50, b"\0")
    body = struct.pack("<H", 4) + version + struct.pack("<IB", created, 19) + dialect.lengths()
    body += bytes([1 if checksum else 0])
    size = 19 + len(body) + 4
    # This one has its checksum always.
    return event(FORMAT, body, start + size if log_pos is None else log_pos, flags, True, server_id,
                 created)


def rotate_body(name, position=4):
    return struct.pack("<Q", position) + name.encode()


def payload_body(events, compression="zstd", frames=1):
    data = b"".join(events)
    if compression == "zstd":
        cuts = [len(data) * i // frames for i in range(frames + 1)]
        # As the server does: frames without their content's size.
        make = zstandard.ZstdCompressor(write_content_size=False)
        packed = b"".join(make.compress(data[a:b]) for a, b in zip(cuts, cuts[1:]))
        code = b"\x00"
    else:
        packed, code = data, b"\xfc\xff\x00"
    out = b"\x02" + lenenc_bytes(code)
    if compression == "zstd":
        out += b"\x03" + lenenc_bytes(lenenc(len(data)))
    return out + b"\x01" + lenenc_bytes(lenenc(len(packed))) + b"\x00" + packed


# ---- the maker ---------------------------------------------------------------------------------

class BinlogMaker:
    """Writes binlog files into a folder, one transaction after another."""

    def __init__(self, folder, dialect, uuid=UUID, server_id=1, base="binlog", first=1, checksum=True,
                 gtids=True, domain=0, timestamp=TIME):
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.dialect = dialect
        self.uuid = uuid
        self.server_id = server_id
        self.base = base
        self.number = first
        self.checksum = checksum
        self.gtids = gtids  # MySQL: gtid_mode=ON
        self.domain = domain
        self.timestamp = timestamp
        self.executed = GtidState() if dialect.mariadb else GtidSet()
        self.next_gno = {}
        self.names = []
        self.at = 0
        self.transactions = 0
        self.lock = threading.RLock()  # a primary that serves the files sees whole changes
        self.open_file()

    @property
    def name(self):
        return self.names[-1]

    def place(self):
        """FILE:POS of the end."""
        return f"{self.name}:{self.at}"

    def path(self, name=None):
        return self.folder / (name or self.name)

    def write(self, data):
        with self.lock, open(self.path(), "ab") as f:
            f.write(data)
        self.at += len(data)

    def event(self, kind, body, flags=0, log_pos=None, timestamp=None):
        """Writes one event; returns where it starts."""
        start = self.at
        size = 19 + len(body) + (4 if self.checksum else 0)
        self.write(event(kind, body, start + size if log_pos is None else log_pos, flags,
                         self.checksum, self.server_id,
                         self.timestamp if timestamp is None else timestamp))
        return start

    def open_file(self, in_use=False):
        with self.lock:
            self.names.append(f"{self.base}.{self.number:06d}")
            self.at = 0
            self._write_head(in_use)

    def _write_head(self, in_use):
        data = format_event(self.dialect, 4, self.checksum, 0, self.timestamp, self.server_id)
        if in_use:
            # Set in the file after the checksum was computed.
            data = data[:17] + struct.pack("<H", FLAG_IN_USE) + data[19:]
        self.write(MAGIC + data)
        if not self.dialect.mariadb:
            self.event(PREVIOUS_GTIDS, self.executed.encode(), FLAG_IGNORABLE)
            return
        self.event(GTID_LIST, self.executed.encode())
        first = self.names[0].encode()
        self.event(CHECKPOINT, struct.pack("<I", len(first)) + first)

    def rotate(self, checksum=None):
        """Ends the file with a ROTATE and opens the next; checksum: of the new one."""
        with self.lock:
            self.number += 1
            self.event(ROTATE, rotate_body(f"{self.base}.{self.number:06d}"))
            self._next_file(checksum)

    def stop(self):
        """As a server that shuts down, and starts with a new file."""
        with self.lock:
            self.number += 1
            self.event(STOP, b"")
            self._next_file(None)

    def _next_file(self, checksum):
        if checksum is not None:
            self.checksum = checksum
        self.open_file()

    # -- transactions --

    def take_gtid(self, tag="", uuid=None, gno=None):
        if self.dialect.mariadb:
            seq = gno or self.executed.get(self.domain, (0, 0))[1] + 1
            return self.domain, self.server_id, seq
        key = (uuid or self.uuid, tag)
        number = gno or self.next_gno.get(key, 1)
        self.next_gno[key] = max(number + 1, self.next_gno.get(key, 1))
        return (*key, number)

    def gtid_part(self, gtid, bytes_after, standalone=False, xa=b"", xa_flags=0):
        d = self.dialect
        if d.mariadb:
            domain, _, seq = gtid
            flags = 1 if standalone else 0x0c
            body = struct.pack("<QIB", seq, domain, flags | xa_flags)
            if xa_flags:
                body += struct.pack("<IBB", 1, len(xa), 0) + xa
            return MARIADB_GTID, body.ljust(19, b"\0"), 0
        if not self.gtids:
            return ANONYMOUS, self._mysql_gtid_body((str(uuids.UUID(int=0)), "", 0), bytes_after), 0
        if gtid[1]:
            return GTID_TAGGED, self._tagged_gtid_body(gtid, bytes_after), 0
        return GTID, self._mysql_gtid_body(gtid, bytes_after), 0

    def _mysql_gtid_body(self, gtid, bytes_after):
        uuid, _, gno = gtid
        n = self.transactions
        head = b"\0" + uuids.UUID(uuid).bytes + struct.pack("<qBqq", gno, 2, n, n + 1)
        if self.dialect.gtid == "5.7":
            return head
        head += (self.timestamp * 1_000_000).to_bytes(7, "little")
        tail = struct.pack("<I", self.dialect.number)
        frame = 19 + (4 if self.checksum else 0)
        size = 0
        for _ in range(3):  # its own length is part of what it tells
            size = bytes_after + frame + len(head) + len(lenenc(size)) + len(tail)
        return head + lenenc(size) + tail

    def _tagged_gtid_body(self, gtid, bytes_after):
        uuid, tag, gno = gtid
        n = self.transactions
        fields = vli(0) + vli(0) + vli(1) + b"".join(vli(b) for b in uuids.UUID(uuid).bytes)
        fields += vli(2) + vli_signed(gno) + vli(3) + vli(len(tag)) + tag.encode()
        fields += vli(4) + vli_signed(n) + vli(5) + vli_signed(n + 1)
        fields += vli(6) + vli(self.timestamp * 1_000_000)
        tail = vli(9) + vli(self.dialect.number)
        frame = 19 + (4 if self.checksum else 0)
        total = whole = 0
        for _ in range(4):
            body = fields + vli(8) + vli(total) + tail
            whole = 1 + len(vli(whole)) + 1 + len(body)
            total = bytes_after + frame + whole
        return vli(1) + vli(whole) + vli(0) + fields + vli(8) + vli(total) + tail

    def _sized(self, parts):
        """[(kind, body, flags, bytes with header)]"""
        extra = 19 + (4 if self.checksum else 0)
        return [(*p.of(self.dialect), p.flags) for p in parts], extra

    def transaction(self, *parts, tag="", uuid=None, gno=None, end="xid", begin=True, payload=None,
                    frames=1, xa=b"", xa_flags=0):
        """A whole group: GTID, BEGIN, the parts, and its end.

        end: "xid", "commit", "rollback", None. payload: None, "zstd" or "none". Returns its GTID.
        """
        found = flat(parts)
        if begin and not self.dialect.mariadb:
            found = [query("BEGIN"), *found]
        if end == "xid":
            found.append(xid(self.transactions + 1))
        elif end is not None:
            found.append(query(end.upper()))
        return self.group(found, tag=tag, uuid=uuid, gno=gno, payload=payload, frames=frames, xa=xa,
                          xa_flags=xa_flags)

    def group(self, parts, tag="", uuid=None, gno=None, payload=None, frames=1, standalone=False,
              xa=b"", xa_flags=0):
        parts = flat(parts)
        gtid = self.take_gtid(tag, uuid, gno)
        if payload is not None:
            inner = [event(*p.of(self.dialect), 0, p.flags, False, self.server_id, self.timestamp)
                     for p in parts]
            parts = [Part(PAYLOAD, payload_body(inner, payload, frames))]
        sized, extra = self._sized(parts)
        after = sum(len(body) + extra for _, body, _ in sized)
        kind, body, flags = self.gtid_part(gtid, after, standalone, xa, xa_flags)
        data = b""
        at = self.at
        all_parts = [(kind, body, flags), *sized]
        for i, (kind, body, flags) in enumerate(all_parts):
            at += len(body) + extra
            known = self.dialect.log_pos or i == 0 or kind in (XID, XA_PREPARE) or standalone
            if kind == QUERY and body.endswith((b"\0COMMIT", b"\0ROLLBACK")):
                known = True
            data += event(kind, body, at if known else 0, flags, self.checksum, self.server_id,
                          self.timestamp)
        self.write(data)
        self.transactions += 1
        if self.gtids or self.dialect.mariadb:
            self.executed.add(gtid)
        return gtid

    def ddl(self, sql, schema=""):
        return self.group([query(sql, schema)], standalone=True)

    def hole(self, size, kind=IGNORABLE):
        """An ignorable event of this many bytes whose body takes no room on disk."""
        assert not self.checksum
        head = struct.pack("<IBIIIH", self.timestamp, kind, self.server_id, size,
                           self.at + size & 0xffffffff, FLAG_IGNORABLE)
        with self.lock, open(self.path(), "ab") as f:
            f.write(head)
            f.truncate(self.at + size)
        self.at += size
