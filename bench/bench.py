#!/usr/bin/env python3
"""Measures calve beside MySQL's own clients, which drain the same data in the same run.

    catch-up   calve run --from FILE:POS --until FILE:POS, to a new warehouse
               beside mysqlbinlog --read-from-remote-server --raw of the same binlog files
    backfill   calve backfill, to a new warehouse
               beside mysql --quick -e 'SELECT * FROM …', to nowhere
    decoding   calve inspect binlog FILE --discard of the same binlog files (decode.py)
               beside mysqlbinlog -vv, to nowhere

For two tables, an order table and sysbench's, each over TCP on the loopback, with the same TLS on both
sides. Machines differ and wander: what counts are the ratios, each between two neighbours in one round.

The server's data is made once from the seed and kept in build/bench; a second run starts at once. The
result goes to the terminal and to build/bench/result.json.
"""

import argparse
import hashlib
import json
import pathlib
import shutil
import signal
import statistics
import subprocess
import sys
import time

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
sys.path[:0] = [str(ROOT / "tools")]

# pylint: disable=wrong-import-position
import decode
import measure
import workload
from servers import Server, ServerError

OUT = ROOT / "build/bench"
FLAVOR = "mysql-9"
SETTINGS = {"binlog_expire_logs_seconds": 0, "innodb_buffer_pool_size": "1G"}
TARGETS = {"catch-up": 1.0, "backfill": 0.8}  # calve's speed, as a share of its neighbour's
CPU_TARGET = 1.2  # seconds for a million changes of the order table
PEAK_TARGET_MIB = 256
IDLE_TARGET_MIB = 24
IDLE_S = 10


def say(text):
    print(text, flush=True)


# ---- the data ----------------------------------------------------------------------------------


def _load(server, table, seed, count):
    """The first rows, past the binlog."""
    path = server.files / "rows.txt"
    workload.write_rows(table, seed, count, path)
    path.chmod(0o644)
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SET sql_log_bin=0")
        cursor.execute(f"CREATE SCHEMA {table.schema}")
        cursor.execute(table.definition)
        cursor.execute(f"LOAD DATA INFILE '{path}' INTO TABLE {table.schema}.{table.name}"
                       " CHARACTER SET utf8mb4")
        cursor.execute(f"ANALYZE TABLE {table.schema}.{table.name}")
    path.unlink()


def _rotate(server):
    """Begins a new binlog file; returns its name."""
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("FLUSH BINARY LOGS")
        cursor.execute("SHOW BINARY LOG STATUS")
        return cursor.fetchone()[0]


def _change(server, table, args):
    """Makes the changes; returns what is known of them."""
    first = _rotate(server)
    client = server.client("mysql", "--default-character-set=utf8mb4", stdin=subprocess.PIPE,
                           text=True, encoding="utf-8")
    with client.stdin:
        key_sum = workload.write_changes(table, args.seed, args.rows, args.changes, client.stdin)
    if client.wait() != 0:
        raise measure.Failed(f"mysql ended with {client.returncode} while {table.name} was changed")
    with server.connect() as connection, connection.cursor() as cursor:
        cursor.execute("SHOW BINARY LOG STATUS")
        last, end = cursor.fetchone()[:2]
        cursor.execute(f"SELECT COUNT(*), SUM(id) FROM {table.schema}.{table.name}")
        found = tuple(map(int, cursor.fetchone()))
        cursor.execute("FLUSH BINARY LOGS")
        cursor.execute("SHOW BINARY LOGS")
        files = [(name, size) for name, size, *_ in cursor.fetchall() if first <= name <= last]
    if found != (args.rows, key_sum):
        raise measure.Failed(f"{table.name} has (rows, sum of ids) {found}, not {(args.rows, key_sum)}")
    return {"from": f"{first}:4", "until": f"{last}:{end}", "files": [name for name, _ in files],
            "binlog_bytes": sum(size for _, size in files), "key_sum": key_sum}


