"""The end of a server: it finishes what was asked, ends git and exits 0; hanging remotes hold nobody."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.end_to_end.client import RELOAD_PATH, Client
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.received_requests import await_received
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import IMAGE, person
from tests.end_to_end.server_process import Serve, ServerProcess
from tests.end_to_end.waiting import DEADLINE_S, eventually
from tests.reload.hosts import SilentHost

IMAGE_URL = "/api/_attachments/posts/food/map.png"
SLOW = 8


@pytest.fixture
def callers() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(SLOW) as pool:
        yield pool


@pytest.fixture
def server(serve: Serve, remote: DataRemote, git: GitOnPath, served_folder: Path) -> ServerProcess:
    """A server whose git can be held; its start-up reload is over."""
    started = serve(served_folder, remote.path, PATH=git.path)
    started.log.wait_for("reload.unchanged", trigger="startup")
    return started


def is_refused(client: Client) -> bool:
    """Whether new connections are refused."""
    try:
        client.get("/healthz")
    except ConnectionError:
        return True
    return False


def test_a_server_runs_git_and_leaves_none_of_it_behind(server: ServerProcess) -> None:
    server.client.reload()
    assert server.others(), "if this fails, the other tests cannot see what is left behind"
    server.stop()
    assert not server.others()
    assert not list(server.repo_path.rglob("*.lock"))


def test_requests_in_flight_are_answered_before_the_end(server: ServerProcess, git: GitOnPath) -> None:
    with server.client.asked("GET", IMAGE_URL, [None] * SLOW) as slow:
        with server.client.connection() as kept, git.gate("attachment") as gate:
            kept.request("GET", "/healthz")
            gate.reached()
            await_received(server.client)
            server.process.send_signal(signal.SIGTERM)
            server.log.wait_for("server.stopping")
            reply = kept.request("GET", "/readyz")
            assert reply.problem(503, "stopping")["ready"] is False
            assert reply.headers["Connection"] == "close"
            eventually(lambda: is_refused(server.client), "new connections are refused")
            assert server.running
        assert [call.answer().body for call in slow] == [IMAGE] * SLOW
    server.ended(0)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_idle_server_ends_at_once_although_clients_stay_connected(
    server: ServerProcess, number: signal.Signals
) -> None:
    with server.client.connection() as kept:
        kept.request("GET", "/api")
        server.process.send_signal(number)
        server.ended(0)


def test_a_reload_in_flight_is_finished_before_the_end(
    server: ServerProcess, remote: DataRemote, git: GitOnPath, callers: ThreadPoolExecutor
) -> None:
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    with git.gate("after-fetch") as gate:
        call = callers.submit(server.client.reload)
        gate.reached()
        server.process.send_signal(signal.SIGTERM)
        server.log.wait_for("server.stopping")
    reply = call.result()
    assert (reply.status, reply.json["newCommit"]) == (200, new)
    server.ended(0)


def test_a_reload_that_hangs_is_ended_and_its_caller_told(
    server: ServerProcess, remote: DataRemote, git: GitOnPath, callers: ThreadPoolExecutor
) -> None:
    old = remote.head
    remote.push({"people/p01.toml": person(1, name="Renamed")})
    with git.gate("before-fetch") as gate:
        call = callers.submit(server.client.reload)
        gate.reached()
        server.process.send_signal(signal.SIGTERM)
        reply = call.result()
        assert reply.status in (500, 502, 503)
        assert reply.problem(reply.status, reply.json["code"])["oldCommit"] == old
        server.ended(0)


def test_a_fetch_that_hangs_at_the_start_does_not_hold_the_end(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    remote.author.bare_clone(tmp_path / "data.git")
    with SilentHost() as host:
        server = serve(tmp_path, host.url, CFP_GIT_TIMEOUT="600")
        server.ready(remote.head)
        assert host.called.wait(DEADLINE_S)
        assert server.client.get("/readyz").json["fresh"] is False
        server.stop()


def test_a_caller_whose_fetch_hangs_is_told_after_the_time_allowed(
    serve: Serve, remote: DataRemote, tmp_path: Path, callers: ThreadPoolExecutor
) -> None:
    remote.author.bare_clone(tmp_path / "data.git")
    with SilentHost() as host:
        server = serve(tmp_path, host.url, CFP_GIT_TIMEOUT="0.5")
        server.ready(remote.head)
        assert host.called.wait(DEADLINE_S)
        call = callers.submit(server.client.reload)
        eventually(lambda: server.client.get("/healthz").status == 200, "it answers meanwhile")
        assert call.result().problem(502, "fetch-failed")["reason"] == "timeout"
        with server.client.asked("POST", RELOAD_PATH, [None]) as (caller,):
            await_received(server.client)
            server.process.send_signal(signal.SIGTERM)
            caller.answer().problem(502, "fetch-failed")
        server.ended(0)


def any_fetch(server: ServerProcess) -> list[int]:
    """The processes of the server that fetch."""
    return [pid for pid in server.others() if b"\0fetch\0" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def test_a_fetch_that_took_too_long_is_gone_with_all_it_started_and_the_next_works(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, PATH=git.path, CFP_GIT_TIMEOUT="1")
    server.log.wait_for("reload.swapped")
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    with git.gate("before-fetch"):
        assert server.client.reload().problem(502, "fetch-failed")["reason"] == "timeout"
        assert not any_fetch(server)
    # One that is no good may come again, where the machine is slow: it has a second for each.
    eventually(lambda: server.client.reload().status == 200, "the next one works")
    server.ready(new)


def test_a_second_signal_ends_a_server_at_once(
    server: ServerProcess, remote: DataRemote, git: GitOnPath, callers: ThreadPoolExecutor
) -> None:
    with git.gate("attachment") as gate:
        slow = callers.submit(server.client.get, IMAGE_URL)
        gate.reached()
        server.process.send_signal(signal.SIGTERM)
        server.log.wait_for("server.stopping")
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE_S) == -signal.SIGTERM
        assert slow.exception() is not None
    server.kill(all_of_it=True)
    server.start()
    server.ready(remote.head)


def test_a_fetch_that_a_killed_server_left_behind_ends_with_the_next_start(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    remote.author.bare_clone(tmp_path / "data.git")
    with SilentHost() as host:
        server = serve(tmp_path, host.url, CFP_GIT_TIMEOUT="600")
        assert host.called.wait(DEADLINE_S)
        server.kill()
        left_behind = set(any_fetch(server))
        assert left_behind
        server.start()
        server.ready(remote.head)
        eventually(lambda: not left_behind & set(server.others()), "the orphan has ended")
