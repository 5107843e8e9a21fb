"""A server that speaks MySQL's protocol and serves binlog files, for what no real server can do.

    with FakePrimary(log, [TABLE]) as primary:
        calve = Calve(primary, folder, "shop.*")

`log` is a BinlogMaker (fake_binlog.py), or a Recording. The primary answers what calve asks: settings
and information_schema come from the dialect and the table definitions, everything else from the files.
What it does not understand is an error at the client and fails the test at close().

A test steers it by attributes, and by `hook`, which sees each packet of a dump before it is sent and
may return one of Cut, CutInside, CutAfter, SendError, Eof, Stall, Replace.
"""

import contextlib
import dataclasses
import os
import re
import select
import socket
import sqlite3
import struct
import threading
import time
import urllib.parse

import fake_auth
from fake_binlog import (ANNOTATE, FLAG_ARTIFICIAL, FLAG_IN_USE, FORMAT, GTID, GTID_LIST, GTID_TAGGED,
                         HEARTBEAT, HEARTBEAT_V2, MARIADB_GTID, PREVIOUS_GTIDS, QUERY, ROTATE, XA_PREPARE,
                         XID, GtidSet, GtidState, event, lenenc, lenenc_bytes, read_lenenc, reseal,
                         rotate_body)

PACKET = 0xFFFFFF
SENDFILE_FROM = 1 << 20

CLIENT_MYSQL, CLIENT_CONNECT_WITH_DB, CLIENT_SSL = 1, 8, 1 << 11
CLIENT_PROTOCOL_41, CLIENT_TRANSACTIONS, CLIENT_SECURE = 1 << 9, 1 << 13, 1 << 15
CLIENT_PLUGIN_AUTH, CLIENT_CONNECT_ATTRS, CLIENT_LENENC_AUTH = 1 << 19, 1 << 20, 1 << 21
CLIENT_DEPRECATE_EOF, CLIENT_MFA = 1 << 24, 1 << 28
CAPABILITIES = (2 | 4 | CLIENT_CONNECT_WITH_DB | CLIENT_PROTOCOL_41 | CLIENT_TRANSACTIONS | CLIENT_SECURE
                | CLIENT_PLUGIN_AUTH | CLIENT_CONNECT_ATTRS | CLIENT_LENENC_AUTH)

ER_CON_COUNT, ER_ACCESS_DENIED, ER_PARSE, ER_UNKNOWN_VARIABLE, ER_DUMP = 1040, 1045, 1064, 1193, 1236
ER_SYNTAX_OTHER, ER_SHUTDOWN = 1105, 1053

CHECKSUM_REFUSED = ("Replica can not handle replication events with the checksum that source is "
                    "configured to log; the first event '' at 4")
NO_FIRST_FILE = "Could not find first log file name in binary log index file"
PAST_FILE = "Client requested source to start replication from position > file size"
TRUNCATED = "binlog truncated in the middle of event; consider out of disk space on source"
ZOMBIE = ("A replica with the same server_uuid/server_id as this replica has connected to the source; "
          "the first event '{}' at {}, the last event read from './{}' at {}.")
PURGED = ("Cannot replicate because the source purged required binary logs. Replicate the missing "
          "transactions from elsewhere, or provision a new replica from backup. Consider increasing the "
          "source's binary log expiration period. The GTID set sent by the replica is '{}', and the "
          "missing transactions are '{}'")
PURGED_57 = ("The slave is connecting using CHANGE MASTER TO MASTER_AUTO_POSITION = 1, but the master "
             "has purged binary logs containing GTIDs that the slave requires.")
MORE_GTIDS = ("Replica has more GTIDs than the source has, using the source's SERVER_UUID. This may "
              "indicate that the end of the binary log was truncated or that the last binary log file "
              "was lost, e.g., after a power or disk failure when sync_binlog != 1. The source may or "
              "may not have rolled back transactions that were already replicated to the replica.")
NOT_ON = ("The replication sender thread cannot start in AUTO_POSITION mode: this server has GTID_MODE = "
          "{} instead of ON.")
STATE_PURGED = ("Could not find GTID state requested by slave in any binlog files. Probably the slave "
                "state is too old and required binlog files have been purged.")
NOT_IN_BINLOG = ("Error: connecting slave requested to start from GTID {}, which is not in the master's "
                 "binlog")


# ---- what a hook may ask for -------------------------------------------------------------------

class Cut:
    """The connection ends before the packet."""


class CutAfter:
    """The connection ends behind the packet."""


@dataclasses.dataclass
class CutInside:
    """The connection ends after this many bytes of the packet, its header counted."""

    size: int


@dataclasses.dataclass
class SendError:
    """Instead of the packet comes an error, and the dump ends."""

    code: int
    text: str


class Eof:
    """Instead of the packet comes the end of the dump."""


class Stall:
    """Nothing comes any more, and the connection stays open."""


@dataclasses.dataclass
class Replace:
    """Other events instead."""

    events: list


class _Gone(Exception):
    """The connection has ended, from this side or the other."""


class _ServerError(Exception):
    def __init__(self, code, text):
        super().__init__(text)
        self.code = code
        self.text = text


# ---- packets -----------------------------------------------------------------------------------