def prepared(args):
    """The folder with the server's data, made when it is not there: (folder, what is known)."""
    recipe = (HERE / "workload.py").read_bytes() + pathlib.Path(__file__).read_bytes().split(b"# ----")[1]
    name = hashlib.sha256(recipe + f"{args.rows} {args.changes} {args.seed}".encode()).hexdigest()[:12]
    final = OUT / f"data-{name}"
    if not (final / "facts.json").exists():
        started = time.monotonic()
        shutil.rmtree(final, ignore_errors=True)
        facts = {}
        with Server(FLAVOR, SETTINGS) as server:
            for table in workload.TABLES:
                say(f"making {args.rows:,} rows and {args.changes:,} changes of {table.name} ...")
                _load(server, table, args.seed, workload.first_rows(args.rows, args.changes))
                facts[table.name] = _change(server, table, args)
            server.stop(300)
            final.mkdir(parents=True)
            subprocess.run(["cp", "-a", "--sparse=always", str(server.data), str(final / "data")], check=True)
        (final / "facts.json").write_text(json.dumps(facts, indent=1), encoding="utf-8")
        say(f"made in {time.monotonic() - started:.0f} s, kept in {final.relative_to(ROOT)}")
    return final / "data", json.loads((final / "facts.json").read_text(encoding="utf-8"))


# ---- what is measured --------------------------------------------------------------------------


