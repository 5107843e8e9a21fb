"""Storms over a place on AWS: keys and tokens that end, faults by dice, and a witness of every commit.

    keys = Keyring(place, folder)      # calve asks a credential_process for its keys
    witness = Witness(place)           # sees what the catalog really did, whatever calve was told
    raise_storm(place, seed)
    witness.wait(60, run, load)        # until calve has made so many commits of data
"""

import collections
import itertools
import json
import os
import random
import threading
import time

from pyiceberg.exceptions import NoSuchTableError

from aws import REGION
from fault_proxy import rest_operation
from faults import STORMS
from glue_stand_in import GlueStandIn
from lake import WATERMARKS
from program import PATIENCE_S
from rest_guard import OfServer, TokenServer

# What comes beside the faults that every storm has. A request is tried again after 1 s without an answer.
TIMES_OUT = ("timeout_before", "timeout_after", "stall")
REQUEST_TIMEOUT = "1s"

# One swap of a table's metadata. ordinal: of the checkpoint in it, None for a table without. snapshot_id, summary:
# of the snapshot that came with it; None for a change of properties alone.
Commit = collections.namedtuple("Commit", "ordinal snapshot_id summary")


# ---- keys ------------------------------------------------------------------------------------------


class Keyring:
    """Temporary keys that calve gets by credential_process, new ones each time it asks.

    The keys are known to S3 and, where it is one of ours, to Glue.
    """

    SCRIPT = """#!/bin/sh
n=$(($(ls "{folder}/taken" | wc -l) + 1))
while ! mkdir "{folder}/taken/$n" 2> /dev/null; do n=$((n + 1)); done
cat "{folder}/$n.json"
"""

    def __init__(self, place, folder, count=400):
        self.folder = folder / "keyring"
        (self.folder / "taken").mkdir(parents=True)
        self.keys = {}
        prefix = f"RING{os.getpid()}{id(self):x}"
        for number in range(1, count + 1):
            key = place.s3.keys.add(f"{prefix}{number}", f"secret/{number}", f"token/{number}+=")
            if isinstance(place.catalog, GlueStandIn):
                place.catalog.keys.put(key)
            self.keys[number] = key
            (self.folder / f"{number}.json").write_text(json.dumps({
                "Version": 1, "AccessKeyId": key.access, "SecretAccessKey": key.secret, "SessionToken": key.token,
                "Expiration": "2099-01-01T00:00:00Z"}), "utf-8")
        script = self.folder / "keys.sh"
        script.write_text(self.SCRIPT.format(folder=self.folder), "utf-8")
        script.chmod(0o755)
        config = self.folder / "config"
        config.write_text(f"[profile ring]\nregion = {REGION}\ncredential_process = {script}\n", "utf-8")
        (self.folder / "none").touch()
        del place.options["client-access-key-id"], place.env["CALVE_CLIENT_SECRET_ACCESS_KEY"]
        place.options["client-profile-name"] = "ring"
        place.env |= {"AWS_CONFIG_FILE": str(config), "AWS_SHARED_CREDENTIALS_FILE": str(self.folder / "none")}

    def taken(self):
        """Numbers of the keys that were handed out."""
        return sorted(int(p.name) for p in (self.folder / "taken").iterdir())

    def expire_all(self):
        """The keys that were handed out so far end now, though they say otherwise."""
        for number in self.taken():
            self.keys[number].expires = time.time()


def ask_for_tokens(place, expired=401):
    """From here on the place's REST catalog takes only tokens of the server that comes back; it must be stopped."""
    tokens = TokenServer("calve", "its secret").start()
    place.catalog_proxy.guard = OfServer(tokens, expired)
    place.options["rest-oauth2-server-uri"] = f"{tokens.url}/token"
    place.env["CALVE_REST_CREDENTIAL"] = "calve:its secret"
    return tokens


# ---- faults ----------------------------------------------------------------------------------------


def every(number):
    """A `where` of rules: each so-many-th request."""
    counter = itertools.count(1)
    return lambda request: next(counter) % number == 0


