#!/usr/bin/env python3
"""A binlog file to the payloads of its rows, slowly and independently of calve.

Written from MySQL's and MariaDB's descriptions of the format; what it shares with calve is only the
form that docs/types.md describes. Any doubt is an exception.

    slow_decoder.py FILE...     prints what `calve inspect binlog FILE --rows --json` says about rows

Without a catalog a row is decoded by its table map alone: columns without a logged name are @1, @2,
members without logged labels #1, #2. ServerCatalog adds what only the server knows.
"""

import collections
import json
import pathlib
import re
import struct
import sys
import zlib

import pyarrow

import slow_json
from oracle import b64, double_json, float_json
from slow_json import Malformed, decimal_text, packed_size, quoted

Event = collections.namedtuple("Event", "type timestamp server_id end flags body in_payload")

# A change of a row. end: where its event ends in the file, or the payload event that it is in.
Row = collections.namedtuple("Row", "schema table change before after end timestamp")

QUERY, ROTATE, FORMAT, XID, TABLE_MAP, GTID, PREVIOUS_GTIDS, XA_PREPARE = 2, 4, 15, 16, 19, 33, 35, 38
PARTIAL_UPDATE, PAYLOAD, GTID_TAGGED, MARIADB_GTID = 39, 40, 42, 162
CHANGES = {23: "insert", 24: "update", 25: "delete", 30: "insert", 31: "update", 32: "delete",
           39: "update", 166: "insert", 167: "update", 168: "delete", 169: "insert", 170: "update", 171: "delete"}
COMPRESSED = range(166, 172)
SECOND_VERSION = (30, 31, 32, 39, 169, 170, 171)

CHARSETS_WITHOUT_SERVER = {8: "latin1", 11: "ascii", 28: "gbk", 33: "utf8mb3", 45: "utf8mb4", 46: "utf8mb4",
                           47: "latin1", 48: "latin1", 65: "ascii", 76: "utf8mb3", 83: "utf8mb3",
                           255: "utf8mb4", 309: "utf8mb4"}


# ---- bytes -------------------------------------------------------------------------------------


