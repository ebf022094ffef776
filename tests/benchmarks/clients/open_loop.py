"""Readers who come when they come: `open_loop.py PORT RATE SECONDS FILE`.

Requests are due at RATE a second, evenly, whatever becomes of those before. The latency of each counts
from when it was due, so that a stall is felt by everybody who came meanwhile. FILE has a request a line,
"kind<TAB>path". Prints one JSON object: latencies by kind, and how many requests failed.
"""

from __future__ import annotations

import gc
import json
import re
import select
import socket
import sys
import time
from pathlib import Path

LAST_ANSWER_S = 10.0
CONNECTIONS_MAX = 400
_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)


class Connection:
    """One kept-alive connection with at most one request on its way."""

    def __init__(self, port: int) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.kind = ""
        self.due = 0.0
        self._received = bytearray()
        self._size = 0

    def fileno(self) -> int:
        """For `select`."""
        return self.socket.fileno()

    def ask(self, kind: str, request: bytes, due: float) -> None:
        """Send a request that was due at `due`."""
        self.kind, self.due = kind, due
        self._received.clear()
        self._size = 0
        self.socket.sendall(request)

    def is_answered(self) -> bool:
        """Take what has come; True when the answer is whole. Raises OSError where it is not a 200."""
        piece = self.socket.recv(1 << 18)
        if not piece:
            raise ConnectionError("closed")
        self._received += piece
        if not self._size:
            end = self._received.find(b"\r\n\r\n")
            if end < 0:
                return False
            length = _LENGTH.search(self._received, 0, end + 2)
            if length is None or not self._received.startswith(b"HTTP/1.1 200 "):
                raise ConnectionError("not a 200")
            self._size = end + 4 + int(length[1])
        return len(self._received) >= self._size


class OpenLoop:
    """Sends every request when it is due and notes how long after that its answer was whole."""

    def __init__(self, port: int, requests: list[tuple[str, bytes]]) -> None:
        self._port = port
        self._requests = requests
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self.latencies_ms: dict[str, list[float]] = {kind: [] for kind, _ in requests}
        self.failed = 0

    def run(self, rate: float, seconds: float) -> None:
        """Send for this long, then wait for the last answers."""
        count = int(rate * seconds)
        begun = time.perf_counter() + 0.05
        for number in range(count):
            due = begun + number / rate
            while (left := due - time.perf_counter()) > 0:
                self._receive(left)
            self._send(*self._requests[number % len(self._requests)], due)
        deadline = time.perf_counter() + LAST_ANSWER_S
        while self._busy and time.perf_counter() < deadline:
            self._receive(0.1)
        self.failed += len(self._busy)

    def _send(self, kind: str, request: bytes, due: float) -> None:
        try:
            if not self._idle and len(self._busy) >= CONNECTIONS_MAX:
                raise ConnectionError("too many requests are unanswered")
            connection = self._idle.pop() if self._idle else Connection(self._port)
            connection.ask(kind, request, due)
            self._busy.add(connection)
        except OSError:
            self.failed += 1

    def _receive(self, wait_s: float) -> None:
        # select() waits to the microsecond; epoll would round up to milliseconds.
        for connection in select.select(list(self._busy), (), (), wait_s)[0]:
            try:
                if not connection.is_answered():
                    continue
                latency_ms = (time.perf_counter() - connection.due) * 1000
                self.latencies_ms[connection.kind].append(round(latency_ms, 3))
                self._idle.append(connection)
            except OSError:
                self.failed += 1
                connection.socket.close()
            self._busy.discard(connection)


def main() -> None:
    """Send, and print what was found."""
    port, rate, seconds = int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3])
    requests = []
    for line in Path(sys.argv[4]).read_text().splitlines():
        kind, path = line.split("\t")
        requests.append((kind, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()))
    gc.disable()
    loop = OpenLoop(port, requests)
    loop.run(rate, seconds)
    json.dump({"failed": loop.failed, "latencies_ms": loop.latencies_ms}, sys.stdout)


if __name__ == "__main__":
    main()
