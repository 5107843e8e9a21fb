#!/usr/bin/env python3
"""Measures what S3 costs: the catch-up and the copy of bench.py to local disk, to an S3 server on this
machine (versitygw), and to the same server behind a line of 50 ms, one after the other in each round.

The catalog is a SQLite file in all three. The S3 server takes its share of the same processors. What
counts are the ratios to the disk of the same round.
"""

import argparse
import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests/e2e")]

# pylint: disable=wrong-import-position
import bench as plain
import boto3
import measure
import workload
from pyiceberg.catalog.sql import SqlCatalog
from servers import Server
from services import Versitygw

ACCESS, SECRET, REGION, BUCKET = "bench", "bench-secret", "us-east-1", "lake"
LINE_MS = 50
PEAK_TARGET_MIB = 256
TARGETS = {"s3": 1.3, f"s3 + {LINE_MS} ms": 1.6}


class Line:
    """delay.py in front of a port."""

    def __init__(self, port, milliseconds):
        self.process = subprocess.Popen([sys.executable, str(HERE / "delay.py"), str(port), str(milliseconds)],
                                        stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline())

    def close(self):
        self.process.kill()
        self.process.wait()


class StoreBench(plain.Bench):
    """endpoint None: local disk."""

    endpoint = None
    number = 0

    def _fresh(self):
        """Both stores begin empty, and what the last run left unwritten in the page cache goes with its files."""
        super()._fresh()
        for kept in ("data", "meta"):
            for folder in (self.s3_folder / kept / BUCKET).glob("[0-9]*"):
                shutil.rmtree(folder)

    def _calve(self, command, table, tls, *words):
        if self.endpoint is None:
            return super()._calve(command, table, tls, *words)
        StoreBench.number += 1
        self.warehouse = f"s3://{BUCKET}/{StoreBench.number}"
        return [str(self.args.calve), command, "--source", self.server.url(), "--mysql-tls", tls,
                "--table", f"{table.schema}.{table.name}", "--warehouse", self.warehouse,
                "--catalog-path", str(self.scratch / "catalog.db"), "--s3-endpoint", self.endpoint,
                "--client-region", REGION, *words]

    def _lake(self, table):
        if self.endpoint is None:
            return super()._lake(table)
        catalog = SqlCatalog("default", uri=f"sqlite:///{self.scratch}/catalog.db",
                             **{"s3.endpoint": self.s3, "s3.access-key-id": ACCESS, "s3.secret-access-key": SECRET,
                                "s3.region": REGION})
        rows = catalog.load_table((table.schema, table.name)).scan(selected_fields=("event_type",)).to_arrow()
        return {c["values"]: c["counts"] for c in rows.column("event_type").value_counts().to_pylist()}

    def catch_up(self, table):
        facts = self.facts[table.name]
        self._fresh()
        found = self._run(self._calve("run", table, "disabled", "--snapshot", "never", "--from", facts["from"],
                                      "--until", facts["until"]))
        self._check(self._lake(table), workload.counts(self.args.changes), table)
        return found

    def backfill(self, table):
        self._fresh()
        found = self._run(self._calve("backfill", table, "disabled"))
        self._check(self._lake(table), {"backfill": self.args.rows}, table)
        return found

    @staticmethod
    def _check(found, wanted, table):
        rows = {kind: n[0] if isinstance(n, tuple) else n for kind, n in found.items()}
        if rows != wanted:
            raise measure.Failed(f"the lake has {rows} of {table.name}, not {wanted}")


def rounds(bench, args, endpoints):
    series = {}
    for turn in range(args.rounds + 1):
        plain.say(f"round {turn} of {args.rounds} ..." if turn else "bringing the data into memory ...")
        for table in workload.TABLES:
            for work in ("catch_up", "backfill"):
                for name, endpoint in endpoints.items():
                    bench.endpoint = endpoint
                    found = getattr(bench, work)(table)
                    if turn:
                        series.setdefault((table.name, work, name), []).append(found)
    return series


def report(series, endpoints):
    """Prints a table; returns the worst ratio of each store and the highest peak."""
    worst, peak = dict.fromkeys(TARGETS, 0.0), 0.0
    plain.say(f"\n{'':24}{'store':14}{'wall s':>8}{'CPU s':>8}{'peak MiB':>10}{'of disk':>9}")
    for (table, work, name), runs in series.items():
        disk = series[table, work, next(iter(endpoints))]
        ratio = statistics.median(r["wall_s"] / d["wall_s"] for r, d in zip(runs, disk))
        mib = max(r["peak_kib"] for r in runs) / 1024
        plain.say(f"{table + ', ' + work:24}{name:14}{statistics.median(r['wall_s'] for r in runs):8.2f}"
                  f"{statistics.median(r['cpu_s'] for r in runs):8.2f}{mib:10.0f}{ratio:9.2f}")
        peak = max(peak, mib)
        if name in worst:
            worst[name] = max(worst[name], ratio)
    return worst, peak


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--changes", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--calve", type=pathlib.Path, default=ROOT / "build/calve")
    args = parser.parse_args()
    args.calve = args.calve.resolve()
    return args


def main():
    args = arguments()
    plain.OUT.mkdir(parents=True, exist_ok=True)
    data, facts = plain.prepared(args)
    plain.say(measure.machine())
    os.environ |= {"AWS_ACCESS_KEY_ID": ACCESS, "AWS_SECRET_ACCESS_KEY": SECRET}
    s3 = Versitygw(ACCESS, SECRET, REGION).start()
    line = Line(s3.port, LINE_MS)
    try:
        boto3.client("s3", endpoint_url=s3.url, region_name=REGION).create_bucket(Bucket=BUCKET)
        endpoints = {"disk": None, "s3": s3.url, f"s3 + {LINE_MS} ms": f"http://127.0.0.1:{line.port}"}
        with Server(plain.FLAVOR, plain.SETTINGS, data_from=data) as server:
            bench = StoreBench(args, server, facts)
            bench.s3, bench.s3_folder = s3.url, s3.folder
            series = rounds(bench, args, endpoints)
    finally:
        line.close()
        s3.stop()
    worst, peak = report(series, endpoints)
    for name, target in TARGETS.items():
        reached = worst[name] <= target
        plain.say(f"{'reached' if reached else 'MISSED '}  {name}: at most {target} of disk: {worst[name]:.2f}")
    plain.say(f"{'reached' if peak <= PEAK_TARGET_MIB else 'MISSED '}  peak: at most {PEAK_TARGET_MIB} MiB: {peak:.0f}")
    result = plain.OUT / "store.json"
    result.write_text(json.dumps([{"table": t, "work": w, "store": n, "runs": r}
                                  for (t, w, n), r in series.items()], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nbench: interrupted")
    except measure.Failed as e:
        sys.exit(f"bench: {e}")
