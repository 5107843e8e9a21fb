"""P9, P10, T9: what the source says when it cannot go on, and what becomes of calve then."""

import time

import pytest

import fake_primary as fp
from fake_binlog import (DIALECTS, BinlogMaker, Part, Table, incident, insert, int_, query, table_map,
                         insert_rows, varchar, xid)
from fake_primary import Eof, SendError, Stall
from fake_source import T, ids, make_fake_calve, make_log, make_primary, state  # noqa: F401

DAMAGED = "; the first event 'binlog.000001' at 4, the last event read from './binlog.000001' at 480."
UUID = "3e11fa47-71ca-11e1-9e33-c80aa9429562"

# Each class of section 1.7: the texts of servers, and what calve's message has to hold.
CLASSES = {
    "file gone": ("copied anew", [(1236, fp.NO_FIRST_FILE)]),
    "purged": ("copied anew", [
        (1236, fp.PURGED.format(f"{UUID}:1-2", f"{UUID}:3-9")), (1236, fp.PURGED_57),
        (1236, fp.STATE_PURGED)]),
    "phantom rows": ("does not have", [
        (1236, fp.MORE_GTIDS),
        (1236, fp.MORE_GTIDS.replace("Replica", "Slave").replace("source", "master"))]),
    "diverged": ("never had these transactions", [
        (1955, fp.NOT_IN_BINLOG.format("0-1-77")),
        (1955, "Connecting slave requested to start from GTID 0-1-77, which is not in the master's binlog. Since "
               "the master's binlog contains GTIDs with higher sequence numbers, it probably means that the slave "
               "has diverged due to executing extra erroneous transactions")]),
    "hole": ("never had this transaction", [
        (1951, "The binlog on the master is missing the GTID 0-1-5 requested by the slave (even though a "
               "subsequent sequence number does exist), and GTID strict mode is enabled")]),
    "lost its end": ("shorter than what was read", [
        (1236, fp.PAST_FILE), (1236, fp.PAST_FILE.replace("source", "master"))]),
    "bad position": ("first event is at 4", [
        (1236, "Client requested source to start replication from position < 4")]),
    "too large": ("raise max_allowed_packet", [
        (1236, "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on source" + DAMAGED),
        (1236, "log event entry exceeded max_allowed_packet; Increase max_allowed_packet on master" + DAMAGED)]),
    "damaged": ("is damaged there", [
        (1236, "bogus data in log event" + DAMAGED), (1236, fp.TRUNCATED + DAMAGED),
        (1236, "event read from binlog did not pass crc check" + DAMAGED),
        (1236, "Could not find format_description_event in binlog file")]),
    "checksum": ("binlog_checksum", [
        (1236, fp.CHECKSUM_REFUSED),
        (1236, fp.CHECKSUM_REFUSED.replace("Replica", "Slave").replace("source", "master"))]),
    "gtid mode": ("gtid_mode", [
        (1236, fp.NOT_ON.format("OFF_PERMISSIVE")),
        (1236, "Cannot replicate anonymous transaction when AUTO_POSITION = 1, at file ./binlog.000001, position 154."),
        (1236, "Cannot replicate anonymous transaction when @@GLOBAL.GTID_MODE = ON, at file x, position 154."),
        (1236, "Cannot replicate GTID transaction when @@GLOBAL.GTID_MODE = OFF, at file x, position 154.")]),
    "no binlog": ("--log-bin", [(1236, "Binary log is not open")]),
    "no server id": ("set server_id", [
        (1236, "Misconfigured source - server_id was not set"), (1236, "Misconfigured master - server_id was not set")]),
    "privilege": ("GRANT REPLICATION SLAVE", [
        (1227, "Access denied; you need (at least one of) the REPLICATION SLAVE privilege(s) for this operation")]),
    "second of us": ("another replica with this server id", [
        (1236, fp.ZOMBIE.format("binlog.000001", 4, "binlog.000001", 480)),
        (1236, "A slave with the same server_uuid/server_id as this slave has connected to the master; the first event "
               "'' at 4, the last event read from './mysql-bin.000001' at 480")]),
}
TEXTS = [pytest.param(code, text, words, id=f"{name} {i}") for name, (words, texts) in CLASSES.items()
         for i, (code, text) in enumerate(texts)]


