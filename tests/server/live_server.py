"""A real server in this process, on a real repository, for tests that speak HTTP to it."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import io
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Coroutine, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import structlog

from server.main import Service
from server.operations.logs.logs import Logs, configure
from server.operations.logs.redaction import Redactor
from server.settings.settings import Settings, read_settings
from tests.gitrepo import GitRepo, init_bare
from tests.server.payloads import SECRET

DEADLINE_S = 30.0
T = TypeVar("T")
WEBHOOK = "/api/_internal/reload-data"
BEARER = {"Authorization": f"Bearer {SECRET}"}
SHEET = '[gitsheet]\nroot = "people"\npath = "${{ slug }}"\n'


@dataclass(frozen=True)
class Reply:
    """An answer: what came over the wire, and the JSON document in it."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def document(self) -> dict[str, Any]:
        """The JSON object in the body."""
        document = json.loads(self.body)
        assert isinstance(document, dict)
        return document


class LiveServer:
    """A running server at `port`; `remote` is what it fetches from, `work` where to commit for it.

    Every request comes from a peer of its own, behind a trusted proxy at 127.0.0.1, unless one is named.
    """

    def __init__(
        self,
        service: Service,
        port: int,
        loop: asyncio.AbstractEventLoop,
        folder: tuple[GitRepo, Path],
        lines: io.StringIO,
    ) -> None:
        self.service = service
        self.port = port
        self.work, self.remote = folder
        self._loop = loop
        self._lines = lines
        self._numbers = itertools.count(1)

    def ask(
        self,
        method: str = "POST",
        path: str = WEBHOOK,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        *,
        peer: str | None = None,
        source: str = "127.0.0.1",
    ) -> Reply:
        """The answer to one request on a connection of its own, from the address `source`."""
        number = next(self._numbers)
        sent = {"X-Forwarded-For": peer or f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}"}
        connection = http.client.HTTPConnection("127.0.0.1", self.port, DEADLINE_S, (source, 0))
        with contextlib.closing(connection):
            connection.request(method, path, body, sent | dict(headers or {}))
            answer = connection.getresponse()
            return Reply(answer.status, answer.headers, answer.read())

    def call(self, **members: Any) -> Reply:
        """A direct call of the webhook with the shared secret."""
        return self.ask(headers=BEARER, body=json.dumps(members).encode())

    def connect(self, source: str = "127.0.0.1") -> socket.socket:
        """A bare connection, for what no client would send."""
        return socket.create_connection(("127.0.0.1", self.port), DEADLINE_S, (source, 0))

    def exchange(self, request: bytes) -> bytes:
        """Everything that the server answers to these bytes until it closes the connection."""
        with self.connect() as connection:
            connection.sendall(request)
            return read_all(connection)

    def push(self, **people: str | None) -> str:
        """Commit records, push them, and return the new commit."""
        files = {
            f"people/{slug}.toml": None if name is None else f'slug = "{slug}"\nname = "{name}"\n'
            for slug, name in people.items()
        }
        self.work.write(files)
        commit = self.work.commit()
        self.work.push(self.remote)
        return commit

    def on_loop(self, work: Coroutine[Any, Any, T]) -> T:
        """What a coroutine gives that runs on the server's own loop."""
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(DEADLINE_S)

    @property
    def reloads(self) -> int:
        """How many reloads there were."""
        return len(self.service.branch.journal.history)

    @property
    def served(self) -> str:
        """The commit that readers get."""
        current = self.service.branch.snapshots.current
        assert current is not None
        return current.commit

    def outcome_of(self, reload_id: str) -> dict[str, Any]:
        """How an accepted reload ended, once it has."""
        path = f"/api/_internal/reloads/{reload_id}"
        found = eventually(lambda: _ended(self.ask("GET", path, BEARER)))
        assert isinstance(found, dict)
        return found

    def lines(self) -> list[dict[str, Any]]:
        """Every line of the log."""
        return [json.loads(line) for line in self._lines.getvalue().split("\n")[:-1]]

    def log(self, event: str, **values: object) -> list[dict[str, Any]]:
        """The lines that were logged of an event, with these values."""
        return [
            line
            for line in self.lines()
            if line["event"] == event and all(line.get(name) == value for name, value in values.items())
        ]

    def logged(self, event: str, **values: object) -> dict[str, Any]:
        """The first such line, once it is there."""
        return eventually(lambda: self.log(event, **values))[0]

    def metric(self, line: str) -> float:
        """The value of a metric, given with its labels as it is written; 0 where it is not there."""
        for each in self.ask("GET", "/metrics").body.decode().splitlines():
            name, _, value = each.rpartition(" ")
            if name == line:
                return float(value)
        return 0.0


