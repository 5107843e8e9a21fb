"""P1 to P8, P12, P13: packets, positions and events, from files that no server here can write."""

import hashlib
import json
import struct
import time

import pytest

from fake_binlog import (ANNOTATE, AURORA_PADDING, FLAG_ARTIFICIAL, FLAG_IGNORABLE, FORMAT, GTID_TAGGED,
                         HEARTBEAT, LARGE_TRANSACTION, QUERY, ROTATE, START_ENCRYPTION,
                         TRANSACTION_CONTEXT, VIEW_CHANGE, WRITE, XID, Part, Table, compressed_query,
                         compressed_rows, delete, event, fragments, ignorable, insert, insert_rows, int_,
                         json_, longtext, partial_update, query, rotate_body, rows_query, table_map, update,
                         varchar)
from fake_primary import Cut, CutAfter, CutInside, Replace
from fake_source import T, ids, make_fake_calve, make_log, make_primary, state  # noqa: F401

BIG = Table("shop", "big", [int_("id"), longtext("v")], number=110)
PACKET = 0xFFFFFF


def places(calve, table=T):
    """[(id, file, offset)] of all changes."""
    return [(json.loads(c.payload)["id"], c.log_file, c.log_position)
            for c in calve.lake.changes(table.schema, table.name)]


def rows_events(primary, file, kinds=(23, 24, 25, 30, 31, 32)):
    """Ends of the rows events in a file."""
    return [e.end for e in primary.folder.events(file) if e.kind in kinds]


# ---- P1 ------------------------------------------------------------------------------------------