class Bench:
    """One server, and the four programs that read it."""

    def __init__(self, args, server, facts):
        self.args = args
        self.server = server
        self.facts = facts
        self.scratch = OUT / "scratch"
        self.log = OUT / "last.log"

    def _tcp(self, tls):
        return ["--host=127.0.0.1", f"--port={self.server.port}", f"--ssl-mode={tls.upper()}"]

    def _client(self, name, *words):
        return [*self.server.programs.command(name), "--no-defaults", "--user=root", *words]

    def _calve(self, command, table, tls, *words):
        return [str(self.args.calve), command, "--source", self.server.url(), "--mysql-tls", tls,
                "--table", f"{table.schema}.{table.name}", "--warehouse", str(self.scratch / "lake"),
                *words]

    def _run(self, command):
        return measure.run(command, self.scratch, self.log, self.server.pid)

    def _fresh(self):
        shutil.rmtree(self.scratch, ignore_errors=True)
        self.scratch.mkdir(parents=True)

    def _lake(self, table):
        """{event type: (rows, sum of ids)}, counted by DuckDB in a process of its own."""
        done = subprocess.run([sys.executable, str(HERE / "count.py"), str(self.scratch / "lake"),
                               table.schema, table.name], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise measure.Failed(f"counting {table.name} failed:\n{done.stderr[-2000:]}")
        return {kind: tuple(found) for kind, found in json.loads(done.stdout).items()}

    def calve_catch_up(self, table, tls):
        facts = self.facts[table.name]
        found = self._run(self._calve("run", table, tls, "--snapshot", "never", "--from", facts["from"],
                                      "--until", facts["until"]))
        rows = {kind: count for kind, (count, _) in self._lake(table).items()}
        if rows != workload.counts(self.args.changes):
            raise measure.Failed(f"the lake has {rows} of {table.name}")
        return found

    def mysqlbinlog(self, table, tls):
        facts = self.facts[table.name]
        found = self._run(self._client("mysqlbinlog", *self._tcp(tls), "--read-from-remote-server",
                                       "--raw", *facts["files"]))
        got = sum((self.scratch / name).stat().st_size for name in facts["files"])
        if got != facts["binlog_bytes"]:
            raise measure.Failed(f"mysqlbinlog got {got} bytes, not {facts['binlog_bytes']}")
        return found

    def calve_backfill(self, table, tls):
        found = self._run(self._calve("backfill", table, tls))
        rows = self._lake(table)
        if rows != {"backfill": (self.args.rows, self.facts[table.name]["key_sum"])}:
            raise measure.Failed(f"the lake has (rows, sum of ids) {rows} of {table.name}")
        return found

    def mysql(self, table, tls):
        return self._run(self._client("mysql", *self._tcp(tls), "--quick",
                                      f"--execute=SELECT * FROM {table.schema}.{table.name}"))

    def idle(self, table):
        self._fresh()
        command = self._calve("run", table, "disabled", "--snapshot", "never", "--from", "current")
        return measure.idle(command, self.scratch, self.log, min(IDLE_S, self.args.idle))

    def pair(self, work, table, tls, turn):
        """calve and its neighbour, by turns first: ({…}, {…})."""
        ours, theirs = {"catch-up": (self.calve_catch_up, self.mysqlbinlog),
                        "backfill": (self.calve_backfill, self.mysql)}[work]
        found = {}
        for measured in (ours, theirs) if turn % 2 == 0 else (theirs, ours):
            self._fresh()
            found[measured] = measured(table, tls)
        return found[ours], found[theirs]


NEIGHBOURS = {"catch-up": "mysqlbinlog --raw", "backfill": "mysql --quick"}


def rounds(bench, args):
    """All measurements: [{"table", "work", "tls", "units", "bytes", "calve": […], "neighbour": […]}]."""
    series = [{"table": table, "work": work, "tls": tls, "calve": [], "neighbour": []}
              for table in workload.TABLES for work in ("catch-up", "backfill") for tls in args.tls]
    for s in series[::len(args.tls)]:  # brings the data into memory
        bench.pair(s["work"], s["table"], s["tls"], 0)
    for turn in range(args.rounds):
        say(f"round {turn + 1} of {args.rounds} ...")
        for s in series:
            ours, theirs = bench.pair(s["work"], s["table"], s["tls"], turn)
            s["calve"].append(ours)
            s["neighbour"].append(theirs)
    for s in series:
        catch_up = s["work"] == "catch-up"
        s["units"] = args.changes if catch_up else args.rows
        s["bytes"] = bench.facts[s["table"].name]["binlog_bytes"] if catch_up else None
        s["table"] = s["table"].name
    return series


def decoded(bench, data):
    """The binlog files of the changes, decoded without a server."""
    say("decoding ...")
    return [decode.series(table.name, [data / f for f in bench.facts[table.name]["files"]], bench.args.calve,
                          bench.server.programs, bench.args.rounds, bench.scratch, bench.log)
            for table in workload.TABLES]


# ---- the report --------------------------------------------------------------------------------


def figures(s, who):
    """The medians of one side of a series."""
    runs = s[who]
    wall = statistics.median(r["wall_s"] for r in runs)
    millions = s["units"] / 1e6
    return {"rows_per_s": s["units"] / wall, "mb_per_s": s["bytes"] / wall / 1e6 if s["bytes"] else None,
            "cpu_s_per_million": statistics.median(r["cpu_s"] for r in runs) / millions,
            "server_cpu_s_per_million": statistics.median(r["server_cpu_s"] for r in runs) / millions,
            "peak_mib": max(r["peak_kib"] for r in runs) / 1024}


def ratios(s):
    """How fast calve was in each round, its neighbour's speed being 1."""
    return [theirs["wall_s"] / ours["wall_s"] for ours, theirs in zip(s["calve"], s["neighbour"])]


def report(series):
    """Adds the figures to the series and prints them."""
    say(f"\n{'table':8} {'TLS':10} {'what':21} {'rows/s':>11} {'MB/s':>6} {'CPU s/M':>8} {'server':>7}"
        f" {'peak MiB':>9}   ratio (each round)")
    for s in series:
        s["ratios"] = ratios(s)
        s["ratio"] = statistics.median(s["ratios"])
        for who in ("calve", "neighbour"):
            f = s[who + "_median"] = figures(s, who)
            name = f"calve {s['work']}" if who == "calve" else "  " + NEIGHBOURS[s["work"]]
            rate = f"{f['mb_per_s']:6.0f}" if f["mb_per_s"] else f"{'':6}"
            ratio = f"   {s['ratio']:.2f} ({', '.join(f'{r:.2f}' for r in s['ratios'])})"
            say(f"{s['table']:8} {s['tls']:10} {name:21} {f['rows_per_s']:11,.0f} {rate}"
                f" {f['cpu_s_per_million']:8.2f} {f['server_cpu_s_per_million']:7.2f}"
                f" {f['peak_mib']:9.1f}{ratio if who == 'calve' else ''}")


def verdicts(series, idle, decoding):
    """[(target, figure, whether it is reached)]."""
    found = []
    for work, least in TARGETS.items():
        worst = min((s for s in series if s["work"] == work), key=lambda s: s["ratio"])
        found.append((f"{work}: at least {least} of {NEIGHBOURS[work]}",
                      f"{worst['ratio']:.2f} ({worst['table']}, TLS {worst['tls']})",
                      worst["ratio"] >= least))
    cpu = max(s["calve_median"]["cpu_s_per_million"] for s in series
              if s["table"] == "orders" and s["work"] == "catch-up")
    found.append((f"catch-up of orders: at most {CPU_TARGET} CPU s for a million changes", f"{cpu:.2f}",
                  cpu <= CPU_TARGET))
    found += [decode.verdict(s) for s in decoding if s["name"] == "orders"]
    peak = max(s["calve_median"]["peak_mib"] for s in series)
    found.append((f"peak memory: at most {PEAK_TARGET_MIB} MiB", f"{peak:.1f}", peak <= PEAK_TARGET_MIB))
    resting = idle["peak_kib"] / 1024
    found.append((f"peak memory when idle with one table: at most {IDLE_TARGET_MIB} MiB",
                  f"{resting:.1f} (now {idle['rss_kib'] / 1024:.1f}, of it our own data"
                  f" {idle['anonymous_kib'] / 1024:.1f})", resting <= IDLE_TARGET_MIB))
    return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=2_000_000, help="rows of a backfill")
    parser.add_argument("--changes", type=int, default=1_000_000, help="row changes of a catch-up")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--idle", type=float, default=IDLE_S, help="seconds of the idle measurement")
    parser.add_argument("--tls", nargs="+", default=["disabled", "preferred"],
                        choices=["disabled", "preferred"], help="on both sides")
    parser.add_argument("--calve", type=pathlib.Path, default=ROOT / "build/calve", help="the program")
    args = parser.parse_args()
    if not 10 <= args.changes <= args.rows:
        parser.error("--changes must be from 10 to --rows")
    if args.rounds < 1:
        parser.error("--rounds must be at least 1")
    args.calve = args.calve.resolve()
    return args


