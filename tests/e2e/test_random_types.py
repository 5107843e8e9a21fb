"""Random tables of all types under random statements: copied, followed, and decoded a second time.

Each round makes a schema of its own. What the lake holds must be what the source's SELECT says, and every
event what the slow decoder reads in the binlog. The seed of a round is printed; CALVE_TEST_SEED=N plays that
round again (and goes on from there), CALVE_TEST_SECONDS=N plays rounds for that long on each server.
"""

import collections
import json
import os
import random
import shutil
import time

import pymysql
import pytest

from lake import file_number, replay
from oracle import Oracle
from random_types import Statements, Tables, Types
from slow_decoder import Decoder, ServerCatalog
from source import FLAVORS, Source
from test_differential import binlog_bytes, check_lake, first_difference, lake_changes, slow_changes

SECONDS = float(os.environ.get("CALVE_TEST_SECONDS", "25"))
LOOSE = "SET SESSION sql_mode = 'ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO', time_zone = '+00:00'"
# Statements may fail: values that do not fit, keys that are there, mixed engines. Not with these: the syntax,
# a server that is gone.
NEVER = {1064, 1053, 2006, 2013, 2014}


def collations_of(source):
    """{charset: [collation]}; those that stand for no charset of their own are left out."""
    if source.family == "mariadb":
        rows = source.sql("SELECT CHARACTER_SET_NAME, FULL_COLLATION_NAME FROM"
                          " information_schema.COLLATION_CHARACTER_SET_APPLICABILITY")
    else:
        rows = source.sql("SELECT CHARACTER_SET_NAME, COLLATION_NAME FROM information_schema.COLLATIONS")
    found = collections.defaultdict(list)
    for charset, collation in sorted(rows):
        found[charset].append(collation)
    return dict(found)


class Round:
    """A schema, its tables, and the statements that were run."""

    def __init__(self, source, seed, collations):
        self.source = source
        self.seed = seed
        self.dice = random.Random(seed)
        self.script = []
        self.errors = collections.Counter()
        self.done = collections.Counter()
        self.types = Types(self.dice, source.flavor, collations)
        self.tables = []
        self.metadata = self.dice.choice(("MINIMAL", "FULL") if source.family == "mysql" else ("NO_LOG", "MINIMAL", "FULL"))
        self.session = None

    def run(self, statement):
        """Whether it went through."""
        self.script.append(statement)
        try:
            with self.session.cursor() as cursor:
                cursor.execute(statement)
        except pymysql.Error as e:
            self.errors[e.args[0]] += 1
            self.script[-1] += f" -- {e.args[0]}"
            return False
        self.done[statement.split(" ", 1)[0]] += 1
        return True

    def open(self):
        self.source.sql(f"SET GLOBAL binlog_row_metadata = {self.metadata}")
        if self.source.family == "mariadb":
            self.source.sql(f"SET GLOBAL log_bin_compress = {self.dice.choice(('ON', 'OFF', 'OFF'))}",
                            f"SET GLOBAL log_bin_compress_min_len = {self.dice.choice((10, 256))}")
        self.session = self.source.session()
        self.run(LOOSE)
        if self.source.flavor == "mariadb-11.8" and self.dice.random() < 0.25:
            self.run("SET SESSION binlog_row_image = FULL_NODUP")

    def make_tables(self):
        maker = Tables(self.dice, self.types, self.source.schema)
        wanted = self.dice.randint(1, 5)
        for _ in range(60):
            if len(self.tables) == wanted:
                break
            table = maker.table()
            gipk = "gipk" in table.after
            if gipk:
                self.run("SET SESSION sql_generate_invisible_primary_key = ON")
            if self.run(table.create()):
                self.tables.append(table)
            if gipk:
                self.run("SET SESSION sql_generate_invisible_primary_key = OFF")
        assert len(self.tables) == wanted, self.text()
        self._trigger()

    def _trigger(self):
        """What a trigger writes comes in the same statement, with a table map of its own."""
        if len(self.tables) < 2 or self.dice.random() < 0.6:
            return
        one, other = self.dice.sample(self.tables, 2)
        statements = Statements(self.dice, [other], self.types.mysql)
        self.run(f"CREATE TRIGGER tr AFTER {self.dice.choice(('INSERT', 'UPDATE'))} ON `{one.name.replace('`', '``')}`"
                 f" FOR EACH ROW {statements.insert(other, 'INSERT IGNORE')}")

    def change(self, transactions):
        statements = Statements(self.dice, self.tables, self.types.mysql)
        for _ in range(transactions):
            for statement in statements.transaction(partial_json=True):
                self.run(statement)
        self.run("COMMIT")

    def text(self, most=400):
        lines = [s if len(s) < most or s.startswith("CREATE") else s[:most] + "…" + s[-20:] for s in self.script]
        return f"CALVE_TEST_SEED={self.seed} {self.source.flavor} {self.metadata}\n" + ";\n".join(lines)

    def close(self):
        if self.session is not None:
            self.session.close()


