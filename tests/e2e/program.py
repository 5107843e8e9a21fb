"""Runs calve as a user would: in the background or to its end, with its log read as it grows."""

import json
import os
import pathlib
import signal
import subprocess
import threading
import time

from lake import Lake

ROOT = pathlib.Path(__file__).resolve().parents[2]
PATIENCE_S = float(os.environ.get("CALVE_TEST_PATIENCE", "60"))


def binary():
    path = pathlib.Path(os.environ.get("CALVE_BIN") or ROOT / "build/calve")
    assert path.exists(), f"{path} is not there: run make, or set CALVE_BIN"
    return str(path.resolve())


def clean_environment(extra=None):
    """The caller's environment without what would be a setting of calve."""
    kept = {k: v for k, v in os.environ.items()
            if not k.startswith(("CALVE_", "CDC_", "MYSQL_", "PYICEBERG_", "AWS_"))
            and k not in ("CONNECTION_NAME", "S3_BUCKET", "BATCH_SIZE")}
    for name in ("ASAN_OPTIONS", "LSAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS"):
        if name in os.environ:
            kept[name] = os.environ[name]
    return kept | {k: str(v) for k, v in (extra or {}).items()}


class Result:
    """How a run to the end ended."""

    def __init__(self, args, status, out, log):
        self.args = args
        self.status = status
        self.out = out
        self.log = log  # what it wrote to stderr
        self.events = parse_events(log)

    def __repr__(self):
        return f"calve {' '.join(map(str, self.args))}: status {self.status}\n{self.out}{self.log}"

    def named(self, event):
        return [e for e in self.events if e["event"] == event]

    @property
    def error(self):
        failed = self.named("run.failed")
        return failed[-1]["error"] if failed else self.log.strip()


def parse_events(text):
    found = []
    for line in text.splitlines():
        if line.startswith("{"):
            try:
                found.append(json.loads(line))
            except ValueError:
                pass  # its last line, cut by a kill
    return found


class Running:
    """A calve in the background."""

    def __init__(self, args, cwd, env, log_path):
        self.args = args
        self.log_path = pathlib.Path(log_path)
        self.out_path = self.log_path.with_suffix(".out")
        self.peak_kib = 0
        with open(self.log_path, "wb") as log, open(self.out_path, "wb") as out:
            self.process = subprocess.Popen([binary(), *map(str, args)], cwd=cwd, env=env,
                                            stdin=subprocess.DEVNULL, stdout=out, stderr=log)
        self._watcher = threading.Thread(target=self._watch_memory, daemon=True)
        self._watcher.start()

    @property
    def pid(self):
        return self.process.pid

    def _watch_memory(self):
        while self.process.returncode is None:
            try:
                status = pathlib.Path(f"/proc/{self.pid}/status").read_text(encoding="ascii")
            except OSError:
                return
            for line in status.splitlines():
                if line.startswith("VmHWM:"):
                    self.peak_kib = max(self.peak_kib, int(line.split()[1]))
            time.sleep(0.02)

    def log(self):
        return self.log_path.read_text(encoding="utf-8", errors="replace")

    def events(self, name=None):
        return [e for e in parse_events(self.log()) if name in (None, e["event"])]

    def alive(self):
        return self.process.poll() is None

    def wait_event(self, name, count=1, timeout=PATIENCE_S, where=None):
        """Waits until the log has `count` events of this name (that `where` accepts); returns the last."""
        end = time.monotonic() + timeout
        while True:
            alive = self.alive()  # before reading: its last words are then in what is read
            found = [e for e in self.events(name) if where is None or where(e)]
            if len(found) >= count:
                return found[-1]
            assert alive, f"calve ended with {self.process.returncode} before {name}:\n{self.log()}"
            assert time.monotonic() < end, f"no {name} in {timeout} s:\n{self.log()}"
            time.sleep(0.02)

    def wait(self, timeout=PATIENCE_S):
        """Waits for its end."""
        try:
            status = self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill9()
            raise AssertionError(f"calve did not end in {timeout} s:\n{self.log()}") from None
        out = self.out_path.read_text(encoding="utf-8", errors="replace")
        return Result(self.args, status, out, self.log())

    def stop(self, timeout=PATIENCE_S):
        """Asks it to end, as a service manager does."""
        if self.alive():
            self.process.send_signal(signal.SIGTERM)
        return self.wait(timeout)

    def kill9(self):
        if self.alive():
            self.process.kill()
        self.process.wait()


class Calve:
    """The program with one source and one warehouse.

    server: where to read, None when the settings say so. tables: what --table gets. options: settings
    that every command gets, as {"commit-interval": "100ms"}; None removes one. place: an aws.Place, when
    the lake is not in the folder.
    """

    def __init__(self, server, folder, tables=None, options=None, env=None, user="root", password="", place=None):
        self.server = server
        self.folder = pathlib.Path(folder)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.warehouse = self.folder / "lake" if place is None else place.warehouse
        self.lake = Lake(self.warehouse) if place is None else place.lake
        self.env = (place.env if place is not None else {}) | (env or {})
        self.options = {"warehouse": self.warehouse, "log-format": "json", "log-level": "debug"}
        if place is not None:
            self.options |= place.options
        if server is not None:
            self.options["source"] = server.url(user, password)
        if tables is not None:
            self.options["table"] = tables
        self.options |= options or {}
        self._started = []

    def _words(self, args, options):
        words = [str(a) for a in args]
        merged = self.options | {k.replace("_", "-"): v for k, v in options.items()}
        for name, value in merged.items():
            if value is not None:
                words += [f"--{name}", str(value)]
        return words

    def start(self, *args, env=None, **options):
        """start("run", until="current"): in the background."""
        log = self.folder / f"calve-{len(self._started)}.log"
        running = Running(self._words(args, options), self.folder,
                          clean_environment(self.env | (env or {})), log)
        self._started.append(running)
        return running

    def run(self, *args, timeout=PATIENCE_S, env=None, **options):
        """To the end, whatever that is."""
        return self.start(*args, env=env, **options).wait(timeout)

    def ok(self, *args, timeout=PATIENCE_S, env=None, **options):
        """To the end, which must be a good one."""
        result = self.run(*args, timeout=timeout, env=env, **options)
        assert result.status == 0, result
        return result

    def catch_up(self, **options):
        return self.ok("run", until="current", **options)

    def plain(self, *args, env=None, cwd=None, timeout=PATIENCE_S):
        """Just these words, without our options: status, inspect, no command."""
        done = subprocess.run([binary(), *map(str, args)], cwd=cwd or self.folder, timeout=timeout,
                              env=clean_environment(self.env | (env or {})), check=False,
                              stdin=subprocess.DEVNULL, capture_output=True)
        return Result(args, done.returncode, done.stdout.decode("utf-8", "replace"),
                      done.stderr.decode("utf-8", "replace"))

    def close(self):
        """Ends what still runs."""
        for running in self._started:
            running.kill9()
