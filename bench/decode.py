#!/usr/bin/env python3
"""Measures how fast binlog files are decoded, without a server and without a lake.

    calve inspect binlog FILE --discard     every row becomes values, which nobody prints
    mysqlbinlog -vv --base64-output=DECODE-ROWS FILE, to nowhere

Both read the same file by turns, each in one thread; CPU seconds count, since other programs may be at
work. `make bench` does this with the files of its changes; alone: decode.py FILE... for files of one's own.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tools")]

# pylint: disable=wrong-import-position
import measure
from servers import Programs, ServerError

TARGET = 3_000_000  # rows of the order table for a CPU second


def _calve(calve, path):
    return [str(calve), "inspect", "binlog", str(path), "--discard"]


def _mysqlbinlog(programs, path):
    return [*programs.command("mysqlbinlog"), "--no-defaults", "-vv", "--base64-output=DECODE-ROWS", str(path)]


def rows_of(calve, path):
    """How many rows calve finds in a file."""
    done = subprocess.run([*_calve(calve, path), "--json"], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise measure.Failed(f"{path} cannot be decoded:\n{done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])["rows"]


def series(name, paths, calve, programs, rounds, scratch, log):
    """The measurements of some files: {"name", "rows", "bytes", "calve": […], "neighbour": […]}."""
    found = {"name": name, "rows": sum(rows_of(calve, p) for p in paths),
             "bytes": sum(pathlib.Path(p).stat().st_size for p in paths), "calve": [], "neighbour": []}
    if found["rows"] == 0:
        raise measure.Failed(f"{name} has no rows")
    for turn in range(rounds):
        sides = [("calve", lambda p: _calve(calve, p)), ("neighbour", lambda p: _mysqlbinlog(programs, p))]
        for who, command in sides if turn % 2 == 0 else reversed(sides):
            runs = [measure.run(command(p), scratch, log) for p in paths]
            found[who].append({key: sum(r[key] for r in runs) for key in ("wall_s", "cpu_s")})
    for who in ("calve", "neighbour"):
        found[who + "_rows_per_cpu_s"] = found["rows"] / statistics.median(r["cpu_s"] for r in found[who])
    found["ratios"] = [theirs["cpu_s"] / ours["cpu_s"] for ours, theirs in zip(found["calve"], found["neighbour"])]
    found["ratio"] = statistics.median(found["ratios"])
    return found


def report(all_series):
    """Lines about what was measured."""
    lines = [f"{'decoding':16} {'rows':>11} {'calve rows/CPU s':>17} {'mysqlbinlog -vv':>16}   ratio (each round)"]
    for s in all_series:
        lines.append(f"{s['name']:16} {s['rows']:11,} {s['calve_rows_per_cpu_s']:17,.0f}"
                     f" {s['neighbour_rows_per_cpu_s']:16,.0f}"
                     f"   {s['ratio']:.1f} ({', '.join(f'{r:.1f}' for r in s['ratios'])})")
    return "\n".join(lines)


def verdict(s):
    """(target, figure, whether it is reached) of a series."""
    reached = s["calve_rows_per_cpu_s"] >= TARGET
    return (f"decoding {s['name']}: at least {TARGET:,} rows for a CPU second",
            f"{s['calve_rows_per_cpu_s']:,.0f}, {s['ratio']:.1f} of mysqlbinlog -vv", reached)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--flavor", default="mysql-9", help="whose mysqlbinlog")
    parser.add_argument("--calve", type=pathlib.Path, default=ROOT / "build/calve", help="the program")
    args = parser.parse_args()
    scratch = ROOT / "build/bench"
    scratch.mkdir(parents=True, exist_ok=True)
    programs = Programs(args.flavor)
    print(measure.machine())
    print(report([series(p.name, [p.resolve()], args.calve.resolve(), programs, args.rounds, scratch,
                         scratch / "last.log") for p in args.files]))


if __name__ == "__main__":
    try:
        main()
    except (measure.Failed, ServerError, OSError) as e:
        sys.exit(f"decode: {e}")
