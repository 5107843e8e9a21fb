"""What sources do that is rare and legal."""

import resource
import threading
import time

import pytest

from lake import replay, replay_multiset


def table_ids(source, since):
    """[table id] of the table maps after a position, as the server lists them."""
    file, offset = since
    rows = source.sql(f"SHOW BINLOG EVENTS IN '{file}' FROM {offset}")
    return [int(r[5].split("table_id: ")[1].split(" ")[0]) for r in rows if r[2] == "Table_map"]


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_table_ids_far_apart(flavor, make_source, make_calve, make_oracle):
    """Ids of tables that one statement changes may differ by any number."""
    source = make_source(flavor)
    for name in ("a", "b", "filler"):
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)", f"INSERT INTO {name} VALUES (1, 0)")
    calve = make_calve(source, tables=f"{source.schema}.a,{source.schema}.b")
    calve.catch_up()
    both = "UPDATE a JOIN b ON a.id = b.id SET a.v = a.v + 1, b.v = b.v + 1"
    distance = 0
    for _ in range(5):
        at = source.position()
        source.sql(both)
        first, second = sorted(table_ids(source, at))
        distance = (second - first) % 1024
        if distance == 0:
            break
        # Each time that a table is opened anew it gets the next id; the last opened has the greater.
        older = "a" if table_ids(source, at)[0] == first else "b"
        newer = "b" if older == "a" else "a"
        for _ in range(1024 - distance - 1):
            source.sql("FLUSH TABLES filler", "SELECT 1 FROM filler LIMIT 1")
        source.sql(f"FLUSH TABLES {newer}", f"SELECT 1 FROM {newer} LIMIT 1")
    assert distance == 0, (first, second)
    source.sql(both)
    calve.catch_up()
    oracle = make_oracle(source)
    for name in ("a", "b"):
        assert replay(calve.lake.changes(source.schema, name)) == oracle.by_key(source.schema, name)


@pytest.mark.parametrize("flavor,gtids", [("mysql-9", True), ("mysql-9", False), ("mariadb-11.8", True)])
def test_copy_of_an_engine_without_snapshots(flavor, gtids, make_source, make_calve):
    """A read of MyISAM sees what comes after it began: rows without a key must not come twice."""
    source = make_source(flavor, **({} if gtids else {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"}))
    source.sql("CREATE TABLE t (a INT) ENGINE=MyISAM", "INSERT INTO t VALUES (1), (2)")
    stop = threading.Event()

    def write():
        with source.session(autocommit=True) as connection, connection.cursor() as cursor:
            n = 10
            while not stop.is_set():
                n += 1
                cursor.execute(f"INSERT INTO t VALUES ({n})")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        calve = make_calve(source)
        calve.catch_up()
        time.sleep(0.1)
    finally:
        stop.set()
        writer.join()
    calve.catch_up()
    rows = {f'{{"a":{r[0]}}}': 1 for r in source.sql("SELECT a FROM t")}
    assert replay_multiset(calve.lake.changes(source.schema, "t")) == rows


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_sequence_numbers_that_go_back(flavor, make_source, make_calve, make_oracle):
    """MariaDB without gtid_strict_mode: a greater number does not say that it is later."""
    source = make_source(flavor, gtid_strict_mode="OFF")

    def insert(*rows, into="t"):
        for number, sequence in rows:
            source.sql(f"SET SESSION gtid_seq_no = {sequence}", f"INSERT INTO {into} VALUES ({number}, 0)")

    for name in ("t", "u"):
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)")
    insert((1, 1000), (2, 1001))
    calve = make_calve(source)
    calve.catch_up()
    insert((3, 500), (4, 2000))
    calve.catch_up()
    running = calve.start("run")
    running.wait_event("source.connected")
    insert((5, 700), (6, 701), (7, 3000))
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 3)
    assert running.stop().status == 0
    # Two tables at two places: no loss, but a clear word where numbers went back between the two.
    insert((8, 3001), into="t")
    insert((1, 4000), into="u")
    calve.catch_up(table=f"{source.schema}.u")
    insert((9, 3500), into="t")
    calve.catch_up(table=f"{source.schema}.t")
    result = calve.run("run", until="current")
    assert result.status == 1 and "gtid_strict_mode" in result.error, result
    oracle = make_oracle(source)
    want = oracle.by_key(source.schema, "t")
    assert replay(calve.lake.changes(source.schema, "t")) == want
    # The server itself finds no place for a number that a greater one came before: an error, no loss.
    result = calve.run("run", until="current", table=f"{source.schema}.u")
    assert result.status == 1 and "1236" in result.error, result


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
@pytest.mark.parametrize("more", [0, 40])
def test_reset_source(flavor, more, make_source, make_calve, make_oracle):
    """A source whose binlogs were reset is refused, and copying anew puts it right."""
    source = make_source(flavor, max_binlog_stmt_cache_size="1G")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 0)", "FLUSH BINARY LOGS")
    for i in range(10, 20):
        source.sql(f"INSERT INTO t VALUES ({i}, 0)")
    calve = make_calve(source)
    calve.catch_up()
    before = calve.lake.changes(source.schema, "t")
    source.sql("RESET MASTER" if source.family == "mariadb" else "RESET BINARY LOGS AND GTIDS")
    for i in range(100, 100 + more):
        source.sql(f"INSERT INTO t VALUES ({i}, 0)")
    if more == 0:
        result = calve.run("run", until="current")
        assert result.status == 1 and "copy them again" in result.error, result
        assert calve.lake.changes(source.schema, "t") == before
    calve.lake.catalog.drop_table((source.schema, "t"))
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (5000, 0)")
    calve.catch_up()
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")


def test_many_open_files(make_source, make_calve, make_oracle):
    """A file is open for each table and day: the soft limit of a shell is no ceiling."""
    source = make_source("mysql-9")
    names = [f"t{i}" for i in range(10)]
    for name in names:
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v INT)")
    calve = make_calve(source)
    calve.catch_up()
    for day in range(8):
        source.sql(f"SET TIMESTAMP = {1700000000 + day * 86400}", "BEGIN")
        for name in names:
            source.sql(f"INSERT INTO {name} VALUES ({day}, 1)")
        source.sql("COMMIT")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (60, hard))
    try:
        running = calve.start("run", until="current", commit_interval="1h")
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    result = running.wait()
    assert result.status == 0, result
    oracle = make_oracle(source)
    for name in names:
        assert replay(calve.lake.changes(source.schema, name)) == oracle.by_key(source.schema, name)


def test_url_that_is_too_much(make_calve):
    """A source in the wrong place is not repeated with its password."""
    result = make_calve(None, name="url").plain("run", "mysql://root:s3cr3t@localhost")
    assert result.status == 2 and "--source" in result.log and "s3cr3t" not in result.log, result
