"""Random DDL between changes: every payload has the names and values of its moment, whatever came later.

CALVE_TEST_SEED=N throws the same dice again; CALVE_TEST_DDL=N runs that many statements of DDL.
"""

import collections
import os
import random

import pytest

from random_ddl import EVENTS, Model, Session, Storm
from slow_decoder import Decoder, ServerCharsets
from test_differential import binlog_bytes, first_difference, slow_changes
from test_random_types import NEVER, collations_of

STATEMENTS = int(os.environ.get("CALVE_TEST_DDL", "150"))
MODES = [("mysql-9", "MINIMAL"), ("mysql-9", "FULL"), ("mariadb-11.8", "MINIMAL"), ("mariadb-11.8", "FULL"),
         ("mariadb-11.8", "NO_LOG")]


def throw_seed():
    seed = int(os.environ.get("CALVE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CALVE_TEST_SEED={seed}")
    return seed


class Play:
    """A model, its storm and the source they run on."""

    def __init__(self, source, seed):
        self.source = source
        self.dice = random.Random(seed)
        self.session = Session(source.server, source.schema, source.flavor == "mariadb-11.8")
        self.model = Model(self.session, source.position)
        self.storm = Storm(self.dice, self.model, source.flavor, collations_of(source))

    def open(self, tables=5):
        for _ in range(tables):
            self.storm.create()

    def ddl_count(self):
        done = self.model.done
        return sum(done[k] for k in ("ALTER", "CREATE", "DROP", "TRUNCATE", "RENAME", "TRIGGER", "noise", "TEMPORARY"))

    def close(self):
        self.session.close()


@pytest.fixture
def make_play():
    made = []

    def make(source, seed):
        made.append(Play(source, seed))
        return made[-1]

    yield make
    for play in made:
        play.close()


def report(model):
    print(f"done {dict(model.done)}, errors {dict(model.errors)}")


@pytest.mark.timeout(max(240, STATEMENTS))
@pytest.mark.parametrize("flavor", ["mysql-9", "mariadb-11.8"])
def test_model_alone(flavor, make_source, make_play):
    """The model against the slow decoder: with FULL metadata the binlog itself has names and labels."""
    source = make_source(flavor)
    file, offset = source.position()
    with source.globals(binlog_row_metadata="FULL"):
        play = make_play(source, throw_seed())
        model = play.model
        try:
            play.open()
            while play.ddl_count() < STATEMENTS:
                play.storm.step()
            report(model)
            check_decoded(model, slow_changes(Decoder(ServerCharsets(source.session())), binlog_bytes(source, file),
                                              source.schema, offset))
            assert not NEVER & set(model.errors), model.errors
        except BaseException:
            print(model.script_text())
            raise


def check_decoded(model, decoded):
    """All events that the binlog has, by name, are those of the model."""
    count = 0
    for name in sorted(set(decoded) | set(model.streams)):
        if not model.followed(name):
            continue
        rows = [(kind, payload) for kind, _, _, _, payload, _ in decoded.get(name, [])]
        at = 0
        for item in model.streams[name]:
            if item.kind not in EVENTS:
                continue
            found = rows[at:at + len(item.payloads)]
            expected = [(item.kind, p) for p in item.payloads]
            assert sorted(found) == sorted(expected), (
                f"{name}, statement {item.number}: {first_difference(sorted(map(repr, found)), sorted(map(repr, expected)))}")
            at += len(found)
        assert at == len(rows), f"{name}: {rows[at]} is more than there should be"
        count += at
    print(f"{count} events")
    assert count > STATEMENTS


def counted(items):
    return collections.Counter(i.kind for i in items)
