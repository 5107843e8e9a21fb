"""P11: how calve logs in, and what it says when it cannot."""

import pytest

import fake_auth
from fake_auth import Account, Authority
from fake_binlog import insert
from fake_primary import ER_CON_COUNT
from fake_source import T, ids, make_fake_calve, make_log, make_primary  # noqa: F401

PASSWORD = "s3cret!ü"
# As RDS makes them: host, action, signature, and a session token that is the most of it.
TOKEN = ("db.example.eu-central-1.rds.amazonaws.com:3306/?Action=connect&DBUser=calve&X-Amz-Security-Token="
         + "IQoJb3JpZ2luX2VjEJ%2F".ljust(1450, "B") + "&X-Amz-Signature=" + "0f" * 32)

OVER_TCP = [("mysql_native_password", False, "scrambled"), ("caching_sha2_password", True, "scrambled"),
            ("caching_sha2_password", False, "rsa"), ("sha256_password", False, "rsa"),
            ("client_ed25519", False, "signed")]
OVER_TLS = [("mysql_native_password", False, "scrambled"), ("caching_sha2_password", True, "scrambled"),
            ("caching_sha2_password", False, "clear"), ("sha256_password", False, "clear"),
            ("mysql_clear_password", False, "clear"), ("client_ed25519", False, "signed")]


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


@pytest.fixture
def make_login(make_log, make_primary, make_fake_calve):  # noqa: F811
    """make_login(Account(...)): a primary with one row, and a calve that logs in there."""
    def make(account, dialect="mysql-8.0", options=None, **kwargs):
        log = make_log(dialect)
        log.transaction(insert(T, [(1, "a")]))
        primary = make_primary(log, account=account, **kwargs)
        return primary, make_fake_calve(primary, options=options)

    return make


def check_works(primary, calve, account, plugin, form, tls):
    calve.catch_up()
    assert ids(calve) == [1]
    assert set(account.seen) == {(plugin, form)}
    assert {x["tls"] for x in primary.logins} == {tls}


def ways(rows):
    """With the account's plugin as the server's default, and told by AuthSwitchRequest.

    A handshake never names client_ed25519: its nonce is longer.
    """
    asks = pytest.mark.xfail(strict=True, reason="libmariadb 3.3 asks for the key under TLS, too, when "
                                                 "sha256_password is the server's default plugin")
    return [pytest.param(*row, switch,
                         marks=[asks] if row == ("sha256_password", False, "clear") and not switch else [])
            for row in rows for switch in (False, True) if switch or row[0] != "client_ed25519"]


@pytest.mark.parametrize("plugin, cached, form, switch", ways(OVER_TCP))
def test_P11_over_tcp(make_login, plugin, cached, form, switch):
    account = Account("calve", PASSWORD, plugin, cached)
    default = plugin
    if switch:
        default = "mysql_native_password" if "sha" in plugin else "caching_sha2_password"
    primary, calve = make_login(account, plugin=default)
    check_works(primary, calve, account, plugin, form, False)


@pytest.mark.parametrize("plugin, cached, form, switch", ways(OVER_TLS))
def test_P11_over_tls(make_login, authority, plugin, cached, form, switch):
    account = Account("calve", PASSWORD, plugin, cached)
    default = plugin
    if switch:
        default = "mysql_native_password" if "sha" in plugin else "caching_sha2_password"
    primary, calve = make_login(account, plugin=default, tls=authority.server(),
                                options={"mysql-tls": "verify-identity", "mysql-tls-ca": authority.path})
    check_works(primary, calve, account, plugin, form, True)


@pytest.mark.parametrize("plugin", [p for p, cached, _ in OVER_TLS if not cached])
def test_P11_wrong_password(make_login, authority, plugin):
    account = Account("calve", PASSWORD, plugin)
    primary, calve = make_login(account, plugin="mysql_native_password", tls=authority.server())
    account.password = "another"
    result = calve.run("run", until="current")
    assert result.status == 1
    assert "Access denied" in result.error and "mysql.password" in result.error
    assert PASSWORD not in result.log
    assert primary.connections == 1  # no second try: it might lock the account


