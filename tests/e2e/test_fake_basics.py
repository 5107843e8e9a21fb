"""The fake primary itself: each dialect is followed, by position and by GTID."""

import re
import subprocess

import pytest

from fake_binlog import (DIALECTS, Table, compressed_query, compressed_rows, delete, ignorable, insert,
                         int_, json_, partial_update, query, update, xa_prepare)
from fake_source import T, ids, make_fake_calve, make_log, make_primary, state  # noqa: F401
from servers import Programs


@pytest.mark.parametrize("dialect", DIALECTS)
def test_dialect_is_followed(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    log = make_log(dialect)
    log.transaction(insert(T, [(1, "a"), (2, "b"), (3, None)]))
    log.transaction(update(T, [((1, "a"), (1, "A"))]), delete(T, [(2, "b")]))
    log.rotate()
    log.transaction(insert(T, [(4, "d")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    assert state(calve) == {(1,): {"id": 1, "v": "A"}, (3,): {"id": 3, "v": None},
                            (4,): {"id": 4, "v": "d"}}
    log.transaction(insert(T, [(5, "e")]))
    calve.catch_up()
    assert state(calve)[5,] == {"id": 5, "v": "e"}
    # Only MySQL can tell the GTIDs that belong to its oldest file.
    assert {d.by for d in primary.dumps} == {"position" if log.dialect.mariadb else "gtid"}


def test_mariadb_by_gtid(make_log, make_primary, make_fake_calve):  # noqa: F811
    log = make_log("mariadb-10.11")
    for i in range(1, 6):
        log.transaction(insert(T, [(i, "a")]))
        if i == 2:
            log.rotate()
    primary = make_primary(log)
    calve = make_fake_calve(primary, options={"from": "0-1-3"})
    calve.options["from"] = "0-1-3"
    calve.catch_up()
    assert ids(calve) == [4, 5]
    log.transaction(insert(T, [(6, "a")]))
    calve.catch_up()
    assert ids(calve) == [4, 5, 6]
    assert [(d.by, d.gtids) for d in primary.dumps] == [("connect_state", "0-1-3"),
                                                        ("connect_state", "0-1-5")]


@pytest.mark.parametrize("dialect", ["mysql-5.7", "mysql-8.0"])
def test_without_gtids(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    log = make_log(dialect, gtids=False)
    log.transaction(insert(T, [(1, "a")]))
    log.rotate()
    log.transaction(insert(T, [(2, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    place = log.name, log.at
    log.transaction(insert(T, [(3, "a")]))
    calve.catch_up()
    assert ids(calve) == [1, 2, 3]
    assert [(d.by, d.file, d.offset) for d in primary.dumps] == [
        ("position", "binlog.000001", 4), ("position", *place)]


@pytest.mark.parametrize("dialect", DIALECTS)
def test_check_knows_the_dialect(make_log, make_primary, make_fake_calve, dialect):  # noqa: F811
    """Also through the statements and variables that this version lacks."""
    log = make_log(dialect)
    log.transaction(insert(T, [(1, "a")]))
    calve = make_fake_calve(make_primary(log))
    found = calve.run("check")
    assert log.dialect.version.split("-")[0] in found.out, found
    assert "1 found, 1 of them readable" in found.out, found
    assert "error" not in found.out.lower(), found
    calve.catch_up()
    status = calve.run("status")
    assert status.status == 0 and "shop.t" in status.out, status


def test_what_the_client_tells(make_log, make_primary, make_fake_calve):  # noqa: F811
    """What it sets before the dump, under the old and the new names; semi-sync is not asked for."""
    log = make_log("mysql-8.0")
    log.transaction(insert(T, [(1, "a")]))
    primary = make_primary(log)
    calve = make_fake_calve(primary)
    calve.catch_up()
    told = " ".join(primary.queries)
    for name in ("@master_heartbeat_period", "@source_heartbeat_period", "@master_binlog_checksum",
                 "@source_binlog_checksum", "@slave_uuid", "@replica_uuid"):
        assert name in told
    assert "semi_sync" not in told
    dump = primary.dumps[0]
    assert dump.server_id == calve.options["mysql-server-id"] and dump.flags == 2
    assert len(dump.uuid) == 36 and dump.file == ""


# ---- others read the files, too ------------------------------------------------------------------


def read_log(flavor, *words):
    """What the server's own reader of binlogs prints."""
    command = [*Programs(flavor).command("mysqlbinlog"), "--no-defaults", "--verify-binlog-checksum",
               "-vv", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 0, done.stderr
    assert not re.search("warning|error", done.stderr, re.I), done.stderr
    return done.stdout


@pytest.mark.parametrize("dialect, flavor", [
    ("mysql-5.7", "mysql-9"), ("mysql-8.0", "mysql-9"), ("mysql-8.4", "mysql-9"),
    ("mysql-9", "mysql-9"), ("percona-8.0", "mysql-9"), ("mariadb-10.5", "mariadb-11.8"),
    ("mariadb-10.11", "mariadb-11.8"), ("mariadb-11.4", "mariadb-11.8")])
def test_files_are_read_by_the_servers_tool(make_log, dialect, flavor):  # noqa: F811
    """Lengths, positions and checksums are such that the server's own program accepts them."""
    log = make_log(dialect)
    log.transaction(insert(T, [(1, "made by us"), (2, None)]))
    log.transaction(update(T, [((1, "made by us"), (1, "changed"))]), delete(T, [(2, None)]))
    if log.dialect.mariadb:
        log.transaction(compressed_rows(T, [(3, "packed" * 3)]))
        log.group([compressed_query("CREATE TABLE other (id INT)", "shop")], standalone=True)
    elif log.dialect.gtid != "5.7":
        log.transaction(insert(T, [(3, "packed")]), payload="zstd")
        log.transaction(insert(T, [(4, "packed")]), payload="none")
        table = Table("shop", "j", [int_("id"), json_("d")], number=101)
        log.transaction(partial_update(table, (1, {"a": 1}), (1, {"a": 2}), {"d": [(0, "$.a", 2)]}))
        log.group([query("XA START X'78',X'',1"), insert(T, [(5, "x")]), query("XA END X'78',X'',1"),
                   xa_prepare()])
        log.group([query("XA COMMIT X'78',X'',1")])
    if log.dialect.number >= 80300 and not log.dialect.mariadb:
        log.transaction(insert(T, [(6, "tagged")]), tag="blue")
    log.transaction(ignorable(), insert(T, [(7, "last")]))
    log.rotate()
    text = read_log(flavor, str(log.path(log.names[0])))
    for word in ("made by us", "changed", "last"):
        assert word in text, text
    if log.dialect.number >= 80300 and not log.dialect.mariadb:
        assert ":blue:1" in text


@pytest.mark.parametrize("dialect, flavor", [("mysql-8.4", "mysql-9"), ("mysql-9", "mysql-9"),
                                             ("mariadb-10.11", "mariadb-11.8")])
def test_protocol_suits_the_servers_tool(make_log, make_primary, dialect, flavor):  # noqa: F811
    """The server's own program follows the primary as it follows a real one."""
    log = make_log(dialect)
    log.transaction(insert(T, [(1, "first")]))
    log.rotate()
    log.transaction(insert(T, [(2, "second")]))
    primary = make_primary(log, plugin="caching_sha2_password" if flavor == "mysql-9" else None)
    text = read_log(flavor, "--read-from-remote-server", "--host=127.0.0.1", f"--port={primary.port}",
                    "--user=root", "--to-last-log", *
                    (["--skip-ssl"] if log.dialect.mariadb else []), log.names[0])
    assert "first" in text and "second" in text, text
