"""The servers that the tests start keep out of each other's way."""

import pathlib

import pytest

from servers import Server
from source import FLAVORS


@pytest.mark.parametrize("flavor", FLAVORS)
def test_temporary_tables_survive_the_start_of_another_server(flavor, make_source):
    source = make_source(flavor)
    source.sql("CREATE TEMPORARY TABLE kept (id INT PRIMARY KEY) ENGINE=MyISAM")
    folder = pathlib.Path(source.sql("SELECT @@tmpdir")[0][0])
    before = sorted(folder.glob("#sql*"))
    assert before
    other = Server(flavor)
    try:
        other.start()
        assert sorted(folder.glob("#sql*")) == before
    finally:
        other.remove()


@pytest.mark.parametrize("flavor", FLAVORS)
def test_servers_leave_the_contexts_of_asynchronous_io_to_others(flavor, make_source):
    """The kernel has 65,536 for all processes, and a server takes 2,300."""
    assert make_source(flavor).sql("SELECT @@innodb_use_native_aio")[0][0] == 0
