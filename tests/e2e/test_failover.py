"""Other servers: failover to a replica, servers that lack or have lost something, several hosts."""

import contextlib
import re
import threading
import time

import pymysql
import pytest

from lake import replay
from source import Replica, Source, unique_number

MEMBERS = ("mysql-9", "mariadb-11.8")


@pytest.fixture
def make_pair():
    """make_pair("mysql-9"): a primary with a schema, and a replica of it; both end with the test."""
    made = []

    def make(flavor, **settings):
        pair = Replica.pair(flavor, **settings)
        made.append(pair)
        return pair

    yield make
    for pair in made:
        pair.remove()


class Load:
    """Threads that write all the time to whichever server is the primary, and note what was committed."""

    def __init__(self, pair, tables, threads=2):
        self.pair = pair
        self.tables = tables
        self.done = False
        self.written = 0
        self._threads = [threading.Thread(target=self._write, args=(i,), daemon=True) for i in range(threads)]
        for thread in self._threads:
            thread.start()

    def _write(self, number):
        n = 0
        while not self.done:
            try:
                connection = self.pair.primary.connect(database=self.pair.schema, connect_timeout=2)
            except pymysql.Error:
                time.sleep(0.05)
                continue
            with contextlib.suppress(pymysql.Error), contextlib.closing(connection), connection.cursor() as cursor:
                while not self.done:
                    n += 1
                    self._transaction(cursor, number * 10_000_000 + n)
                    self.written += 1

    def _transaction(self, cursor, key):
        cursor.execute("BEGIN")
        for table in self.tables:
            cursor.execute(f"INSERT INTO {table} VALUES ({key}, 0, 'new')")
            cursor.execute(f"UPDATE {table} SET n = n + 1 WHERE id = {key}")
            if key % 3 == 0:
                cursor.execute(f"DELETE FROM {table} WHERE id = {key}")
        cursor.execute("COMMIT")

    def wait(self, more):
        goal = self.written + more
        end = time.monotonic() + 60
        while self.written < goal:
            assert time.monotonic() < end, "the writers are stuck"
            time.sleep(0.01)

    def stop(self):
        self.done = True
        for thread in self._threads:
            thread.join(30)
            assert not thread.is_alive()


def make_tables(pair, *names):
    for name in names:
        pair.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, n INT NOT NULL, s VARCHAR(20))",
                 f"INSERT INTO {name} VALUES (-1, 0, 'first')")


def check_equal(pair, calve, make_oracle, *tables):
    """Every row of the lake is the source's, and every change came once."""
    oracle = make_oracle(pair.source())
    for table in tables:
        changes = calve.lake.changes(pair.schema, table)
        assert sorted(replay(changes, copied_under_load=True).values()) == sorted(oracle.rows(pair.schema, table))
        seen = set()
        for change in changes:
            if change.event_type == "insert" and change.log_file:
                assert change.payload not in seen or '"id":-' in change.payload, f"twice: {change}"
                seen.add(change.payload)


def caught_up(pair, running, calve, tables):
    """Waits until the lake has all that the primary has."""
    goal = pair.count(tables)
    end = time.monotonic() + 60
    while True:
        have = [len(replay(calve.lake.changes(pair.schema, t), copied_under_load=True)) for t in tables]
        if have == goal:
            return
        assert running.alive(), running.log()
        assert time.monotonic() < end, f"{have} of {goal}:\n{running.log()}"
        time.sleep(0.2)


@pytest.mark.parametrize("flavor", MEMBERS)
def test_drill(flavor, make_pair, make_calve, make_oracle):
    """The primary dies under load, the replica takes over, and calve goes on there by itself."""
    pair = make_pair(flavor)
    make_tables(pair, "a", "b")
    calve = pair.calve(make_calve)
    old = pair.primary
    load = Load(pair, ("a", "b"))
    running = calve.start("run")
    running.wait_event("cut.committed", count=3)
    load.wait(200)
    pair.kill_and_promote()
    changed = running.wait_event("source.changed")
    load.wait(200)
    load.stop()
    caught_up(pair, running, calve, ("a", "b"))
    assert changed["port"] == pair.primary.port
    result = running.stop()
    assert result.status == 0, result
    check_equal(pair, calve, make_oracle, "a", "b")
    # The place is the new server's, in the tables and in the watermarks.
    checkpoint = calve.lake.checkpoint(pair.schema, "a")
    assert checkpoint["source"] == changed["to"] != changed["from"]
    marks = calve.lake.watermarks()
    assert {marks[pair.schema, t]["log_file"] for t in ("a", "b")} <= set(pair.source().binlog_files())
    # And a start finds it.
    pair.sql("INSERT INTO a VALUES (-2, 7, 'after')")
    result = calve.catch_up()
    assert not result.named("source.changed") and '"id":-2' in "".join(calve.lake.payloads(pair.schema, "a")), result
    check_equal(pair, calve, make_oracle, "a", "b")
    assert not old.running()


