"""Ten thousand strangers at the door and a thousand who dawdle in it: readers are served as ever."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.end_to_end.client import Client
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import PROJECT, Serve, ServerProcess
from tests.end_to_end.waiting import eventually

ATTEMPTS = 10_000
SLOW = 1_000
# A connection's buffers and handlers; far less than the 128 MiB that 64 KiB of headers each would be.
MEMORY_WHILE_BYTES_MAX = 64 << 20
MEMORY_AFTER_BYTES_MAX = 32 << 20
FAILED_ATTEMPTS = 30
PAUSE_S = 0.02  # readers who ask without a pause would only make the flood last longer
PATHS = ("/api/people/p07", "/api/people?limit=5", "/api/_search?q=food", "/healthz", "/readyz")


class Readers:
    """Reads one path after another while the block runs; `statuses` and `commits` are all that was seen."""

    def __init__(self, client: Client) -> None:
        self.statuses: dict[int, int] = {}
        self.commits: set[str | None] = set()
        self._client = client
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._read)

    def __enter__(self) -> Readers:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _read(self) -> None:
        with self._client.connection() as kept:
            while not self._ended.wait(PAUSE_S):
                for path in PATHS:
                    reply = kept.request("GET", path)
                    self.statuses[reply.status] = self.statuses.get(reply.status, 0) + 1
                    self.commits |= {reply.commit} if path.startswith("/api") else set()


@contextmanager
def flood(server: ServerProcess) -> Iterator[subprocess.Popen[str]]:
    """Strangers in a process of their own, from when the slow ones are there."""
    command = [sys.executable, "-m", "tests.benchmarks.clients.flood"]
    command += [str(server.client.port), str(ATTEMPTS), "0", str(SLOW)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, cwd=PROJECT, stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "open\n"
        yield process


def test_readers_are_served_through_a_flood_that_leaves_nothing_behind(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, CFP_FAILED_ATTEMPTS=str(FAILED_ATTEMPTS))
    server.ready(remote.head)
    client = server.client
    before = client.metrics()
    with Readers(client) as readers:
        with flood(server) as strangers:
            assert client.metrics()["livesheets_connections"] >= SLOW
            assert strangers.stdout is not None
            answers = {
                int(status): count for status, count in json.loads(strangers.stdout.readline()).items()
            }
            during = client.metrics()
            assert client.reload().status == 200
        assert strangers.returncode == 0
    assert readers.statuses.keys() == {200}
    assert readers.commits == {remote.head}
    assert answers.keys() <= {401, 429}
    assert sum(answers.values()) == ATTEMPTS
    assert answers[429] > answers[401] > 0
    grown = {name: state["process_resident_memory_bytes"] - before["process_resident_memory_bytes"]
             for name, state in (("during", during), ("after", client.metrics()))}  # fmt: skip
    assert grown["during"] < MEMORY_WHILE_BYTES_MAX, grown
    assert grown["after"] < MEMORY_AFTER_BYTES_MAX, grown
    eventually(
        lambda: client.metrics()["process_open_fds"] <= before["process_open_fds"] + 1,
        "every connection of the flood is closed",
    )
    lines = eventually(
        lambda: (
            sum(line["count"] for line in server.log.of("attempt.refused")) >= ATTEMPTS
            and server.log.of("attempt.refused")
        ),
        "every attempt is in the log",
    )
    assert len(lines) < 120, "a line a second, however long the machine took"
