"""Events that servers write only when they are told to: every row arrives, whatever wraps it."""

import json
import os
import pathlib
import shutil
import struct
import tempfile
import uuid
import zlib

import pytest

from lake import file_number, replay

TABLE = "CREATE TABLE t (id INT PRIMARY KEY, v MEDIUMTEXT)"


def check(calve, source, oracle, tables=("t",)):
    """The changelogs lead to what the source has now."""
    for name in tables:
        assert replay(calve.lake.changes(source.schema, name)) == oracle.by_key(source.schema, name), name


def ids(calve, source, table="t"):
    return sorted(json.loads(p)["id"] for p in calve.lake.payloads(source.schema, table))


def inspect(calve, path, *flags):
    """What `inspect binlog` says about a file."""
    result = calve.plain("inspect", "binlog", path, "--json", *flags, timeout=120)
    assert result.status == 0, result
    return [json.loads(line) for line in result.out.splitlines()]


def binlog_path(source, file=None):
    return pathlib.Path(source.value("SELECT @@datadir"), file or source.position()[0])


# ---- GTIDs with tags ---------------------------------------------------------------------------


def test_tagged_gtids(make_source, make_calve, make_oracle):
    """Transactions with tags, mixed with others, over restarts, files and a stop at a set."""
    source = make_source("mysql-9")
    calve = make_calve(source)
    other = uuid.uuid4()
    source.sql(TABLE, "SET gtid_next = 'AUTOMATIC:blue'", "INSERT INTO t VALUES (1, 'before the copy')")
    calve.catch_up()

    running = calve.start("run")
    running.wait_event("source.connected")
    for i, gtid in enumerate(["AUTOMATIC:blue", "AUTOMATIC:red", "AUTOMATIC", f"{other}:red:7",
                              f"{other}:_x1:3", f"{other}:9", "AUTOMATIC:blue"]):
        source.sql(f"SET gtid_next = '{gtid}'", f"INSERT INTO t VALUES ({10 + i}, '{gtid}')")
        source.sql("SET gtid_next = 'AUTOMATIC'")
    running.wait_event("cut.committed")
    running.stop()
    calve.catch_up()
    assert calve.lake.checkpoint(source.schema, "t")["gtid"] == source.gtids()
    assert ":blue:1-3" in source.gtids() and f"{other}:9:_x1:3:red:7" in source.gtids()

    # A run that starts from a set with tags, in a file that begins with one.
    source.sql("FLUSH BINARY LOGS", "SET gtid_next = 'AUTOMATIC:red'", "UPDATE t SET v = 'red' WHERE id < 12",
               "SET gtid_next = 'AUTOMATIC'", "DELETE FROM t WHERE id = 12")
    calve.catch_up()
    check(calve, source, make_oracle(source))

    head = [e for e in inspect(calve, binlog_path(source)) if e["type"] == "PREVIOUS_GTIDS"]
    assert len(head) == 1 and ":blue:1-3:red:1" in head[0]["gtids"], head

    # Up to a set in which only the number behind a tag has grown.
    source.sql("SET gtid_next = 'AUTOMATIC:blue'", "INSERT INTO t VALUES (30, 'in')")
    until = source.gtids()
    source.sql("INSERT INTO t VALUES (31, 'out')", "SET gtid_next = 'AUTOMATIC'")
    calve.ok("run", until=until)
    assert 30 in ids(calve, source) and 31 not in ids(calve, source)
    assert calve.lake.checkpoint(source.schema, "t")["gtid"] == until
    calve.catch_up()
    check(calve, source, make_oracle(source))