@pytest.mark.parametrize("flavor", MEMBERS)
def test_failover_between_runs(flavor, make_pair, make_calve, make_oracle):
    """Tables that stand at different places of the old server; also one that only moved its watermark."""
    pair = make_pair(flavor)
    make_tables(pair, "a", "b", "idle")
    calve = pair.calve(make_calve)
    calve.catch_up()
    for i in range(10):
        pair.sql(f"INSERT INTO a VALUES ({i}, 0, 'x')", f"INSERT INTO b VALUES ({i}, 0, 'x')")
    calve.catch_up(table=f"{pair.schema}.a")  # ahead of the others
    pair.sql("INSERT INTO b VALUES (100, 0, 'only b')")
    calve.catch_up(table=f"{pair.schema}.b")
    for i in range(10, 20):
        pair.sql(f"INSERT INTO a VALUES ({i}, 0, 'x')", f"INSERT INTO b VALUES ({i}, 0, 'x')")
    pair.kill_and_promote()
    pair.sql("INSERT INTO a VALUES (1000, 0, 'new')", "INSERT INTO idle VALUES (1000, 0, 'new')")
    result = calve.catch_up()
    assert result.named("source.connected"), result
    check_equal(pair, calve, make_oracle, "a", "b", "idle")
    calve.catch_up()
    check_equal(pair, calve, make_oracle, "a", "b", "idle")
    history = [len(calve.lake.changes(pair.schema, t)) for t in ("a", "b", "idle")]
    calve.catch_up()
    assert history == [len(calve.lake.changes(pair.schema, t)) for t in ("a", "b", "idle")]


@pytest.mark.parametrize("flavor", MEMBERS)
def test_replica_that_catches_up(flavor, make_pair, make_calve, make_oracle):
    """What the replica has received but not applied yet is waited for."""
    pair = make_pair(flavor)
    make_tables(pair, "a")
    calve = pair.calve(make_calve)
    running = calve.start("run")
    running.wait_event("source.connected")
    pair.run(pair.replica, "STOP SLAVE SQL_THREAD" if pair.family == "mariadb" else "STOP REPLICA SQL_THREAD")
    for i in range(20):
        pair.sql(f"INSERT INTO a VALUES ({i}, 0, 'late')")
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 20)
    received(pair)
    pair.primary.kill9()
    behind = running.wait_event("source.behind")
    assert "does not have" in behind["error"], behind
    pair.run(pair.replica, "START SLAVE SQL_THREAD" if pair.family == "mariadb" else "START REPLICA SQL_THREAD")
    running.wait_event("source.changed")
    pair.promote()
    pair.sql("INSERT INTO a VALUES (1000, 0, 'new')")
    caught_up(pair, running, calve, ["a"])
    assert running.stop().status == 0
    check_equal(pair, calve, make_oracle, "a")


def received(pair):
    """Waits until the replica has read all of the primary's log."""
    end = time.monotonic() + 30
    file, position = pair.source().position()
    names = ("Master_Log_File", "Read_Master_Log_Pos") if pair.family == "mariadb" else \
        ("Source_Log_File", "Read_Source_Log_Pos")
    while True:
        status = pair.status()
        if (status[names[0]], int(status[names[1]])) >= (file, position):
            return
        assert time.monotonic() < end, status
        time.sleep(0.05)


