"""The poller heals a lost webhook, and is quiet while nothing happens."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.restored import RestoredServer, restored_server
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import ServerProcess
from tests.end_to_end.waiting import eventually

POLLS = 'livesheets_reloads_total{outcome="in-sync",trigger="poll"}'


@pytest.fixture(scope="module")
def _restored(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[RestoredServer]:
    """A server that looks for itself."""
    with restored_server(tmp_path_factory.mktemp("polled"), CFP_DATA_POLL_INTERVAL="0.25") as made:
        yield made


def test_a_push_without_a_webhook_becomes_visible(server: ServerProcess, remote: DataRemote) -> None:
    poll = server.client.status()["poll"]
    assert (poll["intervalSeconds"], poll["consecutiveFailures"]) == (0.25, 0)
    assert poll["nextAt"]
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    server.ready(new)
    assert server.client.get("/api/people/p01").data["record"]["name"] == "Renamed"
    assert server.log.wait_for("reload.swapped", new_commit=new)["trigger"] == "poll"
    assert server.client.status()["history"][0]["trigger"] == "poll"


def test_quiet_polls_are_counted_and_not_logged(server: ServerProcess) -> None:
    server.client.get("/healthz", X_Request_Id="quiet-from-here")
    server.log.wait_for("request.finished", request_id="quiet-from-here")
    before, polls = len(server.log.lines), server.client.metrics().get(POLLS, 0)
    eventually(lambda: server.client.metrics().get(POLLS, 0) >= polls + 2, "two polls")
    lines = [line for line in server.log.lines[before:] if line["event"] != "request.finished"]
    assert lines == []


def test_polling_survives_a_remote_that_goes_and_comes_back(
    server: ServerProcess, remote: DataRemote
) -> None:
    old = remote.head
    remote.vanish()
    eventually(lambda: server.client.status()["poll"]["consecutiveFailures"] >= 1, "a poll failed")
    assert server.client.get("/readyz").json == {"ready": True, "fresh": False, "commit": old}
    remote.return_()
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    server.ready(new)
    status = server.client.status()
    assert (status["fresh"], status["poll"]["consecutiveFailures"]) == (True, 0)


def test_polling_tells_of_bad_data_and_serves_what_mends_it(
    server: ServerProcess, remote: DataRemote
) -> None:
    old = remote.head
    bad = remote.push({"people/p01.toml": "x = \n"})
    eventually(lambda: server.client.status()["rejected"], "the commit is refused")
    assert server.client.status()["rejected"]["commit"] == bad
    assert server.client.get("/api").commit == old
    server.ready(remote.push({"people/p01.toml": person(1, name="Mended")}))