def raise_storm(place, seed, rate=0.04):
    """Faults of all kinds, at both proxies; the same for the same seed. What asks for new keys or tokens does not come
    by dice, which could refuse those as well, as nobody does."""
    place.s3_proxy.rules.fail(("PutObject", "CompleteMultipartUpload"), "ConditionalRequestConflict", times=None,
                              where=every(41))
    place.s3_proxy.rules.fail(("PutObject", "CompleteMultipartUpload"), "PreconditionFailed", times=None,
                              where=every(59))
    place.s3_proxy.rules.fail("*", "ExpiredToken", times=None, where=every(211))
    place.s3_proxy.rules.storm(seed, rate, 2 * STORMS["s3"] + TIMES_OUT)
    if place.kind == "glue":
        place.catalog_proxy.rules.fail("UpdateTable", "ConcurrentModificationException", times=None, where=every(13))
        place.catalog_proxy.rules.fail("*", "ExpiredTokenException", times=None, where=every(97))
        names = 2 * (STORMS["glue"] + ("TooManyRequestsException",)) + TIMES_OUT
        place.catalog_proxy.rules.storm(seed + 1, 2 * rate, names)
    else:
        place.catalog_proxy.rules.fail(("CommitTable", "CommitTransaction"), "CommitFailedException", times=None,
                                       where=every(13))
        place.catalog_proxy.rules.storm(seed + 1, 2 * rate, 2 * STORMS["rest"] + TIMES_OUT)


def fault_counts(place):
    """{proxy: Counter of faults}"""
    return {p.protocol: collections.Counter(e.fault for e in p.entries() if e.fault) for p in place.proxies}


# ---- the witness -----------------------------------------------------------------------------------


class Witness:
    """Every change of a table that the catalog made, in its order: {(schema, table): [Commit]}.

    It stands behind the catalog's proxy: what it sees has happened, whatever became of the answer.
    """

    def __init__(self, place, connection="local_mysql"):
        self.place = place
        self.checkpoint = f"calve.checkpoint.{connection}"
        self.commits = collections.defaultdict(list)
        self._known = collections.defaultdict(set)  # snapshots
        self._rows = collections.Counter()
        self._changed = threading.Condition()
        assert place.catalog_proxy.rewrite is None
        place.catalog_proxy.rewrite = self._look

    def _look(self, request, response):
        if response.status in (200, 204):
            operation = rest_operation(request) if self.place.kind == "rest" else None
            if operation == "CommitTable":
                self._add(*self._of_rest(json.loads(request.body)))
            elif operation == "CommitTransaction":
                for change in json.loads(request.body)["table-changes"]:
                    self._add(*self._of_rest(change))
            elif (request.header("x-amz-target") or "").endswith(".UpdateTable"):
                self._add(*self._of_glue(json.loads(request.body)))
        return response

    def _ordinal(self, properties):
        text = properties.get(self.checkpoint)
        return None if text is None else json.loads(text)["ordinal"]

    def _of_rest(self, body):
        properties, snapshot = {}, None
        for update in body["updates"]:
            if update["action"] == "set-properties":
                properties |= update["updates"]
            elif update["action"] == "add-snapshot":
                assert snapshot is None, "two snapshots in one commit"
                snapshot = update["snapshot"]
        name = (*body["identifier"]["namespace"], body["identifier"]["name"])
        return name, self._ordinal(properties), snapshot

    def _of_glue(self, body):
        table = body["TableInput"]
        bucket, _, key = table["Parameters"]["metadata_location"].removeprefix("s3://").partition("/")
        metadata = json.loads(self.place.s3.body(bucket, key))
        current = metadata["current-snapshot-id"]
        snapshot = next((s for s in metadata.get("snapshots", []) if s["snapshot-id"] == current), None)
        return (body["DatabaseName"], table["Name"]), self._ordinal(metadata["properties"]), snapshot

    def _add(self, name, ordinal, snapshot):
        with self._changed:
            if snapshot is not None and snapshot["snapshot-id"] in self._known[name]:
                snapshot = None  # a change of properties only
            if snapshot is not None:
                self._known[name].add(snapshot["snapshot-id"])
                self._rows[name] = int(snapshot["summary"]["total-records"])
            self.commits[name].append(Commit(ordinal, snapshot and snapshot["snapshot-id"],
                                             snapshot and snapshot["summary"]))
            self._changed.notify_all()

    def count(self):
        """Commits of data tables."""
        return sum(len(c) for n, c in list(self.commits.items()) if n != WATERMARKS)

    def wait(self, number, run, load, seconds=4 * PATIENCE_S):
        """Until there are so many; run and load must live that long."""
        end = time.monotonic() + seconds
        with self._changed:
            while self.count() < number:
                assert load.is_alive(), load.error
                assert run.alive(), f"calve ended with {run.process.returncode}:\n{run.log()[-5000:]}"
                assert time.monotonic() < end, (f"{self.count()} of {number} commits in {seconds} s:\n"
                                                f"{run.log()[-5000:]}")
                self._changed.wait(0.5)

    def gate(self, schema, ahead=20):
        """For a write_load.Load: lets it be so many transactions ahead of what is in the lake, so that a run that
        the faults slow down has no more to do at the end than at the beginning."""

        def wait(load):
            with self._changed:
                while not load.stopping.is_set():
                    if len(load.written) - self._rows[schema, "log"] // 2 < ahead:
                        return
                    self._changed.wait(0.1)

        return wait

    def check(self, lake, schema, tables):
        """Each table has calve's commits 1, 2, 3, … and no other. Returns how many that are."""
        total = 0
        for table in tables:
            commits = self.commits[schema, table]
            ordinals = [c.ordinal for c in commits]
            assert ordinals == list(range(1, len(commits) + 1)), f"{table}: commits {ordinals}"
            snapshots = [c for c in commits if c.snapshot_id is not None]
            said = [int(c.summary["calve.ordinal"]) for c in snapshots]
            assert said == [c.ordinal for c in snapshots], f"{table}: snapshots say {said}"
            _check_table(lake, schema, table, commits)
            total += len(commits)
        return total