def text_of(size, seed):
    """A text that tells when a piece of it is lost or moved."""
    block = hashlib.sha256(str(seed).encode()).hexdigest()
    numbered = "".join(f"{block}{i:08d}" for i in range(size // 72 + 1))
    return numbered[:size]


SIZES = (PACKET - 1, PACKET, PACKET + 1, 2 * PACKET - 1, 2 * PACKET, 2 * PACKET + 1, 20 << 20)


@pytest.mark.parametrize("checksum, sizes", [(True, SIZES), (False, (PACKET, 2 * PACKET))])
def test_P1_large_packets(make_log, make_primary, make_fake_calve, checksum, sizes):  # noqa: F811
    """Payloads of exactly one and two full packets end by an empty one."""
    log = make_log(checksum=checksum)
    # A packet is a status byte and the event; the event is its frame, and all but the text.
    around = 1 + 19 + (4 if checksum else 0) + len(BIG.rows_body([BIG.image((1, ""))], 2))
    texts = {i: text_of(size - around, i) for i, size in enumerate(sizes, 1)}
    for i, text in texts.items():
        log.transaction(insert(T, [(i, "before")]), insert(BIG, [(i, text)]))
    primary = make_primary(log, [T, BIG])
    found = [e.size + 1 for e in primary.folder.events(log.name) if e.size > 1 << 20]
    assert found == list(sizes)
    calve = make_fake_calve(primary)
    calve.catch_up(timeout=120)
    rows = state(calve, BIG)
    assert {k[0]: v["v"] == texts[k[0]] for k, v in rows.items()} == {i: True for i in texts}
    assert ids(calve) == sorted(texts)


# ---- P2 ------------------------------------------------------------------------------------------

GIB = 1 << 30


def fill_to(log, end):
    """Ignorable events without content up to there."""
    while log.at < end:
        log.hole(min(15 << 20, max(end - log.at, 19)))


def far_log(make_log, dialect, **kwargs):
    """Two huge transactions: a row behind 4 GiB, and one behind 5 GiB."""
    log = make_log(dialect, checksum=False, **kwargs)
    for row, end in ((1, 4 * GIB - 1000), (2, 5 * GIB)):
        log.transaction(insert(T, [(row, "in front")]), end=None)
        fill_to(log, end)
        log.event(XID, bytes(8))
    log.transaction(insert(T, [(3, "beyond 5 GiB")]))
    return log


def check_far(log, primary, calve):
    assert [i for i, _, _ in places(calve)] == [1, 2, 3]
    assert [p[2] for p in places(calve)] == rows_events(primary, log.name)


@pytest.mark.parametrize("dialect, gtids", [("mysql-8.0", True), ("mysql-8.0", False),
                                            ("mariadb-11.4", False)])
def test_P2_file_beyond_4_gib(make_log, make_primary, make_fake_calve, dialect, gtids):  # noqa: F811
    """Followed past 4 GiB, and resumed there; positions are those of the file."""
    log = far_log(make_log, dialect, gtids=gtids)
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    begun = time.monotonic()
    calve.catch_up(timeout=50)
    check_far(log, primary, calve)
    watermark = calve.lake.watermarks()["shop", "t"]
    assert (watermark["log_file"], watermark["log_position"]) == (log.name, log.at) and log.at > 5 * GIB
    log.transaction(insert(T, [(4, "resumed")]), update(T, [((1, "in front"), (1, "changed"))]))
    calve.catch_up(timeout=50)
    assert state(calve) == {(i,): {"id": i, "v": v} for i, v in (
        (1, "changed"), (2, "in front"), (3, "beyond 5 GiB"), (4, "resumed"))}
    ends = rows_events(primary, log.name)
    assert [p[2] for p in places(calve)] == ends
    if gtids:
        assert primary.dumps[-1].by == "gtid"
    assert time.monotonic() - begun < 60


def test_P2_mariadb_with_gtids_beyond_4_gib(make_log, make_primary, make_fake_calve):  # noqa: F811
    log = far_log(make_log, "mariadb-10.11")
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.options["from"] = "0-1-1"
    calve.catch_up(timeout=50)
    assert ids(calve) == [2, 3]
    assert [p[2] for p in places(calve)] == rows_events(primary, log.name)[1:]
    log.transaction(insert(T, [(4, "resumed")]))
    calve.catch_up(timeout=50)
    assert ids(calve) == [2, 3, 4]
    assert [p[2] for p in places(calve)] == rows_events(primary, log.name)[1:]
    # A seek by GTID would lose the upper bits of the place, and so row 4.
    assert [d.by for d in primary.dumps] == ["connect_state", "position"]


@pytest.mark.parametrize("dialect", ["mysql-8.0", "mysql-5.7", "mariadb-10.11"])
def test_P2_heartbeat_beyond_4_gib(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    """MySQL's second form has 64 bits, its first 32; MariaDB puts 64 in front of the name."""
    log = make_log(dialect, checksum=False, gtids=False)
    fill_to(log, 4 * GIB - 500)
    place = log.place()  # the command to start there has 32 bits
    log.transaction(insert(T, [(1, "near")]))
    fill_to(log, 4 * GIB + 5000)
    primary = make_primary(log)
    calve = make_fake_calve(primary, options={"commit-interval": "200ms", "watermark-interval": "1s"})
    calve.options["from"] = place
    run = calve.start("run")

    def arrived():
        found = calve.lake.watermarks().get(("shop", "t"))
        return found is not None and (found["log_file"], found["log_position"]) == (log.name, log.at)

    end = time.monotonic() + 50
    while not arrived():
        assert time.monotonic() < end and run.alive(), (calve.lake.watermarks(), run.log())
        time.sleep(0.1)
    kinds = []
    primary.hook = lambda dump, data: kinds.append(data[4])
    time.sleep(1.5)  # heartbeats that move nothing
    primary.hook = None
    log.transaction(insert(T, [(2, "far")]))
    log.rotate()
    log.transaction(insert(T, [(3, "next file")]))
    run.wait_event("cut.committed", where=lambda e: e.get("file", e.get("log_file", "")) == log.name)
    assert run.stop().status == 0
    assert kinds and set(kinds) == {41 if dialect == "mysql-8.0" else HEARTBEAT}
    assert ids(calve) == [1, 2, 3]
    ends = rows_events(primary, log.names[0]) + rows_events(primary, log.names[1])
    assert [p[2] for p in places(calve)] == ends


# ---- P3 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", ["mariadb-10.5", "mariadb-11.4", "mariadb-12"])
def test_P3_mariadb_without_log_pos(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    """Events inside of transactions say 0 from 11.4 on: positions are counted, over annotations, too."""
    log = make_log(dialect)
    row = 0
    for txn in range(5):
        parts = []
        for statement in range(txn):
            parts.append(Part(ANNOTATE, f"INSERT INTO t /* {txn}.{statement} */".encode()))
            parts.append(table_map(T))
            for last in (False, True):
                row += 1
                parts.append(insert_rows(T, [(row, f"{txn}")], last))
        log.transaction(*parts, end="commit" if txn == 3 else "xid")
        if txn == 2:
            log.rotate()
    primary = make_primary(log)
    zeros = sum(1 for name in log.names for e in primary.folder.events(name)
                if struct.unpack_from("<I", log.path(name).read_bytes(), e.start + 13)[0] == 0)
    assert (zeros > 0) == (not log.dialect.log_pos)
    calve = make_fake_calve(primary)
    calve.catch_up()
    expected = [(name, end) for name in log.names for end in rows_events(primary, name)]
    assert [p[1:] for p in places(calve)] == expected
    watermark = calve.lake.watermarks()["shop", "t"]
    assert (watermark["log_file"], watermark["log_position"]) == (log.name, log.at)
    # A cut in a transaction, and on from its start.
    log.transaction(*[insert(T, [(100 + i, "x")]) for i in range(10)])
    cut = rows_events(primary, log.name)[-4]
    done = []

    def once(dump, _data):
        if dump.where == (log.name, cut) and not done:
            done.append(dump.number)
            return Cut()
        return None

    primary.hook = once
    calve.catch_up()
    assert done
    expected = [(name, end) for name in log.names for end in rows_events(primary, name)]
    assert [p[1:] for p in places(calve)] == expected


# ---- P4 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", [28, 43, AURORA_PADDING, START_ENCRYPTION, 99, 200, 255])
def test_P4_ignorable_events(make_log, make_primary, make_fake_calve, kind):  # noqa: F811
    """What a server marks so may be passed over, known or not; outside and inside of transactions."""
    log = make_log("aurora-5.7" if kind == AURORA_PADDING else "mysql-8.0")
    log.event(kind, bytes(900), FLAG_IGNORABLE)
    log.transaction(insert(T, [(1, "a")]), ignorable(kind, bytes(20)), insert(T, [(2, "b")]))
    log.event(kind, b"", FLAG_IGNORABLE)
    log.transaction(insert(T, [(3, "c")]), payload=None if kind == AURORA_PADDING else "zstd")
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    assert ids(calve) == [1, 2, 3]


@pytest.mark.parametrize("kind", [0, 43, 44, 99, AURORA_PADDING, 159, 173, 200, 255])
def test_P4_unknown_events_stop(make_log, make_primary, make_fake_calve, kind):  # noqa: F811
    """Without the flag they may change rows: loud, and everything before them is in the lake."""
    log = make_log(gtids=False)  # by GTID the server would leave it out the second time
    log.transaction(insert(T, [(1, "a")]))
    start = log.event(kind, bytes(40))
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    for _ in range(2):
        result = calve.run("run", until="current")
        assert result.status == 1
        assert f"event type {kind} " in result.error and f"{log.name}:{start}" in result.error
    assert ids(calve) == [1]
    assert len(primary.dumps) == 2




def test_P4_unknown_event_in_a_transaction_stops(make_log, make_primary, make_fake_calve):  # noqa: F811
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]), Part(200, bytes(9)), insert(T, [(3, "c")]))
    calve = make_fake_calve(make_primary(log))
    result = calve.run("run", until="current")
    assert result.status == 1 and "event type 200 " in result.error
    assert set(ids(calve)) <= {1}


def test_P4_unknown_event_in_a_payload_stops(make_log, make_primary, make_fake_calve):  # noqa: F811
    log = make_log()
    log.transaction(insert(T, [(4, "d")]), Part(200, bytes(9)), payload="zstd")
    calve = make_fake_calve(make_primary(log))
    result = calve.run("run", until="current")
    assert result.status == 1 and "event type 200 " in result.error
    assert ids(calve) == []



def test_P4_all_before_a_stop_is_in_the_lake(make_log, make_primary, make_fake_calve):  # noqa: F811
    """However often it is started: whole transactions do not wait for the one that cannot be read."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]), Part(200, bytes(9)))
    calve = make_fake_calve(make_primary(log))
    assert calve.run("run", until="current").status == 1
    assert ids(calve) == [1]


@pytest.mark.parametrize("kind", [LARGE_TRANSACTION, TRANSACTION_CONTEXT, VIEW_CHANGE])
def test_P4_events_without_rows(make_log, make_primary, make_fake_calve, kind):  # noqa: F811
    """36 and 37 come from group replication and change no row; 43 is marked as ignorable."""
    log = make_log("mysql-9" if kind == LARGE_TRANSACTION else "mysql-8.0")
    if kind == VIEW_CHANGE:
        log.group([query("BEGIN"), Part(kind, bytes(60)), query("COMMIT")])
        log.transaction(insert(T, [(1, "a")]))
    else:
        flags = FLAG_IGNORABLE if kind == LARGE_TRANSACTION else 0
        log.transaction(Part(kind, bytes(32 << 10), flags), insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    assert ids(calve) == [1, 2]


def test_P4_mariadb_start_encryption(make_log, make_primary, make_fake_calve):  # noqa: F811
    """A file that is encrypted on disk: the dump thread decrypts it and marks this event."""
    log = make_log("mariadb-10.11")
    log.event(START_ENCRYPTION, struct.pack("<BI", 1, 1) + bytes(12), FLAG_IGNORABLE)
    log.transaction(insert(T, [(1, "a")]))
    calve = make_fake_calve(make_primary(log))
    calve.catch_up()
    assert ids(calve) == [1]


def test_P4_tagged_gtids(make_log, make_primary, make_fake_calve):  # noqa: F811
    """Event 42, and tagged sets in PREVIOUS_GTIDS and in the dump command."""
    log = make_log("mysql-9")
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]), tag="blue")
    log.rotate()
    log.transaction(insert(T, [(3, "c")]), tag="blue")
    primary = make_primary(log)
    assert GTID_TAGGED in {e.kind for e in primary.folder.events(log.name)}
    calve = make_fake_calve(primary)
    calve.catch_up()
    log.transaction(insert(T, [(4, "d")]), tag="green")
    log.transaction(insert(T, [(5, "e")]))
    calve.catch_up()
    assert ids(calve) == [1, 2, 3, 4, 5]
    assert primary.dumps[-1].gtids == f"{log.uuid}:1:blue:1-2"


# ---- P5 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", ["mysql-5.7", "mysql-8.0", "mysql-9", "mariadb-10.11", "mariadb-11.4"])
@pytest.mark.parametrize("first", [True, False])
def test_P5_checksum_switch(make_log, make_primary, make_fake_calve, dialect, first):  # noqa: F811
    """CRC32 and NONE change at a file's start: the made-up rotate is still as the file before it."""
    log = make_log(dialect, checksum=first)
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    row = 0
    for round_number in range(4):
        row += 1
        log.transaction(insert(T, [(row, f"{round_number}")]))
        log.rotate(checksum=not log.checksum)
    calve.catch_up()  # from the first file, and the variable is that of the last
    assert ids(calve) == list(range(1, row + 1))
    run = calve.start("run")
    run.wait_event("source.connected")
    for round_number in range(4):
        row += 1
        log.transaction(insert(T, [(row, f"live {round_number}")]))
        log.rotate(checksum=not log.checksum)
    run.wait_event("cut.committed", where=lambda e: e.get("file", e.get("log_file", "")) == log.name)
    assert run.stop().status == 0
    assert not run.events("source.lost")
    assert ids(calve) == list(range(1, row + 1))


@pytest.mark.parametrize("place", ["header", "body", "checksum"])
@pytest.mark.parametrize("victim", [WRITE, XID, QUERY, FORMAT])
def test_P5_wrong_checksum(make_log, make_primary, make_fake_calve, victim, place):  # noqa: F811
    """A bit that flipped on its way never gets to the lake."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    seen = []

    def flip(_dump, data):
        if data[4] != victim:
            return None
        seen.append(victim)
        if len(seen) < 2 and victim != FORMAT:
            return None
        at = {"header": 2, "body": 24, "checksum": len(data) - 2}[place]
        return Replace([data[:at] + bytes([data[at] ^ 4]) + data[at + 1:]])

    primary.hook = flip
    calve = make_fake_calve(primary)
    result = calve.run("run", until="current")
    assert result.status == 1 and "checksum" in result.error, result.error
    assert len(primary.dumps) <= 2
    assert set(ids(calve)) <= {1}
    primary.hook = None
    calve.catch_up()
    assert ids(calve) == [1, 2]


def test_P5_file_in_use(make_log, make_primary, make_fake_calve):  # noqa: F811
    """A server that crashed leaves a flag in the format description."""
    log = make_log()
    log.number += 1
    log.open_file(in_use=True)
    log.transaction(insert(T, [(1, "a")]))
    calve = make_fake_calve(make_primary(log))
    calve.catch_up()
    assert ids(calve) == [1]
    found = calve.plain("inspect", "binlog", log.path())
    assert found.status == 0, found


# ---- P6 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("how, frames", [("zstd", 1), ("zstd", 2), ("zstd", 7), ("none", 1)])
def test_P6_payloads(make_log, make_primary, make_fake_calve, how, frames):  # noqa: F811
    """Compressed in one frame, in several that cut events apart, or not at all."""
    log = make_log()
    log.transaction(insert(T, [(1, "plain")]))
    log.transaction(rows_query("INSERT …"), insert(T, [(i, f"row {i}") for i in range(2, 40)]),
                    update(T, [((2, "row 2"), (2, "changed"))]), delete(T, [(3, "row 3")]),
                    payload=how, frames=frames)
    end = log.at
    log.transaction(insert(T, [(100, "plain")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    expected = {(i,): {"id": i, "v": f"row {i}"} for i in range(2, 40) if i != 3}
    expected |= {(1,): {"id": 1, "v": "plain"}, (100,): {"id": 100, "v": "plain"}}
    expected[2,] = {"id": 2, "v": "changed"}
    assert state(calve) == expected
    payload_end = next(e.end for e in primary.folder.events(log.name) if e.kind == 40)
    assert payload_end == end
    assert {p[2] for p in places(calve) if 2 <= p[0] < 40} == {payload_end}


@pytest.mark.parametrize("how", ["zstd", "none"])
def test_P6_large_payload(make_log, make_primary, make_fake_calve, how):  # noqa: F811
    """Events of many megabytes inside, that no buffer holds at once."""
    log = make_log()
    texts = {i: text_of(3_000_000 * i, i) for i in range(1, 8)}
    log.transaction(*[insert(BIG, [(i, v)]) for i, v in texts.items()], payload=how, frames=3)
    calve = make_fake_calve(make_primary(log, [T, BIG]))
    calve.catch_up(timeout=120)
    assert {k[0]: v["v"] for k, v in state(calve, BIG).items()} == texts


@pytest.mark.parametrize("damage", ["cut", "flipped", "type"])
def test_P6_damaged_payload(make_log, make_primary, make_fake_calve, damage):  # noqa: F811
    """It stops, and nothing of the transaction is in the lake, although its first rows could be read."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(*[insert(T, [(i, hashlib.sha256(bytes([i])).hexdigest()[:20])]) for i in range(2, 200)],
                    payload="zstd", frames=3)
    primary = make_primary(log)

    def spoil(_dump, data):
        if data[4] != 40:
            return None
        body = data[19:-4]
        if damage == "cut":
            body = body[:-20]
        elif damage == "flipped":
            body = body[:-40] + bytes([body[-40] ^ 0xff]) + body[-39:]
        else:
            assert body[:3] == b"\x02\x01\x00"
            body = b"\x02\x01\x09" + body[3:]
        return Replace([event(40, body, log.at)])

    primary.hook = spoil
    calve = make_fake_calve(primary)
    result = calve.run("run", until="current")
    assert result.status == 1 and ("payload" in result.error or "zstd" in result.error), result.error
    assert set(ids(calve)) <= {1}
    primary.hook = None
    calve.catch_up()
    assert len(ids(calve)) == 199


