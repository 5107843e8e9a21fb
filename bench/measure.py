"""What a process costs: wall time, CPU time and peak memory; and what a server spent beside it."""

import ctypes
import os
import pathlib
import resource
import signal
import subprocess
import sys
import threading
import time

POLL_S = 0.01
TICKS = os.sysconf("SC_CLK_TCK")


class Failed(RuntimeError):
    """A measured program did not do its work; the text says which and what it wrote."""


def _die_with_us():
    """In the child: a bench that is killed leaves nothing behind."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG


def memory_kib(pid, field="VmHWM"):
    """A field of a process's status in KiB; 0 when the process is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    for line in text.splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    return 0


def cpu_of(pid):
    """CPU seconds that a running process has used so far."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


class _Watch(threading.Thread):
    """Follows the peak of a process until the process is gone."""

    def __init__(self, pid):
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_kib = 0
        self.start()

    def run(self):
        now = memory_kib(self.pid)
        while now:
            self.peak_kib = max(self.peak_kib, now)
            time.sleep(POLL_S)
            now = memory_kib(self.pid)


def run(command, cwd, log, server_pid=None):
    """Runs a command to its end: {"wall_s", "cpu_s", "peak_kib", "server_cpu_s"}.

    Its standard output goes to nowhere, its messages to the file `log`. The kernel counts what we
    have in memory ourselves into the peak of a child (it is our copy until it becomes the program):
    so the peak is watched while the child runs, and the kernel's figure counts where it is above ours.
    """
    server_before = cpu_of(server_pid) if server_pid else 0.0
    with open(log, "wb") as err:
        started = time.perf_counter()
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=err, preexec_fn=_die_with_us)
        watch = _Watch(child.pid)
        try:
            _, status, usage = os.wait4(child.pid, 0)
        except BaseException:
            child.kill()
            child.wait()
            raise
        wall = time.perf_counter() - started
    watch.join()
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != 0:
        said = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")[-2000:]
        raise Failed(f"{' '.join(map(str, command))}\nended with {child.returncode}:\n{said}")
    peak = watch.peak_kib
    if usage.ru_maxrss > resource.getrusage(resource.RUSAGE_SELF).ru_maxrss:
        peak = max(peak, usage.ru_maxrss)
    return {"wall_s": wall, "cpu_s": usage.ru_utime + usage.ru_stime, "peak_kib": peak,
            "server_cpu_s": cpu_of(server_pid) - server_before if server_pid else 0.0}


def idle(command, cwd, log, seconds):
    """Lets a command that waits for work run for some seconds: its memory then; ends it by SIGTERM."""
    with open(log, "wb") as err:
        child = subprocess.Popen(command, cwd=cwd, stdin=subprocess.DEVNULL,
                                 stdout=subprocess.DEVNULL, stderr=err, preexec_fn=_die_with_us)
        try:
            time.sleep(seconds)
            found = {"rss_kib": memory_kib(child.pid, "VmRSS"), "peak_kib": memory_kib(child.pid),
                     "anonymous_kib": memory_kib(child.pid, "RssAnon"),
                     "cpu_s": cpu_of(child.pid) if child.poll() is None else 0.0}
            child.terminate()
            child.wait(30)
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()
    if child.returncode != 0 or found["rss_kib"] == 0:
        said = pathlib.Path(log).read_text(encoding="utf-8", errors="replace")[-2000:]
        raise Failed(f"{' '.join(map(str, command))}\nended with {child.returncode}:\n{said}")
    return found


def machine():
    """A line about where this was measured."""
    model = "unknown processor"
    for line in pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} x {model}, Linux {os.uname().release}, Python {sys.version.split()[0]}"