class Wire:
    """A socket with MySQL's packets."""

    def __init__(self, sock):
        self.sock = sock
        self.seq = 0

    def _receive(self, size):
        data = bytearray()
        while len(data) < size:
            try:
                piece = self.sock.recv(min(size - len(data), 1 << 20))
            except OSError as e:
                raise _Gone from e
            if not piece:
                raise _Gone
            data += piece
        return bytes(data)

    def read(self):
        data = b""
        while True:
            head = self._receive(4)
            size = int.from_bytes(head[:3], "little")
            self.seq = head[3] + 1 & 0xff
            data += self._receive(size)
            if size < PACKET:
                return data

    def send(self, data):
        try:
            self.sock.sendall(data)
        except OSError as e:
            raise _Gone from e

    def head(self, size):
        out = struct.pack("<I", size)[:3] + bytes([self.seq])
        self.seq = self.seq + 1 & 0xff
        return out

    def frame(self, payload):
        """The bytes of a payload in its packets: one of full length is followed by another."""
        out = bytearray()
        for at in range(0, len(payload) + 1, PACKET):
            piece = payload[at:at + PACKET]
            out += self.head(len(piece)) + piece
        return bytes(out)

    def write(self, payload):
        self.send(self.frame(payload))

    def send_file(self, file, start, size):
        """A 00 byte and `size` bytes of a file as one payload, without reading them here."""
        left, first = size + 1, True
        while True:
            piece = min(left, PACKET)
            self.send(self.head(piece) + (b"\0" if first else b""))
            end = start + piece - (1 if first else 0)
            while start < end:
                try:
                    done = os.sendfile(self.sock.fileno(), file.fileno(), start, end - start)
                except OSError as e:
                    raise _Gone from e
                assert done > 0, "the file became shorter"
                start += done
            left -= piece
            first = False
            if piece < PACKET:
                return

    def error(self, code, text, state=True):
        marker = {1045: b"#28000", 1064: b"#42000"}.get(code, b"#HY000") if state else b""
        self.write(b"\xff" + struct.pack("<H", code) + marker + text.encode())

    def shut(self):
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        with contextlib.suppress(OSError):
            self.sock.close()


# ---- binlog files ------------------------------------------------------------------------------

@dataclasses.dataclass
class Placed:
    """An event in a file."""

    start: int
    size: int
    kind: int
    gtid: object = None  # of events that start a group
    standalone: bool = False  # MariaDB: the next event is the whole group
    ends: bool = False  # MariaDB: a group

    @property
    def end(self):
        return self.start + self.size


class LogFile:
    """The events of a file, found as the file grows."""

    def __init__(self, path):
        self.path = path
        self.events = []
        self.at = 4
        self.mariadb = False
        self.before = None  # what PREVIOUS_GTIDS or GTID_LIST says
        self.checksum = False

    def refresh(self):
        size = self.path.stat().st_size
        if size <= self.at:
            return
        with open(self.path, "rb") as f:
            while self.at + 19 <= size:
                f.seek(self.at)
                head = f.read(19)
                _, kind, server_id, length, _, _ = struct.unpack("<IBIIIH", head)
                assert length >= 19, f"{self.path} at {self.at}: an event of {length} bytes"
                if self.at + length > size:
                    return
                self.events.append(self._look(f, Placed(self.at, length, kind), server_id))
                self.at += length

    def _look(self, f, placed, server_id):
        kind, length = placed.kind, placed.size
        if kind == FORMAT:
            body = f.read(length - 19)
            self.checksum = body[-5] == 1
            self.mariadb = b"MariaDB" in body[2:52]
        elif kind in (PREVIOUS_GTIDS, GTID_LIST):
            body = f.read(length - 19)
            body = body[:-4] if self.checksum else body
            if kind == PREVIOUS_GTIDS:
                self.before = GtidSet.decode(body)
            else:
                self.before = GtidState()
                for i in range(struct.unpack_from("<I", body)[0] & 0xfffffff):
                    self.before.add(struct.unpack_from("<IIQ", body, 4 + 16 * i))
        elif kind == GTID:
            body = f.read(25)
            placed.gtid = _uuid(body[1:17]), "", struct.unpack_from("<q", body, 17)[0]
        elif kind == GTID_TAGGED:
            placed.gtid = _tagged_gtid(f.read(length - 19))
        elif kind == MARIADB_GTID:
            seq, domain, flags = struct.unpack("<QIB", f.read(13))
            placed.gtid = domain, server_id, seq
            placed.standalone = bool(flags & 1)
        elif self.mariadb and kind in (XID, XA_PREPARE):
            placed.ends = True
        elif self.mariadb and kind == QUERY:
            body = f.read(length - 19 - (4 if self.checksum else 0))
            placed.ends = body.endswith((b"\0COMMIT", b"\0ROLLBACK"))
        return placed


def _uuid(data):
    h = data.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def _vli(data, at):
    ones = 0
    while ones < 8 and data[at] >> ones & 1:
        ones += 1
    if ones == 8:
        return int.from_bytes(data[at + 1:at + 9], "little"), at + 9
    size = ones + 1
    return int.from_bytes(data[at:at + size], "little") >> size, at + size


def _tagged_gtid(body):
    """(uuid, tag, number) of a GTID_TAGGED body: its first fields are always there."""
    values, at = [], 0
    for _ in range(5):  # version, size, last field, field 0, flags
        value, at = _vli(body, at)
        values.append(value)
    assert values[0] == 1 and values[3] == 0
    field, at = _vli(body, at)
    assert field == 1
    uuid = bytearray()
    for _ in range(16):
        value, at = _vli(body, at)
        uuid.append(value)
    field, at = _vli(body, at)
    number, at = _vli(body, at)
    assert field == 2 and number % 2 == 0
    field, at = _vli(body, at)
    length, at = _vli(body, at)
    assert field == 3
    return _uuid(bytes(uuid)), body[at:at + length].decode(), number // 2


