"""Many callers at once share one reload, and everybody is told what is true for them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.end_to_end.client import RELOAD_PATH, SECRET, Client, Connection
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.received_requests import await_received
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import ServerProcess

CALLERS = 10


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(CALLERS) as pool:
        yield pool


@contextlib.contextmanager
def called_while_fetching(client: Client, requests: list[object]) -> Iterator[list[Connection]]:
    """Calls that have all arrived, though none can be answered yet."""
    with client.asked("POST", RELOAD_PATH, requests) as calls:
        await_received(client)
        yield calls


def test_ten_calls_at_once_cost_two_fetches_and_every_answer_is_true(
    server: ServerProcess, remote: DataRemote, git: GitOnPath, callers: ThreadPoolExecutor
) -> None:
    client, old = server.client, remote.head
    first = remote.push({"people/p01.toml": person(1, name="First")})
    fetches = git.calls("fetch")
    with contextlib.ExitStack() as calls:
        with git.gate("after-fetch") as gate:
            early = callers.submit(client.reload, {"commitHash": first})
            gate.reached()
            second = remote.push({"people/p01.toml": person(1, name="Second")})
            requests = [{"commitHash": second}] * 5 + [None] * 4
            late = calls.enter_context(called_while_fetching(client, requests))
        assert early.result().json["newCommit"] in (first, second)
        assert early.result().json["oldCommit"] == old
        for reply in (call.answer() for call in late):
            assert reply.status == 200, reply
            assert reply.json["newCommit"] == second  # not content with a fetch that began before it asked
    assert git.calls("fetch") - fetches == 2
    assert client.get("/api/people/p01").data["record"]["name"] == "Second"


def test_ten_calls_while_the_remote_is_gone_are_all_told_so(
    server: ServerProcess, remote: DataRemote, git: GitOnPath, callers: ThreadPoolExecutor
) -> None:
    remote.vanish()
    fetches = git.calls("fetch")
    with contextlib.ExitStack() as calls:
        with git.gate("before-fetch") as gate:
            first = callers.submit(server.client.reload)
            gate.reached()
            requests = [None] * (CALLERS - 1)
            others = calls.enter_context(called_while_fetching(server.client, requests))
        for reply in (first.result(), *(call.answer() for call in others)):
            reply.problem(502, "fetch-failed")
    assert git.calls("fetch") - fetches == 2


def test_a_reload_goes_on_when_its_caller_goes_away(
    server: ServerProcess, remote: DataRemote, git: GitOnPath
) -> None:
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    request = f"POST {RELOAD_PATH} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n\r\n".encode()
    with git.gate("after-fetch") as gate, server.client.connection() as caller:
        caller.send_only(request)
        gate.reached()
    server.ready(new)
    assert server.log.wait_for("reload.swapped", new_commit=new)["outcome"] == "fast-forwarded"
    assert server.client.status()["lastReload"]["newCommit"] == new
    assert not server.log.of("request.crashed")


def test_readers_are_answered_while_a_reload_waits(
    server: ServerProcess, remote: DataRemote, git: GitOnPath, callers: ThreadPoolExecutor
) -> None:
    old = remote.head
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    for gate_name in ("before-fetch", "after-fetch", "difference"):
        with git.gate(gate_name) as gate:
            call = callers.submit(server.client.reload)
            gate.reached()
            for path in ("/api/people", "/api/people/p01", "/api/_search?q=person", "/healthz", "/readyz"):
                reply = server.client.get(path)
                assert (reply.status, reply.commit) in ((200, old), (200, None)), path
            assert not call.done()
        assert call.result().json["newCommit"] == new
        remote.push({"people/p01.toml": person(1, name=gate_name)})
        old, new = new, remote.head
