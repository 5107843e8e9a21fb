"""Random DDL among changes of rows, and a model of what a changelog must hold of them.

The model asks the server itself: right after each change it selects the rows, under the definition of that
moment, and notes names and values as a payload. It knows which statements move tables, not what they make of
columns: that the server says.
"""

import collections
import copy
import dataclasses
import re

import pymysql

from lake import file_number
from oracle import Oracle
from random_types import NAMES, Column, Types
from slow_decoder import member_labels
from type_tables import name_of

BYTES = re.compile("BINARY|BLOB|BIT|VECTOR", re.I)
TEXT = re.compile("CHAR|TEXT|ENUM|SET", re.I)
LONG = re.compile(r"(MODIFY|CHANGE)\b.*TEXT", re.I)
CONVERT = re.compile(r"CONVERT TO CHARACTER SET (\w+)")

LOOSE = "ALLOW_INVALID_DATES,NO_AUTO_VALUE_ON_ZERO"
EVENTS = ("insert", "update", "delete")
MARKS = ("truncate", "drop", "rename")
DDL = ("ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME", "TRIGGER", "noise", "TEMPORARY")


@dataclasses.dataclass
class Item:
    """What one statement does to the changelog of one name."""

    kind: str  # an event type, a mark, "copy": the name came to another table, or "like": it was made as another one is
    payloads: list  # of the rows, in any order; of a mark its DDL
    end: tuple = None  # (file, offset) of the source when it was committed
    alive: int = 0  # rows that the table has then
    number: int = 0  # of the statement
    start: tuple = None  # of "like": where the source was before


def may_be_one(a, b):
    """Names that a server may take for one, like ä and a: calve stops at IF NOT EXISTS of such, and rightly."""
    return len(a) == len(b) and all(x.lower() == y.lower() for x, y in zip(a, b) if x.isascii() and y.isascii())


class Live:
    """A table as it is now."""

    def __init__(self, name):
        self.name = name
        self.id = "id"
        self.ver = "ver"
        self.columns = {}  # by name, those that the generator can write
        self.written = set()  # in an ALTER: old columns that it defines anew, or drops
        self.ids = set()

    def __repr__(self):
        return f"{self.name}({self.id}, {self.ver}, {list(self.columns)}; {len(self.ids)} rows)"


class Session(Oracle):
    """The one session that does all and is asked for payloads."""

    def __init__(self, server, schema, without_generated):
        super().__init__(server, without_generated)
        self.schema = schema
        self.cache = {}
        self._run(f"USE `{schema}`")
        self._run(f"SET SESSION sql_mode = '{LOOSE}', lock_wait_timeout = 3")

    def columns(self, schema, table):
        if table not in self.cache:
            self.cache[table] = super().columns(schema, table)
        return self.cache[table]

    def execute(self, statement):
        with self.connection.cursor() as cursor:
            cursor.execute(statement)
            return list(cursor.fetchall())

    def labels(self, table):
        """[(column, labels, charset)] of ENUM and SET."""
        rows = self.execute("SELECT COLUMN_NAME, COLUMN_TYPE, CHARACTER_SET_NAME FROM information_schema.COLUMNS WHERE "
                            f"DATA_TYPE IN ('enum', 'set') AND TABLE_SCHEMA = '{self.schema}' AND TABLE_NAME = '{table}'")
        return [(name, member_labels(kind), charset) for name, kind, charset in rows]

    def encoded(self, text, charset):
        """A text's bytes in a charset of the server."""
        return bytes.fromhex(self.execute(f"SELECT HEX(CONVERT(_utf8mb4 X'{text.encode().hex()}' USING {charset}))")[0][0])

    def payloads(self, live, ids):
        where = f"{name_of(live.id)} IN ({', '.join(map(str, sorted(ids)))})"
        return self.rows(self.schema, live.name, where, order=None)

    def table_names(self):
        return {r[0] for r in self.execute(
            "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_TYPE = 'BASE TABLE' AND TABLE_SCHEMA = "
            f"'{self.schema}'")}


