"""Ways to reach a source: TLS, ways to log in, the socket."""

import shutil
import subprocess

import pytest

from test_modes import ids, make_table, write


@pytest.fixture
def make_account(make_source):
    """make_account(source, "IDENTIFIED …"): a user with what calve needs; gone after the test."""
    made = []

    def make(source, how, require=""):
        name = f"u{len(made)}_{source.schema}"
        made.append((source, name))
        grants = "SELECT, RELOAD, REPLICATION SLAVE, REPLICATION CLIENT"
        source.sql(f"CREATE USER '{name}'@'%' {how} {require}", f"GRANT {grants} ON *.* TO '{name}'@'%'")
        return name

    yield make
    for source, name in made:
        source.sql(f"DROP USER '{name}'@'%'")


def certificates(server, folder):
    """Copies of the server's PEM files that anybody may read; servers of MySQL make their own."""
    for name in ("ca.pem", "server-cert.pem", "client-cert.pem", "client-key.pem"):
        shutil.copyfile(server.data / name, folder / name)
        (folder / name).chmod(0o644 if "key" not in name else 0o600)
    return folder


def copy_and_follow(source, calve, first=1):
    """Both kinds of connection: queries and the binlog."""
    result = calve.run("run", until="current")
    if result.status != 0:
        return result
    write(source, 2, first=first)
    result = calve.run("run", until="current")
    assert result.status != 0 or ids(calve, source)[-2:] == [first, first + 1]
    return result


@pytest.mark.parametrize("plugin", ["caching_sha2_password", "sha256_password"])
def test_mysql_passwords_with_and_without_tls(plugin, make_source, make_calve, make_account):
    source = make_source("mysql-9")
    if not source.sql(f"SELECT 1 FROM information_schema.plugins WHERE plugin_name = '{plugin}'"):
        pytest.skip(f"this server has no {plugin}")
    make_table(source, rows=2)
    first = 1
    for tls in ("disabled", "preferred", "required"):
        # A new account each time: after a first login the server remembers the password.
        user = make_account(source, f"IDENTIFIED WITH {plugin} BY 'S3cret/:@#?%'",
                            "REQUIRE SSL" if tls == "required" else "")
        calve = make_calve(source, options={"mysql-tls": tls, "mysql-user": user}, env={"MYSQL_PASSWD": "S3cret/:@#?%"})
        calve.options["source"] = f"mysql://127.0.0.1:{source.server.port}"
        result = copy_and_follow(source, calve, first)
        assert result.status == 0, result
        first += 2
    # And remembered.
    calve.ok("run", until="current")
    # In the URL, where it is not to be seen afterwards.
    calve.options["source"] = f"mysql://{user}:S3cret%2F%3A%40%23%3F%25@127.0.0.1:{source.server.port}"
    result = calve.ok("run", until="current", env={"MYSQL_PASSWD": ""}, mysql_user=None)
    assert "S3cret" not in result.log
    for name, value in (("mysql-password-file", calve.folder / "password"), ("mysql-defaults-file", calve.folder / "my.cnf")):
        (calve.folder / "password").write_text("S3cret/:@#?%\n", encoding="utf-8")
        (calve.folder / "my.cnf").write_text(f'[client]\nuser={user}\npassword="S3cret/:@#?%"\n', encoding="utf-8")
        calve.options["source"] = f"mysql://127.0.0.1:{source.server.port}"
        calve.ok("run", until="current", env={"MYSQL_PASSWD": ""}, **{name: value})
    wrong = calve.run("run", until="current", env={"MYSQL_PASSWD": "wrong"})
    assert wrong.status == 1 and "Access denied" in wrong.error and user in wrong.error, wrong


def test_mysql_tls_modes(make_source, make_calve, make_account, tmp_path):
    source = make_source("mysql-9")
    make_table(source, rows=1)
    pem = certificates(source.server, tmp_path)
    user = make_account(source, "IDENTIFIED BY 'x'", "REQUIRE SSL")

    def attempt(tls, ca=None, **options):
        calve = make_calve(source, user=user, password="x", options={"mysql-tls": tls, "mysql-tls-ca": ca})
        return calve.run("run", until="current", **options)

    for tls in ("preferred", "required"):
        assert attempt(tls).status == 0
    good = attempt("verify-ca", pem / "ca.pem")
    assert good.status == 0, good
    off = attempt("disabled")
    assert off.status == 1 and "Access denied" in off.error, off
    # The certificate names no host, and the system's authorities did not sign it.
    other = attempt("verify-identity", pem / "ca.pem")
    assert other.status == 1 and ("verif" in other.error or "certificate" in other.error.lower()), other
    unknown = attempt("verify-ca", pem / "client-cert.pem")
    assert unknown.status == 1, unknown
    missing = attempt("verify-ca", tmp_path / "none.pem")
    assert missing.status == 1 and "mysql.tls-ca" in missing.error, missing

    user = make_account(source, "IDENTIFIED BY 'x'", "REQUIRE X509")
    refused = attempt("required")
    assert refused.status == 1, refused
    good = attempt("required", mysql_tls_cert=pem / "client-cert.pem", mysql_tls_key=pem / "client-key.pem")
    assert good.status == 0, good


