"""What one stranger may cost: attachments are sent in pieces, and long questions take turns by peer."""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import TIMEOUT_S
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve, ServerProcess, servers
from tests.end_to_end.waiting import eventually

BIG_BYTES = 64 << 20
BIG = bytes(1 << 20)
BIG_URL = "/api/_attachments/people/jane/zeros.bin"
UNREAD_BYTES = 2 << 20
UNREAD_URL = "/api/_attachments/people/jane/unread.bin"
MEMORY_BYTES_MAX = 48 << 20
READERS = 6
RECORDS = 4_000
FLOOD = 40
SEARCHES = 5
STRANGER, READER = "127.0.0.2", "127.0.0.3"
SHEET = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"


def memory_bytes(server: ServerProcess) -> int:
    """What the server has in memory now."""
    return int(server.client.metrics()["process_resident_memory_bytes"])


class Big:
    """A server with a record that has attachments of many zeros, which are a small pack to push."""

    def __init__(self, server: ServerProcess, folder: Path) -> None:
        self.server = server
        self.client = server.client
        self._folder = folder

    def extracted(self) -> set[str]:
        """The ids of the attachments that lie on disk."""
        return {path.name for path in self._folder.rglob("attachments/*")}


@pytest.fixture(scope="module")
def big(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Big]:
    folder = tmp_path_factory.mktemp("big")
    attachments = {"people/jane/zeros.bin": bytes(BIG_BYTES), "people/jane/unread.bin": bytes(UNREAD_BYTES)}
    files = {".gitsheets/people.toml": SHEET, "people/jane.toml": "", **attachments}
    remote = DataRemote(folder / "host", files)
    with servers() as serve:
        server = serve(folder / "server", remote.path)
        server.ready(remote.head)
        yield Big(server, folder)


def test_what_needs_no_bytes_reads_none(big: Big) -> None:
    head = big.client.request("HEAD", UNREAD_URL)
    assert (head.status, head.headers["Content-Length"], head.body) == (200, str(UNREAD_BYTES), b"")
    known = big.client.get(UNREAD_URL, If_None_Match=head.headers["ETag"])
    assert (known.status, known.body) == (304, b"")
    outside = big.client.get(UNREAD_URL, Range=f"bytes={UNREAD_BYTES}-")
    outside.problem(416, "range-not-satisfiable")
    assert head.headers["ETag"].strip('"') not in big.extracted()


