#!/usr/bin/env python3
"""Private MySQL and MariaDB servers for demo, tests and bench.

The programs come from Debian's own packages, unpacked beside the system (nothing is installed, no
service is touched) into ${XDG_CACHE_HOME:-~/.cache}/calve/servers; a second run fetches nothing.

    servers.py fetch [FLAVOR...]             get the programs
    servers.py start FLAVOR [NAME=VALUE...]  start a server in the background and print how to reach it
    servers.py stop [FOLDER...]              end it and remove its data; all of them without FOLDER
    servers.py list                          what runs in the background

FLAVOR is mysql-9, mariadb-10.11 or mariadb-11.8. NAME=VALUE are server settings, such as
gtid_mode=OFF or binlog_row_metadata=FULL; NAME= removes one of ours. `root` has no password; servers
listen on 127.0.0.1 only. `start --print` prints one JSON object instead of text.

From Python: `with Server("mysql-9", {"gtid_mode": "OFF"}) as s: s.connect()`. Such a server ends with
the process that started it, however that ends. Only the standard library is needed, but for
connect() (PyMySQL).
"""

import argparse
import atexit
import ctypes
import glob
import hashlib
import json
import os
import pathlib
import pwd
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid

# packages: what apt is asked for. unpack: of all that comes along, only servers and libraries.
FLAVORS = {
    "mysql-9": {
        "family": "mysql",
        "suite": "sid",
        "packages": ["mysql-server-core", "mysql-client"],
    },
    "mariadb-10.11": {
        "family": "mariadb",
        "suite": "bookworm",
        "packages": ["mariadb-server-core", "mariadb-client-core", "mariadb-server"],
    },
    "mariadb-11.8": {
        "family": "mariadb",
        "suite": "trixie",
        "packages": ["mariadb-server-core", "mariadb-client-core", "mariadb-server"],
    },
}
UNPACK = re.compile(r"^(mysql|mariadb|lib|gcc-\d+-base)")
KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
READY_SECONDS = 180

PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


class ServerError(RuntimeError):
    """Something about a server or its programs; the text says what."""


def cache_folder():
    base = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return pathlib.Path(base) / "calve"


# ---- the programs ------------------------------------------------------------------------------


def debian_mirror():
    """The address of the system's own Debian mirror."""
    found = []
    for path in ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]:
        try:
            text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if path.endswith(".sources"):
            lines = re.findall(r"^URIs:\s*(.*)$", text, re.M)
        else:
            lines = re.findall(r"^deb\s+(?:\[[^]]*\]\s+)?(\S+)", text, re.M)
        for line in lines:
            found += [u for u in line.split() if u.rstrip("/").endswith("/debian")]
    if not found:
        raise ServerError("no line of /etc/apt/sources.list* names a mirror that ends in /debian")
    return found[0].rstrip("/")


def run_command(command, **kwargs):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False, **kwargs)
    if done.returncode != 0:
        raise ServerError(f"{' '.join(map(str, command[:2]))} failed:\n{done.stdout[-3000:]}")
    return done.stdout


def _download(flavor, work):
    """Fetches the flavor's packages and what they need into work/cache/archives."""
    spec = FLAVORS[flavor]
    for folder in ("lists/partial", "cache/archives/partial"):
        (work / folder).mkdir(parents=True)
    (work / "status").touch()
    (work / "sources.list").write_text(
        f"deb [signed-by={KEYRING}] {debian_mirror()} {spec['suite']} main\n", encoding="utf-8")
    apt = ["apt-get", f"-oDir::State::Lists={work}/lists", f"-oDir::Cache={work}/cache",
           f"-oDir::Etc::sourcelist={work}/sources.list", "-oDir::Etc::sourceparts=/dev/null",
           f"-oDir::State::status={work}/status", "-oAPT::Install-Recommends=false",
           "-oAPT::Sandbox::User=root", "-oDebug::NoLocking=true", "-oAcquire::Retries=3",
           "-oAcquire::Languages=none", "-oAPT::Update::Error-Mode=any"]
    last = None
    for attempt in range(4):
        if attempt > 0:
            time.sleep(5 * attempt)
        try:
            run_command([*apt, "update"])
            run_command([*apt, "-y", "--download-only", "install", *spec["packages"]])
            return
        except ServerError as e:
            last = e
    raise last


