"""What two parsers could read in two ways is refused once, whatever the route, and ends the connection."""

from __future__ import annotations

import pytest

from tests.end_to_end.client import RELOAD_PATH, SECRET
from tests.end_to_end.server_process import ServerProcess

BEARER = f"Authorization: Bearer {SECRET}".encode()
HOST = b"Host: x"
# A webhook, a read, which Tornado's handlers never see, a handler, a method that is not allowed, and
# whole URLs.
ROUTES = (
    b"POST " + RELOAD_PATH.encode(),
    b"GET /api/people/p01",
    b"GET /healthz",
    b"POST /api/people",
    b"GET /api/_internal/status",
    b"GET http://x/api/people/p01",
    b"GET http://x/healthz",
)
CHUNKED = b"Transfer-Encoding: chunked"
LONGER = (b"Content-Length: 5", b"Content-Length: 4")
# By what is wrong: the header lines after the first, and the beginning of the body.
AMBIGUOUS: dict[str, tuple[tuple[bytes, ...], bytes]] = {
    "length, then chunks": ((HOST, b"Content-Length: 4", CHUNKED), b""),
    "chunks, then length": ((HOST, CHUNKED, b"Content-Length: 4"), b""),
    "two lengths": ((HOST, *LONGER), b""),
    "two lengths in one line": ((HOST, b"Content-Length: 5, 4"), b""),
    "length with a sign": ((HOST, b"Content-Length: +5"), b""),
    "negative length": ((HOST, b"Content-Length: -1"), b""),
    "length in hexadecimal": ((HOST, b"Content-Length: 0x5"), b""),
    "length with an underscore": ((HOST, b"Content-Length: 5_0"), b""),
    "empty length": ((HOST, b"Content-Length:"), b""),
    "length in other digits": ((HOST, "Content-Length: \u0665".encode()), b""),
    "length after a vertical tab": ((HOST, b"Content-Length: \x0b5"), b""),
    "chunks twice": ((HOST, CHUNKED, CHUNKED), b""),
    "chunks and identity": ((HOST, b"Transfer-Encoding: chunked, identity"), b""),
    "gzip and chunks": ((HOST, b"Transfer-Encoding: gzip, chunked"), b""),
    "identity": ((HOST, b"Transfer-Encoding: identity"), b""),
    "unknown coding": ((HOST, b"Transfer-Encoding: xchunked"), b""),
    "coding after a vertical tab": ((HOST, b"Transfer-Encoding: \x0bchunked"), b""),
    "folded coding": ((HOST, b"Transfer-Encoding:\r\n chunked"), b""),
    "blank before the colon": ((HOST, b"Transfer-Encoding : chunked"), b""),
    "folded line": ((HOST, b"X-A: b\r\n c"), b""),
    "line folded with a tab": ((HOST, b"X-A: b\r\n\tc"), b""),
    "first line folded": ((b" Host: x", HOST), b""),
    "NUL in a value": ((HOST, b"X-A: b\x00c"), b""),
    "NUL in a name": ((HOST, b"X-A\x00: b"), b""),
    "bare CR": ((HOST, b"X-A: b\rc"), b""),
    "blank in a name": ((HOST, b"X A: b"), b""),
    "no name": ((HOST, b": b"), b""),
    "no colon": ((HOST, b"X-A"), b""),
    "two hosts": ((HOST, b"Host: y"), b""),
    "the same host twice": ((HOST, HOST), b""),
    "two hosts in one line": ((b"Host: x, y",), b""),
    "host with a path": ((b"Host: x/y",), b""),
    "host with a name before it": ((b"Host: x@y",), b""),
    "no host": ((), b""),
    "chunk size in another notation": ((HOST, CHUNKED), b"0x1\r\na\r\n"),
    "chunk size with a sign": ((HOST, CHUNKED), b"+1\r\na\r\n"),
    "negative chunk size": ((HOST, CHUNKED), b"-1\r\na\r\n"),
    "chunk size with an underscore": ((HOST, CHUNKED), b"1_0\r\n" + b"a" * 16 + b"\r\n"),
    "chunk size after a blank": ((HOST, CHUNKED), b" 1\r\na\r\n"),
    "chunk size beyond all measure": ((HOST, CHUNKED), b"f" * 20 + b"\r\na\r\n"),
    "chunk size ended by a bare LF": ((HOST, CHUNKED), b"1\na\r\n"),
    "chunk longer than its size": ((HOST, CHUNKED), b"1\r\nabb"),
    "trailer": ((HOST, CHUNKED), b"0\r\nX-T: y\r\n\r\n"),
}
SMUGGLED = b"0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"


def statuses(received: bytes) -> list[bytes]:
    """The status of every answer in what was received."""
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize("route", ROUTES)
def test_an_ambiguous_request_is_never_taken_for_two(shared: ServerProcess, route: bytes) -> None:
    for what, (lines, body) in AMBIGUOUS.items():
        head = b"\r\n".join([route + b" HTTP/1.1", *lines, BEARER, b"", b""])
        received = shared.client.exchange(head + body + SMUGGLED)
        assert statuses(received) == [b"400"], (what, received)
    assert shared.client.get("/healthz").status == 200


@pytest.mark.parametrize(
    "sent",
    [
        b"POST  /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"POST /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
        b"GET /api HTTP/2.0\r\nHost: x\r\n\r\n",
        b"GET /healthz\r\n\r\n",
        b"GET /api\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http:///api HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://:80/api HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x@y/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x,y/healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http://x#/api HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET http:/api HTTP/1.1\r\nHost: x\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(200) + b"\r\n\r\n",
    ],
    ids=range(13),
)
def test_what_is_no_request_is_refused_once(shared: ServerProcess, sent: bytes) -> None:
    received = shared.client.exchange(sent + SMUGGLED)
    assert statuses(received) in ([], [b"400"]), received
    assert b"Server" not in received


def test_an_extension_without_end_is_not_read(shared: ServerProcess) -> None:
    head = b"\r\n".join([b"POST " + RELOAD_PATH.encode() + b" HTTP/1.1", HOST, CHUNKED, BEARER, b"", b""])
    assert statuses(shared.client.exchange(head + b"1;" + b"x" * 100_000 + b"\r\na\r\n" + SMUGGLED)) == []


def test_an_old_request_with_chunks_is_the_last_of_its_connection(shared: ServerProcess) -> None:
    head = b"\r\n".join([b"GET /api/people/p01 HTTP/1.0", HOST, CHUNKED, b"", b""])
    assert statuses(shared.client.exchange(head + SMUGGLED)) == [b"200"]


def test_a_refused_request_leaves_nothing_in_flight(shared: ServerProcess) -> None:
    before = shared.client.metrics()["livesheets_connections"]
    for route in ROUTES:
        shared.client.exchange(route + b" HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n")
    assert shared.client.metrics()["livesheets_connections"] <= before