@pytest.mark.parametrize("flavor", MEMBERS)
def test_errant_transaction(flavor, make_pair, make_calve):
    """calve read what the replica never got: it stops, names it, and the lake stays as it is."""
    pair = make_pair(flavor)
    make_tables(pair, "a")
    calve = pair.calve(make_calve, options={"source-catch-up-timeout": "2s"})
    running = calve.start("run")
    running.wait_event("source.connected")
    pair.synced()
    pair.stop_replica()
    pair.sql("INSERT INTO a VALUES (77, 0, 'lost')")
    lost = pair.gtids(pair.primary)
    running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 1)
    before = calve.lake.changes(pair.schema, "a")
    pair.primary.kill9()
    pair.promote()
    pair.sql("INSERT INTO a VALUES (78, 0, 'other history')")
    result = running.wait()
    assert result.status == 1 and result.named("source.behind"), result
    number = re.search(r"(\d+)$", lost).group(1)
    assert "exist nowhere else" in result.error and number in result.error, result
    assert calve.lake.changes(pair.schema, "a") == before
    again = calve.run("run", until="current")
    assert again.status == 1 and "exist nowhere else" in again.error, again
    assert calve.lake.changes(pair.schema, "a") == before


@pytest.mark.parametrize("flavor", MEMBERS)
def test_gap(flavor, make_pair, make_calve, make_oracle):
    """The replica purged what the lake lacks: its own message; the old server still serves."""
    pair = make_pair(flavor)
    make_tables(pair, "a")
    calve = pair.calve(make_calve, options={"source-catch-up-timeout": "2s"})
    calve.catch_up()
    before = calve.lake.changes(pair.schema, "a")
    for i in range(5):
        pair.sql(f"INSERT INTO a VALUES ({i}, 0, 'x')")
    pair.synced()
    purge(pair, pair.replica)
    old = pair.primary
    pair.kill_and_promote()
    result = calve.run("run", until="current")
    assert result.status == 1 and "has purged transactions that the lake lacks" in result.error, result
    assert calve.lake.changes(pair.schema, "a") == before
    # Both are asked, and the one that still has all of it serves.
    old.start()
    result = calve.catch_up(source=f"{pair.family}://root@127.0.0.1:{pair.primary.port},127.0.0.1:{old.port}")
    assert result.named("source.connected")[-1]["port"] == old.port
    check_equal(pair, calve, make_oracle, "a")


def purge(pair, server):
    """Leaves only the newest binlog."""
    for _ in range(3):
        pair.run(server, "FLUSH BINARY LOGS")
    end = time.monotonic() + 30
    while True:
        files = [r[0] for r in pair.run(server, "SHOW BINARY LOGS")]
        if len(files) == 1:
            return
        pair.run(server, f"PURGE BINARY LOGS TO '{files[-1]}'")
        assert time.monotonic() < end, files
        time.sleep(0.1)


@pytest.mark.parametrize("flavor", MEMBERS)
def test_purged_on_the_same_server(flavor, make_pair, make_calve):
    pair = make_pair(flavor)
    make_tables(pair, "a")
    calve = make_calve(pair.source())
    calve.catch_up()
    before = calve.lake.changes(pair.schema, "a")
    pair.sql("INSERT INTO a VALUES (1, 0, 'gone')", "FLUSH BINARY LOGS")
    pair.synced()
    purge(pair, pair.primary)
    result = calve.run("run", until="current")
    assert result.status == 1 and "has purged" in result.error, result
    assert calve.lake.changes(pair.schema, "a") == before