def test_any_part_of_a_large_attachment_is_sent_with_little_memory(big: Big) -> None:
    before = memory_bytes(big.server)
    digests: list[str] = []

    def read() -> None:
        digest = hashlib.sha256()
        connection = http.client.HTTPConnection("127.0.0.1", big.client.port, timeout=TIMEOUT_S)
        with contextlib.closing(connection):
            connection.request("GET", BIG_URL)
            answer = connection.getresponse()
            while piece := answer.read(1 << 20):
                digest.update(piece)
        digests.append(digest.hexdigest())

    readers = [threading.Thread(target=read) for _ in range(READERS)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join()
    expected = hashlib.sha256()
    for _ in range(BIG_BYTES >> 20):
        expected.update(BIG)
    assert digests == [expected.hexdigest()] * READERS
    for _ in range(20):
        last = big.client.get(BIG_URL, Range="bytes=-10")
        assert (last.status, last.body) == (206, bytes(10))
        assert last.headers["Content-Range"] == f"bytes {BIG_BYTES - 10}-{BIG_BYTES - 1}/{BIG_BYTES}"
    assert last.headers["ETag"].strip('"') in big.extracted()
    assert memory_bytes(big.server) - before < MEMORY_BYTES_MAX


def test_clients_that_take_nothing_are_not_buffered_for(big: Big) -> None:
    big.client.get(BIG_URL, Range="bytes=0-0")  # it is extracted now
    before = memory_bytes(big.server)
    with contextlib.ExitStack() as opened:
        for _ in range(8):
            slow = opened.enter_context(socket.create_connection(("127.0.0.1", big.client.port)))
            slow.sendall(f"GET {BIG_URL} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            assert slow.recv(1000)
        assert big.client.metrics()["livesheets_unsent_bytes"] <= 8 << 20
        assert memory_bytes(big.server) - before < MEMORY_BYTES_MAX
        assert big.client.get("/api/people/jane").status == 200
    eventually(lambda: big.client.metrics()["livesheets_unsent_bytes"] == 0, "their answers have ended")


def test_an_attachment_above_the_limit_is_not_sent(serve: Serve, tmp_path: Path) -> None:
    files = {
        ".gitsheets/people.toml": SHEET,
        "people/jane.toml": "",
        "people/jane/a.bin": bytes((1 << 20) + 1),
    }
    remote = DataRemote(tmp_path / "host", files)
    server = serve(tmp_path / "server", remote.path, CFP_ATTACHMENT_BYTES_MAX=str(1 << 20))
    server.ready(remote.head)
    (listed,) = server.client.get("/api/people/jane").data["attachments"]
    assert listed["size"] == (1 << 20) + 1
    problem = server.client.get(listed["url"]).problem(403, "attachment-too-large")
    assert str(1 << 20) in problem["detail"]
    assert server.client.request("HEAD", listed["url"]).status == 403


@pytest.fixture
def many(serve: Serve, tmp_path: Path) -> ServerProcess:
    """A server with so many records that a scan of them takes a while."""
    record = "tags = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h']\ntext = 'food access'\n"
    files = {f"people/p{number:05}.toml": f"n = {number}\n{record}" for number in range(RECORDS)}
    remote = DataRemote(tmp_path / "host", {".gitsheets/people.toml": SHEET, **files})
    server = serve(tmp_path / "server", remote.path)
    server.ready(remote.head)
    return server


def waiting(server: ServerProcess) -> float:
    """How many long questions wait."""
    return server.client.metrics()["livesheets_questions_waiting"]


def running(server: ServerProcess) -> float:
    """How many long questions are being answered."""
    return server.client.metrics()["livesheets_questions_running"]


class Flood:
    """Connections of one stranger, each with the costliest question that is allowed."""

    def __init__(self, server: ServerProcess) -> None:
        self.answered = 0
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        for number in range(FLOOD):
            connection = socket.create_connection(
                ("127.0.0.1", server.client.port), TIMEOUT_S, source_address=(STRANGER, 0)
            )
            self._sockets.append(connection)
            filters = "&".join(f"tags__ne=x{number}.{each}" for each in range(45))
            connection.sendall(f"GET /api/people?{filters} HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            thread = threading.Thread(target=self._read, args=(connection,))
            thread.start()
            self._threads.append(thread)

    def _read(self, connection: socket.socket) -> None:
        with contextlib.suppress(OSError):
            if connection.recv(1000):
                self.answered += 1

    def hang_up(self) -> None:
        for connection in self._sockets:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            connection.close()
        for thread in self._threads:
            thread.join()


@contextlib.contextmanager
def flood(server: ServerProcess) -> Iterator[Flood]:
    running = Flood(server)
    try:
        yield running
    finally:
        running.hang_up()


def search(server: ServerProcess, number: int) -> int:
    """The status of a search that nobody has asked for before, from another address."""
    connection = http.client.HTTPConnection(
        "127.0.0.1", server.client.port, timeout=TIMEOUT_S, source_address=(READER, 0)
    )
    with contextlib.closing(connection):
        connection.request("GET", f"/api/people?q=food&limit=1&n={number}")
        return connection.getresponse().status


def test_one_stranger_s_costly_questions_do_not_keep_others_waiting(many: ServerProcess) -> None:
    with flood(many) as stranger:
        eventually(lambda: waiting(many) > FLOOD / 2, "many wait")
        for number in range(SEARCHES):
            before = stranger.answered
            assert search(many, number) == 200
            # At most those that had ended already, and the one that was running.
            assert stranger.answered - before <= 3
        assert stranger.answered < FLOOD
        assert many.client.get("/api/people/p00001").status == 200


def test_nothing_is_done_for_clients_that_have_gone(many: ServerProcess) -> None:
    with flood(many):
        eventually(lambda: waiting(many) > FLOOD / 2, "many wait")
    eventually(lambda: waiting(many) + running(many) == 0, "nobody waits any more")
    eventually(lambda: len(many.log.of("request.finished", status=499)) > FLOOD / 2, "it is in the log")


def test_more_questions_than_may_wait_are_refused(serve: Serve, tmp_path: Path) -> None:
    remote = DataRemote(tmp_path / "host")
    server = serve(tmp_path / "server", remote.path, CFP_QUERIES_PER_PEER="1", CFP_QUERY_WAIT="0.05")
    server.ready(remote.head)
    replies = []

    def ask(number: int) -> None:
        filters = "&".join(f"name__ne=x{number}.{each}" for each in range(40))
        replies.append(server.client.get(f"/api/people?{filters}"))

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(60)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    refused = [reply for reply in replies if reply.status != 200]
    assert refused
    for reply in refused:
        reply.problem(503, "overloaded")
        assert reply.headers["Retry-After"]
    lines = eventually(lambda: server.log.of("question.refused"), "it is in the log")
    assert lines[0]["peer"] == "127.0.0.1"
