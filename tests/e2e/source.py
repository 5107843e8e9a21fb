"""The source's side of the tests: private servers, schemas, positions."""

import contextlib
import itertools
import os

import pymysql

from lake import file_number
from servers import Server

FLAVORS = ("mysql-9", "mariadb-10.11", "mariadb-11.8")

_numbers = itertools.count(1)


def unique_number():
    return next(_numbers)


class Source:
    """A server and a schema of a test's own on it."""

    def __init__(self, server, schema):
        self.server = server
        self.schema = schema
        self.family = server.family
        self.flavor = server.flavor
        self.connection = server.connect()
        self.sql(f"CREATE DATABASE `{schema}` DEFAULT CHARACTER SET utf8mb4", f"USE `{schema}`")

    def sql(self, *statements):
        """Runs statements; returns the rows of the last."""
        with self.connection.cursor() as cursor:
            for statement in statements:
                try:
                    cursor.execute(statement)
                except pymysql.Error as e:
                    text = statement if len(statement) < 2000 else statement[:2000] + " …"
                    raise AssertionError(f"{e}: {text}") from None
            return list(cursor.fetchall())

    def value(self, statement):
        return self.sql(statement)[0][0]

    def session(self, **kwargs):
        """Another connection, in the schema."""
        return self.server.connect(database=self.schema, **kwargs)

    def reconnect(self):
        """A session keeps what was global when it began: another one takes its place."""
        self.connection.close()
        self.connection = self.session()

    @property
    def gtids_on(self):
        return self.family == "mariadb" or self.value("SELECT @@gtid_mode") == "ON"

    def position(self):
        """(file, offset) where the binlog ends."""
        name = "MASTER" if self.family == "mariadb" else "BINARY LOG"
        row = self.sql(f"SHOW {name} STATUS")[0]
        return row[0], int(row[1])

    def place(self):
        """The same as FILE:POS."""
        return "{}:{}".format(*self.position())

    def gtids(self):
        """The executed set."""
        if self.family == "mariadb":
            file, offset = self.position()
            return self.value(f"SELECT BINLOG_GTID_POS('{file}', {offset})")
        return self.value("SELECT @@GLOBAL.gtid_executed").replace("\n", "")

    def binlog_files(self):
        return [r[0] for r in self.sql("SHOW BINARY LOGS")]

    def transaction_ends(self):
        """{(file number, offset)} where transactions end, as the server lists its events."""
        ends = set()
        for file in self.binlog_files():
            for row in self.binlog_events(file):
                kind, end, info = row[2], row[4], row[5] or ""
                if kind in ("Xid", "Transaction_payload") or (kind == "Query" and info == "COMMIT"):
                    ends.add((file_number(file), int(end)))
        return ends

    def binlog_events(self, file):
        """Rows of SHOW BINLOG EVENTS. Statements are in their clients' charsets: their bytes are taken one by one."""
        with self.server.connect(use_unicode=False) as connection, connection.cursor() as cursor:
            cursor.execute(f"SHOW BINLOG EVENTS IN '{file}'")
            return [tuple(v.decode("latin-1") if isinstance(v, bytes) else v for v in r) for r in cursor.fetchall()]

    @contextlib.contextmanager
    def globals(self, **values):
        """Sets global variables for a while."""
        old = {n: self.value(f"SELECT @@GLOBAL.{n}") for n in values}
        try:
            for name, value in values.items():
                self.sql(f"SET GLOBAL {name} = {_literal(value)}")
            yield
        finally:
            for name, value in old.items():
                self.sql(f"SET GLOBAL {name} = {_literal(value)}")

    def drop(self):
        self.connection.close()
        with self.server.connect() as connection, connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE IF EXISTS `{self.schema}`")


def _literal(value):
    return str(value) if isinstance(value, int) else f"'{value}'"


class Servers:
    """One server per flavor and settings, started when first asked for."""

    def __init__(self):
        self._servers = {}

    def get(self, flavor, **settings):
        key = flavor, tuple(sorted(settings.items()))
        server = self._servers.get(key)
        if server is None:
            server = self._servers[key] = Server(flavor, settings)
            server.start()
        elif not server.running():
            server.start()
        return server

    def source(self, flavor, **settings):
        return Source(self.get(flavor, **settings), f"t{os.getpid()}_{unique_number()}")

    def close(self):
        for server in self._servers.values():
            server.remove()
        self._servers.clear()


