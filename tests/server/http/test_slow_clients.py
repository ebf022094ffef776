"""Answers that nobody takes: bounded in bytes, bounded in time, and nobody else's trouble."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client import CollectorRegistry

from server.http.metrics import ConnectionMetrics
from server.http.slow_clients import SEND_BYTES_PER_S, SEND_S, UNSENT_BYTES_MAX, UNSENT_SHARE, SlowClients
from tests.server.live_server import LiveServer, eventually, live_server, read_all


class Stream:
    """A stream that has something to write until it is closed."""

    def __init__(self, *, writing: bool = True) -> None:
        self.open = True
        self._writing = writing

    def writing(self) -> bool:
        return self._writing

    def close(self) -> None:
        self.open = False


class Timer:
    """A call that waits until a test makes it, or it is cancelled."""

    def __init__(self, seconds: float, function: Any) -> None:
        self.seconds, self.function, self.cancelled = seconds, function, False

    def cancel(self) -> None:
        self.cancelled = True


class Waiting:
    """Unsent answers with their timers, in a loop that a test turns."""

    def __init__(self, bytes_max: int = 1_000) -> None:
        self.timers: list[Timer] = []
        self.loop = asyncio.new_event_loop()
        self.slow_clients = SlowClients(self._later, ConnectionMetrics(CollectorRegistry()), bytes_max)

    def _later(self, seconds: float, function: Any) -> Timer:
        self.timers.append(Timer(seconds, function))
        return self.timers[-1]

    def add(self, size: int, peer: str = "a", *, writing: bool = True) -> tuple[Stream, asyncio.Future[None]]:
        stream, sent = Stream(writing=writing), self.loop.create_future()
        self.slow_clients.watch(stream, sent, lambda: peer, size)
        return stream, sent

    def finish(self, sent: asyncio.Future[None]) -> None:
        sent.set_result(None)
        self.loop.run_until_complete(asyncio.sleep(0))


@pytest.fixture
def waiting() -> Iterator[Waiting]:
    made = Waiting()
    yield made
    made.loop.close()


def test_what_the_system_takes_at_once_is_not_watched(waiting: Waiting) -> None:
    waiting.add(500, writing=False)
    waiting.add(0)
    assert (waiting.slow_clients.held, waiting.timers) == (0, [])


def test_an_answer_that_is_taken_in_time_leaves_nothing(waiting: Waiting) -> None:
    stream, sent = waiting.add(200)
    assert waiting.slow_clients.held == 200
    waiting.finish(sent)
    assert (waiting.slow_clients.held, waiting.slow_clients._by_peer, stream.open) == (0, {}, True)
    assert waiting.timers[0].cancelled


def test_a_long_answer_has_more_time_and_none_has_it_for_ever(waiting: Waiting) -> None:
    short, _ = waiting.add(1)
    long, _ = waiting.add(10 * SEND_BYTES_PER_S)
    assert [round(timer.seconds) for timer in waiting.timers] == [SEND_S, SEND_S + 10]
    waiting.timers[0].function()
    assert (short.open, long.open) == (False, True)
    waiting.timers[1].function()
    waiting.timers[1].function()
    assert (long.open, waiting.slow_clients.held) == (False, 0)


def test_one_answer_may_be_of_any_size(waiting: Waiting) -> None:
    stream, _ = waiting.add(5_000)
    assert stream.open


def test_a_peer_that_takes_too_little_loses_its_oldest_connection(waiting: Waiting) -> None:
    other, _ = waiting.add(100, "b")
    mine = [waiting.add(100)[0] for _ in range(5)]
    share = 1_000 // UNSENT_SHARE // 100
    assert [stream.open for stream in mine] == [False] * (5 - share) + [True] * share
    assert other.open


def test_all_peers_together_hold_no_more_than_there_is_room_for(waiting: Waiting) -> None:
    streams = [waiting.add(100, f"peer-{number}")[0] for number in range(25)]
    assert [stream.open for stream in streams] == [False] * 15 + [True] * 10
    assert waiting.slow_clients.held == 1_000


# -- on a real server ---------------------------------------------------------------------------------


PAGE_BYTES = 7_000_000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[LiveServer]:
    """A server with a page of more than PAGE_BYTES, which no system takes at once where nobody reads."""
    with live_server(tmp_path_factory.mktemp("unsent")) as started:
        files = {f"people/p{n}.toml": f'slug = "p{n}"\ntext = "{"x" * 80_000}"\n' for n in range(90)}
        started.work.write(files)
        commit = started.work.commit()
        started.work.push(started.remote)
        assert started.call(commitHash=commit).status == 200
        yield started


def ask_for_much(server: LiveServer, number: int = 0) -> socket.socket:
    """A connection on which a page is asked for and little of it fits."""
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
    connection.settimeout(30)
    connection.bind(("127.0.0.7", 0))
    connection.connect(("127.0.0.1", server.port))
    connection.sendall(f"GET /api/people?limit={200 + number} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
    return connection


def test_a_client_that_reads_late_gets_its_whole_answer(server: LiveServer) -> None:
    unsent = server.service.app.context.slow_clients
    connection = ask_for_much(server)
    with connection:
        eventually(lambda: unsent.held > PAGE_BYTES)
        received = b""
        while len(received) < PAGE_BYTES:
            received += connection.recv(1 << 20)
    eventually(lambda: unsent.held == 0)


def test_many_who_read_nothing_are_let_go_and_others_are_served(server: LiveServer) -> None:
    unsent = server.service.app.context.slow_clients
    cut = server.metric("livesheets_connections_cut_total")
    share = UNSENT_BYTES_MAX // UNSENT_SHARE
    with contextlib.ExitStack() as opened:
        greedy = [opened.enter_context(ask_for_much(server, number)) for number in range(15)]
        eventually(lambda: server.metric("livesheets_connections_cut_total") > cut)
        assert 0 < server.metric("livesheets_unsent_bytes") <= share
        assert server.ask("GET", "/api/people/p1").status == 200
        assert len(server.ask("GET", "/api/people?limit=200").body) > PAGE_BYTES
        assert len(read_all(greedy[0])) < PAGE_BYTES, "it was cut while it read nothing"
    eventually(lambda: unsent.held == 0)