class Model:
    """The tables, and by name what their changelogs must hold."""

    def __init__(self, session, position):
        self.session = session
        self.position = position  # function: where the source's binlog ends
        self.live = {}
        self.streams = collections.defaultdict(list)
        self.moments = collections.defaultdict(set)  # payloads that a copy of the name can have met
        self.script = []
        self.errors = collections.Counter()
        self.done = collections.Counter()
        self.open = None  # items of an open transaction

    def followed(self, name):
        return name.startswith("t")

    # -- statements --

    def run(self, statement, kind=None):
        """Whether it went through."""
        self.script.append(statement)
        try:
            self.session.execute(statement)
        except pymysql.Error as e:
            self.errors[e.args[0]] += 1
            self.script[-1] += f" -- {e.args[0]} {e.args[1]}"
            return False
        kind = kind or statement.split(" ", 1)[0]
        self.done[kind] += 1
        if kind in DDL:
            self.script[-1] += f" -- ends at {self.position()[1]}"
        return True

    def _note(self, live, kind, payloads):
        item = Item(kind, payloads, alive=len(live.ids), number=len(self.script))
        if self.open is not None:
            self.open.append((live.name, item))
        else:
            self._commit_items([(live.name, item)])

    def place(self):
        file, offset = self.position()
        return file_number(file), offset

    def _commit_items(self, items, end=None):
        end = end or self.place()
        for name, item in items:
            item.end = end
            self.streams[name].append(item)
            if item.kind in ("insert", "update"):
                self.moments[name].update(item.payloads)

    # -- transactions --

    def begin(self):
        if self.run("BEGIN"):
            self.open = []
            self.before = {n: set(t.ids) for n, t in self.live.items()}

    def commit(self, end=None):
        """end: where it was committed already."""
        self.run("COMMIT")
        items, self.open = self.open, None
        self._commit_items(items, end)

    def rollback(self):
        self.run("ROLLBACK")
        self.open = None
        for name, ids in self.before.items():
            self.live[name].ids = ids

    # -- changes --

    def insert(self, live, ids, columns, rows):
        heads = ", ".join(map(name_of, [live.id, live.ver, *columns]))
        values = ", ".join(f"({i}, 0{''.join(', ' + v for v in row)})" for i, row in zip(ids, rows))
        if self.run(f"INSERT INTO {name_of(live.name)} ({heads}) VALUES {values}"):
            live.ids |= set(ids)
            self._note(live, "insert", self.session.payloads(live, ids))

    def update(self, live, ids, ver, changes):
        words = "".join(f", {name_of(c)} = {v}" for c, v in changes)
        if self.run(f"UPDATE {name_of(live.name)} SET {name_of(live.ver)} = {ver}{words}"
                    f" WHERE {name_of(live.id)} IN ({', '.join(map(str, ids))})"):
            self._note(live, "update", self.session.payloads(live, ids))

    def delete(self, live, ids):
        payloads = self.session.payloads(live, ids)
        if self.run(f"DELETE FROM {name_of(live.name)} WHERE {name_of(live.id)} IN ({', '.join(map(str, ids))})"):
            live.ids -= set(ids)
            self._note(live, "delete", payloads)

    # -- tables --

    def look(self, *names):
        """Reads definitions and rows again after a DDL."""
        self.session.cache.clear()
        for name in names:
            live = self.live.get(name)
            if live is None:
                continue
            there = {c["column_name"] for c in self.session.columns(self.session.schema, name)}
            assert {live.id, live.ver} <= there, f"{live} has {there}"
            live.columns = {n: c for n, c in live.columns.items() if n in there}
            self.moments[name].update(self.session.rows(self.session.schema, name, order=None))

    def mark(self, name, kind, statement):
        if self.followed(name):
            self._commit_items([(name, Item(kind, [statement], number=len(self.script)))])

    def created(self, live, rows=False):
        """A new table; rows: it came with some, logged as inserts."""
        self.live[live.name] = live
        self.look(live.name)
        if rows and live.ids:
            self._note(live, "insert", self.session.payloads(live, live.ids))

    def made_like(self, name, start):
        self._commit_items([(name, Item("like", [], number=len(self.script), start=start))])

    def dropped(self, name, statement):
        self.mark(name, "drop", statement)
        self.live.pop(name, None)

    def truncated(self, name, statement):
        self.live[name].ids.clear()
        self.mark(name, "truncate", statement)

    def renamed(self, pairs, statement):
        """One statement's renames, from left to right."""
        for old, new in pairs:
            live = self.live.pop(old)
            live.name = new
            self.live[new] = live
        arrived = {new for _, new in pairs if new in self.live}
        for name in dict.fromkeys(n for n, _ in pairs):
            self.mark(name, "rename", statement)
        self.look(*arrived)
        for name in dict.fromkeys(n for _, n in pairs):
            if name in self.live and self.followed(name):
                self._commit_items([(name, Item("copy", [], alive=len(self.live[name].ids), number=len(self.script)))])

    def script_text(self):
        return ";\n".join(f"{i + 1}: {s if len(s) < 600 else s[:570] + '…' + s[-30:]}" for i, s in enumerate(self.script))