def server_root(flavor):
    """The folder with the flavor's programs; fetches them when they are not there yet."""
    if flavor not in FLAVORS:
        raise ServerError(f"unknown server {flavor}: know {', '.join(FLAVORS)}")
    final = cache_folder() / "servers" / flavor
    if (final / ".complete").exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    print(f"fetching {flavor} ...", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory(prefix=f".{flavor}-", dir=final.parent) as name:
        work = pathlib.Path(name)
        _download(flavor, work)
        root = work / "root"
        root.mkdir()
        for deb in sorted((work / "cache/archives").glob("*.deb")):
            if UNPACK.match(deb.name):
                run_command(["dpkg", "-x", str(deb), str(root)])
        for waste in ("usr/share/doc", "usr/share/man", "usr/share/locale"):
            shutil.rmtree(root / waste, ignore_errors=True)
        root.chmod(0o755)
        (root / ".complete").touch()
        if final.exists():  # left by an interrupted older way of fetching
            shutil.rmtree(final)
        try:
            root.rename(final)
        except OSError:
            if not (final / ".complete").exists():  # else another process was faster
                raise
    return final


def _open_to_others(path):
    """Whether every user may walk to path."""
    path = pathlib.Path(path).resolve()
    return all(p.stat().st_mode & 0o001 for p in [path, *path.parents] if p.is_dir())


def _reachable_root(flavor):
    """The programs at a path that the server's user can enter.

    When we are root, our home is often closed to others. Then hard links elsewhere lead there: they
    cost no disk and no copying.
    """
    root = server_root(flavor)
    if os.geteuid() != 0 or _open_to_others(root):
        return root
    mark = (root / ".complete").stat()
    shadow = pathlib.Path("/var/tmp") / f"calve-servers-{mark.st_dev:x}-{mark.st_ino:x}"
    final = shadow / flavor
    shadow.mkdir(mode=0o755, exist_ok=True)
    if shadow.lstat().st_uid != 0 or shadow.is_symlink():
        raise ServerError(f"{shadow} is not ours")
    if not (final / ".complete").exists():
        temp = shadow / f".{uuid.uuid4().hex}"
        try:
            run_command(["cp", "-al", str(root), str(temp)])
        except ServerError:  # another file system
            shutil.rmtree(temp, ignore_errors=True)
            run_command(["cp", "-a", str(root), str(temp)])
        try:
            temp.rename(final)
        except OSError:
            shutil.rmtree(temp, ignore_errors=True)
    return final


class Programs:
    """Runs a flavor's programs with the libraries they came with."""

    def __init__(self, flavor):
        self.flavor = flavor
        self.family = FLAVORS[flavor]["family"]
        self.root = _reachable_root(flavor)
        libs = [d for d in [*self.root.glob("usr/lib/*-linux-gnu"), *self.root.glob("lib/*-linux-gnu")]
                if not d.is_symlink()]
        loaders = [f for d in libs for f in d.glob("ld-linux*.so.*") if f.exists()]
        if not loaders:
            raise ServerError(f"no ld-linux under {self.root}: remove the folder and fetch again")
        private = [self.root / "usr/lib/mysql/private", self.root / "usr/lib/mysql"]
        self.loader = str(loaders[0])
        shares = [self.root / "usr/share" / n for n in ("mariadb", "mysql")]
        self.share = next(d for d in shares if (d / "english/errmsg.sys").exists())
        self.library_path = ":".join(str(d) for d in [*libs, *private])

    def command(self, name):
        """The words that start a program: mysqld, mysql, mysqlbinlog, …"""
        names = [name]
        if self.family == "mariadb":
            names = [{"mysqld": "mariadbd", "mysql": "mariadb", "mysqlbinlog": "mariadb-binlog",
                      "mysqldump": "mariadb-dump"}.get(name, name)]
        for folder in ("usr/sbin", "usr/bin"):
            path = self.root / folder / names[0]
            if path.exists():
                return [self.loader, "--library-path", self.library_path, str(path)]
        raise ServerError(f"{self.flavor} has no program {name}")

    def base_flags(self):
        flags = ["--no-defaults", f"--basedir={self.root}/usr",
                 f"--plugin-dir={self.root}/usr/lib/mysql/plugin",
                 f"--lc-messages-dir={self.share}"]
        if self.family == "mysql":
            return flags
        return [*flags, f"--character-sets-dir={self.share}/charsets"]


# ---- processes ---------------------------------------------------------------------------------


def _server_user():
    """(uid, gid) for the server when we are root, else None. A server never runs as root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return entry.pw_uid, entry.pw_gid


def child_setup(user, parent, detached):
    """Runs in the child, before the program: gives up root, and ties its life to ours."""

    def setup():
        if detached:
            os.setsid()
        if user is not None:
            os.setgroups([])
            os.setgid(user[1])
            os.setuid(user[0])  # clears the death signal: so this comes first
        if not detached:
            _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(1)

    return setup


def _give(path, user):
    if user is not None:
        run_command(["chown", "-R", f"{user[0]}:{user[1]}", str(path)])


def temp_base():
    """A folder for data that the server's user can enter."""
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if os.path.isdir(base) and (os.geteuid() != 0 or _open_to_others(base)):
            return base
    raise ServerError("no temporary folder that other users may enter")


def sweep():
    """Removes data that killed processes left."""
    for path in glob.glob(os.path.join(temp_base(), "calve-server-*")):
        owner = re.match(r"calve-server-(\d+)-", os.path.basename(path))
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            shutil.rmtree(path, ignore_errors=True)


def process_start(pid):
    """When a process started, to tell it from a later one of the same number; None: it is gone."""
    try:
        text = pathlib.Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return None
    fields = text.rsplit(")", 1)[1].split()
    return None if fields[0] == "Z" else fields[19]


def _copy_tree(source, target):
    run_command(["cp", "-a", "--reflink=auto", "--sparse=always", f"{source}/.", str(target)])


def _initialise(programs, data, scratch, user):
    """Makes an empty server in the folder data."""
    base = [*programs.base_flags(), f"--tmpdir={scratch}"]
    if programs.family == "mysql":
        command = [*programs.command("mysqld"), *base, f"--datadir={data}", "--initialize-insecure",
                   "--innodb-redo-log-capacity=8M", "--innodb-use-native-aio=OFF", "--mysqlx=OFF"]
        sql = ""
    else:
        share = programs.share
        old = (share / "mysql_system_tables.sql").exists()  # names before 11
        prefix = "mysql" if old else "mariadb"
        parts = ["create database if not exists mysql;\nuse mysql;\nSET @auth_root_socket=NULL;\n"]
        parts += [(share / name).read_text(encoding="utf-8") for name in (
            f"{prefix}_system_tables.sql", f"{prefix}_performance_tables.sql",
            f"{prefix}_system_tables_data.sql", "maria_add_gis_sp_bootstrap.sql",
            f"{prefix}_sys_schema.sql")]
        parts += ["\ndelete from mysql.global_priv where User='';\n"]
        sql = "".join(parts)
        command = [*programs.command("mysqld"), *base, f"--datadir={data}", "--bootstrap",
                   "--skip-log-bin", "--innodb-log-file-size=8M", "--innodb-use-native-aio=OFF",
                   "--max-allowed-packet=8M", "--net-buffer-length=16K", "--log-warnings=0"]
    done = subprocess.run(command, input=sql, text=True, capture_output=True, check=False,
                          errors="replace", cwd=data, preexec_fn=child_setup(user, os.getpid(), False))
    if done.returncode != 0:
        raise ServerError(f"initialising {programs.flavor} failed:\n{done.stderr[-3000:]}")
    for name in ("auto.cnf", "server_uuid"):  # each copy is a server of its own
        (pathlib.Path(data) / name).unlink(missing_ok=True)


def template(programs):
    """A folder with an empty server of this flavor, made once and copied from then on."""
    recipe = pathlib.Path(__file__).read_text(encoding="utf-8")
    recipe = recipe[recipe.index("def _initialise"):recipe.index("def template")]
    stamp = (server_root(programs.flavor) / ".complete").stat().st_mtime_ns
    name = hashlib.sha256(f"{recipe}{stamp}".encode()).hexdigest()[:12]
    final = cache_folder() / "templates" / f"{programs.flavor}-{name}"
    if final.exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    user = _server_user()
    with tempfile.TemporaryDirectory(prefix=f"calve-server-{os.getpid()}-", dir=temp_base()) as work:
        os.chmod(work, 0o711)
        data, scratch = (pathlib.Path(work) / name for name in ("data", "tmp"))
        for path in (data, scratch):
            path.mkdir()
            _give(path, user)
        _initialise(programs, data, scratch, user)
        temp = final.parent / f".{uuid.uuid4().hex}"
        temp.mkdir()
        try:
            _copy_tree(data, temp)
            temp.rename(final)
        except OSError:
            if not final.exists():
                raise
        finally:
            shutil.rmtree(temp, ignore_errors=True)
    return final


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def _greets(path):
    """Whether a server answers on the socket with its handshake."""
    try:
        with socket.socket(socket.AF_UNIX) as s:
            s.settimeout(2)
            s.connect(str(path))
            head = s.recv(5)
            return len(head) == 5 and head[4] == 10
    except OSError:
        return False


class Server:
    """One private server. Settings are as in a my.cnf; None removes one of ours.

    Attributes: flavor, family ("mysql" or "mariadb"), host, port, socket, folder, data, log, pid.
    """

    def __init__(self, flavor, settings=None, data_from=None, detached=False):
        self.flavor = flavor
        self.programs = Programs(flavor)
        self.family = self.programs.family
        self.host = "127.0.0.1"
        self.port = free_port()
        self.settings = dict(settings or {})
        self.detached = detached
        self.process = None
        self.pid = None
        self._user = _server_user()
        sweep()
        prefix = "calve-detached-" if detached else f"calve-server-{os.getpid()}-"
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=temp_base()))
        self.folder.chmod(0o711)
        self.data = self.folder / "data"
        self.files = self.folder / "files"  # the only place for LOAD DATA and INTO OUTFILE
        self.temp = self.folder / "tmp"
        self.log = self.folder / "log/error.log"
        self.socket = self.folder / "run/sock"
        made = (self.data, self.files, self.temp, self.log.parent, self.socket.parent)
        for path in made:
            path.mkdir()
        if not detached:
            atexit.register(self.remove)
        _copy_tree(data_from or template(self.programs), self.data)
        for path in made:
            _give(path, self._user)
        self.files.chmod(0o777)

    # -- life --

    def _defaults(self):
        flags = {
            "datadir": self.data,
            "tmpdir": self.temp,  # a server that starts removes the temporary tables it finds there
            "socket": self.socket,
            "pid-file": f"{self.socket.parent}/pid",
            "port": self.port,
            "bind-address": "127.0.0.1",
            "log-error": self.log,
            "secure-file-priv": self.files,
            "log-bin": "binlog",
            "server-id": 1,
            "binlog-format": "ROW",
            "sync-binlog": 0,
            "innodb-flush-log-at-trx-commit": 2,
            "innodb-buffer-pool-size": "128M",
            "innodb-use-native-aio": "OFF",  # the machine has room for the contexts of some 28 servers only
            "max-allowed-packet": "1G",
            "performance-schema": "OFF",
            "skip-name-resolve": "OFF",
            "default-time-zone": "+00:00",
            "local-infile": "ON",
        }
        if self.family == "mysql":
            flags |= {"gtid-mode": "ON", "enforce-gtid-consistency": "ON", "mysqlx": "OFF",
                      "innodb-redo-log-capacity": "256M"}
            del flags["binlog-format"]  # ROW is the default, and naming it is deprecated
        else:
            flags |= {"innodb-log-file-size": "96M"}
        return flags

    def command(self):
        flags = self._defaults()
        for name, value in self.settings.items():
            name = name.replace("_", "-")
            if value is None or value == "":
                flags.pop(name, None)
            else:
                flags[name] = value
        words = [f"--{n}" if v is True else f"--{n}={v}" for n, v in flags.items()]
        return [*self.programs.command("mysqld"), *self.programs.base_flags(), *words]

    def start(self):
        """Starts it, or starts it again, and waits until it answers."""
        for attempt in range(3):
            self.socket.unlink(missing_ok=True)
            setup = child_setup(self._user, os.getpid(), self.detached)
            with open(self.folder / "stderr", "ab") as err:
                self.process = subprocess.Popen(self.command(), cwd=self.data, stdin=subprocess.DEVNULL,
                                                stdout=err, stderr=err, preexec_fn=setup)
            self.pid = self.process.pid
            if self._wait_ready():
                self._write_state()
                return self
            port_taken = re.search(r"[Bb]ind on TCP/IP port|Address already in use", self.log_tail())
            if not port_taken or attempt == 2:
                break
            self.port = free_port()
        raise ServerError(f"{self.flavor} did not start:\n{self.log_tail()}")

    def _wait_ready(self):
        end = time.monotonic() + READY_SECONDS
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            if self.socket.exists() and _greets(self.socket):
                return True
            time.sleep(0.05)
        self.kill9()
        return False

    def log_tail(self, size=3000):
        text = ""
        for path in (self.folder / "stderr", self.log):
            try:
                text += path.read_text(encoding="utf-8", errors="replace")[-size:]
            except OSError:
                pass
        return text[-size:]

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=60):
        """Ends it as an administrator would; kills it when that takes too long."""
        if self.running():
            self.process.terminate()
            try:
                self.process.wait(timeout)
            except subprocess.TimeoutExpired:
                self.kill9()
        self.process = None

    def kill9(self):
        if self.running():
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self, **settings):
        """Stops it and starts it with settings changed."""
        self.stop()
        self.settings |= settings
        return self.start()

    def remove(self):
        """Ends it at once and removes its data."""
        self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.remove)

    def __enter__(self):
        return self.start() if not self.running() else self

    def __exit__(self, *_):
        self.remove()

    # -- use --

    def url(self, user="root", password="", scheme=None):
        secret = f":{password}" if password else ""
        return f"{scheme or self.family}://{user}{secret}@{self.host}:{self.port}"

    def connect(self, **kwargs):
        """A PyMySQL connection as root; autocommit, session in UTC."""
        import pymysql  # pylint: disable=import-outside-toplevel

        options = {"user": "root", "unix_socket": str(self.socket), "autocommit": True,
                   "charset": "utf8mb4", "local_infile": True, "max_allowed_packet": 1 << 30}
        options.update(kwargs)
        if "host" in options:
            options.pop("unix_socket")
            options.setdefault("port", self.port)
        return pymysql.connect(**options)

    def client(self, name, *words, **kwargs):
        """Popen of a client program (mysql, mysqlbinlog, …) that knows how to reach this server."""
        command = [*self.programs.command(name), "--no-defaults", "--user=root", *words]
        if not any(w.startswith("--host") for w in words):
            command.insert(5, f"--socket={self.socket}")
        return subprocess.Popen(command, **kwargs)

    def describe(self):
        return {"flavor": self.flavor, "pid": self.pid, "start": process_start(self.pid),
                "host": self.host, "port": self.port, "socket": str(self.socket), "user": "root",
                "password": "", "url": self.url(), "folder": str(self.folder), "log": str(self.log)}

    def _write_state(self):
        state = self.folder / "state.json"
        state.write_text(json.dumps(self.describe()), encoding="utf-8")