# ---- clear text ----------------------------------------------------------------------------------

CLEAR = ("mysql_clear_password", "dialog")


def refuses_in_the_open(result, primary):
    assert result.status == 1
    assert "clear text" in result.error and "TLS" in result.error, result.error
    assert PASSWORD not in result.log
    assert not primary.dumps


def sent_in_the_open(primary):
    return any(PASSWORD.encode() in x["proof"] for x in primary.logins) or any(
        form == "open" for _, form in primary.account.seen)


@pytest.mark.parametrize("default", ["mysql_clear_password", "mysql_native_password",
                                     "caching_sha2_password"])
def test_P11_no_clear_text_without_tls(make_login, default):
    """Whatever the server asks for: the password does not go over an open line."""
    account = Account("calve", PASSWORD, "mysql_clear_password")
    primary, calve = make_login(account, plugin=default)
    result = calve.run("run", until="current")
    assert not sent_in_the_open(primary)
    refuses_in_the_open(result, primary)
    result = calve.run("check")
    assert not sent_in_the_open(primary)
    assert result.status != 0 and "clear text" in result.out + result.log


def test_P11_no_dialog_without_tls(make_login):
    """PAM's other plugin sends it in clear text, too."""
    account = Account("calve", PASSWORD, "dialog")
    primary, calve = make_login(account, plugin="mysql_native_password", dialect="mariadb-10.11")
    result = calve.run("run", until="current")
    assert not sent_in_the_open(primary)
    refuses_in_the_open(result, primary)


def test_P11_rds_token(make_login, authority):
    """An IAM token is a password of 1,600 characters, in clear text under TLS."""
    assert len(TOKEN) > 1600
    account = Account("calve", TOKEN, "mysql_clear_password")
    primary, calve = make_login(account, tls=authority.server(),
                                options={"mysql-tls": "verify-ca", "mysql-tls-ca": authority.path})
    check_works(primary, calve, account, "mysql_clear_password", "clear", True)


def test_P11_rds_token_by_environment(make_log, make_primary, make_calve, authority):  # noqa: F811
    log = make_log()
    log.transaction(insert(T, [(1, "a")]))
    account = Account("calve", TOKEN, "mysql_clear_password")
    primary = make_primary(log, account=account, tls=authority.server())
    calve = make_calve(None, "shop.*", env={"CALVE_MYSQL_PASSWORD": TOKEN}, options={
        "source": f"mysql://calve@127.0.0.1:{primary.port}/", "snapshot": "never", "from": "earliest"})
    check_works(primary, calve, account, "mysql_clear_password", "clear", True)


# ---- refusals ------------------------------------------------------------------------------------

def test_P11_too_many_connections(make_login):
    """An error instead of the handshake, with no SQL state in it: tried again, not given up."""
    primary, calve = make_login(Account())
    primary.refuse = (ER_CON_COUNT, "Too many connections")
    result = calve.run("run", until="current")
    assert result.status == 1 and "Too many connections" in result.error
    assert "max_connections" in result.error
    assert "bind_address" not in result.error
    primary.refuse = None
    calve.catch_up()
    assert ids(calve) == [1]


def test_P11_too_many_connections_while_following(make_login):
    primary, calve = make_login(Account())
    run = calve.start("run")
    run.wait_event("source.connected")
    primary.refuse = (ER_CON_COUNT, "Too many connections")
    primary.stop()
    primary.start()
    lost = run.wait_event("source.lost", where=lambda e: "Too many connections" in e["error"])
    assert "max_connections" in lost["error"]
    primary.refuse = None
    run.wait_event("source.connected", count=2)
    assert run.stop().status == 0
    assert ids(calve) == [1]