@pytest.mark.parametrize("code, text, words", TEXTS)
def test_P9_errors_that_end_the_dump(make_log, make_primary, make_fake_calve, code, text, words):  # noqa: F811
    """Each has its own message; it is not tried for ever, and nothing starts again from somewhere else."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]), insert(T, [(3, "c")]))
    primary = make_primary(log)
    last = primary.folder.events(log.name)[-1].start

    def fail(dump, _data):
        # In a transaction; and then at once, as when it is asked again.
        if dump.where == (log.name, last) or dump.number > 0:
            return SendError(code, text)
        return None

    primary.hook = fail
    calve = make_fake_calve(primary)
    begun = time.monotonic()
    result = calve.run("run", until="current")
    assert result.status == 1 and time.monotonic() - begun < 10
    assert words in result.error, result.error
    assert text[:60] in result.error, result.error  # the server's own words, too
    assert len(primary.dumps) <= 4  # one more for damage, and looks at the head of the file
    assert set(ids(calve)) <= {1}
    log.transaction(insert(T, [(4, "d")]))
    assert calve.run("run", until="current").status == 1
    assert set(ids(calve)) <= {1}
    primary.hook = None
    calve.catch_up()
    assert ids(calve) == [1, 2, 3, 4]


def test_P9_messages_differ():
    words = [w for w, _ in CLASSES.values()]
    assert len(set(words)) == len(words) - 1  # a file that is gone and a gap have one cure


@pytest.mark.parametrize("code, text", [
    (1053, "Server shutdown in progress"), (1317, "Query execution was interrupted"),
    (1927, "Connection was killed"), (1158, "Got an error reading communication packets"),
    (1160, "Got an error writing communication packets")])
def test_P9_network_errors_are_tried_again(make_log, make_primary, make_fake_calve, code, text):  # noqa: F811
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.transaction(insert(T, [(2, "b")]), insert(T, [(3, "c")]))
    primary = make_primary(log)
    last = primary.folder.events(log.name)[-1].start
    primary.hook = lambda dump, _: (SendError(code, text)
                                    if dump.where == (log.name, last) and dump.number < 2 else None)
    calve = make_fake_calve(primary)
    result = calve.catch_up()
    assert [text in e["error"] for e in result.named("source.lost")] == [True, True]
    assert ids(calve) == [1, 2, 3]
    assert len(primary.dumps) == 3


def test_P9_end_of_the_dump(make_log, make_primary, make_fake_calve):  # noqa: F811
    """A server that is shut down says so by EOF."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]), insert(T, [(2, "b")]))
    primary = make_primary(log)
    last = primary.folder.events(log.name)[-1].start
    primary.hook = lambda dump, _: Eof() if dump.where == (log.name, last) and dump.number < 1 else None
    calve = make_fake_calve(primary)
    result = calve.catch_up()
    assert len(result.named("source.lost")) == 1
    assert ids(calve) == [1, 2]


def test_P9_silent_source(make_log, make_primary, make_fake_calve):  # noqa: F811
    """No bytes for three heartbeats, 30 seconds at least: the connection counts as dead."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]), insert(T, [(2, "b")]))
    primary = make_primary(log)
    last = primary.folder.events(log.name)[-1].start
    primary.hook = lambda dump, _: Stall() if dump.where == (log.name, last) and dump.number < 1 else None
    calve = make_fake_calve(primary)
    begun = time.monotonic()
    result = calve.catch_up()
    assert 25 < time.monotonic() - begun < 45
    assert "silent for 30 s" in result.named("source.lost")[0]["error"]
    assert ids(calve) == [1, 2]


def test_P9_silent_source_and_stop(make_log, make_primary, make_fake_calve):  # noqa: F811
    """Nobody has to wait for a dead source to end the run."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    last = primary.folder.events(log.name)[-1].start
    primary.hook = lambda dump, _: Stall() if dump.where == (log.name, last) else None
    calve = make_fake_calve(primary)
    run = calve.start("run")
    run.wait_event("source.connected")
    begun = time.monotonic()
    assert run.stop().status == 0
    assert time.monotonic() - begun < 5


# ---- P10 -----------------------------------------------------------------------------------------

