"""A small HTTP client: whole answers as values, kept-alive connections, raw bytes for what is malformed."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from email.message import Message
from typing import Any

TIMEOUT_S = 60.0
RELOAD_PATH = "/api/_internal/reload-data"
SECRET = "a-secret-for-tests-of-48-characters-0123456789ab"
PROBLEM_MEMBERS = {"type", "title", "status", "detail", "code", "requestId"}


@dataclass(frozen=True)
class Reply:
    """One answer."""

    status: int
    headers: Message
    body: bytes

    @property
    def json(self) -> Any:
        """The body as JSON."""
        return json.loads(self.body)

    @property
    def commit(self) -> str | None:
        """The commit that the answer says it comes from."""
        return self.headers["X-Data-Commit"]

    @property
    def data(self) -> Any:
        """The data of an answer that must be a success."""
        assert self.status == 200, self
        return self.json["data"]

    def problem(self, status: int, code: str) -> dict[str, Any]:
        """The problem document that the answer must be, with the status and code given."""
        assert (self.status, self.headers["Content-Type"]) == (status, "application/problem+json"), self
        document: dict[str, Any] = self.json
        assert document.keys() >= PROBLEM_MEMBERS, document
        assert (document["status"], document["code"]) == (status, code), document
        assert document["title"]
        assert document["detail"]
        assert document["requestId"] == self.headers["X-Request-Id"]
        return document


class Client:
    """Asks one server; every request has a connection of its own."""

    def __init__(self, port: int) -> None:
        self.port = port

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The answer to one request."""
        with self.connection() as connection:
            return connection.request(method, path, body, headers)

    def get(self, path: str, **headers: str) -> Reply:
        """The answer to a GET; `If_None_Match="x"` is the header If-None-Match."""
        return self.request("GET", path, headers=_named(headers))

    def head(self, path: str, **headers: str) -> Reply:
        """The answer to a HEAD."""
        return self.request("HEAD", path, headers=_named(headers))

    def reload(self, request: object = None, secret: str = SECRET, **headers: str) -> Reply:
        """The webhook's answer to a bearer call with `request` as JSON, or with no body."""
        body = None if request is None else json.dumps(request).encode()
        return self.reload_raw(body, Authorization=f"Bearer {secret}", **headers)

    def reload_raw(self, body: bytes | None = None, **headers: str) -> Reply:
        """The webhook's answer to a call with exactly these headers and this body."""
        return self.request("POST", RELOAD_PATH, body, _named(headers))

    def internal(self, path: str) -> Reply:
        """The answer to a GET below /api/_internal with the credential."""
        return self.get(f"/api/_internal/{path}", Authorization=f"Bearer {SECRET}")

    def status(self) -> dict[str, Any]:
        """The status document."""
        reply = self.internal("status")
        assert reply.status == 200, reply
        document: dict[str, Any] = reply.json
        return document

    def metrics(self) -> dict[str, float]:
        """Every sample of /metrics by its name with labels."""
        lines = self.get("/metrics").body.decode().splitlines()
        samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
        return {name: float(value) for name, _, value in samples}

    @contextlib.contextmanager
    def asked(self, method: str, path: str, requests: Sequence[object]) -> Iterator[list[Connection]]:
        """Connections on which a bearer has sent these requests as JSON (None: no body), one each.

        None of the answers has been read.
        """
        headers = {"Authorization": f"Bearer {SECRET}"}
        with contextlib.ExitStack() as opened:
            connections = [opened.enter_context(self.connection()) for _ in requests]
            for connection, request in zip(connections, requests, strict=True):
                body = None if request is None else json.dumps(request).encode()
                connection.send(method, path, body, headers)
            yield connections

    def connection(self) -> Connection:
        """A connection that is kept alive between requests."""
        return Connection(self.port)

    def exchange(self, sent: bytes) -> bytes:
        """Everything the server sends for raw bytes, until it closes, be it before it has read them all."""
        received = bytearray()
        with socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S) as raw:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                raw.sendall(sent)
            with contextlib.suppress(ConnectionResetError):
                while piece := raw.recv(65_536):
                    received += piece
        return bytes(received)


class Connection:
    """One connection, kept alive between requests."""

    def __init__(self, port: int) -> None:
        self._http = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT_S)

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """The answer to one request."""
        self.send(method, path, body, headers)
        return self.answer()

    def send(
        self, method: str, path: str, body: bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> None:
        """Send one request, whole."""
        self._http.request(method, path, body, dict(headers or {}))

    def answer(self) -> Reply:
        """The answer to the request that was sent."""
        answer = self._http.getresponse()
        return Reply(answer.status, answer.headers, answer.read())

    def send_only(self, sent: bytes) -> None:
        """Send raw bytes and read nothing."""
        self._http.connect()
        self._http.sock.sendall(sent)


def _named(headers: Mapping[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