def test_server_without_tls(make_source, make_calve):
    source = make_source("mariadb-10.11")
    make_table(source, rows=1)
    for tls in ("required", "verify-ca"):
        result = make_calve(source, options={"mysql-tls": tls}).run("run", until="current")
        assert result.status == 1 and ("TLS" in result.error or "SSL" in result.error), result
    assert make_calve(source, options={"mysql-tls": "preferred"}).catch_up().status == 0


@pytest.mark.parametrize("flavor", ["mariadb-10.11", "mariadb-11.8"])
def test_mariadb_passwords(flavor, make_source, make_calve, make_account):
    source = make_source(flavor)
    if not source.sql("SELECT 1 FROM information_schema.plugins WHERE plugin_name = 'ed25519'"):
        source.sql("INSTALL SONAME 'auth_ed25519'")
    make_table(source, rows=2)
    first = 1
    for how in ("IDENTIFIED VIA mysql_native_password USING PASSWORD('pw')", "IDENTIFIED VIA ed25519 USING PASSWORD('pw')"):
        user = make_account(source, how)
        for tls in ("disabled", "preferred"):
            calve = make_calve(source, user=user, password="pw", options={"mysql-tls": tls})
            result = copy_and_follow(source, calve, first)
            assert result.status == 0, result
            first += 2
        wrong = make_calve(source, user=user, password="no").run("run", until="current")
        assert wrong.status == 1 and "Access denied" in wrong.error, wrong


def test_socket(source, make_calve):
    make_table(source, rows=1)
    scheme, path = source.family, source.server.socket
    calve = make_calve(source)
    calve.options["source"] = f"{scheme}://root@localhost?socket={path}"
    assert copy_and_follow(source, calve).status == 0
    calve.options["source"] = None
    calve.ok("run", until="current", mysql_socket=path, mysql_user="root")


def test_password_command(make_source, make_calve, make_account):
    """A new password for each connection, as tokens need it; nothing of it in the log."""
    source = make_source("mysql-9")
    make_table(source, rows=2)
    user = make_account(source, "IDENTIFIED BY 'T0ken'")
    calve = make_calve(source)
    calve.options["source"] = f"mysql://{user}@127.0.0.1:{source.server.port}"
    runs = calve.folder / "runs"
    command = f"sh -c 'echo \"$CALVE_USER $CALVE_HOST:$CALVE_PORT\" >> {runs}; echo T0ken'"
    calve.options["mysql-password-command"] = command
    assert copy_and_follow(source, calve).status == 0
    lines = runs.read_text(encoding="utf-8").splitlines()
    assert len(lines) > 4 and set(lines) == {f"{user} 127.0.0.1:{source.server.port}"}
    # A token that has run out is not kept: the next connection asks anew.
    source.sql(f"ALTER USER '{user}'@'%' IDENTIFIED BY 'N3wer'")
    failed = calve.run("run", until="current")
    assert failed.status == 1 and "Access denied" in failed.error and "T0ken" not in failed.log, failed
    calve.options["mysql-password-command"] = command.replace("T0ken", "N3wer")
    calve.catch_up()
    broken = calve.run("run", until="current", mysql_password_command="sh -c 'exit 7'")
    assert broken.status == 1 and "ended with status 7" in broken.error, broken
    both = calve.run("run", env={"CALVE_MYSQL_PASSWORD_COMMAND": "x", "MYSQL_PASSWD": "y"}, mysql_password_command=None)
    assert both.status == 2 and "both set" in both.error, both


def test_certificates_that_are_wrong(make_source, make_calve, make_account, tmp_path):
    """What is wrong with a certificate is said."""
    source = make_source("mysql-9", max_binlog_cache_size="900M")  # a server of this test's own
    make_table(source, rows=1)
    pem = source.server.folder / "pem"
    pem.mkdir()

    def openssl(*words):
        subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, cwd=pem)

    openssl("req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=ca",
            "-days", 30)
    for name, host, days in (("good", "127.0.0.1", 30), ("expired", "127.0.0.1", -1), ("other", "db.example.com", 30)):
        openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj",
                f"/CN={host}")
        openssl("x509", "-req", "-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out",
                f"{name}.pem", "-days", days)
    for path in pem.iterdir():
        path.chmod(0o644)
    pem.chmod(0o755)
    wanted = {"good": None, "expired": "past its end", "other": "made for another name"}
    for name, part in wanted.items():
        source.server.restart(ssl_ca=pem / "ca.pem", ssl_cert=pem / f"{name}.pem", ssl_key=pem / f"{name}.key")
        calve = make_calve(source, options={"mysql-tls": "verify-identity", "mysql-tls-ca": pem / "ca.pem"})
        result = calve.run("run", until="current")
        assert (result.status == 0 if part is None else result.status == 1 and part in result.error), result
    source.server.restart(ssl_cert=pem / "good.pem", ssl_key=pem / "good.key")
    unknown = make_calve(source, options={"mysql-tls": "verify-ca"}).run("run", until="current")
    assert unknown.status == 1 and "not signed by an authority known here" in unknown.error, unknown
    source.connection = source.session()