class Bytes:
    """A cursor that never runs over the end."""

    def __init__(self, data, at=0):
        self.data = data
        self.at = at

    @property
    def left(self):
        return len(self.data) - self.at

    def take(self, count):
        if count > self.left:
            raise Malformed(f"{count} bytes wanted, {self.left} left")
        self.at += count
        return self.data[self.at - count:self.at]

    def uint(self, size):
        return int.from_bytes(self.take(size), "little")

    def lenenc(self):
        first = self.uint(1)
        if first < 251:
            return first
        return self.uint({252: 2, 253: 3, 254: 8}[first])

    def text(self):
        return self.take(self.lenenc())

    def bits(self, count):
        """As a list, low bits first."""
        raw = self.take((count + 7) // 8)
        return [bool(raw[i // 8] >> i % 8 & 1) for i in range(count)]

    def rest(self):
        return self.take(self.left)


def high_bits(raw, count):
    """As a list, high bits first."""
    if len(raw) != (count + 7) // 8:
        raise Malformed(f"{len(raw)} bytes for {count} bits")
    return [bool(raw[i // 8] << i % 8 & 0x80) for i in range(count)]


# ---- events ------------------------------------------------------------------------------------


class File:
    """The events of a binlog file, those inside of compressed transactions too."""

    def __init__(self, data):
        if data[:4] != b"\xfebin":
            raise Malformed("no binlog")
        self.data = data
        self.checksum = False
        self.server_version = ""

    @property
    def mariadb(self):
        return "MariaDB" in self.server_version

    def events(self):
        at = 4
        while at < len(self.data):
            head = Bytes(self.data, at)
            timestamp, kind, server_id, size, _, flags = struct.unpack("<IBIIIH", head.take(19))
            if kind == FORMAT:
                self._format(self.data[at + 19:at + size])
            tail = 4 if self.checksum or kind == FORMAT else 0
            body = head.take(size - 19 - tail)
            if self.checksum and kind != FORMAT:
                crc = zlib.crc32(self.data[at:at + size - 4])
                if crc != head.uint(4):
                    raise Malformed(f"the checksum of the event at {at}")
            at += size
            event = Event(kind, timestamp, server_id, at, flags, body, False)
            yield event
            if kind == PAYLOAD:
                yield from self._inside(event)

    def _format(self, body):
        self.server_version = body[2:52].rstrip(b"\0").decode("ascii")
        self.checksum = body[-5] == 1

    def _inside(self, outer):
        body, fields = Bytes(outer.body), {}
        while True:
            kind = body.lenenc()
            if kind == 0:
                break
            fields[kind] = Bytes(body.take(body.lenenc())).lenenc()
        data = body.take(fields[1])
        if fields[2] == 0:
            data = pyarrow.CompressedInputStream(pyarrow.BufferReader(data), "zstd").read()
        elif fields[2] != 255:
            raise Malformed(f"compression {fields[2]}")
        if len(data) != fields[3]:
            raise Malformed(f"a payload of {len(data)} bytes that says {fields[3]}")
        inner = Bytes(data)
        while inner.left:
            timestamp, kind, server_id, size, _, flags = struct.unpack("<IBIIIH", inner.take(19))
            yield Event(kind, timestamp, server_id, outer.end, flags, inner.take(size - 19), True)


def query_text(event):
    """(schema, statement) of a QUERY event; both as bytes."""
    body = Bytes(event.body)
    body.take(8)
    schema_size = body.uint(1)
    body.take(2)
    body.take(body.uint(2))
    schema = body.take(schema_size)
    body.take(1)
    text = body.rest()
    return schema, unpacked(text) if event.type == 165 else text


def unpacked(data):
    """What MariaDB compressed."""
    head = data[0]
    if head & 0xF0 != 0x80:
        raise Malformed(f"compressed with {head:#x}")
    size = head & 7
    text = zlib.decompress(data[1 + size:])
    if len(text) != int.from_bytes(data[1:1 + size], "big"):
        raise Malformed("the size of what was compressed")
    return text


# ---- table maps --------------------------------------------------------------------------------

META_BYTES = {4: 1, 5: 1, 15: 2, 16: 2, 17: 1, 18: 1, 19: 1, 140: 1, 141: 2, 242: 1, 245: 1, 246: 2,
              249: 1, 250: 1, 251: 1, 252: 1, 253: 2, 254: 2, 255: 1}
NUMERIC = (0, 1, 2, 3, 4, 5, 8, 9, 13, 246)
TEXTUAL = (15, 252, 253, 254, 140, 141)
BINARY = 63


class Column:
    """What a table map says about a column, and what a catalog adds."""

    def __init__(self, index, kind, meta):
        self.index = index
        self.type = kind
        self.meta = meta
        self.name = None
        self.unsigned = False
        self.collation = None
        self.charset = None
        self.labels = None
        self.form = None  # how the payload shows it
        self.generated = False
        self.digits = 0  # of the fraction, as the catalog has it; the map of old formats does not tell
        if kind == 254:
            self._string(*meta)

    def _string(self, first, second):
        if first & 0x30 != 0x30:
            self.type, self.meta = first | 0x30, second | ((first & 0x30) ^ 0x30) << 4
        else:
            self.type, self.meta = first, second

    @property
    def textual(self):
        return self.type in TEXTUAL


class TableMap:
    """A parsed TABLE_MAP event."""

    def __init__(self, body, mariadb):
        self.mariadb = mariadb
        data = Bytes(body)
        self.id = data.uint(6)
        data.take(2)
        self.schema = data.take(data.uint(1)).decode("utf-8")
        data.take(1)
        self.name = data.take(data.uint(1)).decode("utf-8")
        data.take(1)
        types = data.take(data.lenenc())
        meta = Bytes(data.text())
        self.columns = []
        for i, kind in enumerate(types):
            self.columns.append(Column(i, kind, meta.take(META_BYTES.get(kind, 0))))
        data.bits(len(types))
        self.pairs = {}
        while data.left:
            kind = data.uint(1)
            self.pairs[kind] = data.text()
        self._optional()

    def _optional(self):
        if 1 in self.pairs:
            numbers = [c for c in self.columns if c.type in NUMERIC]
            for c, bit in zip(numbers, high_bits(self.pairs[1], len(numbers))):
                c.unsigned = bit and c.type != 13
        # MariaDB counts its geometries among the texts, MySQL 9.7 its vectors.
        texts = [c for c in self.columns if c.textual or c.type == (255 if self.mariadb else 242)]
        self._charsets(2, 3, texts)
        members = [c for c in self.columns if c.type in (247, 248)]
        self._charsets(10, 11, members)
        if 4 in self.pairs:
            names = Bytes(self.pairs[4])
            for c in self.columns:
                c.name = names.text().decode("utf-8")
        for pair, kind in ((5, 248), (6, 247)):
            if pair in self.pairs:
                data = Bytes(self.pairs[pair])
                for c in self.columns:
                    if c.type == kind:
                        c.labels = [data.text() for _ in range(data.lenenc())]
                if data.left:
                    raise Malformed("labels are left over")

    def _charsets(self, default, each, columns):
        if default in self.pairs:
            data = Bytes(self.pairs[default])
            usual = data.lenenc()
            for c in columns:
                c.collation = usual
            while data.left:
                index = data.lenenc()
                columns[index].collation = data.lenenc()
        elif each in self.pairs:
            data = Bytes(self.pairs[each])
            for c in columns:
                c.collation = data.lenenc()
            if data.left:
                raise Malformed(f"{self.name}: collations {data.rest()!r} are left over of"
                                f" {[(c.index, c.type) for c in columns]}")


# ---- what else is known of a table -------------------------------------------------------------


class Catalog:
    """Nothing but the file: names and labels that are not in it are numbered."""

    def charset_of(self, collation):
        return CHARSETS_WITHOUT_SERVER[collation]

    def text(self, charset, raw):
        codec = {"utf8mb4": "utf-8", "utf8mb3": "utf-8", "ascii": "ascii", "ucs2": "utf-16-be",
                 "utf16": "utf-16-be", "utf16le": "utf-16-le", "utf32": "utf-32-be"}.get(charset)
        if codec is None:
            raise Malformed(f"charset {charset}")
        return raw.decode(codec)

    def complete(self, table):
        for c in table.columns:
            if c.collation is not None:
                c.charset = self.charset_of(c.collation)
            if c.name is None:
                c.name = f"@{c.index + 1}"
            c.form = plain_form(c)
            if c.form in ("enum", "set"):
                if c.labels is None or c.charset is None:
                    count = 8 * c.meta if c.form == "set" else (255 if c.meta == 1 else 65535)
                    c.labels = [f"#{i + 1}" for i in range(count)]
                else:
                    try:
                        c.labels = [self.text(c.charset, raw) for raw in c.labels]
                    except UnicodeDecodeError as e:
                        raise Malformed(f"{table.schema}.{table.name}.{c.name}: labels {c.labels} in {c.charset}") from e


PLAIN_FORMS = {1: "int", 2: "int", 3: "int", 8: "int", 9: "int", 4: "float", 5: "double", 246: "decimal",
               13: "year", 16: "bit", 10: "date", 14: "date", 11: "time", 12: "datetime", 7: "timestamp",
               19: "time", 18: "datetime", 17: "timestamp", 245: "json", 255: "geometry", 242: "bytes",
               247: "enum", 248: "set"}


def plain_form(column):
    """The form by the table map alone."""
    if column.textual:
        if column.charset == "binary" or column.charset is None:
            return "binary" if column.type == 254 else "bytes"
        return "text"
    return PLAIN_FORMS[column.type]


class ServerCharsets(Catalog):
    """Nothing but the file and a server's own conversion of charsets."""

    def __init__(self, connection):
        self.connection = connection
        self.version = self._run("SELECT VERSION()")[0][0]
        self.mariadb = "MariaDB" in self.version
        source = "COLLATION_CHARACTER_SET_APPLICABILITY" if self.mariadb else "COLLATIONS"
        self.collations = {int(i): c for i, c in self._run(
            f"SELECT ID, CHARACTER_SET_NAME FROM information_schema.{source} WHERE ID IS NOT NULL")}
        self.texts = {}

    def _run(self, sql):
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())

    def charset_of(self, collation):
        return self.collations[collation]

    def text(self, charset, raw):
        if charset in ("utf8mb4", "utf8mb3", "ascii"):
            return super().text(charset, raw)
        if not raw:
            return ""
        key = charset, bytes(raw)
        if key not in self.texts:
            back = f"CONVERT(_{charset} X'{raw.hex()}' USING utf8mb4)"
            self.texts[key], same = self._run(
                f"SELECT {back}, CONVERT({back} USING {charset}) = CAST(_{charset} X'{raw.hex()}' AS BINARY)")[0]
            if "?" in self.texts[key] and not same:
                raise Malformed(f"{charset} text {raw.hex()}")
        return self.texts[key]


class ServerCatalog(ServerCharsets):
    """The definitions of a server too, as they are now."""

    def __init__(self, connection):
        super().__init__(connection)
        self.without_generated = self.mariadb and int(self.version.split(".")[0]) >= 11
        self.tables = {}

    def definition(self, schema, table):
        """The columns by information_schema."""
        key = schema, table
        if key not in self.tables:
            rows = self._run(
                "SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, CHARACTER_SET_NAME, EXTRA"
                " FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = " + _literal(schema)
                + " AND TABLE_NAME = " + _literal(table) + " ORDER BY ORDINAL_POSITION")
            if not rows:
                raise Malformed(f"the server has no {schema}.{table}")
            self.tables[key] = rows
        return self.tables[key]

    def forget(self):
        self.tables.clear()

    def complete(self, table):
        defined = self.definition(table.schema, table.name)
        if len(defined) != len(table.columns):
            raise Malformed(f"{table.schema}.{table.name} has {len(defined)} columns, its map {len(table.columns)}")
        for c, (name, kind, full, charset, extra) in zip(table.columns, defined):
            if c.name not in (None, name):
                raise Malformed(f"column {name} is logged as {c.name}")
            c.name = name
            c.unsigned = "unsigned" in full.lower().split("(")[-1] and kind not in ("enum", "set", "year")
            logged = self.charset_of(c.collation) if c.collation is not None else None
            c.charset = charset or logged
            if logged not in (None, "binary", charset) and c.textual:
                raise Malformed(f"{name} is {charset} and logged as {logged}")
            c.generated = "GENERATED" in extra.upper().replace("DEFAULT_GENERATED", "")
            c.form = self._form(c, kind.lower(), charset)
            digits = re.match(r"(?:time|datetime|timestamp)\((\d)\)", full.lower())
            c.digits = int(digits[1]) if digits else 0
            if c.form in ("enum", "set"):
                self._labels(c, full)

    def _form(self, column, kind, charset):
        if kind in ("uuid", "inet4", "inet6", "vector", "binary"):
            return "bytes" if kind == "vector" else kind
        if column.textual and column.type != 255:
            return "text" if charset else "bytes"
        return PLAIN_FORMS[column.type]

    def _labels(self, column, full):
        if column.labels is not None:
            column.labels = [self.text(column.charset, raw) for raw in column.labels]
        else:
            column.labels = member_labels(full)


LABEL_ESCAPES = {"\\0": "\0", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\Z": "\x1a"}


def member_labels(column_type):
    """The labels of enum('a','b') as information_schema prints them."""
    labels, at = [], column_type.index("(") + 1
    while column_type[at] == "'":
        label, at = "", at + 1
        while True:
            c = column_type[at]
            if c == "'" and column_type[at + 1] != "'":
                break
            if c in "'\\":
                at += 1
                c = LABEL_ESCAPES.get(c + column_type[at], column_type[at])
            label += c
            at += 1
        labels.append(label)
        at += 2 if column_type[at + 1] == "," else 1
    return labels


def _literal(text):
    return f"_utf8mb4 X'{text.encode().hex()}'"


# ---- values ------------------------------------------------------------------------------------


def _fraction(data, digits):
    """Microseconds, from the bytes behind the seconds."""
    size = (digits + 1) // 2
    return int.from_bytes(data.take(size), "big") * (1, 10000, 100, 1)[size]


def _hires(column, data, sizes):
    """A number of MariaDB's old formats with a fraction, in units of the last digit."""
    return int.from_bytes(data.take(sizes[column.digits]), "big")


def _micros(units, digits):
    """The fraction of a number of units of the last digit."""
    return units % 10 ** digits * 10 ** (6 - digits)


def _dot(micros, digits):
    return f".{micros:06d}"[:digits + 1] if digits else ""


def _clock(seconds, micros, digits):
    days, rest = divmod(seconds, 86400)
    # Days since 1970-01-01 by Howard Hinnant's civil_from_days.
    z = days + 719468
    era = z // 146097
    of_era = z - era * 146097
    year_of_era = (of_era - of_era // 1460 + of_era // 36524 - of_era // 146096) // 365
    day_of_year = of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    mp = (5 * day_of_year + 2) // 153
    month = mp + 3 if mp < 10 else mp - 9
    year = year_of_era + era * 400 + (month <= 2)
    day = day_of_year - (153 * mp + 2) // 5 + 1
    return (f"{year:04d}-{month:02d}-{day:02d}T{rest // 3600:02d}:{rest // 60 % 60:02d}:{rest % 60:02d}"
            + _dot(micros, digits))


def _timestamp(column, data):
    digits = column.meta[0] if column.type == 17 else column.digits
    seconds = int.from_bytes(data.take(4), "big" if column.type == 17 or digits else "little")
    if column.type == 17 or not digits:
        micros = _fraction(data, digits)
    else:
        micros = _micros(_hires(column, data, (0, 1, 1, 2, 2, 3, 3)), digits)
    if seconds == 0 and micros == 0:  # MariaDB has the first second of 1970, but for its beginning
        return f'"0000-00-00T00:00:00{_dot(micros, digits)}Z"'
    return f'"{_clock(seconds, micros, digits)}Z"'


def _datetime(column, data):
    if column.type == 12 and column.digits:
        n = _hires(column, data, (0, 6, 6, 7, 7, 7, 8))
        rest, parts = n // 10 ** column.digits, []
        for size in (60, 60, 24, 32, 13):
            rest, part = divmod(rest, size)
            parts.insert(0, part)
        month, day, hour, minute, second = parts
        return (f'"{rest:04d}-{month:02d}-{day:02d}T{hour:02d}:{minute:02d}:{second:02d}'
                f'{_dot(_micros(n, column.digits), column.digits)}"')
    if column.type == 12:
        n = data.uint(8)
        date, time = divmod(n, 1000000)
        return (f'"{date // 10000:04d}-{date // 100 % 100:02d}-{date % 100:02d}T'
                f'{time // 10000:02d}:{time // 100 % 100:02d}:{time % 100:02d}"')
    digits = column.meta[0]
    packed = int.from_bytes(data.take(5), "big") - (1 << 39)
    micros = _fraction(data, digits)
    if packed < 0:
        raise Malformed("a negative DATETIME")
    ymd, hms = packed >> 17, packed & 0x1FFFF
    return (f'"{(ymd >> 5) // 13:04d}-{(ymd >> 5) % 13:02d}-{ymd & 31:02d}T'
            f'{hms >> 12:02d}:{hms >> 6 & 63:02d}:{hms & 63:02d}{_dot(micros, digits)}"')


def _time(column, data):
    if column.type == 11 and column.digits:
        n = _hires(column, data, (0, 4, 4, 5, 5, 5, 6)) - 839 * 3600 * 10 ** column.digits
        sign, n = ("-", -n) if n < 0 else ("", n)
        seconds = n // 10 ** column.digits
        return (f'"{sign}{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}'
                f'{_dot(_micros(n, column.digits), column.digits)}"')
    if column.type == 11:
        n = int.from_bytes(data.take(3), "little", signed=True)
        sign, n = ("-", -n) if n < 0 else ("", n)
        return f'"{sign}{n // 10000:02d}:{n // 100 % 100:02d}:{n % 100:02d}"'
    digits = column.meta[0]
    size = (digits + 1) // 2
    # One big number whose low bytes are the fraction, moved up so that it is never negative.
    number = int.from_bytes(data.take(3 + size), "big") - (1 << 23 + 8 * size)
    sign, number = ("-", -number) if number < 0 else ("", number)
    hms, part = number >> 8 * size, number & (1 << 8 * size) - 1
    micros = part * (1, 10000, 100, 1)[size]
    return f'"{sign}{hms >> 12:02d}:{hms >> 6 & 63:02d}:{hms & 63:02d}{_dot(micros, digits)}"'


def _date(_, data):
    n = data.uint(3)
    return f'"{n >> 9:04d}-{n >> 5 & 15:02d}-{n & 31:02d}"'


def _inet6(raw):
    words = [int.from_bytes(raw[i:i + 2], "big") for i in range(0, 16, 2)]
    # The servers write the last two words as an IPv4 address where the first six are zero or end in ffff.
    mapped = words[:5] == [0] * 5 and words[5] == 0xFFFF
    compatible = words[:6] == [0] * 6 and words[6] != 0
    shown = words[:6] if mapped or compatible else words
    best_start, best = 0, 0
    for start in range(len(shown)):
        count = 0
        while start + count < len(shown) and shown[start + count] == 0:
            count += 1
        if count > best:
            best_start, best = start, count
    parts = [f"{w:x}" for w in shown]
    if best > 0:  # a single zero too
        text = ":".join(parts[:best_start]) + "::" + ":".join(parts[best_start + best:])
    else:
        text = ":".join(parts)
    if mapped or compatible:
        text += ("" if text.endswith(":") else ":") + ".".join(map(str, raw[12:]))
    return text


def _padded(column, raw):
    if len(raw) > column.meta:
        raise Malformed(f"{len(raw)} bytes in BINARY({column.meta})")
    return raw + b"\0" * (column.meta - len(raw))


def _bytes_of(column, data):
    """The raw bytes of a value that has a length in front."""
    if column.type in (252, 255, 245, 242, 140):
        return data.take(data.uint(column.meta[0]))
    most = column.meta if column.type == 254 else int.from_bytes(column.meta, "little")
    return data.take(data.uint(1 if most < 256 else 2))


def _uncompressed(column, raw):
    if column.type not in (140, 141) or not raw:
        return raw
    head = raw[0]
    if head == 0:
        return raw[1:]
    size = head & 7
    text = zlib.decompress(raw[1 + size:], -15 if head & 8 else 15)
    if len(text) != int.from_bytes(raw[1:1 + size], "big"):
        raise Malformed("the size of a compressed value")
    return text


INT_BYTES = {1: 1, 2: 2, 3: 4, 8: 8, 9: 3}


class Values:
    """Reads values, by their form."""

    def __init__(self, catalog):
        self.catalog = catalog

    def json(self, column, data):
        """The payload's form of the next value."""
        return getattr(self, "_" + column.form)(column, data)

    def _int(self, column, data):
        raw = data.take(INT_BYTES[column.type])
        return str(int.from_bytes(raw, "little", signed=not column.unsigned))

    def _year(self, _, data):
        n = data.uint(1)
        return str(1900 + n if n else 0)

    def _float(self, _, data):
        return float_json(struct.unpack("<f", data.take(4))[0])

    def _double(self, _, data):
        return double_json(struct.unpack("<d", data.take(8))[0])

    def _decimal(self, column, data):
        precision, scale = column.meta
        return f'"{decimal_text(data.take(packed_size(precision, scale)), precision, scale)}"'

    def _bit(self, column, data):
        bits = column.meta[0] + 8 * column.meta[1]
        number = int.from_bytes(data.take((bits + 7) // 8), "big")
        return ("true" if number else "false") if bits == 1 else str(number)

    def _text(self, column, data):
        return quoted(self.catalog.text(column.charset, _uncompressed(column, _bytes_of(column, data))))

    def _bytes(self, column, data):
        raw = _uncompressed(column, _bytes_of(column, data))
        return b64(raw)

    def _binary(self, column, data):
        return b64(_padded(column, _bytes_of(column, data)))

    def _uuid(self, column, data):
        h = _padded(column, _bytes_of(column, data)).hex()
        return f'"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"'

    def _inet4(self, column, data):
        return '"' + ".".join(map(str, _padded(column, _bytes_of(column, data)))) + '"'

    def _inet6(self, column, data):
        return f'"{_inet6(_padded(column, _bytes_of(column, data)))}"'

    def _enum(self, column, data):
        n = data.uint(column.meta)
        return quoted(column.labels[n - 1] if n else "")

    def _set(self, column, data):
        n = data.uint(column.meta)
        if n >> len(column.labels):
            raise Malformed(f"a SET of {len(column.labels)} members has {n:#x}")
        return "[" + ",".join(quoted(l) for i, l in enumerate(column.labels) if n >> i & 1) + "]"

    def _geometry(self, column, data):
        raw = _bytes_of(column, data)
        srid = int.from_bytes(raw[:4], "little")
        return f'{{"srid":{srid},"wkb":{b64(raw[4:])}}}'

    def _json(self, column, data):
        return slow_json.text_of(slow_json.parse(_bytes_of(column, data)))

    _date = staticmethod(_date)
    _time = staticmethod(_time)
    _datetime = staticmethod(_datetime)
    _timestamp = staticmethod(_timestamp)


# ---- rows --------------------------------------------------------------------------------------


class Decoder:
    """Rows of files, one after the other."""

    def __init__(self, catalog=None):
        self.catalog = catalog or Catalog()
        self.values = Values(self.catalog)
        self.maps = {}
        self.counts = collections.Counter()  # events by type

    def rows(self, data, wanted=None):
        """Rows of the bytes of a file. wanted(schema, table): tables to decode; None is all."""
        for event, rows in self.events(data, wanted):
            del event
            yield from rows

    def events(self, data, wanted=None):
        """(event, its rows) of the bytes of a file."""
        for event in self.raw_events(data, wanted):
            yield event, self._rows_of(event) if event.type in CHANGES else []

    def raw_events(self, data, wanted=None):
        """The events of a file; table maps are noted."""
        file = File(data)
        for event in file.events():
            self.counts[event.type] += 1
            if event.type == FORMAT:
                self.maps.clear()
            elif event.type == TABLE_MAP:
                table = TableMap(event.body, file.mariadb)
                table.wanted = wanted is None or wanted(table.schema, table.name)
                if table.wanted:
                    self.catalog.complete(table)
                self.maps[table.id] = table
            yield event

    def _rows_of(self, event):
        table, images = self.images(event)
        change = CHANGES[event.type]
        return [Row(table.schema, table.name, change, self._payload(table, before), self._payload(table, after),
                    event.end, event.timestamp) for before, after in images]

    def images(self, event):
        """(table map, [(before, after)]) of a rows event. An image is {index: (raw bytes, JSON)}."""
        data = Bytes(event.body)
        number = data.uint(6)
        table = self.maps.get(number)
        if table is None and number == 0xFFFFFF:  # only ends the statement
            return None, []
        if table is None:
            raise Malformed("rows without a table map")
        if not table.wanted:
            return table, []
        data.take(2)
        if event.type in SECOND_VERSION:
            data.take(data.uint(2) - 2)
        width = data.lenenc()
        if width != len(table.columns):
            raise Malformed(f"rows of {width} columns, a map of {len(table.columns)}")
        change = CHANGES[event.type]
        present = data.bits(width)
        present_after = data.bits(width) if change == "update" else present
        if event.type in COMPRESSED:
            data = Bytes(unpacked(data.rest()))
        found = []
        while data.left:
            before = self._image(table, present, data, {}) if change != "insert" else {}
            after = {}
            if change == "update":
                partial = self._partial(table, data) if event.type == PARTIAL_UPDATE else {}
                after = self._image(table, present_after, data, before, partial)
            elif change == "insert":
                after = self._image(table, present, data, {})
            found.append((before, after))
        return table, found

    def _partial(self, table, data):
        """{index} of the JSON columns that come as differences."""
        if not data.lenenc() & 1:
            return {}
        documents = [c.index for c in table.columns if c.type == 245]
        return {i for i, bit in zip(documents, data.bits(len(documents))) if bit}

    def _image(self, table, present, data, base, partial=()):
        """{index: (raw, JSON)}; what is not in the image stays what base has."""
        shown = [c for c in table.columns if present[c.index]]
        nulls = data.bits(len(shown))
        image = dict(base)
        for c, null in zip(shown, nulls):
            start = data.at
            if null:
                image[c.index] = (None, "null")
                continue
            try:
                if c.index in partial:
                    image[c.index] = self._changed_document(base[c.index], data)
                else:
                    text = self.values.json(c, data)
                    image[c.index] = (data.data[start:data.at], text)
            except (Malformed, ValueError, IndexError, KeyError, struct.error) as e:
                raise Malformed(f"{table.schema}.{table.name}, column {c.name}: {e!r}") from e
        return image

    def _changed_document(self, base, data):
        diffs = Bytes(data.take(data.uint(4)))
        raw = base[0]
        document = base[2] if len(base) > 2 else slow_json.parse(raw[4:])
        while diffs.left:
            operation, path = diffs.uint(1), diffs.text().decode("utf-8")
            value = slow_json.parse(diffs.text()) if operation != slow_json.REMOVE else None
            document = slow_json.apply(document, operation, path, value)
        return (raw, slow_json.text_of(document), document)

    def _payload(self, table, image):
        if not image:
            return None
        parts = []
        skip = getattr(self.catalog, "without_generated", False)
        for c in table.columns:
            if skip and c.generated:
                continue
            if c.index not in image:
                raise Malformed(f"{table.schema}.{table.name}: no value of {c.name} is logged")
            parts.append(f"{quoted(c.name)}:{image[c.index][1]}")
        return "{" + ",".join(parts) + "}"


def inspect_line(row):
    """A row as `calve inspect binlog --rows --json` prints it."""
    text = f'{{"change":"{row.change}","table":{quoted(f"{row.schema}.{row.table}")}'
    if row.before is not None:
        text += f',"before":{row.before}'
    if row.after is not None:
        text += f',"after":{row.after}'
    return text + "}"


def payload_of(row):
    """What a changelog has of a change."""
    return row.before if row.change == "delete" else row.after


def main():
    decoder = Decoder()
    for path in sys.argv[1:]:
        for row in decoder.rows(pathlib.Path(path).read_bytes()):
            print(inspect_line(row))
    print(json.dumps({str(k): n for k, n in sorted(decoder.counts.items())}), file=sys.stderr)


if __name__ == "__main__":
    main()
