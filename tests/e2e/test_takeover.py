"""The tables of the Python service, continued from where it stopped: with its .env and its .pyiceberg.yaml.

What the service left is made by PyIceberg in the test, as the service made it.
"""

import datetime
import json
import random
import threading
import time

import pytest

from aws import ACCESS, SECRET
from lake import file_number, position_of
from python_service import PythonService, event, write_env, write_pyiceberg_yaml

KINDS = ["glue", "moto"]


def rows_events(source, file):
    """[(name of the event, where it ends)] of the file."""
    return [(e[2], int(e[4])) for e in source.binlog_events(file)]


def last_rows_event(source):
    """(file, end) of the last rows event: what the service's watermark names, in front of the COMMIT."""
    file = source.position()[0]
    return file, [end for name, end in rows_events(source, file) if name.endswith("_rows") or "_rows_" in name][-1]


def end_of(source):
    file, offset = source.position()
    return file_number(file), offset


class Handed:
    """A table that the service copied and followed for a while, and what starts calve in its stead."""

    def __init__(self, source, place, calve, server_id=1):
        self.source = source
        self.place = place
        self.calve = calve
        self.service = PythonService(place.lake.catalog, f"s3://{place.bucket}", source.schema, "orders",
                                     connection_name="shop_db", server_id=server_id)
        variables = self.service.environment(source.server, place.bucket, region=place.settings.region,
                                             AWS_ACCESS_KEY_ID=ACCESS, AWS_SECRET_ACCESS_KEY=SECRET, BATCH_SIZE=1000)
        write_env(calve.folder, variables)
        write_pyiceberg_yaml(calve.folder, place.pyiceberg_properties())
        calve.options = {}
        calve.env = {"HOME": str(calve.folder), "CALVE_LOG_FORMAT": "json", "CALVE_COMMIT_INTERVAL": "200ms"}

    def backfill(self):
        """As the service does it: the position first, then the rows, then the watermark."""
        file, offset = self.source.position()
        rows = self.source.sql("SELECT id, note FROM orders ORDER BY id")
        self.service.append(event("backfill", file, offset, {"id": i, "note": n}) for i, n in rows)
        self.service.mark(file, offset, backfill_complete=True)

    def follow(self, ids):
        """Inserts that the service has seen; its watermark is where their rows event ends."""
        for i in ids:
            self.source.sql(f"INSERT INTO orders VALUES ({i}, 'note {i}')")
            file, end = last_rows_event(self.source)
            self.service.append([event("insert", file, end, {"id": i, "note": f"note {i}"})])
            self.service.mark(file, end)

    def follow_halfway(self, first, second, table="orders"):
        """Two inserts of one transaction; the service has seen the first, and its watermark lies between them."""
        self.source.sql("BEGIN", f"INSERT INTO {table} VALUES ({first}, 'a')",
                        f"INSERT INTO {table} VALUES ({second}, 'b')", "COMMIT")
        file = self.source.position()[0]
        end = [end for name, end in rows_events(self.source, file) if "rite_rows" in name][-2]
        self.service.append([event("insert", file, end, {"id": first, "note": "a"})])
        self.service.mark(file, end)

    def catch_up(self):
        result = self.calve.plain(env={"CALVE_UNTIL": "current"})
        assert result.status == 0, result

    def changes(self):
        """[(event_type, id)] in the order of the table."""
        return [(c.event_type, json.loads(c.payload)["id"])
                for c in self.place.lake.changes(self.source.schema, "orders")]

    def checkpoint(self):
        return self.place.lake.checkpoint(self.source.schema, "orders", "shop_db")

    def rows(self):
        """{id: note} after all changes in the order of the table."""
        found = {}
        for change in self.place.lake.changes(self.source.schema, "orders"):
            row = json.loads(change.payload)  # the service has blanks where calve has none
            if change.event_type == "delete":
                del found[row["id"]]
            else:
                found[row["id"]] = row["note"]
        return found

    def expected(self):
        return dict(self.source.sql("SELECT id, note FROM orders"))