class LogFolder:
    """The binlog files that a primary has, and which transactions are in them."""

    def __init__(self, log):
        self.log = log
        self.files = {}
        self.lock = log.lock
        self.purged_names = set()

    @property
    def names(self):
        return [n for n in self.log.names if n not in self.purged_names]

    def file(self, name):
        with self.lock:
            path = self.log.folder / name
            found = self.files.get(name)
            if found is None or found.path != path:
                found = self.files[name] = LogFile(path)
            found.refresh()
            return found

    def events(self, name):
        """Its events; the list may grow, what is in it stays."""
        return self.file(name).events

    def executed(self):
        with self.lock:
            files = [self.file(n) for n in self.names]
            found = self.purged()
            for f in files:
                for e in f.events:
                    if e.gtid is not None:
                        found.add(e.gtid)
            return found

    def purged(self):
        with self.lock:
            first = self.file(self.names[0])
            if first.before is not None:
                return first.before.copy()
            return GtidState() if first.mariadb else GtidSet()

    def position_of(self, name, offset):
        """MariaDB: the GTID position that belongs to a file and offset; None when there is none."""
        if name not in self.names:
            return None
        f = self.file(name)
        found = (f.before or GtidState()).copy()
        for e in f.events:
            if e.start >= offset:
                break
            if e.gtid is not None:
                found.add(e.gtid)
        return str(found)


# ---- the server --------------------------------------------------------------------------------

def _substring_index(text, mark, count):
    if text is None:
        return None
    parts = text.split(mark)
    return mark.join(parts[:count] if count > 0 else parts[count:])


@dataclasses.dataclass
class Dump:
    """One dump command: what was asked for, and how far it is."""

    number: int
    by: str  # "gtid", "position", "connect_state"
    file: str
    offset: int
    gtids: str
    server_id: int
    uuid: str
    flags: int
    user: str
    sent: int = 0  # packets
    where: tuple = None  # (file, offset) of the event that is next; None: one made up
    made_up: str = ""
    over: bool = False


