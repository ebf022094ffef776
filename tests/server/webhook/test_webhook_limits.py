"""Whoever floods, dawdles or speaks nonsense is cut off, and nobody else notices."""

from __future__ import annotations

import contextlib
import os
import re
import socket
from collections.abc import Iterator
from typing import Any

import pytest
from tornado.netutil import bind_sockets

from server.http.limits import UNPROVEN_BYTES_MAX, UNPROVEN_SHARE
from server.http.listener import LimitedServer
from server.webhook.handler import BODY_BYTES_MAX, CLIENT_GONE, FORGE_BYTES_MAX, FORGE_KEPT_MAX
from tests.server.live_server import BEARER, WEBHOOK, LiveServer, eventually, live_server, read_all
from tests.server.payloads import SECRET, SECRETS, senders

GITHUB = senders(lambda: 0)["github"]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[LiveServer]:
    """One server for all tests of this file, with the limits that are the default."""
    with live_server(tmp_path_factory.mktemp("limits"), **SECRETS) as started:
        yield started


def head(*lines: str, method: str = "POST", path: str = WEBHOOK) -> bytes:
    """The head of a request, with these header lines."""
    return "\r\n".join([f"{method} {path} HTTP/1.1", "Host: x", *lines, "", ""]).encode("latin-1")


def statuses(answer: bytes) -> list[int]:
    """The status of every response in what came over a connection."""
    return [int(found) for found in re.findall(rb"HTTP/1\.1 (\d{3}) ", answer)]


TOKEN = f"Authorization: Bearer {SECRET}"


# -- headers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [64 << 10, 10 << 20])
def test_a_header_beyond_all_measure_ends_the_connection(server: LiveServer, size: int) -> None:
    with server.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head("Authorization: Bearer " + "x" * size))
        assert statuses(read_all(connection)) in ([], [400], [431])
    assert server.ask("GET", "/healthz").status == 200