@pytest.fixture
def hand(make_source, make_calve, make_place):
    def make(kind, flavor="mysql-9"):
        source = make_source(flavor)
        source.sql("CREATE TABLE orders (id INT PRIMARY KEY, note VARCHAR(40))",
                   "INSERT INTO orders VALUES (1, 'one'), (2, 'two'), (3, 'three')")
        place = make_place(kind)
        return Handed(source, place, make_calve(None, place=place))

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_goes_on_from_the_watermark(kind, hand):
    """The watermark lies inside a transaction, in front of its COMMIT; what comes behind it comes once."""
    handed = hand(kind)
    handed.backfill()
    handed.follow(range(10, 13))
    before = handed.service.rows()
    handed.source.sql("INSERT INTO orders VALUES (20, 'late')", "UPDATE orders SET note = 'changed' WHERE id = 2",
                      "DELETE FROM orders WHERE id = 10")
    result = handed.calve.plain(env={"CALVE_UNTIL": "current"})
    assert result.status == 0, result
    changes = handed.place.lake.changes(handed.source.schema, "orders")
    assert [(c.event_type, json.loads(c.payload)["id"]) for c in changes[len(before):]] == [
        ("insert", 20), ("update", 2), ("delete", 10)]
    assert len(changes) == len(before) + 3
    assert handed.rows() == handed.expected()
    row = handed.service.watermark()
    assert position_of(row) == end_of(handed.source) and row["backfill_complete"]
    assert handed.place.lake.table(handed.source.schema, "orders").location() == \
        f"s3://{handed.place.bucket}/shop_db/{handed.source.schema}/orders"


@pytest.mark.parametrize("kind", KINDS)
def test_inside_a_transaction_of_several_events(kind, hand):
    """The service cut its batch between two rows events of one statement's transaction."""
    handed = hand(kind)
    handed.source.sql("CREATE TABLE other (id INT PRIMARY KEY)")
    handed.backfill()
    handed.source.sql("BEGIN", "INSERT INTO orders VALUES (30, 'a')", "INSERT INTO other VALUES (1)",
                      "INSERT INTO orders VALUES (31, 'b')", "UPDATE orders SET note = 'c' WHERE id = 1", "COMMIT")
    file = handed.source.position()[0]
    first = [end for name, end in rows_events(handed.source, file) if "rite_rows" in name][-3]
    handed.service.append([event("insert", file, first, {"id": 30, "note": "a"})])
    handed.service.mark(file, first)
    result = handed.calve.plain(env={"CALVE_UNTIL": "current"})
    assert result.status == 0, result
    found = [(c.event_type, json.loads(c.payload)["id"])
             for c in handed.place.lake.changes(handed.source.schema, "orders")]
    assert sorted(found) == sorted([("backfill", 1), ("backfill", 2), ("backfill", 3), ("insert", 30), ("insert", 31),
                                    ("update", 1)])
    assert handed.rows() == handed.expected()


def without_region(file):
    lines = file.read_text(encoding="utf-8").splitlines()
    kept = [line for line in lines if "region" not in line.lower()]
    assert len(kept) < len(lines)
    file.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")


def test_every_command_has_the_services_region(hand):
    """AWS_REGION has a default there: what starts calve, and what looks at its health, must look at the same Glue."""
    handed = hand("moto")
    without_region(handed.calve.folder / ".env")
    without_region(handed.calve.folder / ".pyiceberg.yaml")
    result = handed.calve.plain(env={"CDC_MODE": "backfill"})
    assert result.status == 0, result
    result = handed.calve.plain("status", "--max-lag", "15m")
    assert result.status == 0 and f"{handed.source.schema}.orders" in result.out, result
    for words in (("check",), ("run", "--until", "current")):
        result = handed.calve.plain(*words)
        assert result.status == 0, result


class Load(threading.Thread):
    def __init__(self, source):
        super().__init__(daemon=True)
        self.connection = source.session(autocommit=True)
        self.ended = threading.Event()
        self.count = 0
        self.error = None

    def run(self):
        try:
            with self.connection.cursor() as cursor:
                while not self.ended.is_set():
                    i = 1000 + self.count
                    cursor.execute(f"INSERT INTO orders VALUES ({i}, 'load {i}')")
                    if i % 3 == 0:
                        cursor.execute(f"UPDATE orders SET note = 'again {i}' WHERE id = {i - 1}")
                    if i % 5 == 0:
                        cursor.execute(f"DELETE FROM orders WHERE id = {i - 2}")
                    self.count += 1
                    time.sleep(0.002)
        except BaseException as e:  # pylint: disable=broad-except
            self.error = e
        finally:
            self.connection.close()

    def end(self):
        self.ended.set()
        self.join(60)
        assert self.error is None, self.error
        assert not self.is_alive()


