"""calve at the door of a REST catalog: tokens, passwords, signatures, and keys that the catalog lends."""

import pytest

from aws import REGION, TokenServer
from fault_proxy import lend_keys
from lake import replay
from rest_guard import Basic, Bearer, OfServer, Signed


@pytest.fixture
def shop(make_source, make_calve, make_place, make_oracle):
    """(place, calve, check): check() copies, follows, and compares with the source."""
    source, place = make_source("mysql-9"), make_place("rest")
    source.sql("CREATE TABLE orders (id INT PRIMARY KEY, note TEXT)", "INSERT INTO orders VALUES (1, 'a'), (2, 'b')")
    calve = make_calve(source, place=place)
    oracle = make_oracle(source)

    def check(env=None, **options):
        calve.ok("check", env=env, **options)
        calve.ok("run", until="current", env=env, **options)
        source.sql("UPDATE orders SET note = 'c' WHERE id = 1", "DELETE FROM orders WHERE id = 2")
        calve.ok("run", until="current", env=env, **options)
        assert replay(calve.lake.changes(source.schema, "orders")) == oracle.by_key(source.schema, "orders")

    place.lake.catalog.create_namespace(source.schema)
    place.lake.catalog.create_namespace("cdc_metadata")
    return place, calve, check


def test_bearer_token(shop):
    place, calve, check = shop
    place.catalog_proxy.guard = Bearer("a-good-token")
    refused = calve.run("run", until="current", env={"CALVE_REST_TOKEN": "another-token"})
    assert refused.status == 2 and "rest.token is wrong, or its time is over" in refused.error
    assert "another-token" not in refused.log
    check(env={"CALVE_REST_TOKEN": "a-good-token"})


def test_client_credentials(shop):
    place, calve, check = shop
    with TokenServer("me", "my secret", scope="lake") as tokens:
        place.catalog_proxy.guard = OfServer(tokens)
        options = {"rest-oauth2-server-uri": tokens.url + "/token", "rest-scope": "lake"}
        refused = calve.run("run", until="current", env={"CALVE_REST_CREDENTIAL": "me:wrong secret"}, **options)
        assert refused.status == 2 and "look at rest.credential" in refused.error
        assert "wrong secret" not in refused.log
        check(env={"CALVE_REST_CREDENTIAL": "me:my secret"}, **options)
        assert tokens.form_last["grant_type"] == "client_credentials"


def test_basic(shop):
    place, calve, check = shop
    place.catalog_proxy.guard = Basic("me", "my password")
    refused = calve.run("run", until="current", rest_user="me", env={"CALVE_REST_PASSWORD": "wrong password"})
    assert refused.status == 2 and "look at rest.user and rest.password" in refused.error
    check(env={"CALVE_REST_PASSWORD": "my password"}, **{"rest-user": "me"})


def test_signatures(shop):
    place, calve, check = shop
    place.catalog_proxy.guard = Signed(place.s3.keys, REGION, "glue")
    env = {"CALVE_REST_SIGV4": "true"}
    refused = calve.run("run", until="current", env=env, **{"rest-signing-name": "s3tables"})
    assert refused.status == 2 and "rest.signing-name" in refused.error, refused
    check(env=env, **{"rest-signing-name": "glue"})


def test_lent_keys(shop):
    """calve has no keys that are good for S3; the catalog lends some with each table."""
    place, calve, check = shop
    calve.options["client-access-key-id"] = "AKIDNOBODY"
    calve.env["CALVE_CLIENT_SECRET_ACCESS_KEY"] = "nothing"
    place.s3.keys.add("LENT", "lent secret", "lent/token")
    place.catalog_proxy.rewrite = lend_keys({
        "s3.access-key-id": "LENT", "s3.secret-access-key": "lent secret", "s3.session-token": "lent/token"})
    check()
    used = {e.header("authorization").split("/")[0].rpartition("=")[2] for e in place.s3_proxy.log if e.status == 200}
    assert used == {"LENT"}
    mark = place.s3_proxy.last_number()
    refused = calve.run("run", until="current", env={"CALVE_REST_VENDED_CREDENTIALS": "false"})
    assert refused.status == 2 and "InvalidAccessKeyId" in refused.error
    assert {e.status for e in place.s3_proxy.entries(since=mark)} == {403}
