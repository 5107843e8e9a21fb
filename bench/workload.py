"""The two tables of the bench and the changes made to them, all from one seed.

A table starts so large that it has `rows` rows when its `changes` are done: half of them insert, four
tenths update, one tenth deletes. Transactions have 1 to 50 rows, events 1 to 10, small ones more often.
"""

import datetime
import random

KINDS = {"insert": 0.5, "update": 0.4, "delete": 0.1}
TRANSACTION_ROWS = 50
EVENT_ROWS = 10
START_S = 1_767_225_600  # 2026-01-01, when the first change happens
TRANSACTIONS_PER_SECOND = 20  # by the sessions' clock: all changes fall on one day

STATUSES = ("new", "paid", "packed", "shipped", "delivered", "cancelled", "returned")
WORDS = ("please", "ring", "twice", "leave", "at", "the", "gate", "gift", "wrap", "call", "before",
         "noon", "fragile", "second", "floor", "invoice", "by", "post", "Grüße", "für", "Zoë", "Köln",
         "naïve", "señor", "東京", "no", "substitutes", "green", "door", "🎁")


def _listed(keys):
    return ",".join(map(str, keys))


class Orders:
    """An order table of seven columns of mixed types."""

    schema = "shop"
    name = "orders"
    definition = """CREATE TABLE shop.orders (
  id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT PRIMARY KEY,
  customer_id INT NOT NULL,
  status VARCHAR(20) NOT NULL,
  amount DECIMAL(12,2) NOT NULL,
  note VARCHAR(255) NULL,
  created_at DATETIME(6) NOT NULL,
  updated_at TIMESTAMP NOT NULL
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"""

    @staticmethod
    def _note(rng):
        return " ".join(rng.choices(WORDS, k=rng.randrange(6, 15)))

    @classmethod
    def row(cls, rng, key):
        """The values of a row as text; None is NULL."""
        bits = rng.getrandbits(62)
        seconds = 1_700_000_000 + key * 13
        created = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
        return (str(key), str(bits % 199_999 + 1), STATUSES[bits % 7],
                f"{bits % 99_991}.{bits % 97:02}", None if bits % 10 < 3 else cls._note(rng),
                f"{created:%Y-%m-%d %H:%M:%S}.{bits % 999_983:06}", f"{created:%Y-%m-%d %H:%M:%S}")

    @classmethod
    def update(cls, rng, keys, moment):
        """A statement that changes each of these rows, in one event."""
        bits = rng.getrandbits(32)
        note = f", note='{cls._note(rng)}'" if bits % 5 == 0 else ""
        return (f"UPDATE shop.orders SET status='{STATUSES[bits % 7]}', amount=amount+{bits % 9 + 1}.25,"
                f" updated_at=FROM_UNIXTIME({moment}){note} WHERE id IN ({_listed(keys)});\n")


class Sbtest:
    """The table of sysbench, its text as random as sysbench's."""

    schema = "sbtest"
    name = "sbtest1"
    definition = """CREATE TABLE sbtest.sbtest1 (
  id INT NOT NULL AUTO_INCREMENT PRIMARY KEY,
  k INT NOT NULL DEFAULT 0,
  c CHAR(120) NOT NULL DEFAULT '',
  pad CHAR(60) NOT NULL DEFAULT '',
  KEY k_1 (k)
) ENGINE=InnoDB DEFAULT CHARSET=utf8mb4"""

    @staticmethod
    def _groups(rng, count):
        digits = f"{rng.getrandbits(count * 37):0{count * 12}}"
        return "-".join([digits[-i - 11:-i] for i in range(1, count * 11, 11)])

    @classmethod
    def row(cls, rng, key):
        k = str(rng.randrange(1, 2_000_000))
        return str(key), k, cls._groups(rng, 10), cls._groups(rng, 5)

    @classmethod
    def update(cls, rng, keys, _moment):
        """A statement that changes each of these rows, in one event, each to a text of its own."""
        rows = ",".join([f"({key},0,'{cls._groups(rng, 10)}','')" for key in keys])
        return (f"INSERT INTO sbtest.sbtest1 VALUES {rows} AS n"
                " ON DUPLICATE KEY UPDATE k=sbtest1.k+1, c=n.c;\n")


TABLES = (Orders, Sbtest)


def counts(changes):
    """How many changes there are of each kind."""
    found = {kind: int(changes * share) for kind, share in KINDS.items()}
    found["insert"] += changes - sum(found.values())
    return found


def first_rows(rows, changes):
    """How many rows a table has before its changes."""
    c = counts(changes)
    return rows - c["insert"] + c["delete"]


def write_rows(table, seed, count, path):
    """The first rows as a file for LOAD DATA."""
    rng = random.Random(f"{seed} {table.name} rows")
    with open(path, "w", encoding="utf-8") as out:
        for key in range(1, count + 1):
            out.write("\t".join(["\\N" if v is None else v for v in table.row(rng, key)]) + "\n")


class _Changes:
    """The state of making changes: what is left to do, and which rows are there."""

    def __init__(self, table, seed, count, changes):
        self.table = table
        self.rng = random.Random(f"{seed} {table.name} changes")
        self.left = counts(changes)
        self.total = changes
        self.next_key = count + 1
        self.deleted = set()

    def _pick(self, count):
        """Keys of rows that are there, each once."""
        keys = {}
        while len(keys) < count:
            key = self.rng.randrange(1, self.next_key)
            if key not in self.deleted:
                keys[key] = None
        return list(keys)

    def statement(self, most, moment):
        """One statement, which makes one event: its text and how many rows it changes."""
        rng = self.rng
        at = rng.randrange(self.total)
        for kind, left in self.left.items():
            if at < left:
                break
            at -= left
        count = min(rng.randint(1, EVENT_ROWS), rng.randint(1, EVENT_ROWS), most, self.left[kind])
        self.left[kind] -= count
        self.total -= count
        name = f"{self.table.schema}.{self.table.name}"
        if kind == "insert":
            rows = []
            for _ in range(count):
                values = self.table.row(rng, self.next_key)
                rows.append("(" + ",".join(["NULL" if v is None else f"'{v}'" for v in values]) + ")")
                self.next_key += 1
            return f"INSERT INTO {name} VALUES {','.join(rows)};\n", count
        keys = self._pick(count)
        if kind == "update":
            return self.table.update(rng, keys, moment), count
        self.deleted.update(keys)
        return f"DELETE FROM {name} WHERE id IN ({_listed(keys)});\n", count

    def transaction(self, moment):
        most = min(self.rng.randint(1, TRANSACTION_ROWS), self.total)
        parts = ["BEGIN;\n"]
        while most > 0:
            text, count = self.statement(most, moment)
            parts.append(text)
            most -= count
        parts.append("COMMIT;\n")
        return "".join(parts)


def write_changes(table, seed, rows, changes, out):
    """SQL for all changes to the text file `out`; returns the sum of the keys that are left."""
    first = first_rows(rows, changes)
    state = _Changes(table, seed, first, changes)
    number = 0
    while state.total > 0:
        moment = START_S + number // TRANSACTIONS_PER_SECOND
        if number % TRANSACTIONS_PER_SECOND == 0:
            out.write(f"SET timestamp={moment};\n")
        out.write(state.transaction(moment))
        number += 1
    last = state.next_key - 1
    return last * (last + 1) // 2 - sum(state.deleted)