# ---- P7 ------------------------------------------------------------------------------------------

J = Table("shop", "j", [int_("id"), json_("d"), varchar("v", 20), json_("e")], number=120)


@pytest.mark.parametrize("payload", [None, "zstd"])
def test_P7_partial_json(make_log, make_primary, make_fake_calve, payload):  # noqa: F811
    """JSON differences are applied to the row as it was."""
    log = make_log("mysql-8.0")
    first = {"a": 1, "list": [1, 2, 3], "gone": "x"}
    log.transaction(insert(J, [(1, first, "v", {"k": 1}), (2, {"a": 1}, "w", None)]))
    after = {"a": 2, "list": [1, 9, 2, 3], "new": {"deep": True}}
    log.transaction(partial_update(J, (1, first, "v", {"k": 1}), (1, after, "V", {"k": 1}), {
        "d": [(0, "$.a", 2), (1, "$.list[1]", 9), (1, "$.new", {"deep": True}), (2, "$.gone", None)],
        "e": []}), payload=payload)
    calve = make_fake_calve(make_primary(log, [J]))
    calve.catch_up()
    rows = state(calve, J)

    def parsed(v):
        return json.loads(v) if isinstance(v, str) else v

    assert parsed(rows[1,]["d"]) == after and parsed(rows[1,]["e"]) == {"k": 1} and rows[1,]["v"] == "V"
    assert parsed(rows[2,]["d"]) == {"a": 1} and rows[2,]["e"] is None


