"""What goes wrong around calve: a clear message, and nothing lost when the cause is gone."""

import contextlib
import json
import os
import sqlite3
import subprocess
import time

import pytest

from lake import replay

INTERVAL = {"commit-interval": "100ms"}


@pytest.fixture
def shop(make_source):
    """A MySQL table with some rows."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20))",
               "INSERT INTO t (v) VALUES ('a'), ('b'), ('c')")
    return source


def check_equal(calve, source, table="t"):
    state = replay(calve.lake.changes(source.schema, table))
    rows = source.sql(f"SELECT id, v FROM {table}")
    assert {k: json.loads(v) for k, v in state.items()} == {(i,): {"id": i, "v": v} for i, v in rows}


def following(calve, **options):
    run = calve.start("run", **options)
    run.wait_event("source.connected")
    return run


# ---- two processes -------------------------------------------------------------------------------


@pytest.mark.parametrize("same_server_id", [True, False])
def test_two_processes_on_one_table(shop, make_calve, same_server_id):
    """One of the two stops with the fencing error, and the other has everything."""
    calve = make_calve(shop, options=INTERVAL)
    first = following(calve)
    shop.sql("INSERT INTO t (v) VALUES ('first')")
    first.wait_event("cut.committed")
    other = {} if same_server_id else {"mysql-server-id": 77}
    second = following(calve, **other)
    end = time.monotonic() + 30
    while first.alive() and second.alive() and time.monotonic() < end:
        shop.sql("INSERT INTO t (v) VALUES ('more')")
        time.sleep(0.1)
    ended = [r for r in (first, second) if not r.alive()]
    assert len(ended) == 1, "both went on"
    loser = ended[0].wait()
    winner = second if ended[0] is first else first
    assert loser.status == 1
    assert "another" in loser.error and ("process" in loser.error or "server id" in loser.error), loser
    shop.sql("INSERT INTO t (v) VALUES ('last')")
    assert winner.stop().status == 0
    calve.catch_up()
    check_equal(calve, shop)


# ---- catalog -------------------------------------------------------------------------------------


def test_catalog_locked_for_a_while(shop, make_calve):
    """Commits wait for the lock and then go through."""
    calve = make_calve(shop, options=INTERVAL)
    run = following(calve)
    lock = sqlite3.connect(calve.warehouse / "catalog.db", isolation_level=None)
    lock.execute("BEGIN EXCLUSIVE")
    try:
        shop.sql("INSERT INTO t (v) VALUES ('locked')")
        end = time.monotonic() + 40
        while not run.events("commit.retry") and time.monotonic() < end:
            assert run.alive(), run.log()
            time.sleep(0.1)
        assert "locked" in run.events("commit.retry")[-1]["reason"]
    finally:
        lock.execute("ROLLBACK")
        lock.close()
    run.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 1)
    assert run.stop().status == 0
    check_equal(calve, shop)


def test_catalog_that_is_no_database(shop, make_calve):
    calve = make_calve(shop, options=INTERVAL)
    calve.warehouse.mkdir()
    (calve.warehouse / "catalog.db").write_text("no database, only text " * 100)
    result = calve.run("run")
    assert result.status == 1 and "catalog.db" in result.error, result


# ---- disk ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder, size):
    """A file system of its own that can be filled or made read-only."""
    folder.mkdir(parents=True)
    mount = [] if os.geteuid() == 0 else ["sudo", "-n"]
    subprocess.run([*mount, "mount", "-t", "tmpfs", "-o", f"size={size},mode=777", "tmpfs", str(folder)],
                   check=True)
    try:
        yield lambda *options: subprocess.run(
            [*mount, "mount", "-o", f"remount,{','.join(options)}", str(folder)], check=True)
    finally:
        subprocess.run([*mount, "umount", "-l", str(folder)], check=True)


def test_full_disk(shop, make_calve):
    calve = make_calve(shop, options=INTERVAL)
    with small_disk(calve.warehouse, "3m") as remount:
        calve.catch_up()
        filler = calve.warehouse / "filler"
        with contextlib.suppress(OSError), open(filler, "wb") as f:
            while True:
                f.write(os.urandom(1 << 12))
        run = calve.start("run")
        shop.sql("INSERT INTO t (v) VALUES ('no room')")
        end = time.monotonic() + 30
        while run.alive() and not run.events("commit.retry") and time.monotonic() < end:
            time.sleep(0.05)
        if run.alive():
            said = run.events("commit.retry")[-1]["reason"]
            stopped = run.stop()
            assert stopped.status in (0, 1), stopped
        else:
            stopped = run.wait()
            said = stopped.error
            assert stopped.status == 1
        assert "space" in said.lower(), said
        remount("size=64m")
        calve.catch_up()
        check_equal(calve, shop)
        assert not [p for p in calve.lake.check_files(shop.schema, "t") if p.suffix not in
                    (".parquet", ".avro", ".json")]


def test_read_only_folder(shop, make_calve):
    calve = make_calve(shop, options=INTERVAL)
    with small_disk(calve.warehouse, "16m") as remount:
        calve.catch_up()
        shop.sql("INSERT INTO t (v) VALUES ('read only')")
        remount("ro")
        result = calve.run("run", until="current")
        assert result.status == 1, result
        assert "cannot be written" in result.error and str(calve.warehouse) in result.error, result
        remount("rw")
        calve.catch_up()
        check_equal(calve, shop)


# ---- source --------------------------------------------------------------------------------------


def test_source_stopped_and_started(make_source, make_calve):
    """The run waits and goes on where it was."""
    source = make_source("mysql-9", max_connections="55")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20))",
               "INSERT INTO t (v) VALUES ('a')")
    calve = make_calve(source, options=INTERVAL)
    run = following(calve)
    for i in range(2):
        source.sql(f"INSERT INTO t (v) VALUES ('before {i}')")
        source.connection.close()
        if i == 1:
            source.server.kill9()
        else:
            source.server.stop()
        run.wait_event("source.lost", count=i + 1)
        source.server.start()
        source.connection = source.session()
        source.sql(f"INSERT INTO t (v) VALUES ('after {i}')")
        run.wait_event("source.connected", count=i + 2)
    want = source.value("SELECT COUNT(*) FROM t") - 1
    run.wait_event("cut.committed", where=lambda e: e["rows_total"] >= want)
    assert run.stop().status == 0
    check_equal(calve, source)


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_wrong_password_and_missing_privileges(make_source, make_calve, flavor):
    source = make_source(flavor)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))", "INSERT INTO t VALUES (1, 'a')",
               "CREATE USER IF NOT EXISTS 'poor'@'%' IDENTIFIED BY 'secret'")

    def error(password="secret"):
        calve = make_calve(source, user="poor", password=password, options=INTERVAL)
        result = calve.run("run", until="current")
        assert result.status == 1, result
        assert "secret" not in result.log and "wrong-one" not in result.log, result
        return result.error

    try:
        assert "password" in error("wrong-one")
        text = error()
        assert "privilege" in text.lower() or "SELECT" in text or "GRANT" in text, text
        source.sql(f"GRANT SELECT ON `{source.schema}`.* TO 'poor'@'%'")
        assert "GRANT" in error()
        source.sql("GRANT REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO 'poor'@'%'")
        if source.family == "mariadb":
            source.sql("GRANT BINLOG MONITOR ON *.* TO 'poor'@'%'")
        calve = make_calve(source, user="poor", password="secret", options=INTERVAL)
        calve.catch_up()
        check_equal(calve, source)
    finally:
        source.sql("DROP USER 'poor'@'%'")


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-10.11"])
def test_binlog_off(make_source, make_calve, flavor):
    settings = {"skip_log_bin": "1"} if flavor == "mysql-9" else {"log_bin": ""}
    source = make_source(flavor, **settings)
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))")
    result = make_calve(source, options=INTERVAL).run("run")
    assert result.status == 1 and "log-bin" in result.error, result


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_purged_binlogs(make_source, make_calve, flavor):
    """What is gone cannot be followed: it stops, and the table is as it was."""
    source = make_source(flavor, max_binlog_cache_size="1G")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20))",
               "INSERT INTO t (v) VALUES ('a')")
    calve = make_calve(source, options=INTERVAL)
    calve.catch_up()
    before = calve.lake.changes(source.schema, "t")
    source.sql("INSERT INTO t (v) VALUES ('gone')", "FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    files = source.binlog_files()
    for _ in range(50):
        source.sql(f"PURGE BINARY LOGS TO '{files[-1]}'")
        if source.binlog_files()[0] == files[-1]:
            break
        time.sleep(0.2)
    result = calve.run("run", until="current")
    assert result.status == 1, result
    assert "copied anew" in result.error or "purged" in result.error, result
    assert calve.lake.changes(source.schema, "t") == before


def test_row_image_and_format(make_source, make_calve):
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v VARCHAR(20))", "INSERT INTO t VALUES (1, 'a')")
    calve = make_calve(source, options=INTERVAL)
    calve.catch_up()
    session = source.session(autocommit=True)
    with session.cursor() as cursor:
        cursor.execute("SET SESSION binlog_row_image = MINIMAL")
        cursor.execute("DELETE FROM t WHERE id = 1")
    session.close()
    result = calve.run("run", until="current")
    assert result.status == 1 and "binlog_row_image" in result.error, result