def test_P10_two_clients_with_one_uuid(make_log, make_primary, make_fake_calve):  # noqa: F811
    """The server ends the older dump; that one stops, for going on would end the newer, and so on."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    first = calve.start("run")
    first.wait_event("cut.committed")
    second = calve.start("run")
    second.wait_event("source.connected")
    result = first.wait()
    assert result.status == 1 and "another replica with this server id" in result.error
    log.transaction(insert(T, [(2, "b")]))
    second.wait_event("cut.committed")
    assert second.stop().status == 0
    assert ids(calve) == [1, 2]
    assert len(primary.dumps) == 2
    assert primary.dumps[0].uuid == primary.dumps[1].uuid != ""


def test_P10_two_lakes_have_two_uuids(make_log, make_primary, make_fake_calve):  # noqa: F811
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    runs = [make_fake_calve(primary).start("run") for _ in range(2)]
    for run in runs:
        run.wait_event("cut.committed")
    time.sleep(1)
    assert [run.stop().status for run in runs] == [0, 0]
    assert len({d.uuid for d in primary.dumps}) == 2


# ---- T9 ------------------------------------------------------------------------------------------

@pytest.mark.parametrize("dialect", ["mysql-5.7", "mysql-8.0", "mariadb-10.11"])
def test_T9_incident(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    """Events are lost: it stops each time, and tells that the tables have to be copied again."""
    log = make_log(dialect)
    log.transaction(insert(T, [(1, "a")]))
    log.group([incident("error writing to the binary log")], standalone=True)
    log.transaction(insert(T, [(2, "b")]))
    calve = make_fake_calve(make_primary(log))
    for _ in range(2):
        result = calve.run("run", until="current")
        assert result.status == 1
        assert "lost events" in result.error and "error writing to the binary log" in result.error
        assert ids(calve) == [1]


@pytest.mark.parametrize("gtids", [True, False])
def test_T9_purged_between_runs(make_log, make_primary, make_fake_calve, gtids):  # noqa: F811
    log = make_log(gtids=gtids)
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    for i in (2, 3):
        log.transaction(insert(T, [(i, "b")]))
        log.rotate()
    log.transaction(insert(T, [(4, "c")]))
    primary.purge_to(log.name)
    for _ in range(2):
        result = calve.run("run", until="current")
        assert result.status == 1 and "copied anew" in result.error, result.error
        assert not gtids or f"{log.uuid}:2-3" in result.error  # which are missing
        assert ids(calve) == [1]
    checked = calve.run("check")
    assert checked.status != 0 and "purged" in checked.out + checked.log


@pytest.mark.parametrize("gtids", [True, False])
def test_T9_purged_under_us(make_log, make_primary, make_fake_calve, gtids):  # noqa: F811
    """While it follows: the connection breaks, and what comes next is gone."""
    log = make_log(gtids=gtids)
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    run = calve.start("run")
    run.wait_event("cut.committed")
    primary.stop()
    log.transaction(insert(T, [(2, "b")]))
    log.rotate()
    log.transaction(insert(T, [(3, "c")]))
    primary.purge_to(log.name)
    primary.start()
    result = run.wait()
    assert result.status == 1 and "copied anew" in result.error
    assert ids(calve) == [1]


def test_T9_purged_but_not_needed(make_log, make_primary, make_fake_calve):  # noqa: F811
    """What was purged is in the lake already."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    log.rotate()
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    log.rotate()
    primary.purge_to(log.name)
    log.transaction(insert(T, [(3, "c")]))
    calve.catch_up()
    assert ids(calve) == [1, 2, 3]


def another_log(log, tmp_path, **kwargs):
    """A new history under the same file names."""
    options = {"uuid": log.uuid, "gtids": log.gtids, "timestamp": log.timestamp + 1000} | kwargs
    return BinlogMaker(tmp_path / "another", log.dialect, **options)


def serve(primary, log):
    """The same address, another log behind it."""
    primary.stop()
    primary.log = log
    primary.folder = fp.LogFolder(log)
    primary.uuid = log.uuid
    primary.start()


@pytest.mark.parametrize("dialect, gtids", [("mysql-8.0", True), ("mysql-8.0", False),
                                            ("mariadb-10.11", True)])
@pytest.mark.parametrize("running", [False, True])
def test_T9_reset(make_log, make_primary, make_fake_calve, tmp_path, dialect, gtids, running):  # noqa: F811
    """RESET MASTER: files and numbers start anew, and are behind what the lake has."""
    log = make_log(dialect, gtids=gtids)
    log.transaction(insert(T, [(1, "a")]))
    log.rotate()
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    run = calve.start("run") if running else None
    if run is not None:
        run.wait_event("source.connected")
    new = another_log(log, tmp_path)
    new.transaction(insert(T, [(50, "of another history")]))
    serve(primary, new)
    result = run.wait() if run is not None else calve.run("run", until="current")
    assert result.status == 1, result
    assert "reset" in result.error or "anew" in result.error or "does not have" in result.error, result.error
    assert ids(calve) == [1, 2]