class FakePrimary:
    """Listens on a port of its own from the start; ends with close()."""

    family = "mysql"

    def __init__(self, log, tables, account=None, tls=None, plugin=None, variables=None, dialect=None):
        self.log = log
        self.dialect = dialect or log.dialect
        self.folder = LogFolder(log)
        self.tables = list(tables)
        self.account = account or fake_auth.Account()
        self.tls = tls  # an SSLContext
        self.default_plugin = plugin or (
            "mysql_native_password" if self.dialect.native else "caching_sha2_password")
        self.variables = variables or {}
        self.uuid = log.uuid
        self.server_id = log.server_id
        self.gtid_mode = "ON" if log.gtids else "OFF"
        self.refuse = None  # (code, text): instead of the handshake
        self.mfa = False
        self.hook = None
        self.engines = {"InnoDB": "YES"}
        self.heartbeats = True
        self.errors = []  # of this program, not of what it serves
        self.dumps = []
        self.looks = []  # dumps without a server id, which only look at a file's head: no hook sees them
        self.queries = []
        self.logins = []
        self.connections = 0
        self.kill_zombies = True
        self._lock = threading.Lock()
        self._wires = set()
        self._threads = []
        self._owners = {}
        self._listener = None
        self.port = 0
        self.start()

    # -- life --

    def start(self):
        """Listens, after stop() on the same port."""
        self._closing = False
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        self._spawn(self._accept, self._listener)

    def stop(self):
        """As if the server was killed: all connections end."""
        self._closing = True
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        with self._lock:
            wires = list(self._wires)
        for wire in wires:
            wire.shut()
        for thread in self._threads:
            thread.join(20)
            assert not thread.is_alive(), "a thread of the fake primary does not end"
        self._threads.clear()

    def close(self):
        self.stop()
        if self.errors:
            raise AssertionError("the fake primary failed: " + "\n".join(map(str, self.errors)))

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        if kind is None:
            self.close()
        else:
            self.stop()
            if self.errors:
                print("the fake primary failed, too:", *self.errors, sep="\n")

    def url(self, user="root", password=""):
        if self.account.user != "root" or self.account.password:
            user, password = self.account.user, self.account.password
        quoted = urllib.parse.quote(password, safe="")
        return f"mysql://{user}:{quoted}@127.0.0.1:{self.port}/"

    def purge_to(self, name):
        """PURGE BINARY LOGS TO 'name'."""
        for n in self.folder.names[:self.folder.names.index(name)]:
            self.folder.purged_names.add(n)

    def _spawn(self, work, *args):
        thread = threading.Thread(target=self._guard, args=(work, *args), daemon=True)
        self._threads.append(thread)
        thread.start()

    def _guard(self, work, *args):
        try:
            work(*args)
        except _Gone:
            pass
        except Exception as e:  # pylint: disable=broad-except
            import traceback
            self.errors.append("".join(traceback.format_exception(e)))

    def _accept(self, listener):
        while not self._closing:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire = Wire(sock)
            with self._lock:
                self._wires.add(wire)
                self._threads = [t for t in self._threads if t.is_alive()]
            self._spawn(self._serve, wire)

    def _serve(self, wire):
        try:
            with self._lock:
                self.connections += 1
                number = self.connections
            Session(self, wire, number).run()
        finally:
            wire.shut()
            with self._lock:
                self._wires.discard(wire)

    # -- answers --

    def variable(self, name):
        """A system variable as text; None when this version has none of this name."""
        d = self.dialect
        found = {
            "version": d.version, "version_comment": d.comment, "log_bin": "1", "binlog_format": "ROW",
            "binlog_row_image": "FULL", "server_id": str(self.server_id),
            "binlog_checksum": "CRC32" if self.log.checksum else "NONE",
            "max_allowed_packet": "67108864", "lower_case_table_names": "0", "time_zone": "SYSTEM",
            "character_set_server": "utf8mb4", "collation_server": "utf8mb4_general_ci",
            "sql_mode": "", "port": str(self.port), "hostname": "fake", "read_only": "0",
        }
        if d.metadata:
            found["binlog_row_metadata"] = d.metadata
        if d.mariadb:
            found |= {"gtid_domain_id": str(self.log.domain), "log_bin_compress": "0",
                      "gtid_binlog_pos": str(self.folder.executed()),
                      "gtid_current_pos": str(self.folder.executed()),
                      "gtid_binlog_state": str(self.folder.executed()), "gtid_slave_pos": "",
                      "gtid_strict_mode": "1", "expire_logs_days": "0"}
        else:
            found |= {"server_uuid": self.uuid, "gtid_mode": self.gtid_mode, "gtid_owned": "",
                      "enforce_gtid_consistency": "ON", "binlog_row_value_options": "",
                      "super_read_only": "0"}
            if name == "gtid_executed":
                found[name] = str(self.folder.executed()).replace(",", ",\n")
            elif name == "gtid_purged":
                found[name] = str(self.folder.purged())
        if d.mariadb or d.number >= 80000:
            found["binlog_expire_logs_seconds"] = "2592000"
        if d.number >= 80020 and not d.mariadb:
            found["binlog_transaction_compression"] = "0"
        found |= self.variables
        return found.get(name)

    def database(self):
        """information_schema as an SQLite database, with the functions that calve uses."""
        db = sqlite3.connect(":memory:")
        db.execute("ATTACH ':memory:' AS information_schema")
        db.create_function("VERSION", 0, lambda: self.dialect.version)
        db.create_function("CURRENT_USER", 0, lambda: f"{self.account.user}@%")
        db.create_function("UNIX_TIMESTAMP", 0, lambda: int(time.time()))
        db.create_function("CONCAT", -1, lambda *a: "".join(map(str, a)))
        db.create_function("SUBSTRING_INDEX", 3, _substring_index)
        db.create_function("GTID_SUBSET", 2, lambda a, b: int(GtidSet(a) <= GtidSet(b)))
        db.create_function("GTID_SUBTRACT", 2, lambda a, b: str(GtidSet(a).minus(GtidSet(b))))
        db.create_function("BINLOG_GTID_POS", 2, self.folder.position_of)
        self._fill(db)
        return db

    def _fill(self, db):
        where = "information_schema"
        db.execute(f"CREATE TABLE {where}.TABLES (TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, ENGINE, TABLE_ROWS,"
                   " CREATE_OPTIONS, TABLE_COLLATION, TABLE_COMMENT, AUTO_INCREMENT)")
        db.execute(f"CREATE TABLE {where}.COLUMNS (TABLE_SCHEMA, TABLE_NAME, COLUMN_NAME, ORDINAL_POSITION,"
                   " DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, CHARACTER_MAXIMUM_LENGTH, NUMERIC_PRECISION,"
                   " NUMERIC_SCALE, DATETIME_PRECISION, CHARACTER_SET_NAME, COLLATION_NAME,"
                   " GENERATION_EXPRESSION, EXTRA, COLUMN_KEY, COLUMN_DEFAULT, COLUMN_COMMENT, SRS_ID)")
        db.execute(f"CREATE TABLE {where}.STATISTICS (TABLE_SCHEMA, TABLE_NAME, INDEX_NAME, COLUMN_NAME,"
                   " SEQ_IN_INDEX, NON_UNIQUE, SUB_PART, NULLABLE)")
        db.execute(f"CREATE TABLE {where}.ENGINES (ENGINE, TRANSACTIONS, SUPPORT)")
        db.execute(f"CREATE TABLE {where}.SCHEMATA (SCHEMA_NAME, DEFAULT_CHARACTER_SET_NAME,"
                   " DEFAULT_COLLATION_NAME)")
        db.execute(f"CREATE TABLE {where}.COLLATIONS (COLLATION_NAME, CHARACTER_SET_NAME, ID, IS_DEFAULT)")
        db.execute(f"INSERT INTO {where}.COLLATIONS VALUES ('utf8mb4_general_ci', 'utf8mb4', 45, 'Yes'),"
                   " ('binary', 'binary', 63, 'Yes'), ('latin1_swedish_ci', 'latin1', 8, 'Yes')")
        db.executemany(f"INSERT INTO {where}.ENGINES VALUES (?, ?, 'YES')", self.engines.items())
        db.executemany(f"INSERT INTO {where}.SCHEMATA VALUES (?, 'utf8mb4', 'utf8mb4_general_ci')",
                       {(t.schema,) for t in self.tables})
        for t in self.tables:
            db.execute(f"INSERT INTO {where}.TABLES VALUES (?, ?, 'BASE TABLE', 'InnoDB', 100, '',"
                       " 'utf8mb4_general_ci', '', NULL)", (t.schema, t.name))
            for i, c in enumerate(t.columns):
                collation = {45: "utf8mb4_general_ci"}.get(c.collation) if c.charset else None
                db.execute(f"INSERT INTO {where}.COLUMNS VALUES ({','.join('?' * 19)})",
                           (t.schema, t.name, c.name, i + 1, c.data_type, c.column_type,
                            "YES" if c.nullable else "NO", c.characters, c.precision, c.scale, c.fsp,
                            c.charset, collation, "", "", "PRI" if c.name in t.key else "", None, "", None))
            for i, k in enumerate(t.key):
                db.execute(f"INSERT INTO {where}.STATISTICS VALUES (?, ?, 'PRIMARY', ?, ?, 0, NULL, '')",
                           (t.schema, t.name, k, i + 1))

    # -- dumps --

    def own(self, dump, wire):
        """Registers a dump; an older one of the same replica is ended."""
        if dump.server_id == 0:
            self.looks.append(dump)
            return
        with self._lock:
            dump.number = len(self.dumps)
            self.dumps.append(dump)
            key = dump.uuid or dump.server_id
            old = self._owners.get(key)
            self._owners[key] = (dump, wire)
        if old is not None and self.kill_zombies and not old[0].over:
            old[0].over = True