# ---- the generator -----------------------------------------------------------------------------


class Storm:
    """Random statements on a model's tables."""

    def __init__(self, dice, model, flavor, collations):
        self.dice = dice
        self.model = model
        self.flavor = flavor
        self.mysql = flavor.startswith("mysql")
        few = {c: collations[c] for c in ("utf8mb4", "latin1", "gbk", "sjis", "utf16", "koi8r", "ascii", "utf8mb3")}
        self.types = types = Types(dice, flavor, few)
        types.kinds = [types.integer, types.integer, types.integer, types.decimal, types.floating, types.bit, types.year,
                       types.date, types.time, types.datetime, types.timestamp, types.character, types.varying, types.varying,
                       types.long_text, types.binary, types.varbinary, types.long_blob, types.set, types.json]
        self.names = 0
        self.next_id = 1
        self.ver = 0

    # -- columns --

    def new_name(self):
        self.names += 1
        base = self.dice.choice(NAMES) if self.dice.random() < 0.4 else "c"
        return f"{base}{self.names}"

    def enum(self, name):
        labels = [f"{l}{i}" for i, l in enumerate(self.dice.choices(
            ("a", "b", "it's", "e", "x y", "(", ","), k=self.dice.randint(2, 5)))]
        return self._enum_of(name, labels)

    def _enum_of(self, name, labels):
        words = ",".join("'" + l.replace("'", "''") + "'" for l in labels)
        column = Column(name, "enum", f"ENUM({words}) CHARACTER SET {self.dice.choice(('utf8mb4', 'latin1'))}",
                        lambda: str(self.dice.randint(0, len(labels))), 2)
        column.labels = labels
        return column

    def column(self, name):
        column = self.enum(name) if self.dice.random() < 0.15 else self.types.column(name)
        if not column.attributes and self.dice.random() < 0.3:
            column.attributes = self.dice.choice((" NOT NULL", " NULL", " COMMENT 'a, b (c) ''d'''"))
        return column

    def table(self, name):
        live = Live(name)
        d = self.dice
        columns = [self.column(self.new_name()) for _ in range(d.randint(1, 6))]
        words = [f"{name_of(live.id)} INT NOT NULL" + d.choice(("", " PRIMARY KEY", " PRIMARY KEY")),
                 f"{name_of(live.ver)} INT NOT NULL DEFAULT 0", *(c.sql() for c in columns)]
        if d.random() < 0.3:
            d.shuffle(words)
        if d.random() < 0.3:
            words.append(f"KEY `k` ({name_of(live.ver)}, {name_of(live.id)})")
        options = d.choice(("", "", " DEFAULT CHARSET=latin1", " CHARACTER SET utf8mb4 COLLATE utf8mb4_bin", " COMMENT='t, (x)'"))
        live.columns = {c.name: c for c in columns}
        return live, f"CREATE TABLE {self.named(name)} ({', '.join(words)}){options}"

    # -- words --

    def named(self, name):
        """A table's name, with its schema at times."""
        return (f"`{self.model.session.schema}`." if self.dice.random() < 0.2 else "") + name_of(name)

    def _comment(self, words):
        """Words as they stand, or in an executable comment."""
        roll = self.dice.random()
        if roll < 0.85:
            return words
        if self.mysql or roll < 0.93:
            return f"/*!50100 {words} */"
        return f"/*M!100100 {words} */"

    def _place(self, live, gone=()):
        names = [n for n in [live.id, live.ver, *live.columns] if n not in gone]
        after = [f" AFTER {name_of(self.dice.choice(names))}"] if names else []
        return self.dice.choice(["", "", " FIRST", *after])

    # -- ALTER TABLE --

    def alter(self):
        live = self._any()
        if live is None:
            return
        d, after = self.dice, copy.copy(live)
        after.columns, after.written = dict(live.columns), set()
        touched, actions = set(), []
        for _ in range(d.choice((1, 1, 1, 2, 3))):
            made = self._action(live, after, touched)
            if made:
                actions.append(made)
        if not actions or any(a.startswith("CONVERT") for a in actions) and any(LONG.search(a) for a in actions):
            return  # what becomes of a TEXT beside a CONVERT is not known: calve stops, and rightly
        if any(self._breaks_labels(live, after, made[1]) for made in map(CONVERT.match, actions) if made):
            return
        if d.random() < 0.05:
            actions = [f"ORDER BY {name_of(live.ver)}"]
            after = live
        elif d.random() < 0.1:
            actions.append(d.choice(("ALGORITHM=COPY", "ALGORITHM=INPLACE", "LOCK=SHARED")))
        words = self._comment(", ".join(actions))
        statement = f"ALTER TABLE {self.named(live.name)} {words}"
        if self._ddl(statement, "ALTER"):
            live.id, live.ver, live.columns = after.id, after.ver, after.columns
            self.model.look(live.name)

    def _action(self, live, after, touched):
        d = self.dice
        free = [n for n in live.columns if n not in touched]
        kinds = ["add", "add", "add", "modify", "modify", "change", "rename", "drop", "swap", "enum", "sign", "default", "key",
                 "primary", "charset", "option", "many", "fixed"]
        kind = d.choice(kinds)
        if kind in ("modify", "change", "rename", "drop", "enum", "sign", "default") and not free:
            kind = "add"
        if kind == "add":
            column = self.column(self.new_name())
            after.columns[column.name] = column
            exists = "IF NOT EXISTS " if not self.mysql and d.random() < 0.2 and not any(
                may_be_one(column.name, n) for n in (live.id, live.ver, *live.columns)) else ""
            return f"ADD {d.choice(('', 'COLUMN '))}{exists}{column.sql()}{self._place(live, touched)}"
        if kind == "many":
            made = [self.column(self.new_name()) for _ in range(2)]
            after.columns.update({c.name: c for c in made})
            return f"ADD ({', '.join(c.sql() for c in made)})"
        if kind == "fixed":
            return self._fixed(live, after, touched)
        if kind in ("key", "primary", "charset", "option"):
            return getattr(self, "_" + kind)(live, touched)
        if kind == "swap":
            if len(free) < 2:
                return None
            one, other = d.sample(free, 2)
            touched.update((one, other))
            after.columns[one], after.columns[other] = live.columns[other], live.columns[one]
            if d.random() < 0.3:
                after.written |= {one, other}
                a, b = copy.copy(live.columns[one]), copy.copy(live.columns[other])
                a.name, b.name = other, one
                return f"CHANGE {name_of(one)} {a.sql()}, CHANGE {name_of(other)} {b.sql()}"
            return (f"RENAME COLUMN {name_of(one)} TO {name_of(other)},"
                    f" RENAME COLUMN {name_of(other)} TO {name_of(one)}")
        name = d.choice(free)
        touched.add(name)
        return getattr(self, "_" + kind + "_column")(live, after, name, touched)

    def _fixed(self, live, after, touched):
        """id and ver may move and be renamed, never go."""
        which = self.dice.choice(("id", "ver"))
        name = getattr(live, which)
        if name in touched:
            return None
        touched.add(name)
        if self.dice.random() < 0.4:
            return f"MODIFY {name_of(name)} {self.dice.choice(('INT', 'BIGINT'))} NOT NULL{self._place(live, touched)}"
        new = f"{which}{self.names}"
        self.names += 1
        setattr(after, which, new)
        if self.dice.random() < 0.5:
            return f"RENAME COLUMN {name_of(name)} TO {name_of(new)}"
        return f"CHANGE {name_of(name)} {name_of(new)} INT NOT NULL"

    def _column_after(self, name, was):
        """MariaDB takes bytes into a text column as they are, valid or not: calve stops at such text, and rightly."""
        while True:
            column = self.column(name)
            if not (BYTES.search(was.type) and TEXT.search(column.type)):
                return column

    def _modify_column(self, live, after, name, touched):
        column = self._column_after(name, live.columns[name])
        after.columns[name] = column
        after.written.add(name)
        return f"MODIFY {self.dice.choice(('', 'COLUMN '))}{column.sql()}{self._place(live, touched)}"

    def _change_column(self, live, after, name, touched):
        new = self.new_name()
        was = live.columns[name]
        column = self._column_after(new, was) if self.dice.random() < 0.5 else copy.copy(was)
        column.name = new
        del after.columns[name]
        after.columns[new] = column
        after.written.add(name)
        return f"CHANGE {self.dice.choice(('', 'COLUMN '))}{name_of(name)} {column.sql()}{self._place(live, touched)}"

    def _rename_column(self, live, after, name, _):
        new = self.new_name()
        column = copy.copy(live.columns[name])
        column.name = new
        del after.columns[name]
        after.columns[new] = column
        return f"RENAME COLUMN {name_of(name)} TO {name_of(new)}"

    def _drop_column(self, _, after, name, __):
        del after.columns[name]
        after.written.add(name)
        exists = "IF EXISTS " if not self.mysql and self.dice.random() < 0.3 else ""
        return f"DROP {self.dice.choice(('', 'COLUMN '))}{exists}{name_of(name)}"

    def _enum_column(self, live, after, name, _):
        """The same labels in another order, one more, one less."""
        labels = getattr(live.columns[name], "labels", None)
        if labels is None:
            column = self.enum(name)
        else:
            labels = list(labels)
            self.dice.shuffle(labels)
            if self.dice.random() < 0.3:
                labels.append(f"new{self.names}")
            elif len(labels) > 1 and self.dice.random() < 0.3:
                labels.pop()
            column = self._enum_of(name, labels)
        after.columns[name] = column
        after.written.add(name)
        return f"MODIFY {column.sql()}"

    def _sign_column(self, _, after, name, __):
        column = self.types.integer(name)
        after.columns[name] = column
        after.written.add(name)
        return f"MODIFY COLUMN {column.sql()}"

    def _default_column(self, live, _, name, __):
        if live.columns[name].number and self.dice.random() < 0.7:
            return f"ALTER COLUMN {name_of(name)} SET DEFAULT {self.dice.randint(0, 9)}"
        return f"ALTER COLUMN {name_of(name)} DROP DEFAULT"

    def _key(self, live, _):
        d = self.dice
        names = [live.ver] + [n for n, c in live.columns.items() if c.in_key and not c.prefix]
        parts = ", ".join(name_of(n) for n in d.sample(names, min(len(names), d.randint(1, 2))))
        return d.choice((f"ADD KEY ({parts})", f"ADD INDEX `i{self.names}` ({parts})", "DROP KEY `k`",
                         f"ADD UNIQUE KEY `u{self.names}` ({name_of(live.ver)}, {name_of(live.id)})"))

    def _primary(self, live, touched):
        if live.id in touched or live.ver in touched:
            return None
        return self.dice.choice(("DROP PRIMARY KEY", f"ADD PRIMARY KEY ({name_of(live.id)})",
                                 f"DROP PRIMARY KEY, ADD PRIMARY KEY ({name_of(live.ver)}, {name_of(live.id)})",
                                 f"DROP PRIMARY KEY, ADD PRIMARY KEY ({name_of(live.id)}, {name_of(live.ver)})"))

    def _breaks_labels(self, live, after, charset):
        """Servers leave the bytes of labels as they are: where they are no text then, or not known, calve stops, and rightly.

        Not those of columns that the same statement writes anew. charset: latin1, that takes all bytes, or UTF-8.
        """
        for name, labels, was in self.model.session.labels(live.name):
            text = "\n".join(labels)
            if name in after.written or was == charset:
                continue
            if "?" in text and {was, charset} & {"utf8mb4", "utf16"}:  # catalogs show it for what they cannot show
                return True
            if was == "utf16" or (was == "sjis" and "\\" in text):  # it has zero bytes, or the backslash twice
                return True
            if charset == "latin1" or (was, charset) == ("utf8mb3", "utf8mb4"):
                continue
            raw = self.model.session.encoded(text, was)
            try:
                if max(raw.decode("utf-8")) > "\uffff" and charset == "utf8mb3":
                    return True
            except UnicodeDecodeError:
                return True
        return False

    def _charset(self, *_):
        charset = self.dice.choice(("utf8mb4", "latin1", "utf8mb3"))
        return self.dice.choice((f"CONVERT TO CHARACTER SET {charset}", f"DEFAULT CHARACTER SET = {charset}",
                                 f"CHARACTER SET {charset}", f"CONVERT TO CHARACTER SET {charset} COLLATE {charset}_bin"))

    def _option(self, live, _):
        return self.dice.choice(("ENGINE=InnoDB", "COMMENT='it''s, a (comment)'", "ROW_FORMAT=DYNAMIC", "FORCE",
                                 "AUTO_INCREMENT=5"))

    # -- tables --

    def _any(self, least_rows=0):
        found = [t for t in self.model.live.values() if self.model.followed(t.name) and len(t.ids) >= least_rows]
        return self.dice.choice(found) if found else None

    def _ddl(self, statement, kind=None):
        """Runs it; at times with double quotes for names, at times within a transaction that it ends."""
        m, roll = self.model, self.dice.random()
        if roll < 0.12 and '"' not in statement and "``" not in statement:
            m.run(f"SET SESSION sql_mode = '{LOOSE},ANSI_QUOTES'")
            done = m.run(statement.replace("`", '"'), kind)
            m.run(f"SET SESSION sql_mode = '{LOOSE}'")
            self.last = statement.replace("`", '"')
            return done
        self.last = statement
        if roll < 0.2:
            m.begin()
            self.change()
            file, offset = m.place()
            done = m.run(statement, kind)
            m.commit((file, offset + 1))  # behind that place, in front of the DDL
            return done
        return m.run(statement, kind)

    def free_name(self):
        for i in range(100):
            if f"t{i}" not in self.model.live:
                return f"t{i}"
        raise AssertionError("no name is left")

    def create(self):
        live, statement = self.table(self.free_name())
        if self._ddl(statement):
            self.model.created(live)

    def create_like(self):
        source = self._any()
        if source is None:
            return
        name = self.free_name()
        form = self.dice.choice(("LIKE {}", "(LIKE {})")).format(self.named(source.name))
        start = self.model.place()
        if self._ddl(f"CREATE TABLE {self.named(name)} {form}"):
            self.model.created(self._twin(source, name))
            self.model.made_like(name, start)

    def _twin(self, source, name):
        live = copy.copy(source)
        live.name, live.columns, live.ids = name, dict(source.columns), set()
        return live

    def create_select(self):
        source = self._any()
        if source is None:
            return
        name = self.free_name()
        if self._ddl(f"CREATE TABLE {self.named(name)} AS SELECT * FROM {self.named(source.name)}"):
            live = self._twin(source, name)
            live.ids = set(source.ids)
            self.model.created(live, rows=True)

    def drop(self):
        live = self._any()
        if live is None or len(self.model.live) < 4:
            return
        exists = self.dice.choice(("", "IF EXISTS "))
        if self._ddl(f"DROP TABLE {exists}{self.named(live.name)}"):
            self.model.dropped(live.name, self.last)
            if self.dice.random() < 0.7:  # the same name again
                again, statement = self.table(live.name)
                if self._ddl(statement):
                    self.model.created(again)

    def truncate(self):
        live = self._any()
        if live is not None and self._ddl(f"TRUNCATE {self.dice.choice(('', 'TABLE '))}{self.named(live.name)}"):
            self.model.truncated(live.name, self.last)

    def rename(self):
        live = self._any()
        if live is None:
            return
        name = self.free_name() if self.dice.random() < 0.7 else f"_gone{self.names}"
        self.names += 1
        old = live.name
        form = self.dice.choice(("RENAME TABLE {} TO {}", "ALTER TABLE {} RENAME TO {}", "ALTER TABLE {} RENAME {}"))
        if self._ddl(form.format(self.named(old), self.named(name))):
            self.model.renamed([(old, name)], self.last)

    def swap(self):
        """a to b and b to a, by way of a name that nobody follows; or around in a ring of three."""
        names = [t.name for t in self.model.live.values() if self.model.followed(t.name)]
        count = self.dice.choice((2, 2, 3))
        if len(names) < count:
            return
        ring = self.dice.sample(names, count)
        pairs = [(ring[0], "_swap")] + [(ring[i], ring[i - 1]) for i in range(1, count)] + [("_swap", ring[-1])]
        if self._ddl("RENAME TABLE " + ", ".join(f"{name_of(a)} TO {name_of(b)}" for a, b in pairs)):
            self.model.renamed(pairs, self.last)

    def _ghost(self, live, name):
        """A changed twin of a table under a name that nobody follows; None when it did not work."""
        m = self.model
        if not m.run(f"CREATE TABLE {name_of(name)} LIKE {name_of(live.name)}"):
            return None
        m.created(self._twin(live, name))
        ghost, added = m.live[name], self.column(self.new_name())
        place = self._place(ghost)
        if m.run(f"ALTER TABLE {name_of(name)} ADD COLUMN {added.sql()}{place}", "ALTER"):
            ghost.columns[added.name] = added
        m.look(name)
        return ghost

    def _fill(self, live, ghost, verb):
        heads = ", ".join(map(name_of, [live.id, live.ver, *(n for n in live.columns if n in ghost.columns)]))
        if self.model.run(f"{verb} INTO {name_of(ghost.name)} ({heads}) SELECT {heads} FROM {name_of(live.name)}"):
            ghost.ids = set(live.ids)
            self.model.look(ghost.name)
            return True
        return False

    def gh_ost(self):
        live = self._any()
        if live is None or any(n.startswith(("_gho", "_del")) for n in self.model.live):
            return
        m, name = self.model, live.name
        ghost = self._ghost(live, f"_gho_{name}")
        if ghost is None or not self._fill(live, ghost, "INSERT IGNORE"):
            m.run(f"DROP TABLE IF EXISTS `_gho_{name}`")
            m.live.pop(f"_gho_{name}", None)
            return
        statement = f"rename /* gh-ost */ table {name_of(name)} to `_del_{name}`, `_gho_{name}` to {name_of(name)}"
        if m.run(statement, "RENAME"):
            m.renamed([(name, f"_del_{name}"), (f"_gho_{name}", name)], statement)
            if m.run(f"DROP TABLE `_del_{name}`"):
                m.dropped(f"_del_{name}", "")

    def pt_osc(self):
        live = self._any()
        if live is None or any(n.startswith(("_new", "_old")) for n in self.model.live):
            return
        m, name = self.model, live.name
        keys = m.session.execute("SELECT COLUMN_NAME FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0 AND TABLE_SCHEMA = "
                                 f"'{m.session.schema}' AND TABLE_NAME = '{name}' AND INDEX_NAME = 'PRIMARY'")
        if [k[0] for k in keys] != [live.id]:  # what a trigger has written must not be written again
            return
        ghost = self._ghost(live, f"_new_{name}")
        if ghost is None:
            return
        key = f"{name_of(live.id)} = OLD.{name_of(live.id)}"
        values = ", ".join(f"NEW.{name_of(n)}" for n in (live.id, live.ver))
        replace = f"REPLACE INTO {name_of(ghost.name)} ({name_of(live.id)}, {name_of(live.ver)}) VALUES ({values})"
        for verb, body in (("DELETE", f"DELETE IGNORE FROM {name_of(ghost.name)} WHERE {key}"), ("INSERT", replace), ("UPDATE", replace)):
            m.run(f"CREATE TRIGGER `pt_{verb}_{name}` AFTER {verb} ON {name_of(name)} FOR EACH ROW {body}", "TRIGGER")
        self.change(live)
        filled = self._fill(live, ghost, "INSERT IGNORE")
        for verb in ("DELETE", "INSERT", "UPDATE"):
            m.run(f"DROP TRIGGER IF EXISTS `pt_{verb}_{name}`", "TRIGGER")
        statement = f"RENAME TABLE {name_of(name)} TO `_old_{name}`, `_new_{name}` TO {name_of(name)}"
        if filled and m.run(statement):
            m.renamed([(name, f"_old_{name}"), (f"_new_{name}", name)], statement)
            m.run(f"DROP TABLE IF EXISTS `_old_{name}`")
            m.dropped(f"_old_{name}", "")
        else:
            m.run(f"DROP TABLE `_new_{name}`")
            m.dropped(f"_new_{name}", "")

    def noise(self):
        """Statements that change no followed table."""
        d, live = self.dice, self._any()
        if live is None:
            return
        name = name_of(live.name)
        charset = d.choice(("utf8mb4", "latin1"))
        skipped = "/*!99999 DROP TABLE {} */ " if self.mysql else "/*M!999999 DROP TABLE {} */ "
        self.model.run(d.choice((
            f"ALTER DATABASE `{self.model.session.schema}` CHARACTER SET {charset}",
            f"CREATE OR REPLACE VIEW `v` AS SELECT 1 AS `{live.name}`", f"ANALYZE TABLE {name}", "DROP VIEW IF EXISTS `v`",
            f"CREATE INDEX `ix{self.names}` ON {name} ({name_of(live.ver)})", f"DROP INDEX `ix{self.names}` ON {name}",
            "CREATE TABLE IF NOT EXISTS `other` (a INT)", "DROP TABLE IF EXISTS `nothing`, `tnothing`",
            f"{skipped.format(name)}ALTER TABLE {name} COMMENT = 'ALTER TABLE x DROP COLUMN y'",
            f"CREATE TABLE IF NOT EXISTS {name} (wrong INT)", f"FLUSH TABLES {name}")), "noise")
        self.model.session.cache.clear()

    def temporary(self):
        """A temporary table hides a followed one for a while; none of it is in the log."""
        live, m = self._any(), self.model
        if live is None:
            return
        name = name_of(live.name)
        if m.run(f"CREATE TEMPORARY TABLE {name} (hidden INT)", "TEMPORARY"):
            m.run(f"INSERT INTO {name} VALUES (1), (2)", "TEMPORARY")
            if self.dice.random() < 0.5:
                m.run(f"ALTER TABLE {name} ADD COLUMN more INT", "TEMPORARY")
            m.run(f"DROP TEMPORARY TABLE {name}", "TEMPORARY")

    # -- changes --

    def change(self, live=None):
        d, m = self.dice, self.model
        live = live or self._any()
        if live is None:
            return
        roll = d.random()
        if roll < 0.45 or not live.ids:
            ids = list(range(self.next_id, self.next_id + d.choice((1, 1, 2, 3))))
            self.next_id = ids[-1] + 1
            chosen = [n for n in live.columns if d.random() < 0.8]
            m.insert(live, ids, chosen, [[live.columns[n].value() for n in chosen] for _ in ids])
        elif roll < 0.8 or len(live.ids) < 3:
            ids = d.sample(sorted(live.ids), min(len(live.ids), d.choice((1, 1, 2))))
            self.ver += 1
            chosen = [n for n in live.columns if d.random() < 0.5]
            m.update(live, ids, self.ver, [(n, live.columns[n].value()) for n in chosen])
        else:
            m.delete(live, d.sample(sorted(live.ids), min(len(live.ids), d.choice((1, 2)))))

    def transaction(self):
        m = self.model
        m.begin()
        for _ in range(self.dice.randint(1, 4)):
            self.change()
        if self.dice.random() < 0.2:
            m.rollback()
        else:
            m.commit()

    def step(self):
        """One statement of DDL, more or less, with changes around it."""
        for _ in range(self.dice.choice((0, 1, 2, 4))):
            if self.dice.random() < 0.3:
                self.transaction()
            else:
                self.change()
        live = len([t for t in self.model.live if self.model.followed(t)])
        weights = [(self.alter, 55), (self.create, 4 if live < 7 else 0), (self.create_like, 3 if live < 7 else 0),
                   (self.create_select, 3 if live < 7 else 0), (self.drop, 5), (self.truncate, 4), (self.rename, 4),
                   (self.swap, 4), (self.gh_ost, 3), (self.pt_osc, 2), (self.noise, 8), (self.temporary, 2)]
        self.dice.choices([w[0] for w in weights], [w[1] for w in weights])[0]()