def nearest(payload, state):
    """How the most similar row differs: [(column, here, there)]."""
    row = json.loads(payload)
    others = [json.loads(p) for p, n in state.items() if n > 0]
    differences = [[(k, row[k], o.get(k)) for k in row if row[k] != o.get(k)] for o in others]
    return str(min(differences, key=len, default=payload))


def check_state(lake, schema, tables, slow, oracle, since=(-1, 0)):
    """What the changes lead to is what SELECT says. slow has the rows before, which a changelog has not."""
    for table in tables:
        state = collections.Counter(lake.payloads(schema, table.name, "backfill") if since[0] >= 0 else [])
        for kind, _, file, position, payload, before in slow.get(table.name, []):
            if (file_number(file), position) <= since:
                continue
            if kind != "insert":
                state[before] -= 1
                assert state[before] >= 0, f"{table.name}: {kind} of what is not there: {nearest(before, state)}"
            if kind != "delete":
                state[payload] += 1
        found = sorted((+state).elements())
        expected = sorted(oracle.rows(schema, table.name, order=None))
        assert found == expected, f"{table.name}: {first_difference(found, expected)}"
        if table.stable_key is not None and not table.moves:
            state = replay(lake.changes(schema, table.name), (table.stable_key,))
            assert sorted(state.values()) == expected, table.name


def play(source, seed, collations, make_calve, oracle, counts, folder):
    """One round; returns the errors of its statements."""
    game = Round(source, seed, collations)
    try:
        game.open()
        game.make_tables()
        schema = source.schema
        file, offset = source.position()
        game.change(game.dice.randint(1, 12))
        busy = game.dice.random() < 0.25
        copied = make_calve(source, name=f"{schema}-copied")
        running = None
        if busy:
            running = copied.start("run")
            running.wait_event("run.tables")
        else:
            for_copy = {t.name: sorted(oracle.rows(schema, t.name, order=None)) for t in game.tables}
            mark = source.position()
            copied.ok("backfill")
            for table in game.tables:
                found = sorted(copied.lake.payloads(schema, table.name, "backfill"))
                expected = for_copy[table.name]
                assert found == expected, f"{table.name}, copied: {first_difference(found, expected)}"
        game.change(game.dice.randint(5, 30))
        if running is not None:
            if game.dice.random() < 0.5:
                running.kill9()
            else:
                result = running.stop()
                assert result.status == 0, result
        copied.catch_up()
        followed = make_calve(source, name=f"{schema}-followed")
        followed.ok("run", snapshot="never", **{"from": f"{file}:{offset}", "until": "current"})

        files = binlog_bytes(source, file)
        slow = slow_changes(Decoder(ServerCatalog(game.session)), files, schema, offset)
        counts["events"] += check_lake(followed.lake, schema, slow)
        check_state(followed.lake, schema, game.tables, slow, oracle)
        if busy:
            check_busy(copied.lake, schema, game.tables, slow, oracle)
        else:
            since = file_number(mark[0]), mark[1]
            late = {t: [r for r in rows if (file_number(r[2]), r[3]) > since] for t, rows in slow.items()}
            check_lake(copied.lake, schema, late)
            check_state(copied.lake, schema, game.tables, slow, oracle, since)
        counts["rounds"] += 1
        counts["tables"] += len(game.tables)
        counts["statements"] += sum(game.done.values())
        counts["failed"] += sum(game.errors.values())
        for table in game.tables:
            for column in table.columns:
                counts[f"type {column.kind}"] += 1
        assert not NEVER & set(game.errors), game.errors
        for calve in (copied, followed):
            shutil.rmtree(calve.folder)
        return game.errors
    except BaseException:
        print(game.text())
        script = folder / f"{source.schema}.sql"
        script.write_text(game.text(1 << 30), encoding="utf-8")
        print(f"whole: {script}")
        raise
    finally:
        game.close()