class Session:
    """One connection."""

    def __init__(self, primary, wire, number):
        self.primary = primary
        self.wire = wire
        self.number = number
        self.user_variables = {}
        self.capabilities = 0
        self.user = ""
        self.tls = False
        self.database = None

    # -- login --

    def run(self):
        p = self.primary
        if p.refuse is not None:
            self.wire.error(*p.refuse, state=False)
            return
        try:
            self._login()
        except _ServerError as e:
            self.wire.error(e.code, e.text)
            return
        self.wire.write(self._ok())
        while self._command():
            pass

    def _greeting(self, nonce):
        p = self.primary
        d = p.dialect
        caps = CAPABILITIES | (0 if d.mariadb else CLIENT_MYSQL) | (CLIENT_SSL if p.tls else 0)
        if d.number >= 50700:
            caps |= CLIENT_DEPRECATE_EOF
        if p.mfa:
            caps |= CLIENT_MFA
        self.capabilities = caps
        return (b"\x0a" + d.wire_version.encode() + b"\0" + struct.pack("<I", self.number) + nonce[:8]
                + b"\0" + struct.pack("<H", caps & 0xffff) + b"\x2d" + struct.pack("<H", 2)
                + struct.pack("<H", caps >> 16) + bytes([len(nonce) + 1]) + bytes(10)
                + nonce[8:] + b"\0" + p.default_plugin.encode() + b"\0")

    def _login(self):
        p = self.primary
        nonce = fake_auth.new_nonce()
        self.wire.write(self._greeting(nonce))
        data = self.wire.read()
        caps = struct.unpack_from("<I", data)[0]
        if caps & CLIENT_SSL and len(data) == 32:
            try:
                self.wire.sock = p.tls.wrap_socket(self.wire.sock, server_side=True)
            except OSError as e:  # the client did not like the certificate
                raise _Gone from e
            self.tls = True
            data = self.wire.read()
            caps = struct.unpack_from("<I", data)[0]
        self.capabilities &= caps
        at = 32
        end = data.index(b"\0", at)
        self.user = data[at:end].decode()
        at = end + 1
        if caps & CLIENT_LENENC_AUTH:
            size, at = read_lenenc(data, at)
        else:
            size, at = data[at], at + 1
        proof = data[at:at + size]
        at += size
        if caps & CLIENT_CONNECT_WITH_DB:
            at = data.index(b"\0", at) + 1
        plugin = data[at:data.index(b"\0", at)].decode() if caps & CLIENT_PLUGIN_AUTH else ""
        p.logins.append({"user": self.user, "plugin": plugin, "tls": self.tls, "proof": proof})
        fake_auth.check(p.account, fake_auth.Exchange(self.wire, self.tls, self._denied), self.user,
                        plugin, p.default_plugin, nonce, proof)
        if p.mfa:
            assert not caps & CLIENT_MFA, "a client that can give a second factor"
            raise self._denied()

    def _denied(self):
        return _ServerError(ER_ACCESS_DENIED,
                            f"Access denied for user '{self.user}'@'localhost' (using password: YES)")

    # -- commands --

    def _ok(self):
        return b"\0\0\0" + struct.pack("<HH", 2, 0)

    def _command(self):
        data = self.wire.read()
        command, rest = data[0], data[1:]
        try:
            if command == 0x01:
                return False
            if command == 0x03:
                self._query(rest.decode())
            elif command in (0x0e, 0x15):
                self.wire.write(self._ok())
            elif command == 0x12:
                self._dump_by_position(rest)
            elif command == 0x1e:
                self._dump_by_gtids(rest)
            else:
                raise AssertionError(f"command {command:#x}")
        except _ServerError as e:
            self.wire.error(e.code, e.text)
        return command not in (0x12, 0x1e)

    def _query(self, sql):
        self.primary.queries.append(sql)
        upper = " ".join(sql.upper().split())
        if upper.startswith("SET "):
            self._set(sql)
        elif upper.startswith("SELECT "):
            self._select(sql)
        elif upper.startswith("SHOW "):
            self._show(upper)
        elif upper == "XA RECOVER":
            self._result(["formatID", "gtrid_length", "bqual_length", "data"], [])
        elif upper in ("COMMIT", "ROLLBACK", "UNLOCK TABLES", "FLUSH BINARY LOGS"):
            self.wire.write(self._ok())
        else:
            raise AssertionError(f"a statement that is not known here: {sql}")

    def _value(self, text):
        """What an expression of SET means, as text."""
        text = text.strip()
        if text[:1] in "'\"":
            return text[1:-1]
        if text.startswith("@@"):
            return self._system(text[2:])
        return text

    def _system(self, name):
        name = name.lower()
        for prefix in ("global.", "session."):
            name = name.removeprefix(prefix)
        value = self.primary.variable(name)
        if value is None:
            raise _ServerError(ER_UNKNOWN_VARIABLE, f"Unknown system variable '{name}'")
        return value

    def _set(self, sql):
        unknown = {"tx_isolation": self.primary.dialect.number >= 80000 and not self.primary.dialect.mariadb,
                   "transaction_isolation": self.primary.dialect.mariadb
                   and self.primary.dialect.number < 110100,
                   "max_statement_time": not self.primary.dialect.mariadb,
                   "max_execution_time": self.primary.dialect.mariadb,
                   "show_gipk_in_create_table_and_information_schema":
                       self.primary.dialect.mariadb or self.primary.dialect.number < 80030}
        if not re.match(r"SET\s+NAMES\b", sql, re.I):
            body = re.sub(r"^SET\s+(SESSION\s+|GLOBAL\s+)?", "", sql, flags=re.I)
            for part in re.findall(r"(@?\w+)\s*=\s*('[^']*'|[^,]*)", body):
                name, value = part[0].lower(), part[1]
                if unknown.get(name):
                    raise _ServerError(ER_UNKNOWN_VARIABLE, f"Unknown system variable '{name}'")
                if name.startswith("@"):
                    self.user_variables[name] = self._value(value)
        self.wire.write(self._ok())

    def _select(self, sql):
        def quote(text):
            return "NULL" if text is None else "'" + text.replace("'", "''") + "'"

        sql = re.sub(r"@@([\w.]+)", lambda m: quote(self._system(m[1])), sql)
        sql = re.sub(r"@(\w+)", lambda m: quote(self.user_variables.get("@" + m[1].lower())), sql)
        sql = re.sub(r"\bAS BINARY\b", "AS BLOB", sql, flags=re.I)
        if re.match(r"SELECT \* FROM `.*LIMIT 0$", sql):
            self._result(["none"], [])
            return
        if self.database is None:
            self.database = self.primary.database()
        if "mysql.rds_configuration" in sql:
            raise _ServerError(1146, "Table 'mysql.rds_configuration' doesn't exist")
        try:
            cursor = self.database.execute(sql)
        except sqlite3.Error as e:
            raise AssertionError(f"{e}: {sql}") from e
        self._result([c[0] for c in cursor.description], cursor.fetchall())

    def _show(self, upper):
        p = self.primary
        d = p.dialect
        status = upper in ("SHOW MASTER STATUS", "SHOW BINARY LOG STATUS", "SHOW BINLOG STATUS")
        if status:
            known = {"SHOW MASTER STATUS": d.old_status, "SHOW BINARY LOG STATUS": d.new_status,
                     "SHOW BINLOG STATUS": d.mariadb}[upper]
            if not known:
                raise _ServerError(ER_PARSE, "You have an error in your SQL syntax")
            name = p.folder.names[-1]
            row = [name, p.folder.file(name).at, "", ""]
            names = ["File", "Position", "Binlog_Do_DB", "Binlog_Ignore_DB"]
            if not d.mariadb:
                names.append("Executed_Gtid_Set")
                row.append(str(p.folder.executed()).replace(",", ",\n"))
            self._result(names, [row])
        elif upper == "SHOW BINARY LOGS":
            rows = [[n, p.folder.file(n).at] for n in p.folder.names]
            names = ["Log_name", "File_size"]
            if d.number >= 80014 and not d.mariadb:
                names.append("Encrypted")
                rows = [[*r, "No"] for r in rows]
            self._result(names, rows)
        elif upper in ("SHOW REPLICA STATUS", "SHOW SLAVE STATUS"):
            known = d.mariadb or (d.number >= 80022 if "REPLICA" in upper else d.number < 80400)
            if not known:
                raise _ServerError(ER_PARSE, "You have an error in your SQL syntax")
            self._result(["none"], [])
        elif upper.startswith("SHOW CREATE TABLE "):
            name = upper.split(" ", 3)[3]
            self._result(["Table", "Create Table"], [[name, f"CREATE TABLE {name} (\n  `id` int\n) ENGINE=InnoDB"]])
        elif upper == "SHOW GRANTS":
            self._result(["Grants"], [["GRANT ALL PRIVILEGES ON *.* TO `root`@`%` WITH GRANT OPTION"]])
        elif upper.startswith("SHOW BINLOG EVENTS") or upper.startswith("SHOW STATUS"):
            self._result(["none"], [])
        else:
            raise AssertionError(f"a statement that is not known here: {upper}")

    def _result(self, names, rows):
        w = self.wire
        modern = self.capabilities & CLIENT_DEPRECATE_EOF
        out = w.frame(lenenc(len(names)))
        for name in names:
            n = name.encode()
            out += w.frame(b"\x03def\0\0\0" + lenenc_bytes(n) + lenenc_bytes(n)
                           + b"\x0c\x2d\0\xff\xff\xff\0\xfd\0\0\0\0\0")
        if not modern:
            out += w.frame(b"\xfe\0\0\2\0")
        for row in rows:
            data = b""
            for v in row:
                data += b"\xfb" if v is None else lenenc_bytes(v if isinstance(v, bytes)
                                                               else str(v).encode())
            out += w.frame(data)
        out += w.frame(b"\xfe\0\0\2\0\0\0" if modern else b"\xfe\0\0\2\0")
        w.send(out)

    # -- dumps --

    def _dump(self, by, file, offset, gtids, server_id, flags):
        uuid = self.user_variables.get("@replica_uuid") or self.user_variables.get("@slave_uuid") or ""
        dump = Dump(0, by, file, offset, str(gtids) if gtids is not None else "", server_id, uuid, flags,
                    self.user)
        self.primary.own(dump, self.wire)
        return dump

    def _dump_by_position(self, data):
        offset, flags, server_id = struct.unpack_from("<IHI", data)
        file = data[10:].decode()
        state = self.user_variables.get("@slave_connect_state")
        mariadb = self.primary.dialect.mariadb
        if mariadb and state is not None:
            state = GtidState.parse(state)
            dump = self._dump("connect_state", file, offset, state, server_id, flags)
            Sender(self, dump).run_mariadb(state)
            return
        dump = self._dump("position", file, offset, None, server_id, flags)
        Sender(self, dump).run(file or self.primary.folder.names[0], offset, None)

    def _dump_by_gtids(self, data):
        flags, server_id, size = struct.unpack_from("<HII", data)
        name = data[10:10 + size].decode()
        offset, length = struct.unpack_from("<QI", data, 10 + size)
        block = data[22 + size:]
        assert len(block) == length, "the GTID set has another length than the command says"
        gtids = GtidSet.decode(block)
        dump = self._dump("gtid", name, offset, gtids, server_id, flags)
        Sender(self, dump).run_gtids(name, offset, gtids)