class Replica:
    """Two servers of a flavor, the second a replica of the first by GTID, and a schema on both."""

    def __init__(self, flavor, primary, replica):
        self.flavor = flavor
        self.family = primary.family
        self.schema = f"t{os.getpid()}_{unique_number()}"
        self.servers = [primary, replica]
        self.primary = primary
        self.replica = replica

    @classmethod
    def pair(cls, flavor, **settings):
        common = {"gtid_strict_mode": "ON"} if flavor.startswith("mariadb") else {}
        common |= {"log_slave_updates" if common else "log_replica_updates": "ON"} | settings
        servers = []
        try:
            for number in (1, 2):
                servers.append(Server(flavor, common | {"server_id": number}))
                servers[-1].start()
            made = cls(flavor, *servers)
            made.attach(made.replica, made.primary)
            made.sql(f"CREATE DATABASE `{made.schema}`")
            return made
        except Exception:
            for server in servers:
                server.remove()
            raise

    def run(self, server, *statements):
        with contextlib.closing(server.connect()) as connection, connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)
            return list(cursor.fetchall())

    def sql(self, *statements):
        """On the primary, in the schema as soon as it is there."""
        first = [] if statements[0].startswith("CREATE DATABASE") else [f"USE `{self.schema}`"]
        return self.run(self.primary, *first, *statements)

    def attach(self, replica, primary):
        """Makes one a replica of the other."""
        account = "CREATE USER IF NOT EXISTS 'repl'@'%' IDENTIFIED BY 'repl'"
        self.run(primary, account, "GRANT REPLICATION SLAVE ON *.* TO 'repl'@'%'")
        if self.family == "mariadb":
            self.run(replica, f"CHANGE MASTER TO MASTER_HOST='127.0.0.1', MASTER_PORT={primary.port}, "
                     "MASTER_USER='repl', MASTER_PASSWORD='repl', MASTER_USE_GTID=slave_pos, "
                     "MASTER_CONNECT_RETRY=1", "START SLAVE")
        else:
            self.run(replica, f"CHANGE REPLICATION SOURCE TO SOURCE_HOST='127.0.0.1', SOURCE_PORT={primary.port}, "
                     "SOURCE_USER='repl', SOURCE_PASSWORD='repl', SOURCE_AUTO_POSITION=1, "
                     "SOURCE_CONNECT_RETRY=1, GET_SOURCE_PUBLIC_KEY=1", "START REPLICA")

    def gtids(self, server):
        variable = "gtid_current_pos" if self.family == "mariadb" else "gtid_executed"
        return self.run(server, f"SELECT @@GLOBAL.{variable}")[0][0].replace("\n", "")

    def stop_replica(self):
        self.run(self.replica, "STOP SLAVE" if self.family == "mariadb" else "STOP REPLICA")

    def start_replica(self):
        self.run(self.replica, "START SLAVE" if self.family == "mariadb" else "START REPLICA")

    def status(self):
        """The replica's, as {column: value}."""
        with contextlib.closing(self.replica.connect()) as connection:
            with connection.cursor(pymysql.cursors.DictCursor) as cursor:
                cursor.execute("SHOW SLAVE STATUS" if self.family == "mariadb" else "SHOW REPLICA STATUS")
                return cursor.fetchone()

    def synced(self, timeout=60):
        """Waits until the replica has all that the primary has now."""
        goal = self.gtids(self.primary)
        if self.family == "mariadb":
            done = self.run(self.replica, f"SELECT MASTER_GTID_WAIT('{goal}', {timeout})")[0][0]
        else:
            done = self.run(self.replica, f"SELECT WAIT_FOR_EXECUTED_GTID_SET('{goal}', {timeout})")[0][0]
        assert done == 0, self.status()

    def hold_writers(self):
        self.run(self.primary, "FLUSH TABLES WITH READ LOCK")

    def kill_and_promote(self):
        """Kills the primary when the replica has all of it, and makes the replica the primary."""
        lock = self.primary.connect()
        try:
            with lock.cursor() as cursor:
                cursor.execute("FLUSH TABLES WITH READ LOCK")
                self.synced()
                self.primary.kill9()
        finally:
            with contextlib.suppress(pymysql.Error):
                lock.close()
        self.promote()

    def promote(self):
        if self.family == "mariadb":
            self.run(self.replica, "STOP SLAVE", "RESET SLAVE ALL")
        else:
            self.run(self.replica, "STOP REPLICA", "RESET REPLICA ALL")
        self.primary, self.replica = self.replica, self.primary

    def source(self):
        """The primary as a source of the other helpers; the schema is there already."""
        made = Source.__new__(Source)
        made.server, made.schema = self.primary, self.schema
        made.family, made.flavor = self.family, self.flavor
        made.connection = self.primary.connect(database=self.schema)
        return made

    def count(self, tables):
        return [self.sql(f"SELECT COUNT(*) FROM `{t}`")[0][0] for t in tables]

    @property
    def url(self):
        hosts = ",".join(f"{s.host}:{s.port}" for s in self.servers)
        return f"{self.family}://root@{hosts}"

    def calve(self, make_calve, **kwargs):
        """A calve that knows both servers."""
        options = {"source": self.url, "source-catch-up-timeout": "60s"} | kwargs.pop("options", {})
        return make_calve(self.source(), options=options, **kwargs)

    def remove(self):
        for server in self.servers:
            server.remove()