# ---- command line ------------------------------------------------------------------------------


def _detached():
    for path in sorted(glob.glob(os.path.join(temp_base(), "calve-detached-*"))):
        try:
            if os.stat(path).st_uid == os.geteuid():
                yield json.loads(pathlib.Path(path, "state.json").read_text(encoding="utf-8"))
        except (OSError, ValueError):
            continue


def _stop_detached(state):
    pid = state["pid"]
    if process_start(pid) == state["start"]:
        os.kill(pid, signal.SIGTERM)
        end = time.monotonic() + 60
        while process_start(pid) == state["start"]:
            if time.monotonic() > end:
                os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)
    shutil.rmtree(state["folder"], ignore_errors=True)


def _cmd_start(args):
    settings = dict(o.split("=", 1) for o in args.settings)
    server = Server(args.flavor, settings, detached=True)
    try:
        server.start()
    except BaseException:
        server.remove()
        raise
    if args.print:
        print(json.dumps(server.describe()))
        return
    print(f"{server.flavor} runs: pid {server.pid}\n  url     {server.url()}\n"
          f"  socket  {server.socket}\n  log     {server.log}\n"
          f"  client  {' '.join(server.programs.command('mysql'))} --no-defaults -uroot "
          f"--socket={server.socket}\n  stop    {sys.argv[0]} stop {server.folder}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="get the programs")
    fetch.add_argument("flavors", nargs="*", metavar="FLAVOR")
    start = commands.add_parser("start", help="start a server in the background")
    start.add_argument("--print", action="store_true", help="print one JSON object")
    start.add_argument("flavor", metavar="FLAVOR", choices=sorted(FLAVORS))
    start.add_argument("settings", nargs="*", metavar="NAME=VALUE")
    stop = commands.add_parser("stop", help="end servers of the background and remove their data")
    stop.add_argument("folders", nargs="*", metavar="FOLDER")
    commands.add_parser("list", help="what runs in the background")
    args = parser.parse_args()
    try:
        if args.command == "fetch":
            for flavor in args.flavors or FLAVORS:
                print(server_root(flavor))
        elif args.command == "start":
            _cmd_start(args)
        elif args.command == "stop":
            for state in list(_detached()):
                if not args.folders or state["folder"] in args.folders:
                    _stop_detached(state)
        else:
            for state in _detached():
                alive = "runs" if process_start(state["pid"]) == state["start"] else "ended"
                print(f"{state['flavor']:14} {alive}  {state['url']}  {state['folder']}")
    except ServerError as e:
        sys.exit(f"servers.py: {e}")


if __name__ == "__main__":
    main()