# ---- sending a binlog --------------------------------------------------------------------------

class Sender:
    """Serves one dump by the server's rules."""

    def __init__(self, session, dump):
        self.session = session
        self.wire = session.wire
        self.primary = session.primary
        self.folder = session.primary.folder
        self.dump = dump
        told = session.user_variables.get("@source_binlog_checksum",
                                          session.user_variables.get("@master_binlog_checksum"))
        self.told_checksum = told
        self.checksum = told == "CRC32"
        self.mariadb = self.primary.dialect.mariadb
        self.v2 = bool(dump.flags & 2) and self.primary.dialect.heartbeat_v2
        period = session.user_variables.get("@source_heartbeat_period", "0")
        self.heartbeat_s = int(period) / 1e9
        self.excluding = False
        self.standalone = False
        self.list_due = dump.by == "connect_state"
        self.skipped_end = 0  # where the last skipped group ended, while no heartbeat told

    # -- where to start --

    def run_gtids(self, name, offset, gtids):
        p = self.primary
        if p.gtid_mode != "ON":
            raise _ServerError(ER_DUMP, NOT_ON.format(p.gtid_mode))
        mine = GtidSet()
        mine.ranges = {k: v for k, v in gtids.ranges.items() if k[0] == p.uuid}
        executed, purged = self.folder.executed(), self.folder.purged()
        if not mine <= executed:
            raise _ServerError(ER_DUMP, MORE_GTIDS)
        if not purged <= gtids:
            old = p.dialect.number < 80000
            raise _ServerError(ER_DUMP, PURGED_57 if old else
                               PURGED.format(gtids, purged.minus(gtids)))
        if not name:
            for name in reversed(self.folder.names):
                before = self.folder.file(name).before
                if before is not None and before <= gtids:
                    break
        self.run(name, offset, gtids)

    def run_mariadb(self, state):
        known = self.folder.executed()
        first = self.folder.purged()
        for domain, (server, seq) in state.items():
            if domain in known.keys() and seq > known[domain][1]:
                raise _ServerError(1955, NOT_IN_BINLOG.format(f"{domain}-{server}-{seq}"))
        for domain, (_, seq) in first.items():
            if state.get(domain, (0, 0))[1] < seq:
                raise _ServerError(ER_DUMP, STATE_PURGED)
        name = self.folder.names[0]
        for candidate in self.folder.names:
            before = self.folder.file(candidate).before
            if before is not None and all(state.get(d, (0, 0))[1] >= s for d, (_, s) in before.items()):
                name = candidate
        self.run(name, 4, state)

    # -- files --

    def run(self, name, offset, skip):
        if name not in self.folder.names:
            raise _ServerError(ER_DUMP, NO_FIRST_FILE)
        if offset > self.folder.file(name).at and not self.mariadb:
            raise _ServerError(ER_DUMP, PAST_FILE)
        try:
            while name is not None:
                name = self._file(name, max(offset, 4), skip)
                offset = 4
        finally:
            self.dump.over = True

    def _file(self, name, offset, skip):
        """Sends a file from there on; returns the next one."""
        log = self.folder.file(name)
        if log.checksum and self.told_checksum is None:
            raise _ServerError(ER_DUMP, CHECKSUM_REFUSED)
        self._made_up("rotate", ROTATE, rotate_body(name, offset), 0, FLAG_ARTIFICIAL)
        self.checksum = log.checksum
        events = log.events
        with open(log.path, "rb") as f:
            self._format(f, name, events[0], offset)
            at = self._find(events, offset)
            while True:
                with self.folder.lock:
                    log.refresh()
                    last = name == self.folder.names[-1]
                while at < len(events):
                    self._event(f, name, events[at], skip)
                    at += 1
                if not last:
                    break
                if self.dump.server_id == 0 or self.dump.flags & 1:
                    self.wire.write(b"\xfe\0\0\2\0")
                    return None
                self._wait(name, log, at)
        names = self.folder.log.names
        following = names.index(name) + 1
        return names[following] if following < len(names) else None

    def _find(self, events, offset):
        if offset <= 4:
            return 1
        for i, e in enumerate(events):
            if e.start == offset:
                return i
        if offset == events[-1].end:
            return len(events)
        raise _ServerError(ER_DUMP, "log event entry exceeded max_allowed_packet; Increase "
                                    "max_allowed_packet on source; the first event '' at "
                                    f"{offset}, the last event read from './x' at 4")

    def _format(self, f, name, placed, offset):
        f.seek(placed.start)
        data = f.read(placed.size)
        flags = struct.unpack_from("<H", data, 17)[0] & ~FLAG_IN_USE
        data = data[:17] + struct.pack("<H", flags) + data[19:]
        if offset > 4:
            # Neither a position nor a reason to forget temporary tables.
            data = data[:13] + bytes(4) + data[17:]
            data = data[:19 + 52] + bytes(4) + data[19 + 56:]
        self._packet(reseal(data, True), (name, placed.start))

    def _event(self, f, name, placed, skip):
        if placed.kind in (GTID, GTID_TAGGED, MARIADB_GTID):
            self.excluding = skip is not None and placed.gtid in skip
            self.standalone = placed.standalone
        elif placed.kind in (ROTATE, FORMAT):
            self.excluding = False
        if self.excluding:
            self.skipped_end = placed.end
            # MySQL leaves out all up to the next group, MariaDB the group.
            if self.mariadb and placed.kind != MARIADB_GTID:
                self.excluding = not (self.standalone or placed.ends)
            return
        if placed.kind == ANNOTATE and not self.dump.flags & 2:
            return
        if self.skipped_end and not self.mariadb:
            self._heartbeat(name, self.skipped_end)
        self.skipped_end = 0
        if self.list_due and placed.kind == MARIADB_GTID:
            # All that a MariaDB server says of the place to which it has skipped: 32 bits.
            self.list_due = False
            self._made_up("gtid list", GTID_LIST, skip.encode(), placed.start, FLAG_ARTIFICIAL)
        if placed.size >= SENDFILE_FROM and self.primary.hook is None and not self.session.tls:
            self._check_owner(name, placed.start)
            self.wire.send_file(f, placed.start, placed.size)
            self.dump.sent += 1
            return
        f.seek(placed.start)
        self._packet(f.read(placed.size), (name, placed.start))

    def _wait(self, name, log, count):
        """Until there is more, with heartbeats."""
        due = time.monotonic() + self.heartbeat_s
        if self.skipped_end and not self.mariadb:
            self._heartbeat(name, self.skipped_end)
            self.skipped_end = 0
        while True:
            if self.primary._closing:
                raise _Gone
            self._check_owner(name, log.at)
            with self.folder.lock:
                log.refresh()
            if len(log.events) > count or name != self.folder.names[-1]:
                return
            # The client says nothing during a dump, but it may go.
            if not self.session.tls and select.select([self.wire.sock], [], [], 0.01)[0]:
                raise _Gone
            if self.session.tls:
                time.sleep(0.01)
            if self.heartbeat_s and self.primary.heartbeats and time.monotonic() >= due:
                self._heartbeat(name, log.at)
                due = time.monotonic() + self.heartbeat_s

    # -- packets --

    def _heartbeat(self, name, position):
        if self.v2:
            body = b"\x01" + lenenc_bytes(name.encode()) + b"\x02" + lenenc_bytes(lenenc(position)) + b"\0"
            self._made_up("heartbeat", HEARTBEAT_V2, body, position, 0)
        elif self.mariadb and position > 0xffffffff:
            self._made_up("heartbeat", HEARTBEAT, struct.pack("<Q", position) + name.encode(), 0,
                          FLAG_ARTIFICIAL)
        else:
            self._made_up("heartbeat", HEARTBEAT, name.encode(), position,
                          FLAG_ARTIFICIAL if self.mariadb else 0)

    def _made_up(self, what, kind, body, position, flags):
        self.dump.made_up = what
        self._packet(event(kind, body, position, flags, self.checksum, self.primary.server_id, 0), None)
        self.dump.made_up = ""

    def _check_owner(self, name, position):
        if self.dump.over:
            raise _ServerError(ER_DUMP, ZOMBIE.format(name, position, name, position))

    def _packet(self, data, where):
        dump = self.dump
        self._check_owner(*(where or ("", 4)))
        dump.where = where
        hooked = self.primary.hook is not None and dump.server_id != 0
        action = self.primary.hook(dump, data) if hooked else None
        if isinstance(action, Cut):
            raise _Gone
        if isinstance(action, CutInside):
            self.wire.send(self.wire.frame(b"\0" + data)[:action.size])
            raise _Gone
        if isinstance(action, SendError):
            raise _ServerError(action.code, action.text)
        if isinstance(action, Eof):
            self.wire.write(b"\xfe\0\0\2\0")
            raise _Gone
        if isinstance(action, Stall):
            while not self.primary._closing and not select.select([self.wire.sock], [], [], 0.1)[0]:
                pass
            raise _Gone
        for one in action.events if isinstance(action, Replace) else [data]:
            self.wire.write(b"\0" + one)
        dump.sent += 1
        if isinstance(action, CutAfter):
            raise _Gone