# ---- compressed events of MariaDB --------------------------------------------------------------


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_compressed_events(flavor, make_source, make_calve, make_oracle):
    """Rows of every kind, statements and DDL in compressed events."""
    source = make_source(flavor, log_bin_compress="ON", log_bin_compress_min_len=10)
    source.sql(TABLE, "CREATE TABLE wide (id INT PRIMARY KEY, " +
               ", ".join(f"c{i} VARCHAR(9)" for i in range(100)) + ")")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("FLUSH BINARY LOGS")
    start = binlog_path(source)
    source.sql("INSERT INTO t VALUES (1, 'one'), (2, NULL), (3, REPEAT('three ', 1000))",
               "INSERT INTO t SELECT seq, REPEAT(CHAR(65 + seq % 26), seq) FROM seq_100_to_900",
               "UPDATE t SET v = CONCAT(v, v) WHERE id % 2 = 0", "DELETE FROM t WHERE id % 7 = 0",
               "INSERT INTO wide (id, c0, c99) VALUES (1, 'first', 'last'), (2, 'a', 'b')",
               "UPDATE wide SET c50 = 'middle' WHERE id = 1",
               # Incompressible, small, and of several megabytes.
               "INSERT INTO t VALUES (1001, SHA2('x', 512)), (1002, '')",
               f"INSERT INTO t VALUES (1003, REPEAT('0123456789', {700_000}))",
               "CREATE TABLE elsewhere_with_a_long_name (id INT, more VARCHAR(100), again VARCHAR(100))",
               "BEGIN", "SAVEPOINT s", "INSERT INTO t VALUES (1004, 'x')", "ROLLBACK TO s",
               "INSERT INTO t VALUES (1005, 'y')", "COMMIT")
    calve.catch_up()
    oracle = make_oracle(source)
    check(calve, source, oracle, ("t", "wide"))
    types = {e["type_code"] for e in inspect(calve, start)}
    assert {165, 166, 167, 168} <= types, types

    # A statement is seen through its compression.
    source.sql("SET SESSION binlog_format = 'STATEMENT'", "INSERT INTO t VALUES (2000, 'logged as a statement')")
    result = calve.run("run", until="current")
    assert result.status != 0 and "binlog_format=ROW" in result.error, result


# ---- rows events in pieces ---------------------------------------------------------------------

ROWS_V1 = range(23, 26)
ROWS_COMPRESSED_V1 = range(166, 169)