@pytest.mark.parametrize("kind", KINDS)
def test_under_load_and_kills(kind, hand):
    """Killed again and again: no loss, no double, the watermark only moves forward; then PyIceberg writes on."""
    seed = random.randrange(1 << 32)
    print("seed", seed)
    dice = random.Random(seed)
    handed = hand(kind)
    handed.backfill()
    handed.follow(range(10, 12))
    load = Load(handed.source)
    load.start()
    marks = [position_of(handed.service.watermark())]
    try:
        for _ in range(8):
            running = handed.calve.start()
            running.wait_event("cut.committed", count=dice.randint(1, 3))
            time.sleep(dice.random() * 0.3)
            running.kill9()
            marks.append(position_of(handed.service.watermark()))
    finally:
        load.end()
    result = handed.calve.plain(env={"CALVE_UNTIL": "current"})
    assert result.status == 0, result
    marks.append(position_of(handed.service.watermark()))
    assert marks == sorted(marks) and marks[-1] == end_of(handed.source)
    changes = handed.place.lake.changes(handed.source.schema, "orders")
    inserted = [json.loads(c.payload)["id"] for c in changes if c.event_type == "insert"]
    assert sorted(inserted) == [10, 11, *range(1000, 1000 + load.count)]
    assert len({(c.event_type, c.log_file, c.log_position, c.payload) for c in changes}) == len(changes)
    assert handed.rows() == handed.expected()

    # Back to the service: it appends and upserts in the same tables, and reads all there is.
    rows = len(handed.service.rows())
    file, offset = handed.source.position()
    handed.service.process([event("insert", file, offset + 500, {"id": -1, "note": "by the service"},
                                  datetime.datetime(2026, 1, 2))])
    assert len(handed.service.rows()) == rows + 1
    assert handed.service.watermark()["log_position"] == offset + 500


COPIED = [("backfill", 1), ("backfill", 2), ("backfill", 3)]


def copied_by_calve(handed):
    """calve made the copy, so the checkpoint has all that it can have; then one change of its own."""
    result = handed.calve.plain(env={"CDC_MODE": "backfill"})
    assert result.status == 0, result
    handed.source.sql("INSERT INTO orders VALUES (10, 'by calve')")
    handed.catch_up()
    return COPIED + [("insert", 10)]


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-10.11"])
def test_there_and_back_again_from_calves_copy(flavor, hand):
    """A checkpoint with GTIDs, and a row of the service behind it, which knows none: the row counts."""
    handed = hand("glue", flavor)
    before = copied_by_calve(handed)
    assert handed.checkpoint()["gtid"]
    handed.follow([20, 21])
    handed.catch_up()
    assert handed.changes() == before + [("insert", 20), ("insert", 21)]
    handed.source.sql("INSERT INTO orders VALUES (30, 'by calve')")
    handed.catch_up()
    handed.follow([31])
    handed.catch_up()
    assert handed.changes() == before + [("insert", i) for i in (20, 21, 30, 31)]
    assert handed.rows() == handed.expected()


@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-10.11"])
def test_there_and_back_again_inside_a_transaction(flavor, hand):
    """The service stopped between two rows events of a transaction, and calve has a checkpoint of before."""
    handed = hand("glue", flavor)
    before = copied_by_calve(handed)
    handed.follow_halfway(20, 21)
    handed.catch_up()
    assert handed.changes() == before + [("insert", 20), ("insert", 21)]
    assert position_of(handed.service.watermark()) == end_of(handed.source)

    # Once more, from a table that has no GTIDs since then.
    handed.follow_halfway(30, 31)
    handed.catch_up()
    handed.catch_up()
    assert handed.changes() == before + [("insert", i) for i in (20, 21, 30, 31)]
    assert handed.rows() == handed.expected()