# ---- P8 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", ["mariadb-10.5", "mariadb-10.11", "mariadb-11.4"])
def test_P8_mariadb_compressed(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    """log_bin_compress: 165 to 168, plain ones between."""
    log = make_log(dialect)
    log.transaction(compressed_rows(T, [(i, "again and again") for i in range(1, 300)]))
    log.group([compressed_query("CREATE TABLE other (id INT PRIMARY KEY)", "shop")], standalone=True)
    log.transaction(insert(T, [(300, "plain")]))
    log.transaction(compressed_rows(T, [(1, "again and again")], "delete"),
                    compressed_rows(T, [((2, "again and again"), (2, "changed"))], "update"))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    expected = {(i,): {"id": i, "v": "again and again"} for i in range(3, 300)}
    assert state(calve) == expected | {(2,): {"id": 2, "v": "changed"}, (300,): {"id": 300, "v": "plain"}}


@pytest.mark.parametrize("pieces", [1, 3])
def test_P8_mariadb_fragments(make_log, make_primary, make_fake_calve, pieces):  # noqa: F811
    """12.3 cuts large rows events into pieces."""
    log = make_log("mariadb-12")
    rows = [(i, f"row {i}") for i in range(1, 60)]
    part = insert_rows(T, rows)
    size = len(part.of(log.dialect)[1]) // pieces + 20
    log.transaction(table_map(T), fragments(log.dialect, part, size))
    log.transaction(insert(T, [(100, "whole")]))
    calve = make_fake_calve(make_primary(log))
    calve.catch_up()
    assert ids(calve) == [*range(1, 60), 100]


# ---- P12 -----------------------------------------------------------------------------------------

def whole_or_nothing(calve, txns):
    """No snapshot holds a part of a transaction; returns how many are there."""
    found = ids(calve)
    for first, last in txns:
        inside = [i for i in found if first <= i <= last]
        assert inside == [] or inside == list(range(first, last + 1)), (first, last, inside)
    return found


@pytest.mark.parametrize("dialect, gtids", [("mysql-8.0", True), ("mysql-8.0", False), ("mysql-5.7", True),
                                            ("mariadb-10.11", False), ("mariadb-11.4", False)])
@pytest.mark.parametrize("how", ["killed", "cut", "inside a packet"])
def test_P12_server_dies_in_a_transaction(make_log, make_primary, make_fake_calve, dialect, gtids,  # noqa: F811
                                          how):
    """Rows that came are not committed; after the reconnect the transaction comes again, once."""
    log = make_log(dialect, gtids=gtids)
    txns = [(1, 3), (4, 203), (204, 206)]
    for first, last in txns:
        log.transaction(*[insert(T, [(i, f"{i}")]) for i in range(first, last + 1)])
    primary = make_primary(log)
    victim = rows_events(primary, log.name)[150]
    cuts = []

    def fault(dump, _data):
        if dump.where != (log.name, victim) or len(cuts) >= 3:
            return None
        cuts.append(dump.number)
        if how == "killed" and len(cuts) == 1:
            primary.refuse = (1053, "Server shutdown in progress")
        return CutInside(20) if how == "inside a packet" else CutAfter()

    primary.hook = fault
    calve = make_fake_calve(primary, options={"commit-interval": "100ms"})
    run = calve.start("run")
    run.wait_event("source.lost")
    if how == "killed":
        primary.stop()
        time.sleep(0.5)
        assert whole_or_nothing(calve, txns) in ([], [1, 2, 3])
        primary.refuse = None
        primary.start()
    run.wait_event("source.lost", count=3, where=lambda e: "Can't connect" not in e["error"])
    assert whole_or_nothing(calve, txns) in ([], [1, 2, 3])
    run.wait_event("source.connected", count=4)
    end = time.monotonic() + 20
    while len(whole_or_nothing(calve, txns)) < 206:
        assert time.monotonic() < end, run.log()
        time.sleep(0.05)
    assert run.stop().status == 0
    assert state(calve) == {(i,): {"id": i, "v": f"{i}"} for i in range(1, 207)}
    assert len(cuts) == 3


def test_P12_transaction_without_an_end(make_log, make_primary, make_fake_calve):  # noqa: F811
    """The server crashed while it wrote: its next file starts, and the rows never were."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "torn")]), end=None)
    log.executed.ranges[log.uuid, ""] = [(1, 2)]
    log.next_gno[log.uuid, ""] = 2
    log.number += 1
    log.open_file()
    log.transaction(insert(T, [(2, "again")]))
    calve = make_fake_calve(make_primary(log))
    result = calve.run("run", until="current")
    if result.status == 0:
        assert state(calve) == {(1,): {"id": 1, "v": "a"}, (2,): {"id": 2, "v": "again"}}
    else:  # or it says so, and the torn rows are not there
        assert "has no end" in result.error, result.error
        assert set(ids(calve)) <= {1}


# ---- P13 -----------------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", ["mysql-5.7", "mysql-8.0", "mysql-9", "mariadb-10.11", "mariadb-11.4"])
def test_P13_start_in_the_middle_of_a_file(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    """The format description comes again, with log_pos 0: it is no position."""
    log = make_log(dialect, gtids=False)
    log.transaction(insert(T, [(1, "a")]))
    middle = log.place()
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    formats = []

    def look(dump, data):
        if data[4] == FORMAT:
            formats.append((dump.offset, struct.unpack_from("<I", data, 13)[0]))

    primary.hook = look
    calve = make_fake_calve(primary)
    calve.options["from"] = middle
    calve.catch_up()
    assert formats == [(int(middle.split(":")[1]), 0)]
    assert [p[2] for p in places(calve)] == rows_events(primary, log.name)[1:]
    log.transaction(insert(T, [(3, "c")]))
    calve.catch_up()
    assert ids(calve) == [2, 3]
    assert [p[2] for p in places(calve)] == rows_events(primary, log.name)[1:]


def test_P13_rotates_come_twice(make_log, make_primary, make_fake_calve):  # noqa: F811
    """Real, made up, and made up again: between transactions, and even at a file's end."""
    log = make_log()
    for i in range(1, 5):
        log.transaction(insert(T, [(i, "a")]))
        log.rotate()
    primary = make_primary(log)

    def twice(_dump, data):
        return Replace([data, data]) if data[4] == ROTATE and data[17] & FLAG_ARTIFICIAL else None

    primary.hook = twice
    calve = make_fake_calve(primary)
    calve.catch_up()
    assert ids(calve) == [1, 2, 3, 4]
    expected = [(n, e) for n in log.names for e in rows_events(primary, n)]
    assert [p[1:] for p in places(calve)] == expected


def test_P13_made_up_rotate_in_a_transaction(make_log, make_primary, make_fake_calve):  # noqa: F811
    """It says where the file is, and commits nothing."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]), insert(T, [(2, "b")]))
    primary = make_primary(log)
    second = rows_events(primary, log.name)[1]
    cut = []

    def inside(dump, data):
        start = next((e.start for e in primary.folder.events(log.name) if e.end == second), None)
        if dump.where == (log.name, start) and not cut:
            cut.append(start)
            return Replace([event(ROTATE, rotate_body(log.name, start), 0, FLAG_ARTIFICIAL, timestamp=0),
                            data])
        return Cut() if dump.where == (log.name, second) and dump.number == 0 else None

    primary.hook = inside
    calve = make_fake_calve(primary, options={"commit-interval": "100ms"})
    run = calve.start("run")
    run.wait_event("source.lost")
    run.wait_event("cut.committed")
    assert run.stop().status == 0
    assert cut and ids(calve) == [1, 2]
    assert [p[2] for p in places(calve)] == rows_events(primary, log.name)


@pytest.mark.parametrize("gtids", [True, False])
def test_P13_file_names_of_seven_digits(make_log, make_primary, make_fake_calve, gtids):  # noqa: F811
    """999999 is followed by 1000000, which a comparison of texts takes for less."""
    log = make_log(gtids=gtids, first=999998)
    for i in range(1, 5):
        log.transaction(insert(T, [(i, "a")]))
        if i < 4:
            log.rotate()
    assert log.names == ["binlog.999998", "binlog.999999", "binlog.1000000", "binlog.1000001"]
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    assert ids(calve) == [1, 2, 3, 4]
    log.transaction(insert(T, [(5, "b")]))
    log.stop()
    log.transaction(insert(T, [(6, "c")]))
    calve.catch_up()
    assert ids(calve) == [1, 2, 3, 4, 5, 6]
    watermark = calve.lake.watermarks()["shop", "t"]
    assert (watermark["log_file"], watermark["log_position"]) == ("binlog.1000002", log.at)
