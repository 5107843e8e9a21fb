#!/usr/bin/env python3
"""Many commits in a row on one table: does a commit stay as cheap as it was?

    commits.py [COMMITS [FOLDER]]      10,000 commits take about 20 minutes

A private MySQL 9 gets small transactions all the time and calve commits ten times a second. Printed
are the time of a cut (data and watermarks, as calve's log says), the size of the metadata file and the
number of snapshots on the way; at the end the last 100 cuts beside cuts 200 to 300, and whether the
tables' files are those that the metadata names. The machine's noise is in the times: compare medians,
on a quiet machine.
"""

import pathlib
import shutil
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT / "tests/e2e"), str(ROOT / "tools")]

from lake import local_path, replay  # noqa: E402  pylint: disable=wrong-import-position
from program import Calve  # noqa: E402  pylint: disable=wrong-import-position
from source import Servers  # noqa: E402  pylint: disable=wrong-import-position


def follow(calve, source, commits):
    """Writes until so many cuts were committed; returns their log events."""
    run = calve.start("run")
    run.wait_event("source.connected")
    done, written = 0, 0
    while done < commits:
        source.sql("INSERT INTO t (v) VALUES ('x')")
        written += 1
        time.sleep(0.03)
        if written % 500 == 0:
            assert run.alive(), run.log()
            done = len(run.events("cut.committed"))
            table = calve.lake.table(source.schema, "t")
            size = local_path(table.metadata_location).stat().st_size
            print(f"{done:>7,} cuts, metadata of {size:,} bytes, {len(table.metadata.snapshots)} snapshots",
                  flush=True)
    result = run.stop()
    assert result.status == 0, result
    return result.named("cut.committed"), run.peak_kib


def main():
    commits = int(sys.argv[1]) if len(sys.argv) > 1 else 10_000
    folder = pathlib.Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "build/bench/commits")
    shutil.rmtree(folder, ignore_errors=True)
    servers = Servers()
    try:
        source = servers.source("mysql-9")
        source.sql("CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(20))")
        calve = Calve(source.server, folder, f"{source.schema}.t",
                      options={"commit-interval": "100ms", "log-level": "info"})
        try:
            cuts, peak_kib = follow(calve, source, commits)
        finally:
            calve.close()
        seconds = [c["seconds"] for c in cuts]
        early, late = seconds[200:300], seconds[-100:]
        if early:
            print(f"cuts 200 to 300: median {1000 * statistics.median(early):.1f} ms; last 100: "
                  f"{1000 * statistics.median(late):.1f} ms; peak memory {peak_kib / 1024:.1f} MiB")
        unnamed = [calve.lake.check_files(source.schema, "t"), calve.lake.check_files("cdc_metadata", "watermarks")]
        rows = len(replay(calve.lake.changes(source.schema, "t")))
        print(f"{rows:,} rows in the lake, {source.value('SELECT COUNT(*) FROM t'):,} in the source; "
              f"every named file is there; files that nothing names: {sum(map(len, unnamed))}")
    finally:
        servers.close()


if __name__ == "__main__":
    main()