def main():
    args = arguments()
    OUT.mkdir(parents=True, exist_ok=True)
    data, facts = prepared(args)
    say(f"{args.rows:,} rows, {args.changes:,} changes, seed {args.seed}, {args.rounds} rounds, medians\n"
        f"{measure.machine()}\n"
        + "".join(f"{name}: {f['binlog_bytes'] / args.changes:.0f} bytes of binlog for a change\n"
                  for name, f in facts.items()) + "bringing the data into memory ...")
    with Server(FLAVOR, SETTINGS, data_from=data) as server:
        bench = Bench(args, server, facts)
        series = rounds(bench, args)
        idle = bench.idle(workload.Orders)
    decoding = decoded(bench, data)
    shutil.rmtree(bench.scratch, ignore_errors=True)
    report(series)
    say("\n" + decode.report(decoding) + "\n")
    if args.changes < 1_000_000:
        say("a small run: starting and ending weigh more than rows, and the targets are not meant for it")
    found = verdicts(series, idle, decoding)
    for target, figure, reached in found:
        say(f"{'reached' if reached else 'MISSED '}  {target}: {figure}")
    result = OUT / "result.json"
    result.write_text(json.dumps({
        "machine": measure.machine(), "rows": args.rows, "changes": args.changes, "seed": args.seed,
        "series": series, "idle": idle, "decoding": decoding,
        "targets": [{"target": t, "figure": f, "reached": r} for t, f, r in found]}, indent=1) + "\n",
        encoding="utf-8")
    say(f"\nall figures: {result.relative_to(ROOT)}")


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("bench: ended by SIGTERM"))
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nbench: interrupted")
    except (measure.Failed, ServerError) as e:
        sys.exit(f"bench: {e}")