@pytest.mark.parametrize(
    "request_bytes",
    [
        head(TOKEN, "Content-Length: 2", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        head(TOKEN, "Content-Length: 2", "Content-Length: 3") + b"{}x",
        head(TOKEN, "Content-Length: +2") + b"{}",
        head(TOKEN, "Transfer-Encoding: xchunked") + b"0\r\n\r\n",
        head(TOKEN, "Transfer-Encoding: chunked, identity") + b"0\r\n\r\n",
        head(TOKEN, "Transfer-Encoding: chunked") + b"zz\r\n{}\r\n0\r\n\r\n",
        head(TOKEN, "Transfer-Encoding : chunked") + b"0\r\n\r\n",
        head(TOKEN, "X-Nul: a\x00b", "Content-Length: 0"),
        head(TOKEN, " folded: line", "Content-Length: 0"),
        head(TOKEN, "Bad Name: x", "Content-Length: 0"),
        head(TOKEN, "Host: y", "Content-Length: 0"),
        b"POST /api/_internal/reload-data HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    ],
    ids=range(12),
)
def test_what_two_parsers_could_read_in_two_ways_is_refused_once(
    server: LiveServer, request_bytes: bytes
) -> None:
    with server.connect() as connection:
        connection.sendall(request_bytes + head(method="GET", path="/healthz"))
        assert statuses(read_all(connection)) == [400]


# -- bodies -------------------------------------------------------------------------------------------


def test_nobody_is_asked_for_gigabytes_before_they_have_said_who_they_are(server: LiveServer) -> None:
    answer = server.exchange(head("Content-Length: 5000000000"))
    assert statuses(answer) == [401]
    assert b"authenticate: bearer" in answer.lower()
    assert b"connection: close" in answer.lower(), "the connection ends, since the body is not read"
    assert statuses(server.exchange(head("Content-Length: 5000000000", "Expect: 100-continue"))) == [401]


def test_a_body_that_nobody_vouches_for_is_not_taken(server: LiveServer) -> None:
    with server.connect() as connection:
        with contextlib.suppress(OSError):
            connection.sendall(head(f"Content-Length: {5 << 20}") + b"x" * (5 << 20))
        assert statuses(read_all(connection)) in ([401], [])
    eventually(lambda: server.service.app.routes.webhook.unproven_bytes.held == 0)


@pytest.mark.parametrize("length", [str(BODY_BYTES_MAX + 1), "5000000000", "9" * 30])
def test_a_body_that_is_announced_as_too_large_is_refused_unread(server: LiveServer, length: str) -> None:
    answer = server.exchange(head(TOKEN, f"Content-Length: {length}"))
    assert statuses(answer) == [413]
    assert b'"code":"payload-too-large"' in answer
    assert b"Connection: close" in answer


def test_a_body_that_grows_too_large_in_pieces_is_cut_off(server: LiveServer) -> None:
    piece = b"%x\r\n%b\r\n" % (4096, b" " * 4096)
    with server.connect() as connection:
        connection.sendall(head(TOKEN, "Transfer-Encoding: chunked"))
        with contextlib.suppress(OSError):
            for _ in range(BODY_BYTES_MAX // 4096 + 1):
                connection.sendall(piece)
        answer = read_all(connection)
    assert statuses(answer) == [413]
    assert b'"code":"payload-too-large"' in answer
    eventually(lambda: server.service.app.routes.webhook.unproven_bytes.held == 0)


def test_a_body_of_just_the_size_that_is_allowed_is_read(server: LiveServer) -> None:
    padded = b"{}".rjust(BODY_BYTES_MAX)
    assert server.ask(headers=BEARER, body=padded).status == 200
    assert server.ask(headers=BEARER, body=padded + b" ").status == 413


def test_what_is_held_for_callers_who_have_proven_nothing_is_bounded(server: LiveServer) -> None:
    signed = [f"{name}: {value}" for name, value in GITHUB.request(b"{}", "1")[0].items()]
    part = UNPROVEN_BYTES_MAX // UNPROVEN_SHARE
    with contextlib.ExitStack() as connections:
        for _ in range(part >> 20):
            connection = connections.enter_context(server.connect(source="127.0.0.3"))
            connection.sendall(head(*signed, f"Content-Length: {FORGE_BYTES_MAX}") + b" " * (1 << 20))
        eventually(lambda: server.service.app.routes.webhook.unproven_bytes.held == part)
        late = connections.enter_context(server.connect(source="127.0.0.3"))
        late.sendall(head(*signed, "Content-Length: 1000") + b" ")
        answer = read_all(late)
        assert statuses(answer) == [503]
        assert b"Retry-After: " in answer
        # Others, and callers with the secret, notice nothing.
        headers, body = GITHUB.request({}, "2", "ping")
        assert server.ask(headers=headers, body=body).status == 200
        assert server.ask(headers=BEARER, source="127.0.0.3").status == 200
    eventually(lambda: server.service.app.routes.webhook.unproven_bytes.held == 0)


def test_a_client_that_goes_away_in_the_middle_of_its_body_is_accounted_for(server: LiveServer) -> None:
    with server.connect() as connection:
        connection.sendall(head(TOKEN, "X-Request-Id: gone", "Content-Length: 100") + b"{")
        eventually(lambda: server.service.app.routes.webhook.unproven_bytes.held == 1)
    line = server.logged("request.finished", request_id="gone")
    assert line["status"] == CLIENT_GONE
    eventually(lambda: server.service.app.context.in_flight.count == 0)
    assert server.service.app.routes.webhook.unproven_bytes.held == 0
    assert [line for line in server.lines() if line["level"] == "error"] == []


# -- time and connections -----------------------------------------------------------------------------


@contextlib.contextmanager
def listener(server: LiveServer, peer_max: int = 0, total_max: int = 0, **timeouts: float) -> Iterator[int]:
    """Another port of the same server, with limits and time limits of its own."""
    app = server.service.app

    async def start() -> tuple[LimitedServer, int]:
        limited = LimitedServer(app, **timeouts)
        limited.limit(peer_max, app.context.peers, server.service.connection_metrics, total_max)
        sockets = bind_sockets(0, "127.0.0.1")
        limited.add_sockets(sockets)
        return limited, int(sockets[0].getsockname()[1])

    async def stop(limited: LimitedServer) -> None:
        limited.stop()
        await limited.close_all_connections()

    limited, port = server.on_loop(start())
    try:
        yield port
    finally:
        server.on_loop(stop(limited))


def open_files() -> int:
    """How many files this process has open."""
    return len(os.listdir("/proc/self/fd"))


def test_slow_headers_and_slow_bodies_are_cut_off_and_leave_nothing_open(server: LiveServer) -> None:
    before = open_files()
    with listener(server, idle_connection_timeout=0.2, body_timeout=0.2) as port:
        with contextlib.ExitStack() as connections:
            slow = []
            for start in (b"", b"POST ", head(TOKEN)[:-2], head(TOKEN, "Content-Length: 9") + b"{"):
                for _ in range(25):
                    connection = connections.enter_context(socket.create_connection(("127.0.0.1", port), 30))
                    connection.sendall(start)
                    slow.append(connection)
            assert server.ask("GET", "/readyz").status == 200
            for connection in slow:
                assert statuses(read_all(connection)) == []
            assert server.ask("GET", "/readyz").status == 200
    eventually(lambda: open_files() <= before)
    eventually(lambda: server.service.app.context.in_flight.count == 0)


def connect(port: int, source: str) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), 30, (source, 0))


def is_served(connection: socket.socket) -> bool:
    """Whether a request on this connection is answered, rather than the connection closed."""
    with contextlib.suppress(OSError):
        connection.sendall(head(method="GET", path="/healthz"))
        return connection.recv(12) == b"HTTP/1.1 200"
    return False


def test_one_peer_cannot_have_all_connections(server: LiveServer) -> None:
    refused = server.metric("livesheets_connections_refused_total")
    with listener(server, peer_max=3) as port, contextlib.ExitStack() as opened:
        mine = [opened.enter_context(connect(port, "127.0.0.2")) for _ in range(3)]
        assert all(is_served(connection) for connection in mine)
        assert not is_served(opened.enter_context(connect(port, "127.0.0.2")))
        assert is_served(opened.enter_context(connect(port, "127.0.0.3")))
        # The proxy that the operator trusts speaks for many.
        assert all(is_served(opened.enter_context(connect(port, "127.0.0.1"))) for _ in range(5))
        mine[0].close()
        eventually(lambda: is_served(opened.enter_context(connect(port, "127.0.0.2"))))
    assert server.metric("livesheets_connections_refused_total") > refused


def test_all_peers_together_cannot_use_up_the_files_of_the_process(server: LiveServer) -> None:
    with listener(server, total_max=4) as port, contextlib.ExitStack() as opened:
        assert all(is_served(opened.enter_context(connect(port, f"127.0.1.{n}"))) for n in range(1, 5))
        assert not is_served(opened.enter_context(connect(port, "127.0.1.9")))


def test_open_connections_are_counted(server: LiveServer) -> None:
    with server.connect() as connection:
        assert is_served(connection)
        assert server.metric("livesheets_connections") >= 2


# -- failed attempts ----------------------------------------------------------------------------------


def failures(server: LiveServer, count: int, **request: Any) -> list[int]:
    return [server.ask(headers={"Authorization": "Bearer x"}, **request).status for _ in range(count)]


def test_a_peer_that_keeps_failing_is_told_to_wait_while_others_are_served(server: LiveServer) -> None:
    assert failures(server, 33, peer="198.51.100.1") == [401] * 30 + [429] * 3
    reply = server.ask(peer="198.51.100.1")
    assert (reply.status, reply.document["code"]) == (429, "too-many-attempts")
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert server.ask(headers=BEARER, peer="198.51.100.1").status == 200
    assert server.ask("GET", "/api/people", peer="198.51.100.1").status == 200
    headers, body = GITHUB.request({}, "1", "ping")
    assert server.ask(headers=headers, body=body, peer="198.51.100.1").status == 200
    assert server.ask(headers=headers, body=body + b" ", peer="198.51.100.1").status == 429
    signed = [f"{name}: {value}" for name, value in headers.items()]
    large = head(*signed, "X-Forwarded-For: 198.51.100.1", f"Content-Length: {FORGE_KEPT_MAX + 1}")
    assert statuses(server.exchange(large)) == [429], "of this one the signature is not looked at"
    assert server.metric('livesheets_attempts_refused_total{reason="limited",status="429"}') == 1
    assert server.metric('livesheets_attempts_refused_total{reason="wrong",status="429"}') >= 3


def test_a_forwarded_address_that_no_trusted_proxy_gave_changes_nothing(server: LiveServer) -> None:
    """The server's own address is trusted in these tests; another one of this machine is not."""
    statuses_seen = [
        server.ask(peer=f"203.0.113.{number}", source="127.0.0.9").status for number in range(32)
    ]
    assert statuses_seen == [401] * 30 + [429] * 2


def test_a_flood_of_attempts_is_few_lines_that_add_up(server: LiveServer) -> None:
    before = server.log("attempt.refused")
    for number in range(300):
        server.ask(peer=f"192.0.2.{number % 250}")
    eventually(lambda: _count(server) >= sum(line["count"] for line in before) + 300)
    lines = server.log("attempt.refused")[len(before) :]
    assert len(lines) < 60, "a line a second, however long the machine took"
    assert server.log("request.finished", status=401) == []


def _count(server: LiveServer) -> int:
    return sum(line["count"] for line in server.log("attempt.refused"))