def cut_rows_events(data, piece):
    """A binlog file as MariaDB 12.3 would write it, with its rows events in pieces; and how many there are."""
    out, at, pieces = bytearray(data[:4]), 4, 0
    while at < len(data):
        header = data[at:at + 19]
        length = struct.unpack_from("<I", header, 9)[0]
        event = data[at:at + length]
        at += length
        if header[4] not in (*ROWS_V1, *ROWS_COMPRESSED_V1):
            out += event
            continue
        whole = header[:9] + struct.pack("<I", length - 4) + event[13:-4]  # without its checksum
        total = -(-len(whole) // piece)
        for i in range(total):
            body = struct.pack("<IIB", total, i + 1, i == 0)
            body += struct.pack("<Q", len(whole)) if i == 0 else b""
            body += whole[i * piece:(i + 1) * piece]
            made = header[:4] + b"\xac" + header[5:9] + struct.pack("<I", 19 + len(body) + 4) + header[13:] + body
            out += made + struct.pack("<I", zlib.crc32(made))
        pieces += total
    return bytes(out), pieces


@pytest.mark.parametrize("compress", ["OFF", "ON"])
def test_rows_events_in_pieces(compress, make_source, make_calve, tmp_path):
    """No server of ours writes them: events that one wrote whole, cut by hand, have the same rows."""
    source = make_source("mariadb-11.8", log_bin_compress=compress, log_bin_compress_min_len=10)
    calve = make_calve(source)
    source.sql(TABLE, "FLUSH BINARY LOGS", "INSERT INTO t SELECT seq, REPEAT('ab', seq) FROM seq_1_to_500",
               "UPDATE t SET v = CONCAT(v, 'x') WHERE id % 3 = 0", "DELETE FROM t WHERE id % 5 = 0")
    path = binlog_path(source)
    source.sql("FLUSH BINARY LOGS")

    def rows(shown):
        return [e for e in shown if "change" in e]

    whole = rows(inspect(calve, path, "--rows"))
    assert len(whole) == 500 + 500 // 3 + 500 // 5
    for piece in (50, 1000, 1 << 20):
        made = tmp_path / f"pieces-{piece}"
        content, pieces = cut_rows_events(path.read_bytes(), piece)
        made.write_bytes(content)
        shown = inspect(calve, made, "--rows")
        assert rows(shown) == whole
        assert 172 in {e.get("type_code") for e in shown} and (pieces > 20 or piece > 1000)


# ---- what else comes in between ----------------------------------------------------------------


def place_of(source):
    file, offset = source.position()
    return file_number(file), offset


def position_of(event):
    return file_number(event["file"]), event["pos"]


@pytest.mark.parametrize("first", ["CRC32", "NONE"])
def test_checksum_switched(first, source, make_calve, make_oracle):
    """In mid stream, both ways, and while calve is away."""
    other = "NONE" if first == "CRC32" else "CRC32"
    source.sql(TABLE)
    with source.globals(binlog_checksum=first):
        calve = make_calve(source)
        calve.catch_up()
        running = calve.start("run")
        running.wait_event("source.connected")
        for i in range(6):
            source.sql(f"INSERT INTO t VALUES ({i}, '{i}')",
                       f"SET GLOBAL binlog_checksum = '{other if i % 2 == 0 else first}'",
                       f"UPDATE t SET v = 'again' WHERE id = {i}")
        source.sql("INSERT INTO t VALUES (100, 'end')")
        until = place_of(source)
        running.wait_event("cut.committed", where=lambda e: position_of(e) >= until)
        assert not running.stop().named("source.lost")
        check(calve, source, make_oracle(source))
        source.sql(f"SET GLOBAL binlog_checksum = '{other}'", "INSERT INTO t VALUES (101, 'away')")
        calve.catch_up()
        check(calve, source, make_oracle(source))


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_annotated_rows(flavor, make_source, make_calve, make_oracle):
    """Each row has the position where its event ends, whether the server sends annotations or not."""
    source = make_source(flavor, binlog_annotate_row_events="ON")
    calve = make_calve(source)
    source.sql(TABLE)
    calve.catch_up()
    source.sql("FLUSH BINARY LOGS")
    path = binlog_path(source)
    for i in range(20):
        source.sql("BEGIN", f"INSERT INTO t VALUES ({i}, REPEAT('long ', 100))", "SAVEPOINT s",
                   f"UPDATE t SET v = 'short' WHERE id = {i}", "COMMIT")
    calve.catch_up()
    source.sql("DELETE FROM t WHERE id < 5")
    calve.catch_up()
    check(calve, source, make_oracle(source))
    events = inspect(calve, path)
    assert "ANNOTATE_ROWS" in {e["type"] for e in events}
    ends = {e["end"] for e in events if e["type"] in ("WRITE_ROWS_V1", "UPDATE_ROWS_V1", "DELETE_ROWS_V1")}
    found = {c.log_position for c in calve.lake.changes(source.schema, "t")}
    assert found == ends


def test_payloads_of_a_session(make_source, make_calve, make_oracle):
    """Compressed transactions although the server's global setting is off."""
    source = make_source("mysql-9")
    source.sql(TABLE)
    calve = make_calve(source)
    calve.catch_up()
    source.sql("FLUSH BINARY LOGS")
    path = binlog_path(source)
    assert source.value("SELECT @@GLOBAL.binlog_transaction_compression") == 0
    running = calve.start("run")
    running.wait_event("source.connected")
    source.sql("SET SESSION binlog_transaction_compression = ON", "INSERT INTO t VALUES (1, REPEAT('a', 100000)), (2, 'b')",
               "BEGIN", "UPDATE t SET v = 'c' WHERE id = 1", "SAVEPOINT s", "INSERT INTO t VALUES (3, 'gone')",
               "ROLLBACK TO s", "DELETE FROM t WHERE id = 2", "COMMIT",
               "SET SESSION binlog_transaction_compression = OFF", "INSERT INTO t VALUES (4, 'plain')",
               "SET SESSION binlog_transaction_compression = ON, gtid_next = 'AUTOMATIC:packed'",
               "INSERT INTO t VALUES (5, 'with a tag')", "SET SESSION gtid_next = 'AUTOMATIC'",
               # More than a megabyte of random text: several blocks.
               "INSERT INTO t WITH RECURSIVE n AS (SELECT 10 i UNION ALL SELECT i + 1 FROM n WHERE i < 900) "
               "SELECT i, REPEAT(SHA2(i, 512), 20) FROM n")
    running.wait_event("cut.committed")
    running.stop()
    calve.catch_up()
    check(calve, source, make_oracle(source))
    packed = [e for e in inspect(calve, path) if e.get("in_payload")]
    assert {"WRITE_ROWS", "UPDATE_ROWS", "DELETE_ROWS"} <= {e["type"] for e in packed}


def load_data(source, table, rows, *before):
    """LOAD DATA LOCAL of (id, v) rows, in a session of its own."""
    path = pathlib.Path(source.value("SELECT @@datadir")).parent / f"{source.schema}.tsv"
    path.write_text("".join(f"{i}\t{v}\n" for i, v in rows), encoding="ascii")
    with source.session(local_infile=True) as connection, connection.cursor() as cursor:
        for statement in before:
            cursor.execute(statement)
        cursor.execute(f"LOAD DATA LOCAL INFILE '{path}' INTO TABLE {table}")
    path.unlink()


def test_T10_load_data(source, make_calve, make_oracle):
    """As rows they arrive; as a statement they stop the run, but only for a followed table."""
    source.sql("SET GLOBAL local_infile = ON", TABLE, "CREATE TABLE other (id INT PRIMARY KEY, v TEXT)")
    calve = make_calve(source, tables=f"{source.schema}.t")
    calve.catch_up()
    load_data(source, "t", [(i, f"row {i}") for i in range(5000)])
    calve.catch_up()
    check(calve, source, make_oracle(source))
    assert len(calve.lake.changes(source.schema, "t")) == 5000

    # A statement in another schema, of several blocks of data.
    elsewhere = f"{source.schema}_x"
    source.sql(f"CREATE DATABASE {elsewhere}", f"CREATE TABLE {elsewhere}.u (id INT PRIMARY KEY, v MEDIUMTEXT)",
               "FLUSH BINARY LOGS")
    path = binlog_path(source)
    try:
        load_data(source, "u", [(i, "x" * 50_000) for i in range(60)],
                  f"USE {elsewhere}", "SET SESSION binlog_format = 'STATEMENT'")
        assert source.value(f"SELECT COUNT(*) FROM {elsewhere}.u") == 60
        source.sql("INSERT INTO t VALUES (9999, 'behind it')")
        calve.catch_up()
        check(calve, source, make_oracle(source))
        shown = inspect(calve, path)
        assert any(e["type"] == "EXECUTE_LOAD_QUERY" and "INTO TABLE" in e["sql"] for e in shown), shown

        load_data(source, "t", [(20_000, "as a statement")], "SET SESSION binlog_format = 'STATEMENT'")
        result = calve.run("run", until="current")
        assert result.status != 0 and "binlog_format=ROW" in result.error, result
    finally:
        source.sql(f"DROP DATABASE {elsewhere}")


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_encrypted_binlogs(flavor, make_source, make_calve, make_oracle, request):
    """A server sends decrypted what it has encrypted; its files are refused."""
    folder = tempfile.mkdtemp(prefix="calve-keys-")  # the server's user has to reach it
    request.addfinalizer(lambda: shutil.rmtree(folder))
    os.chmod(folder, 0o755)
    keys = pathlib.Path(folder, "keys.txt")
    keys.write_text("1;" + "0123456789abcdef" * 4 + "\n", encoding="ascii")
    source = make_source(flavor, plugin_load_add="file_key_management", file_key_management_filename=keys,
                         encrypt_binlog="ON")
    source.sql(TABLE)
    calve = make_calve(source)
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    for i in range(5):
        source.sql(f"INSERT INTO t VALUES ({i}, REPEAT('secret', 1000))", "FLUSH BINARY LOGS",
                   f"UPDATE t SET v = 'open' WHERE id = {i}")
    until = place_of(source)
    running.wait_event("cut.committed", where=lambda e: position_of(e) >= until)
    running.stop()
    check(calve, source, make_oracle(source))
    path = binlog_path(source)
    assert b"open" not in path.read_bytes()
    refused = calve.plain("inspect", "binlog", path)
    assert refused.status != 0 and "START_ENCRYPTION" in refused.log and "read it from its server" in refused.log
