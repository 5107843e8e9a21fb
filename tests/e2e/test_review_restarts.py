"""Connections that break in the middle of a transaction, at the places where it hurts."""

import contextlib
import socket
import threading

from lake import replay


class Proxy:
    """Passes bytes on to a server, and cuts the first connection that got `limit` bytes from it."""

    def __init__(self, server, limit):
        self.server = server
        self.left = limit
        self.cuts = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        threading.Thread(target=self._accept, daemon=True).start()

    def url(self):
        return f"mysql://root@127.0.0.1:{self._listener.getsockname()[1]}"

    def _accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                upstream = socket.create_connection(("127.0.0.1", self.server.port))
                for pair, limited in (((client, upstream), False), ((upstream, client), True)):
                    threading.Thread(target=self._pass, args=(*pair, limited), daemon=True).start()

    def _pass(self, source, target, limited):
        passed = 0
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                passed += len(data)
                if limited and self.cuts == 0 and passed > self.left:
                    self.cuts += 1
                    break
                target.sendall(data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        self._listener.close()


def fill(source, table, first, count):
    source.sql("SET SESSION cte_max_recursion_depth = 1000000",
               f"INSERT INTO {table} WITH RECURSIVE n AS (SELECT {first} i UNION ALL SELECT i + 1 FROM n"
               f" WHERE i < {first + count - 1}) SELECT i, REPEAT(LPAD(i, 8, '0'), 24) FROM n")


def test_break_before_the_first_cut(make_source, make_calve, make_oracle):
    """By position: a table that is further than another gets nothing twice when all is read again."""
    source = make_source("mysql-9", gtid_mode="OFF", enforce_gtid_consistency="OFF")
    for name in ("a", "b"):
        source.sql(f"CREATE TABLE {name} (id INT PRIMARY KEY, v VARCHAR(200))", f"INSERT INTO {name} VALUES (0, 'x')")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("INSERT INTO a VALUES (1, 'x')", "INSERT INTO b VALUES (1, 'x')")
    calve.catch_up(table=f"{source.schema}.b")  # b is now ahead of a
    source.sql("INSERT INTO b VALUES (2, 'x')")
    fill(source, "a", 10, 60000)
    proxy = Proxy(source.server, 4 << 20)
    try:
        calve.catch_up(source=proxy.url(), commit_interval="1h")
    finally:
        proxy.close()
    assert proxy.cuts == 1
    oracle = make_oracle(source)
    for name in ("a", "b"):
        assert replay(calve.lake.changes(source.schema, name)) == oracle.by_key(source.schema, name)


def test_break_after_accepted_ddl(make_source, make_calve):
    """Rows in front of an accepted DDL keep the names that they had, also when they are read again."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE a (id INT PRIMARY KEY, v VARCHAR(200))")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("INSERT INTO a VALUES (1, 'x')", "ALTER TABLE a RENAME COLUMN v TO w")
    fill(source, "a", 10, 60000)
    proxy = Proxy(source.server, 4 << 20)
    try:
        calve.catch_up(source=proxy.url(), commit_interval="1h", ddl_accept="all")
    finally:
        proxy.close()
    assert proxy.cuts == 1
    payloads = calve.lake.payloads(source.schema, "a")
    assert len(payloads) == 60001
    assert payloads[0] == '{"id":1,"v":"x"}', payloads[0]
    assert payloads[1].startswith('{"id":10,"w":"'), payloads[1]


def test_definition_outlives_its_checkpoint(make_source, make_calve):
    """The definition that a run starts with serves all of its commits."""
    source = make_source("mysql-9")
    columns = ", ".join(f"`column_{i}` ENUM('red', 'green', 'label {i}')" for i in range(30))
    source.sql(f"CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, {columns})", "INSERT INTO t () VALUES ()")
    calve = make_calve(source)
    calve.catch_up()
    table = calve.lake.checkpoint(source.schema, "t")["table"]
    running = calve.start("run", commit_interval="100ms")
    running.wait_event("source.connected")
    for i in range(4):
        source.sql("INSERT INTO t (column_7) VALUES ('label 7')")
        running.wait_event("cut.committed", where=lambda e, n=i + 1: e["rows_total"] >= n)
        assert calve.lake.checkpoint(source.schema, "t")["table"] == table
    # Other metadata in the binlog: the plan of a row is made anew, from the definition.
    with source.globals(binlog_row_metadata="FULL"):
        source.sql("INSERT INTO t (column_7) VALUES ('label 7')")
        running.wait_event("cut.committed", where=lambda e: e["rows_total"] >= 5)
    assert running.stop().status == 0
    for payload in calve.lake.payloads(source.schema, "t", "insert"):
        assert '"column_7":"label 7"' in payload and payload.count('"column_') == 30, payload


def test_killed_while_a_dropped_table_is_copied_again(make_source, make_calve):
    """The table is there again, empty: its old watermark must not stand for a copy."""
    source = make_source("mysql-9")
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    calve = make_calve(source)
    calve.catch_up()
    location = calve.lake.table(source.schema, "t").location()
    schema, spec = calve.lake.table(source.schema, "t").schema(), calve.lake.table(source.schema, "t").spec()
    calve.lake.catalog.drop_table((source.schema, "t"))
    # What a kill leaves between creating the table and committing the copy.
    calve.lake.catalog.create_table((source.schema, "t"), schema, location, spec)
    calve.catch_up()
    assert len(calve.lake.payloads(source.schema, "t")) == 2


def test_dropped_table_after_a_reset(make_source, make_calve, make_oracle):
    """The old watermark is gone before the new copy is begun: it may be far ahead of the new log."""
    source = make_source("mysql-9", max_binlog_stmt_cache_size="2G")  # a server of this test's own
    source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1), (2)")
    calve = make_calve(source)
    calve.catch_up()
    source.sql("RESET BINARY LOGS AND GTIDS")
    calve.lake.catalog.drop_table((source.schema, "t"))
    lock = source.session()
    try:
        with lock.cursor() as cursor:
            cursor.execute("LOCK TABLES t WRITE")
        run = calve.start("run")
        run.wait_event("copy.started")
        assert calve.lake.watermarks()[(source.schema, "t")]["log_file"] is None
        assert not calve.lake.watermarks()[(source.schema, "t")]["backfill_complete"]
        run.kill9()
    finally:
        lock.close()
    calve.catch_up()
    source.sql("INSERT INTO t VALUES (3)")
    calve.catch_up()
    assert replay(calve.lake.changes(source.schema, "t")) == make_oracle(source).by_key(source.schema, "t")