def test_there_and_back_again_over_another_column(hand):
    """The table was altered while the service was in charge: calve's definition is of before, also when the first
    run after that finds no rows."""
    handed = hand("glue")
    before = copied_by_calve(handed)
    handed.source.sql("ALTER TABLE orders RENAME COLUMN note TO remark")
    handed.follow([20])
    handed.source.sql("CREATE TABLE other (id INT PRIMARY KEY)")
    handed.catch_up()
    assert "table" not in handed.checkpoint()
    assert position_of(handed.service.watermark()) == end_of(handed.source)
    handed.source.sql("INSERT INTO orders VALUES (30, 'by calve')")
    handed.catch_up()
    assert handed.changes() == before + [("insert", 20), ("insert", 30)]
    assert handed.place.lake.changes(handed.source.schema, "orders")[-1].payload == '{"id":30,"remark":"by calve"}'


def test_there_and_back_again_on_another_server(hand):
    """A checkpoint of another server than the one that the service went on with: nothing tells which is later."""
    handed = hand("glue")
    before = copied_by_calve(handed)
    table = handed.place.lake.table(handed.source.schema, "orders")
    checkpoint = handed.checkpoint() | {"source": "00000000-0000-0000-0000-000000000001"}
    with table.transaction() as change:
        change.set_properties({"calve.checkpoint.shop_db": json.dumps(checkpoint)})
    handed.follow([20])
    row = handed.service.watermark()
    result = handed.calve.plain(env={"CALVE_UNTIL": "current"})
    assert result.status == 1, result
    assert "was written by another program" in result.error and "cannot be told" in result.error
    assert handed.changes() == before + [("insert", 20)]
    assert handed.service.watermark() == row


def test_a_copy_that_comes_behind_the_watermark(hand):
    """The service followed without a copy, and stopped inside of a transaction; calve copies in a process of its own.
    The copy keeps the place, and the rest of the transaction is due still."""
    handed = hand("glue")
    handed.follow([10])
    handed.follow_halfway(20, 21)
    assert not handed.service.watermark()["backfill_complete"]
    result = handed.calve.plain(env={"CDC_MODE": "backfill"})
    assert result.status == 0, result
    assert handed.changes().count(("backfill", 21)) == 1
    handed.catch_up()
    assert [change for change in handed.changes() if change[0] == "insert"] == [("insert", i) for i in (10, 20, 21)]
    assert handed.rows() == handed.expected()
    assert "inside" not in handed.checkpoint()


DELETE_FILES = "loading cdc_metadata.watermarks: the table has delete files"


def test_a_watermark_that_an_engine_merges_on_read(hand, spark):
    """Somebody corrects the row by an UPDATE, and it is the table's delete files that take the old one away: nothing
    is committed until they are gone, and then the row counts that the engine sees."""
    handed = hand("moto")
    handed.backfill()
    handed.follow([10])
    before = handed.changes() + [("insert", 11)]
    handed.source.sql("INSERT INTO orders VALUES (11, 'note 11')")
    file, end = last_rows_event(handed.source)
    handed.service.append([event("insert", file, end, {"id": 11, "note": "note 11"})])  # and died before its mark
    catalog = spark.catalog(handed.place)
    marks = f"{catalog}.cdc_metadata.watermarks"
    spark.query(f"ALTER TABLE {marks} SET TBLPROPERTIES ('write.update.mode'='merge-on-read')")
    spark.query(f"UPDATE {marks} SET log_file = '{file}', log_position = {end} WHERE `table` = 'orders'")
    handed.source.sql("INSERT INTO orders VALUES (12, 'note 12')")
    for words in [(), ("run", "--until", "current"), ("backfill",), ("status",), ("check",)]:
        result = handed.calve.plain(*words)
        assert result.status in (1, 3) and DELETE_FILES in result.error + result.out, (words, result)
        assert handed.changes() == before, words
        assert handed.checkpoint() is None, words
    for procedure in "rewrite_data_files", "rewrite_position_delete_files":
        spark.query(f"CALL {catalog}.system.{procedure}(table => 'cdc_metadata.watermarks', "
                    "options => map('rewrite-all', 'true'))")
    handed.catch_up()
    assert handed.changes() == before + [("insert", 12)]
    assert position_of(handed.service.watermark()) == end_of(handed.source)