RESETS = [("mysql-9", {}), ("mysql-9", {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"}), ("mariadb-11.8", {})]


def reset(source):
    source.sql("RESET MASTER" if source.family == "mariadb" else "RESET BINARY LOGS AND GTIDS")


@pytest.mark.parametrize("flavor,settings", RESETS)
@pytest.mark.parametrize("running", [False, True])
def test_reset_and_grown(flavor, settings, running, make_source, make_calve):
    """The same file names and the same numbers came again, up to and past the place of the lake."""
    source = make_source(flavor, max_binlog_cache_size="512M", **settings)  # a server of this test's own
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 0)")
    reset(source)
    source.sql("INSERT INTO t VALUES (2, 0)")
    calve = make_calve(source, options={"mysql-heartbeat": "1s"})
    calve.catch_up()
    # Files are told apart by the second that they were begun in; a copy without GTIDs begins one.
    time.sleep(1.1)
    source.sql("INSERT INTO t VALUES (3, 0)")
    process = calve.start("run") if running else None
    if running:
        process.wait_event("cut.committed")
        place = source.position()
        reset(source)
    else:
        calve.catch_up()
        place = source.position()
        reset(source)
    before = calve.lake.changes(source.schema, "t")
    i = 100
    while source.position()[0] < place[0]:
        source.sql("FLUSH BINARY LOGS")
    while source.position() <= place or i < 120:
        source.sql(f"INSERT INTO t VALUES ({i}, 0)", "COMMIT")
        i += 1
        assert i < 5000
    if running:
        for row in source.sql("SHOW PROCESSLIST"):
            if "Dump" in row[4]:
                source.sql(f"KILL {row[0]}")
        result = process.wait()
    else:
        result = calve.run("run", until="current")
    # A server without GTIDs may notice it before us: its next file has gone.
    assert result.status == 1 and ("begun anew" in result.error or "were reset" in result.error), result
    assert calve.lake.changes(source.schema, "t") == before
    again = calve.run("run", until="current")
    assert again.status == 1 and "begun anew" in again.error, again
    assert calve.lake.changes(source.schema, "t") == before


def test_new_uuid(make_source, make_calve, make_oracle):
    """auto.cnf was removed: with GTIDs the same server under another name, without them a stranger."""
    for number, settings in enumerate(({}, {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"})):
        source = make_source("mysql-9", max_binlog_cache_size=f"{600 + number}M", **settings)
        source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 0)")
        calve = make_calve(source)
        calve.catch_up()
        source.sql("INSERT INTO t VALUES (2, 0)")
        before = calve.lake.changes(source.schema, "t")
        source.server.stop()
        (source.server.data / "auto.cnf").unlink()
        source.server.start()
        source.connection = source.session()
        source.sql("INSERT INTO t VALUES (3, 0)")
        calve.options["source"] = source.server.url()
        if settings:
            result = calve.run("run", until="current")
            assert result.status == 1 and "without GTIDs" in result.error, result
            assert calve.lake.changes(source.schema, "t") == before
            continue
        result = calve.catch_up()
        assert result.named("source.changed"), result
        assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
        assert not calve.catch_up().named("source.changed")


def test_T1_sets_with_gaps_tags_and_several_servers(make_pair, make_calve, make_oracle):  # pylint: disable=invalid-name
    """Sets are no ranges: numbers out of order, with gaps, of two servers and with tags."""
    pair = make_pair("mysql-9")
    make_tables(pair, "a")
    calve = pair.calve(make_calve)
    calve.catch_up()
    other = "11111111-2222-3333-4444-555555555555"
    ids = iter(range(1, 1000))

    def write(gtid):
        pair.sql(f"SET gtid_next = '{gtid}'", f"INSERT INTO a VALUES ({next(ids)}, 0, '{gtid[-12:]}')",
                 "SET gtid_next = 'AUTOMATIC'")

    for number in (7, 3, 12, 4, 9):
        write(f"{other}:{number}")
        write(f"{other}:red:{number}")
        pair.sql(f"INSERT INTO a VALUES ({next(ids)}, 0, 'own')")
    write("AUTOMATIC:blue")
    running = calve.start("run")
    caught_up(pair, running, calve, ["a"])
    assert running.stop().status == 0
    gtids = calve.lake.checkpoint(pair.schema, "a")["gtid"]
    assert f"{other}:3-4:7:9:12:red:3-4:7:9:12" in gtids and ":blue:1" in gtids, gtids
    # What fills the gaps comes later, and is not taken for old; then on the other server too.
    for number in (5, 1, 8):
        write(f"{other}:{number}")
        write(f"{other}:red:{number}")
    calve.catch_up()
    check_equal(pair, calve, make_oracle, "a")
    pair.kill_and_promote()
    for number in (2, 6):
        write(f"{other}:{number}")
        write(f"{other}:red:{number}")
    result = calve.catch_up()
    assert result.named("source.changed"), result
    check_equal(pair, calve, make_oracle, "a")
    assert calve.lake.checkpoint(pair.schema, "a")["gtid"].count(f"{other}:1-9:12:red:1-9:12") == 1


def test_hosts_in_order(make_source, make_calve):
    """The first that answers serves; when none does each one's reason is told."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    calve = make_calve(source)
    port = source.server.port
    calve.options["source"] = f"mysql://root@127.0.0.1:1,127.0.0.1:{port}"
    result = calve.catch_up()
    assert result.named("source.connected")[-1]["port"] == port
    result = calve.run("run", source="mysql://root@127.0.0.1:1,127.0.0.1:2")
    assert result.status == 1 and "127.0.0.1:1:" in result.error and "127.0.0.1:2:" in result.error, result
    # By the service's variables, and an address of the other family.
    calve.options["source"] = None
    result = calve.ok("run", until="current", env={"MYSQL_HOST": f"[::1]:{port},127.0.0.1:{port}", "MYSQL_USER": "root"})
    assert result.named("source.connected")[-1]["host"] == "127.0.0.1"


MODES_DOWN = ("ON_PERMISSIVE", "OFF_PERMISSIVE", "OFF")
MODES_UP = ("OFF_PERMISSIVE", "ON_PERMISSIVE", "ON")


@pytest.mark.parametrize("live", [True, False])
def test_gtid_mode_changes(live, make_source, make_calve, make_oracle):
    """ON to OFF and back, a step at a time, followed all the while or started anew at each step."""
    source = make_source("mysql-9", max_binlog_cache_size="700M")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (0, 0)")
    calve = make_calve(source, options={"mysql-heartbeat": "1s"})
    calve.catch_up()
    running = calve.start("run") if live else None
    number = 0
    for mode in MODES_DOWN + MODES_UP:
        source.sql(f"SET GLOBAL gtid_mode = {mode}")
        source.reconnect()
        for _ in range(3):
            number += 1
            source.sql(f"INSERT INTO t VALUES ({number}, 0)", f"UPDATE t SET v = v + 1 WHERE id < {number}")
        if live:
            wait_rows(running, calve, source, number + 1)
        else:
            calve.catch_up()
    if live:
        assert running.stop().status == 0
    calve.catch_up()
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
    inserts = [c.payload for c in calve.lake.changes(source.schema, "t") if c.event_type == "insert"]
    assert len(inserts) == len(set(inserts)) == number


def wait_rows(running, calve, source, count):
    end = time.monotonic() + 30
    while len(replay(calve.lake.changes(source.schema, "t"))) < count:
        assert running.alive(), running.log()
        assert time.monotonic() < end, running.log()
        time.sleep(0.1)


def test_gtid_mode_changes_unseen(make_source, make_calve):
    """Transactions without GTIDs that came while calve was away: read if the source sends them, else a stop."""
    source = make_source("mysql-9", max_binlog_cache_size="701M")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (0, 0)")
    calve = make_calve(source)
    calve.catch_up()
    before = calve.lake.changes(source.schema, "t")
    for mode in MODES_DOWN:
        source.sql(f"SET GLOBAL gtid_mode = {mode}")
    source.reconnect()
    source.sql("INSERT INTO t VALUES (1, 0)")
    for mode in MODES_UP:
        source.sql(f"SET GLOBAL gtid_mode = {mode}")
    source.sql("INSERT INTO t VALUES (2, 0)")
    result = calve.run("run", until="current")
    assert result.status == 1 and "ON_PERMISSIVE" in result.error, result
    assert calve.lake.changes(source.schema, "t") == before
    source.sql("SET GLOBAL gtid_mode = ON_PERMISSIVE")
    calve.catch_up()
    assert sorted(replay(calve.lake.changes(source.schema, "t"))) == [(0,), (1,), (2,)]
    source.sql("SET GLOBAL gtid_mode = ON", "INSERT INTO t VALUES (3, 0)")
    calve.catch_up()
    assert sorted(replay(calve.lake.changes(source.schema, "t"))) == [(0,), (1,), (2,), (3,)]


@pytest.mark.parametrize("flavor", MEMBERS)
def test_T8_cascades(flavor, make_source, make_calve, make_oracle):  # pylint: disable=invalid-name
    """What a foreign key changes is in the binlog from MySQL 9.6 on; elsewhere there is a warning."""
    source = make_source(flavor)
    source.sql("CREATE TABLE p (id INT PRIMARY KEY)",
               "CREATE TABLE c (id INT PRIMARY KEY, p INT, CONSTRAINT fk_c FOREIGN KEY (p) REFERENCES p (id)"
               " ON DELETE CASCADE ON UPDATE CASCADE)",
               "CREATE TABLE n (id INT PRIMARY KEY, p INT, CONSTRAINT fk_n FOREIGN KEY (p) REFERENCES p (id)"
               " ON DELETE SET NULL)",
               "CREATE TABLE q (id INT PRIMARY KEY, p INT, CONSTRAINT fk_q FOREIGN KEY (p) REFERENCES p (id))",
               "INSERT INTO p VALUES (1), (2), (3)", "INSERT INTO c VALUES (10, 1), (11, 2), (12, 3)",
               "INSERT INTO n VALUES (20, 1), (21, 2)")
    calve = make_calve(source)
    first = calve.catch_up()
    source.sql("DELETE FROM p WHERE id = 1", "UPDATE p SET id = 33 WHERE id = 3")
    calve.catch_up()
    warnings = {(e["table"], e["key"].strip("`")) for e in first.named("table.cascades")}
    checked = calve.run("check").out
    oracle = make_oracle(source)
    if source.family == "mariadb":
        assert warnings == {(f"{source.schema}.c", "fk_c"), (f"{source.schema}.n", "fk_n")}, first
        assert "fk_c" in checked and "fk_n" in checked and "fk_q" not in checked, checked
        assert replay(calve.lake.changes(source.schema, "c")) != oracle.by_key(source.schema, "c")
        return
    assert not warnings and "foreign keys" not in checked, first
    for table in ("c", "n"):
        assert replay(calve.lake.changes(source.schema, table)) == oracle.by_key(source.schema, table)


@pytest.mark.parametrize("flavor", MEMBERS)
def test_purge_is_near(flavor, make_source, make_calve):
    """Far behind, in the oldest binlog: a warning, before there is a gap."""
    source = make_source(flavor, max_binlog_cache_size="800M")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (-1)")
    calve = make_calve(source)
    calve.catch_up()
    purge_own(source)
    calve.catch_up()
    source.sql("SET TIMESTAMP = UNIX_TIMESTAMP() - 5000")
    for i in range(100):
        source.sql(f"INSERT INTO t VALUES ({i})")
    source.sql("FLUSH BINARY LOGS", "FLUSH BINARY LOGS")
    status = calve.run("status", "--json").out
    assert '"danger":"the source\'s oldest binlog' in status, status
    assert "warning: " in calve.run("status").out
    assert "the source's oldest binlog" in calve.run("check").out
    result = calve.catch_up()
    near = result.named("source.purge_near")
    assert len(near) == 1 and near[0]["oldest"] == source.binlog_files()[0] and near[0]["lag_s"] >= 5000, result
    assert '"danger":null' in calve.run("status", "--json").out
    # Kept for less than twice what is to be caught up.
    source.sql("SET GLOBAL binlog_expire_logs_seconds = 60")
    for i in range(200, 300):
        source.sql(f"INSERT INTO t VALUES ({i})")
    result = calve.catch_up()
    assert not result.named("source.purge_near"), "the newest file is never purged"


def purge_own(source):
    source.sql("FLUSH BINARY LOGS")
    end = time.monotonic() + 30
    while len(source.binlog_files()) > 1:
        source.sql(f"PURGE BINARY LOGS TO '{source.binlog_files()[-1]}'")
        assert time.monotonic() < end, source.binlog_files()


def test_check_tells_of_other_hosts_and_ids(make_source, make_calve):
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
    calve = make_calve(source)
    calve.catch_up()
    assert "under another server id" not in calve.run("check").out
    out = calve.run("check", mysql_server_id=77777).out
    assert "1 row of connection 'local_mysql' is under another server id" in out, out
    out = calve.run("check", source=f"mysql://root@127.0.0.1:{source.server.port},127.0.0.1:1").out
    assert f"127.0.0.1:{source.server.port} is MySQL 9" in out and "source 127.0.0.1:1: connecting" in out, out
