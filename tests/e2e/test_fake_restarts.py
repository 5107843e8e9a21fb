"""T2: a recorded stream that is cut after each of its packets leads to the same tables as one that is not."""

import threading
import time

import pytest

from fake_binlog import ANNOTATE
from fake_primary import CutAfter, CutInside, FakePrimary
from fake_source import Recording, as_text, make_fake_calve, make_primary, state  # noqa: F401

RECORDED = [("mysql-9", "mysql-9"), ("mariadb-10.11", "mariadb-10.11"), ("mariadb-11.8", "mariadb-11.4")]
LANES = 4  # calves side by side: the time goes by in waits


def packets_of(log):
    """The places of all events that are sent."""
    with FakePrimary(log, log.tables) as primary:
        return [(name, e.start) for name in log.names for e in primary.folder.events(name)
                # Annotations come to who asks for them, and only positions that are counted need them.
                if e.kind != ANNOTATE or not log.dialect.log_pos]


def check_tables(log, calve):
    for table in log.tables:
        assert as_text(state(calve, table)) == log.rows[table.name], table.name


def changes(log, calve):
    """All that a reader sees, but in which snapshot it stands."""
    return {t.name: [(c.event_type, c.timestamp, c.log_file, c.log_position, c.payload)
                     for c in calve.lake.changes("bank", t.name)] for t in log.tables}


@pytest.fixture
def make_recorded(make_primary, make_fake_calve):  # noqa: F811
    def make(log):
        primary = make_primary(log, log.tables)
        return primary, make_fake_calve(primary, tables="bank.*", options={"commit-interval": "100ms"})

    return make


@pytest.mark.parametrize("flavor, dialect", RECORDED)
def test_recording_is_followed(make_recorded, flavor, dialect):
    """What the server's tables held at the end."""
    log = Recording(flavor, dialect)
    _, calve = make_recorded(log)
    calve.catch_up()
    check_tables(log, calve)
    assert len(packets_of(log)) > 200


class Cutter:
    """A hook that cuts after each of these packets, once. A place is (file, offset) or a made-up packet's
    name; `inside` has the places that are cut within the packet, and after how many bytes."""

    def __init__(self, places, inside=None):
        self.left = set(places)
        self.inside = dict(inside or {})
        self.done = []

    def __call__(self, dump, data):
        place = dump.where or (dump.made_up, dump.sent)
        if place in self.inside:
            size = self.inside.pop(place)
            self.done.append(place)
            return CutInside(max(1, min(size, len(data) + 4)))
        if place in self.left:
            self.left.discard(place)
            self.done.append(place)
            return CutAfter()
        return None


def follow_through(log, make_recorded, cutters, timeout):
    """One calve per cutter, each until it has all; returns them."""
    runs = []
    for cutter in cutters:
        primary, calve = make_recorded(log)
        primary.hook = cutter
        runs.append((cutter, calve, calve.start("run", until="current")))
    end = time.monotonic() + timeout
    for cutter, _, run in runs:
        result = run.wait(max(1, end - time.monotonic()))
        assert result.status == 0, result
        assert not cutter.left and not cutter.inside, (cutter.left, cutter.inside)
        # A dump that calve leaves by itself may be cut while it leaves: then nobody sees the cut.
        left = len(result.named("source.by_position"))
        assert len(cutter.done) - left <= len(result.named("source.lost")) <= len(cutter.done)
    return [calve for _, calve, _ in runs]


@pytest.mark.parametrize("flavor, dialect, every", [("mysql-9", "mysql-9", 1),
                                                    ("mariadb-11.8", "mariadb-11.4", 4),
                                                    ("mariadb-10.11", "mariadb-10.11", 4)])
def test_T2_cut_after_each_packet(make_recorded, flavor, dialect, every):
    """The process connects again by itself, some hundred times."""
    log = Recording(flavor, dialect)
    _, whole = make_recorded(log)
    whole.catch_up()
    check_tables(log, whole)
    # The last packet is where the run ends: nothing is left to come again for.
    places = packets_of(log)[:-1]
    places = [p for i, p in enumerate(places) if i % every == 0 or p[1] == 4]
    # The stream's own packets: the first is a made-up rotate.
    places += [("rotate", 0)]
    calves = follow_through(log, make_recorded, [Cutter(places[i::LANES]) for i in range(LANES)], 85)
    expected = changes(log, whole)
    for calve in calves:
        check_tables(log, calve)
        assert changes(log, calve) == expected


def test_T2_cut_inside_of_packets(make_recorded):
    """In the packet's head, behind it, in the event's header, in its body, before its last byte."""
    log = Recording("mysql-9", "mysql-9")
    places = packets_of(log)[3:-1:9]
    sizes = [1, 3, 4, 5, 15, 24, 40, 1 << 24]
    cutters = [Cutter([], {p: sizes[(i + j) % len(sizes)] - (i + j == 7)
                           for j, p in enumerate(places[i::LANES])}) for i in range(LANES)]
    for cutter in cutters:  # the longest: all but one byte
        cutter.inside = {p: s if s < 1 << 20 else 10**6 for p, s in cutter.inside.items()}
    for calve in follow_through(log, make_recorded, cutters, 60):
        check_tables(log, calve)


@pytest.mark.parametrize("flavor, dialect, first, every", [("mysql-9", "mysql-9", 5, 23),
                                                           ("mariadb-11.8", "mariadb-11.4", 2, 29)])
def test_T2_killed_at_packets(make_recorded, flavor, dialect, first, every):
    """The process is killed where the stream stands still, and started anew."""
    log = Recording(flavor, dialect)
    places = packets_of(log)[first:-1:every]
    primary, calve = make_recorded(log)
    stopped = threading.Event()
    left = list(places)

    def cut(dump, _data):
        if dump.where in left:
            left.remove(dump.where)
            stopped.set()
            return CutAfter()
        return None

    primary.hook = cut
    for number in range(len(places)):
        run = calve.start("run", until="current")
        assert stopped.wait(30), run.log()
        stopped.clear()
        if number % 2:
            time.sleep(0.05 * (number % 5))  # some of what came is on its way to the lake
        run.kill9()
    assert not left
    calve.catch_up()
    check_tables(log, calve)
