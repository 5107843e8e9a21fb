"""What a user is told when a setting, a grant or a service is wrong: the cause, the setting, and soon.

For `calve run` and `calve check`, with the time limits that they have when nothing is set.
"""

import re
import socket
import time

import pytest

from aws import SECRET
from rest_guard import Basic, Bearer, Signed

SECONDS_MAX = 20  # it is meant to be 10; machines are busy
ILL_SECONDS_MAX = 60  # of services that are there and do not do their work; a run has 120
CONFIG, FAILED, WRONG = 2, 1, 3  # exit status
DEFAULTS = {"http-retry-timeout": None, "http-request-timeout": None, "log-level": "info"}


def closed_port():
    """An address where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{taken.getsockname()[1]}"


class Deaf:
    """An address that packets do not come back from, as behind a firewall: its queue of connections is full."""

    def __init__(self):
        self.sockets = [socket.socket()]
        self.sockets[0].bind(("127.0.0.1", 0))
        self.sockets[0].listen(0)
        self.address = self.sockets[0].getsockname()
        while self._fill():
            pass

    def _fill(self):
        self.sockets.append(socket.socket())
        self.sockets[-1].settimeout(0.3)
        try:
            self.sockets[-1].connect(self.address)
        except TimeoutError:
            return False
        return True


NOBODY = "http://nowhere.invalid:9000"
PAGE = "<html><head><title>x</title></head><body><h1>Please log in</h1></body></html>"


def option(**changes):
    return lambda place: place.options.update({k.replace("_", "-"): v for k, v in changes.items()})


def secret(text):
    return lambda place: place.env.update({"CALVE_CLIENT_SECRET_ACCESS_KEY": text})


def denied(server, operation, keys=("*",)):
    """A grant that is missing: of "s3" or of the "catalog"."""

    def deny(place):
        if server == "s3":
            for key in keys:
                place.s3.deny(operation, key, bucket=place.bucket)
        else:
            place.catalog.deny(operation)

    return deny


def page(proxy, status):
    return lambda place: getattr(place, proxy).rules.answer("*", status, PAGE, times=None)


def refused(name):
    return lambda place: place.options.update({name: f"http://{closed_port()}"})


def dropped(name):
    def ask(place):
        place.deaf = Deaf()  # for as long as the place is there
        place.options[name] = f"http://127.0.0.1:{place.deaf.address[1]}"

    return ask


def guard(guard_of_catalog, **env):
    def ask(place):
        place.catalog_proxy.guard = guard_of_catalog
        place.env |= env

    return ask


def wrong_warehouse(place):
    place.options["rest-warehouse"] = "nowhere"
    place.catalog_proxy.rules.fail("Config", "NotFoundException", status=404, times=None,
                                   message="Unable to find warehouse nowhere")


def signed_for_elsewhere(place):
    """SigV4 in front of the catalog, for another region than calve signs for."""
    keys = place.s3.keys
    place.catalog_proxy.guard = Signed(keys, "us-west-2", "glue")
    place.env["CALVE_REST_SIGV4"] = "true"
    place.options["rest-signing-name"] = "glue"


def deaf_token_server(place):
    place.options["rest-oauth2-server-uri"] = f"http://{closed_port()}/token"
    place.env["CALVE_REST_CREDENTIAL"] = "calve:the client's secret"


OURS = ("*.parquet", "*.avro", "*/object.txt")  # what the REST server does not write itself
SECRET_IS_WRONG = ("the secret is not the one of the access key id", "access-key-id")
UNKNOWN_NAME = "could not be resolved|resolving the host's name"
NO_CONNECTION = "no connection in|could not connect|not done in"
NOT_A_CATALOG = ("is catalog.uri the address of an Iceberg REST catalog",)
SIGN_IN = ("rest.token", "rest.credential")

# kind, what, how, words of both commands, status of run
CASES = [
    ("glue", "a wrong secret", secret("wrong-secret-0123456789"), SECRET_IS_WRONG, CONFIG),
    ("glue", "an unknown access key", option(client_access_key_id="AKIDNOBODY"),
     ("does not know the access key id", "access-key-id"), CONFIG),
    ("glue", "a wrong region", option(client_region="us-west-2"), ("us-west-2", "glue.region"), CONFIG),
    ("glue", "a missing bucket", option(warehouse="s3://no-such-bucket/lake"),
     ("NoSuchBucket", "no bucket 'no-such-bucket'", "warehouse"), CONFIG),
    ("glue", "no leave to write", denied("s3", "PutObject"), ("AccessDenied", "s3:PutObject", "IAM policy"), CONFIG),
    ("glue", "no leave to get tables", denied("catalog", "GetTable"),
     ("AccessDeniedException", "glue:GetTable", "Lake Formation", "Describe"), CONFIG),
    ("glue", "no leave to make tables", denied("catalog", "CreateTable"),
     ("AccessDeniedException", "glue:CreateTable", "Lake Formation", "Create table"), CONFIG),
    ("glue", "no leave to change tables", denied("catalog", "UpdateTable"),
     ("AccessDeniedException", "glue:UpdateTable", "Lake Formation", "Alter"), CONFIG),
    ("glue", "S3's port is closed", refused("s3-endpoint"), ("Connection refused", "s3.endpoint"), FAILED),
    ("glue", "S3's name is unknown", option(s3_endpoint=NOBODY),
     ("nowhere.invalid", UNKNOWN_NAME, "s3.endpoint"), FAILED),
    ("glue", "S3's packets are dropped", dropped("s3-endpoint"), (NO_CONNECTION, "s3.endpoint"), FAILED),
    ("glue", "Glue's packets are dropped", dropped("glue-endpoint"), (NO_CONNECTION, "glue.endpoint"), FAILED),
    ("glue", "Glue's port is closed", refused("glue-endpoint"), ("Connection refused", "glue.endpoint"), FAILED),
    ("glue", "Glue's name is unknown", option(glue_endpoint=NOBODY),
     ("nowhere.invalid", UNKNOWN_NAME, "glue.endpoint"), FAILED),
    ("glue", "a page instead of S3", page("s3_proxy", 404), ("answered 404", "s3.endpoint"), FAILED),
    ("glue", "a page that says all is well instead of S3", page("s3_proxy", 200), ("ETag", "s3.endpoint"), FAILED),
    ("glue", "a page instead of Glue", page("catalog_proxy", 404), ("answered 404", "glue.endpoint"), CONFIG),
    ("glue", "a page that says all is well instead of Glue", page("catalog_proxy", 200), ("not JSON", "glue.endpoint"),
     FAILED),
    ("rest", "a wrong token", guard(Bearer("right"), CALVE_REST_TOKEN="wrong-token-0123456789"),
     ("401", "rest.token is wrong"), CONFIG),
    ("rest", "no token", guard(Bearer("right")), ("401", *SIGN_IN), CONFIG),
    ("rest", "a wrong password", guard(Basic("calve", "right"), CALVE_REST_USER="calve",
                                       CALVE_REST_PASSWORD="wrong-password-0123456789"),
     ("401", "rest.user and rest.password"), CONFIG),
    ("rest", "signed for another region", signed_for_elsewhere, ("rest.signing-region",), CONFIG),
    ("rest", "a token server that is not there", deaf_token_server,
     ("getting a token", "Connection refused", "rest.oauth2-server-uri"), FAILED),
    ("rest", "a wrong warehouse", wrong_warehouse, ("warehouse nowhere", "rest.warehouse"), CONFIG),
    ("rest", "a wrong path", lambda place: place.options.update({"catalog-uri": f"{place.catalog_proxy.url}/wrong"}),
     ("/wrong", "catalog.uri"), CONFIG),
    ("rest", "a page of a web server", page("catalog_proxy", 404), ("answered 404", *NOT_A_CATALOG), CONFIG),
    ("rest", "a page that says all is well", page("catalog_proxy", 200), ("not JSON", *NOT_A_CATALOG), FAILED),
    ("rest", "its packets are dropped", dropped("catalog-uri"), (NO_CONNECTION, "catalog.uri"), FAILED),
    ("rest", "its port is closed", refused("catalog-uri"), ("Connection refused", "catalog.uri"), FAILED),
    ("rest", "its name is unknown", option(catalog_uri=NOBODY), ("nowhere.invalid", UNKNOWN_NAME, "catalog.uri"),
     FAILED),
    ("rest", "a wrong secret for S3", secret("wrong-secret-0123456789"), SECRET_IS_WRONG, CONFIG),
    ("rest", "no leave to write", denied("s3", "PutObject", OURS), ("AccessDenied", "s3:PutObject", "IAM policy"),
     CONFIG),
    ("rest", "S3's port is closed", refused("s3-endpoint"), ("Connection refused", "s3.endpoint"), FAILED),
]


@pytest.fixture
def make_lake(make_source, make_calve, make_place):
    """A calve with a table to copy, and its place."""

    def make(kind):
        source, place = make_source("mysql-9"), make_place(kind)
        source.sql("CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
        return source, place, lambda: make_calve(source, place=place, options=DEFAULTS)

    return make


def ask(calve, *command, seconds_max=SECONDS_MAX, **options):
    """Runs it; it must have its say in time, without any secret."""
    return hear(calve.start(*command, **options), time.monotonic(), seconds_max)


def hear(running, started, seconds_max=SECONDS_MAX):
    result = running.wait(4 * seconds_max)
    seconds = time.monotonic() - started
    print(f"{running.args[0]}: status {result.status} in {seconds:.1f} s")
    assert seconds < seconds_max, result
    for text in (SECRET, "wrong-secret", "wrong-token", "wrong-password", "client's secret"):
        assert text not in result.out + result.log, result
    return result


def wrong_lines(result):
    return [line for line in result.out.splitlines() if line.startswith("WRONG")]


def missing(words, text):
    """a|b: one of the two will do."""
    return [w for w in words if not any(part in text for part in w.split("|"))]


@pytest.mark.parametrize("kind,how,words,status", [
    pytest.param(kind, how, words, status, id=f"{kind}: {what}") for kind, what, how, words, status in CASES])
def test_what_is_wrong_is_said(kind, how, words, status, make_lake):
    _, place, make = make_lake(kind)
    how(place)
    calve = make()
    started = time.monotonic()
    running = calve.start("run", until="current")
    ran = None if status == FAILED else hear(running, started)  # what nobody answers, both can wait for
    checked = ask(calve, "check")
    ran = ran or hear(running, started, seconds_max=2 * SECONDS_MAX)
    assert ran.status == status and not missing(words, ran.error), ran
    if checked.status == 0:  # a REST catalog's store is tried by a table, for which the run had to make a namespace
        checked = ask(calve, "check")
    found = wrong_lines(checked)
    assert checked.status == WRONG and any(not missing(words, line) for line in found), checked


@pytest.mark.parametrize("kind,operation,words", [
    ("glue", "ListObjectsV2", ("list:", "s3:ListBucket")), ("glue", "DeleteObject", ("delete:", "s3:DeleteObject")),
    ("glue", "GetObject", ("AccessDenied", "s3:GetObject", "IAM policy")),
    ("rest", "DeleteObject", ("delete:", "s3:DeleteObject")), ("glue", "GetTables", ("glue:GetTables", "Describe"))])
def test_check_finds_what_a_run_needs_later(kind, operation, words, make_lake):
    """A first run does well without these."""
    _, place, make = make_lake(kind)
    denied("catalog" if operation == "GetTables" else "s3", operation)(place)
    calve = make()
    assert ask(calve, "run", until="current").status == 0
    checked = ask(calve, "check")
    assert checked.status == WRONG and any(not missing(words, line) for line in wrong_lines(checked)), checked


@pytest.mark.parametrize("kind,operation", [("glue", "DeleteTable"), ("rest", "DropTable")])
def test_check_leaves_a_table_that_it_may_not_drop_as_it_is(kind, operation, make_lake):
    _, place, make = make_lake(kind)
    calve = make()
    assert ask(calve, "run", until="current").status == 0
    before = set(calve.lake.tables())
    place.catalog_proxy.rules.fail(operation, "AccessDeniedException" if kind == "glue" else "ForbiddenException",
                                   times=None)
    checked = ask(calve, "check")
    assert checked.status == WRONG and any(line.startswith("WRONG drop table:") for line in wrong_lines(checked)), checked
    ((schema, table),) = set(calve.lake.tables()) - before
    assert f"the table {schema}.{table} stays behind" in checked.out
    assert calve.lake.table(schema, table).scan().to_arrow().num_rows == 0


@pytest.mark.parametrize("kind", ["glue", "moto", "rest"])
def test_check_likes_a_lake_that_is_fine(kind, make_lake):
    """Before the first run, after it, and when a schema was added; it leaves nothing behind."""
    source, place, make = make_lake(kind)
    calve = make()
    for step in range(3):
        before = place.names(), calve.lake.tables() if step else []
        checked = ask(calve, "check")
        assert checked.status == 0 and not wrong_lines(checked), checked
        assert (place.names(), calve.lake.tables() if step else []) == before
        if step == 0:
            assert ask(calve, "run", until="current").status == 0
        elif step == 1:
            other = f"{source.schema}_more"
            source.sql(f"CREATE DATABASE {other}", f"CREATE TABLE {other}.t (id INT PRIMARY KEY)")
            calve.options["table"] = f"{source.schema}.*,{other}.*"
    assert ask(calve, "status").status == 0
    source.sql(f"DROP DATABASE {other}")


# ---- clocks ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ahead_s", [3600, -3600])
def test_a_clock_that_is_an_hour_off(ahead_s, make_lake):
    """calve goes by the services' clock, and says so."""
    _, place, make = make_lake("glue")
    place.s3.clock_ahead_s = place.catalog.clock_ahead_s = ahead_s
    calve = make()
    ran = ask(calve, "run", until="current")
    assert ran.status == 0, ran
    told = {e["service"]: e["ahead_s"] for e in ran.named("aws.clock")}
    assert set(told) == {"S3", "Glue"} and all(abs(s + ahead_s) < 60 for s in told.values()), ran