def test_T9_reset_and_grown(make_log, make_primary, make_fake_calve, tmp_path):  # noqa: F811
    """The same file name and a position that exists again: only the file's creation tells."""
    log = make_log(gtids=False)
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    new = another_log(log, tmp_path)
    for i in (51, 52):
        new.transaction(insert(T, [(i, "x")]))
    serve(primary, new)
    result = calve.run("run", until="current")
    assert result.status == 1, result
    assert ids(calve) == [1]


@pytest.mark.parametrize("running", [False, True])
def test_T9_new_uuid_by_position(make_log, make_primary, make_fake_calve, tmp_path, running):  # noqa: F811
    """Another server's positions say nothing."""
    log = make_log(gtids=False)
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    run = calve.start("run") if running else None
    if run is not None:
        run.wait_event("source.connected")
    other = another_log(log, tmp_path, uuid="11111111-2222-3333-4444-555555555555")
    for i in (1, 2):
        other.transaction(insert(T, [(i, "x")]))
    serve(primary, other)
    result = run.wait() if run is not None else calve.run("run", until="current")
    assert result.status == 1 and "server" in result.error, result
    assert ids(calve) == [1]


def test_T9_new_uuid_by_gtid(make_log, make_primary, make_fake_calve, tmp_path):  # noqa: F811
    """A replica that became the primary: other files, the same transactions."""
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    other = another_log(log, tmp_path, uuid="11111111-2222-3333-4444-555555555555", base="other-bin",
                        first=7)
    other.transaction(insert(T, [(1, "a")]), uuid=log.uuid)
    other.transaction(insert(T, [(2, "b")]), uuid=log.uuid)
    other.transaction(insert(T, [(3, "c")]))
    serve(primary, other)
    calve.catch_up()
    assert ids(calve) == [1, 2, 3]


def test_T9_time_going_backward(make_log, make_primary, make_fake_calve):  # noqa: F811
    """The source's clock was set back: order comes from the log."""
    log = make_log()
    for i, shift in enumerate((0, -3600, -86400 * 400, 86400)):
        log.timestamp += shift
        log.transaction(insert(T, [(i, "x")]))
    calve = make_fake_calve(make_primary(log))
    calve.catch_up()
    found = calve.lake.changes("shop", "t")
    assert ids(calve) == [0, 1, 2, 3]
    by_place = sorted(found, key=lambda c: c.log_position)
    assert by_place[1].timestamp < by_place[0].timestamp > by_place[2].timestamp


# ---- T5: CTAS ------------------------------------------------------------------------------------

OTHER = Table("shop", "copy", [int_("id"), varchar("v", 20)], number=777)
CTAS = "CREATE TABLE `copy` (`id` int NOT NULL, `v` varchar(20) DEFAULT NULL)"


@pytest.mark.parametrize("shape", ["5.7 two transactions", "5.7 within BEGIN", "8.0.21", "mariadb"])
def test_T5_create_table_select(make_log, make_primary, make_fake_calve, shape):  # noqa: F811
    """Three ways of servers to log one statement; followed tables go on around it."""
    dialect = {"8": "mysql-8.0", "m": "mariadb-10.11"}.get(shape[0], "mysql-5.7")
    log = make_log(dialect, gtids=not shape.startswith("5.7"))
    rows = [table_map(OTHER), insert_rows(OTHER, [(1, "copied")])]
    log.transaction(insert(T, [(1, "a")]))
    if shape == "5.7 two transactions":
        log.ddl(CTAS, "shop")
        log.transaction(*rows)
    elif shape == "5.7 within BEGIN":
        log.transaction(query(CTAS, "shop"), *rows)
    elif shape == "8.0.21":
        log.transaction(query(CTAS + " START TRANSACTION", "shop"), *rows)
    else:
        log.group([query(CTAS, "shop"), *rows, xid(5)])
    log.transaction(insert(T, [(2, "b")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary, tables="shop.t")
    calve.catch_up()
    log.transaction(insert(T, [(3, "c")]))
    calve.catch_up()
    assert ids(calve) == [1, 2, 3]


def test_dialects_differ():
    """So that no test above runs twice over the same."""
    assert len({(d.version, d.types, d.metadata) for d in DIALECTS.values()}) == len(DIALECTS)
    assert Part(1, b"").of(DIALECTS["mysql-8.0"]) == (1, b"")