def eventually(find: Callable[[], T]) -> T:
    """What `find` finds, as soon as it finds something."""
    deadline = time.monotonic() + DEADLINE_S
    while not (found := find()):
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)
    return found


def read_all(connection: socket.socket) -> bytes:
    """What comes until the other side closes the connection, or breaks it."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while piece := connection.recv(65536):
            received += piece
    return received


def make_data(folder: Path) -> tuple[GitRepo, Path]:
    """A repository with one record, and the remote that it was pushed to."""
    work = GitRepo.create(folder / "work")
    work.write({".gitsheets/people.toml": SHEET, "people/ada.toml": 'slug = "ada"\nname = "Ada"\n'})
    work.commit()
    remote = init_bare(folder / "remote.git")
    work.push(remote)
    return work, remote


def settings_for(folder: Path, **environment: str) -> Settings:
    """The settings of a server in `folder`; an empty text takes one away."""
    given = {
        "CFP_DATA_REPO_PATH": str(folder / "data.git"),
        "CFP_DATA_REMOTE": str(folder / "remote.git"),
        "CFP_DATA_RELOAD_SECRET": SECRET,
        "CFP_TRUSTED_PROXIES": "127.0.0.1",
        "PORT": "0",
    }
    return read_settings({name: value for name, value in (given | environment).items() if value})


@contextlib.contextmanager
def logging_to(lines: io.StringIO, settings: Settings) -> Iterator[Logs]:
    """The log of a server, in JSON, until the end."""
    before = structlog.get_config()
    logs = configure("json", stream=lines, redactor=Redactor(settings.secrets))
    try:
        yield logs
    finally:
        logs.close(DEADLINE_S)
        structlog.configure(**before)  # a server around this one logs to its own stream again


@contextlib.contextmanager
def live_server(folder: Path, **environment: str) -> Iterator[LiveServer]:
    """A server with these settings beside its own, on a repository with one record, until the end."""
    data = make_data(folder)
    settings, lines = settings_for(folder, **environment), io.StringIO()
    with logging_to(lines, settings) as logs, in_thread(settings, logs) as (service, port, loop):
        eventually(lambda: service.branch.journal.fresh)
        yield LiveServer(service, port, loop, data, lines)


@contextlib.contextmanager
def in_thread(settings: Settings, logs: Logs) -> Iterator[tuple[Service, int, asyncio.AbstractEventLoop]]:
    """A server in a thread of its own: it, its port and its loop."""
    started: list[tuple[Service, int, asyncio.AbstractEventLoop]] = []
    begun = threading.Event()

    async def serve() -> None:
        assert settings.repo_path is not None
        service = Service(settings, settings.repo_path, logs)
        port = service.listen()
        service.start()
        started.append((service, port, asyncio.get_running_loop()))
        begun.set()
        await service.stopped.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        assert begun.wait(DEADLINE_S)
        yield started[0]
    finally:
        if started:
            asyncio.run_coroutine_threadsafe(started[0][0].stop(), started[0][2]).result(DEADLINE_S)
        thread.join(DEADLINE_S)


def _ended(reply: Reply) -> dict[str, Any] | None:
    assert reply.status == 200, reply
    return None if reply.document["outcome"] == "running" else reply.document