def test_a_clock_that_is_off_and_a_service_that_does_not_say_its_own(make_lake):
    _, place, make = make_lake("glue")
    place.catalog.clock_ahead_s = 3600

    def without_date(_request, response):
        response.headers = [(n, v) for n, v in response.headers if n != "Date"]
        return response

    place.catalog_proxy.rewrite = without_date
    calve = make()
    ran = ask(calve, "run", until="current")
    assert ran.status == CONFIG and "is this machine's clock right?" in ran.error, ran
    checked = ask(calve, "check")
    assert checked.status == WRONG, checked
    assert any("is this machine's clock right?" in line for line in wrong_lines(checked)), checked


# ---- a service that is ill -------------------------------------------------------------------------


@pytest.mark.parametrize("kind,proxy,fault", [
    ("glue", "s3_proxy", "SlowDown"), ("glue", "catalog_proxy", "timeout_before"),
    ("rest", "catalog_proxy", "ServiceUnavailableException")])
def test_check_does_not_wait_for_a_service_that_is_ill(kind, proxy, fault, make_lake):
    """A run tries again for http.retry-timeout, two minutes; somebody waits for check."""
    _, place, make = make_lake(kind)
    rules = getattr(place, proxy).rules
    if fault == "timeout_before":
        rules.act("*", fault, times=None)
    else:
        rules.fail("*", fault, times=None)
    checked = ask(make(), "check", seconds_max=ILL_SECONDS_MAX)
    lines = wrong_lines(checked)
    assert checked.status == WRONG and lines, checked
    assert any(re.search(r"answered 503|not done in|no byte came", line) for line in lines), checked