def check_busy(lake, schema, tables, slow, oracle):
    """A copy under load: the log wins, and all that came after it is there."""
    for table in tables:
        events = lake_changes(lake, schema, table.name)
        expected = [row[:5] for row in slow.get(table.name, [])]
        assert events == expected[len(expected) - len(events):], f"{table.name}: events after the copy"
        if table.stable_key is not None and not table.moves:
            state = replay(lake.changes(schema, table.name), (table.stable_key,), copied_under_load=True)
            found, wanted = sorted(state.values()), sorted(oracle.rows(schema, table.name, order=None))
            assert found == wanted, f"{table.name}: {first_difference(found, wanted)}"


BLOCK = 32  # rounds that share a server's settings
SETTINGS = [{}, {}, {"binlog_row_event_max_size": 256}, {"binlog_row_event_max_size": 1024, "binlog_checksum": "NONE"}]
MYSQL_SETTINGS = [*SETTINGS, {"gtid_mode": "OFF", "enforce_gtid_consistency": "OFF"}]


class Game:
    """Rounds on the servers of a flavor."""

    def __init__(self, flavor, make_source, make_calve, folder):
        self.flavor = flavor
        self.make_source = make_source
        self.make_calve = make_calve
        self.folder = folder
        self.counts = collections.Counter()
        self.errors = collections.Counter()
        self.places = {}  # by settings: (source, its collations, oracle)

    def place(self, seed):
        choices = MYSQL_SETTINGS if self.flavor.startswith("mysql") else SETTINGS
        settings = random.Random(seed // BLOCK).choice(choices)
        key = tuple(settings.items())
        if key not in self.places:
            source = self.make_source(self.flavor, **settings)
            oracle = Oracle(source.server, without_generated=self.flavor == "mariadb-11.8")
            self.places[key] = source, collations_of(source), oracle
        return settings, *self.places[key]

    def round(self, seed):
        settings, first, collations, oracle = self.place(seed)
        print(f"round CALVE_TEST_SEED={seed} {settings or ''}", flush=True)
        source = Source(first.server, f"{first.schema}_{self.counts['rounds']}")
        old = first.value("SELECT @@GLOBAL.binlog_row_metadata")
        try:
            self.errors += play(source, seed, collations, self.make_calve, oracle, self.counts, self.folder)
        except BaseException:
            if not self._revived(first, settings):
                raise
            return
        finally:
            if first.server.running():
                first.sql(f"SET GLOBAL binlog_row_metadata = {old}")
                if first.family == "mariadb":
                    first.sql("SET GLOBAL log_bin_compress = OFF")
        source.drop()
        last = first.binlog_files()[-1]
        first.sql(f"PURGE BINARY LOGS TO '{last}'")

    def _revived(self, source, settings):
        """When the server itself broke down (MariaDB 10.11 does at times), it is started again: no fault of ours."""
        time.sleep(1)
        if source.server.running():
            return False
        print(f"the server ended: {source.server.process.returncode}\n{source.server.log_tail(6000)}")
        self.counts["breakdowns of the server"] += 1
        if self.counts["breakdowns of the server"] > 1 + self.counts["rounds"] // 50:
            return False
        source.server.start()
        source.connection = source.session()
        self.places.pop(tuple(settings.items()))[2].close()
        return True

    def close(self):
        for _, _, oracle in self.places.values():
            oracle.close()


@pytest.mark.timeout(max(240, SECONDS * 1.5 + 120))
@pytest.mark.parametrize("flavor", FLAVORS)
def test_random_types(flavor, make_source, make_calve, tmp_path):
    seed = int(os.environ.get("CALVE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    game = Game(flavor, make_source, make_calve, tmp_path)
    end = time.monotonic() + SECONDS
    try:
        while time.monotonic() < end:
            game.round(seed)
            seed += 1
    finally:
        game.close()
        print(dict(sorted(game.counts.items())))
        print(f"errors of statements: {dict(game.errors)}")
    assert game.counts["statements"] > 3 * game.counts["failed"], "most statements must go through"