def _check_table(lake, schema, table, commits):
    """The table as it is has just what the commits brought."""
    now = lake.table(schema, table)
    added = [c for c in commits if c.snapshot_id is not None and int(c.summary.get("added-data-files", 0)) > 0]
    assert lake.checkpoint(schema, table)["ordinal"] == len(commits)
    assert now.current_snapshot().snapshot_id == [c.snapshot_id for c in commits if c.snapshot_id is not None][-1]
    entries = lake.entries(schema, table)
    assert len({sequence for sequence, _, _ in entries}) == len(added), f"{table}: files of other commits"
    assert len(entries) == sum(int(c.summary["added-data-files"]) for c in added)
    rows = sum(int(c.summary["added-records"]) for c in added)
    assert int(now.current_snapshot().summary["total-records"]) == rows
    kept = {s.snapshot_id for s in now.snapshots()}
    assert kept <= {c.snapshot_id for c in commits}, f"{table} has snapshots of nobody"


# ---- what lies in the bucket -----------------------------------------------------------------------


class LiveFiles:
    """Whether all that tables name is there, while calve goes on writing and expiring."""

    def __init__(self, place):
        self.place = place
        self._manifests = {}  # {location: [locations of data files]}: they never change

    def _named(self, table, snapshot):
        """Manifest list, manifests, data files; None when one that must be read is not there."""
        named = {snapshot.manifest_list}
        try:
            for manifest in snapshot.manifests(table.io):
                path = manifest.manifest_path
                if path not in self._manifests:
                    entries = manifest.fetch_manifest_entry(table.io, discard_deleted=True)
                    self._manifests[path] = [e.data_file.file_path for e in entries]
                named |= {path, *self._manifests[path]}
        except OSError:  # PyArrow has no error of its own for what is not there
            return None
        return named

    def _is_whole(self, table, snapshot):
        named = self._named(table, snapshot)
        if named is None:
            return False
        bucket = self.place.bucket
        return named <= {f"s3://{bucket}/{name}" for name in self.place.s3.names(bucket)}

    def check(self, schema, tables):
        """Of a snapshot that is not whole when it is looked at, the table must know nothing any more."""
        for name in tables:
            seen = self.place.lake.table(schema, name)
            broken = {s.snapshot_id for s in seen.snapshots() if not self._is_whole(seen, s)}
            if broken:
                broken &= {s.snapshot_id for s in self.place.lake.table(schema, name).snapshots()}
            assert not broken, f"{schema}.{name}: files of snapshots {broken} are not there"


def orphans(place):
    """Locations of objects in the bucket that no table leads to."""
    named = set()
    for schema, table in place.lake.tables():
        try:
            named |= {p.location for p in place.lake.named_files(schema, table)}
        except NoSuchTableError:
            pass
    return sorted({f"s3://{place.bucket}/{n}" for n in place.names()} - named)


def explain(place, runs, locations):
    """{reason: [location]} of orphans: what calve said it left, what a fault kept from it, what nothing explains."""
    said = "".join(run.log() for run in runs)
    found = collections.defaultdict(list)
    for location in locations:
        key = location.removeprefix("s3:/")
        faults = {e.fault for e in place.s3_proxy.entries() if e.fault and e.target.partition("?")[0] == key}
        if location in said:
            found["calve says that it was left"].append(location)
        elif faults:
            found[f"met {', '.join(sorted(faults))}"].append(location)
        else:
            found["nothing"].append(location)
    return found


def dice_of(variable="CALVE_TEST_SEED"):
    """A seed, told and from the environment when it is there."""
    seed = int(os.environ.get(variable) or random.SystemRandom().randrange(1 << 32))
    print(f"{variable}={seed}")
    return seed