def test_P11_host_blocked(make_login):
    primary, calve = make_login(Account())
    primary.refuse = (1129, "Host '127.0.0.1' is blocked because of many connection errors")
    result = calve.run("run", until="current")
    assert result.status == 1 and "FLUSH HOSTS" in result.error


def test_P11_second_factor(make_login):
    """A server refuses who has not said that it can give a second factor."""
    account = Account("calve", PASSWORD, "caching_sha2_password", True)
    primary, calve = make_login(account, dialect="mysql-8.4", plugin="caching_sha2_password")
    primary.mfa = True
    result = calve.run("run", until="current")
    assert result.status == 1
    assert "Access denied" in result.error and "second factor" in result.error, result.error
    assert not primary.dumps


def test_P11_unknown_plugin(make_login):
    primary, calve = make_login(Account("calve", PASSWORD, "authentication_kerberos_client"))
    result = calve.run("run", until="current")
    assert result.status == 1
    assert "authentication plugin" in result.error
    assert all(0x20 <= ord(c) < 0x7f for c in result.error), result.error
    assert not primary.dumps


def test_P11_old_password(make_login):
    """AuthSwitchRequest of one byte: the password's form before MySQL 4.1."""
    primary, calve = make_login(Account("calve", PASSWORD, "mysql_old_password"))
    result = calve.run("run", until="current")
    assert result.status == 1 and "authentication plugin" in result.error
    assert not primary.account.seen  # not even a hash
    assert not primary.dumps


# ---- certificates --------------------------------------------------------------------------------

def failing(calve, **options):
    result = calve.run("run", until="current", **options)
    assert result.status == 1, result
    assert PASSWORD not in result.log
    return result.error


@pytest.mark.parametrize("mode", ["verify-ca", "verify-identity"])
def test_P11_expired_certificate(make_login, authority, mode):
    account = Account("calve", PASSWORD)
    _, calve = make_login(account, tls=authority.server(days=(-30, -2)))
    error = failing(calve, mysql_tls=mode, mysql_tls_ca=authority.path)
    assert "expired" in error, error
    assert "not signed" not in error
    assert not account.seen


@pytest.mark.parametrize("mode", ["verify-ca", "verify-identity"])
def test_P11_certificate_of_tomorrow(make_login, authority, mode):
    account = Account("calve", PASSWORD)
    _, calve = make_login(account, tls=authority.server(days=(1, 30)))
    error = failing(calve, mysql_tls=mode, mysql_tls_ca=authority.path)
    assert "not yet valid" in error, error
    assert not account.seen


def test_P11_certificate_of_another_host(make_login, authority):
    account = Account("calve", PASSWORD)
    _, calve = make_login(account, tls=authority.server(hosts=("db.example.com",)))
    error = failing(calve, mysql_tls="verify-identity", mysql_tls_ca=authority.path)
    assert "another name" in error and "verify-ca" in error, error
    assert not account.seen
    calve.ok("run", until="current", mysql_tls="verify-ca", mysql_tls_ca=authority.path)


@pytest.mark.parametrize("mode", ["required", "verify-ca", "verify-identity"])
def test_P11_unknown_authority(make_login, authority, tmp_path, mode):
    account = Account("calve", PASSWORD)
    other = Authority(tmp_path, "other authority")
    _, calve = make_login(account, tls=authority.server())
    error = failing(calve, mysql_tls=mode, mysql_tls_ca=other.path)
    assert "not signed by an authority known here" in error and "mysql.tls-ca" in error, error
    assert not account.seen


def test_P11_no_tls_there(make_login):
    account = Account("calve", PASSWORD)
    primary, calve = make_login(account)
    error = failing(calve, mysql_tls="required")
    assert "TLS" in error and "mysql.tls" in error, error
    assert not account.seen and not primary.logins  # not even the user's name was told


def test_rsa_key_is_told_in_the_servers_form():
    """What the tests above rely on."""
    assert fake_auth.rsa_key().key_size == 2048
