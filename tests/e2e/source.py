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
            for row in self.sql(f"SHOW BINLOG EVENTS IN '{file}'"):
                kind, end, info = row[2], row[4], row[5] or ""
                if kind in ("Xid", "Transaction_payload") or (kind == "Query" and info == "COMMIT"):
                    ends.add((file_number(file), int(end)))
        return ends

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
