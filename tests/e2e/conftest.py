"""What end-to-end tests share. Everything that a test starts ends with it, also when it fails."""

import pathlib
import sys

import pytest

HERE = pathlib.Path(__file__).resolve().parent
for folder in (HERE, HERE.parents[1] / "tools"):
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))

pytest.register_assert_rewrite("aws", "lake", "program", "remote_lake", "source")

from aws import aws_servers, make_place  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import
from engines import engine, spark, trino  # noqa: E402,F401  pylint: disable=wrong-import-position,unused-import
from oracle import Oracle  # noqa: E402  pylint: disable=wrong-import-position
from program import Calve  # noqa: E402  pylint: disable=wrong-import-position
from source import FLAVORS, Servers, unique_number  # noqa: E402  pylint: disable=wrong-import-position


@pytest.fixture(scope="session")
def servers():
    """Servers that tests share: one per flavor and settings."""
    found = Servers()
    yield found
    found.close()


@pytest.fixture
def make_source(servers):
    """make_source("mysql-9"): a server with a schema of the test's own."""
    made = []

    def make(flavor, **settings):
        made.append(servers.source(flavor, **settings))
        return made[-1]

    yield make
    for source in made:
        source.drop()


@pytest.fixture(params=FLAVORS)
def source(request, make_source):
    """Each flavor in turn."""
    return make_source(request.param)


@pytest.fixture
def make_calve(tmp_path):
    """make_calve(source, tables): calve with a lake of its own in the test's folder, or in a place on S3."""
    made = []

    def make(source, tables=None, name=None, **kwargs):
        folder = tmp_path / (name or f"calve{len(made)}")
        options = {"mysql-server-id": 1000 + unique_number(), "commit-interval": "200ms"}
        options |= kwargs.pop("options", {})
        if tables is None and source is not None:
            tables = f"{source.schema}.*"
        made.append(Calve(source and source.server, folder, tables, options=options, **kwargs))
        return made[-1]

    yield make
    for calve in made:
        calve.close()


@pytest.fixture
def make_oracle():
    made = []

    def make(source):
        made.append(Oracle(source.server))
        return made[-1]

    yield make
    for oracle in made:
        oracle.close()
