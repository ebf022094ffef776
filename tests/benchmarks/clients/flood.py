"""Strangers at the door: `flood.py PORT ATTEMPTS RATE SLOW`.

Holds SLOW connections that send a byte now and then, or nothing, and prints a line when they are open.
Then calls the webhook ATTEMPTS times without a right credential, RATE times a second (0: as fast as it
goes), from many addresses of this machine, and prints one JSON object: how often each status came, 0 for
none. The slow connections are held until standard input ends, which ends the calls as well.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import resource
import socket
import sys
import threading
import time
from collections import Counter

PATH = "/api/_internal/reload-data"
CALLERS = 4
ADDRESSES = 50
DRIP_S = 1.0
TIMEOUT_S = 30.0
_FILES = 4_096
_HEAD = f"POST {PATH} HTTP/1.1\r\nHost: x\r\n"
_WRONG = "Authorization: Bearer a-token-that-was-never-right-0123456789\r\n"
# A signature of the right shape, so that the body is waited for; and the beginning of a body.
_SIGNED = f"X-Hub-Signature-256: sha256={'0' * 64}\r\nContent-Length: 1000\r\n\r\n{{"
# What slow connections begin with, and whether they go on.
_BEGINNINGS = (("", False), ("POST ", False), (_HEAD + "X-Slow: ", True), (_HEAD + _SIGNED, True))


class Slow:
    """Connections that stay, of every kind in turn."""

    def __init__(self, port: int, count: int) -> None:
        self._dripping = []
        self._all = []
        for _, (beginning, goes_on) in zip(range(count), itertools.cycle(_BEGINNINGS)):
            connection = socket.create_connection(("127.0.0.1", port), TIMEOUT_S, ("127.0.0.2", 0))
            connection.sendall(beginning.encode())
            self._all.append(connection)
            if goes_on:
                self._dripping.append(connection)

    def drip(self, ended: threading.Event) -> None:
        """Send another byte on each now and then, not on all at once: strangers do not agree on when."""
        for connection in itertools.cycle(self._dripping):
            if ended.wait(DRIP_S / len(self._dripping)):
                return
            with contextlib.suppress(OSError):  # it was cut, as it should be
                connection.sendall(b"x")

    def close(self) -> None:
        """Let go of all."""
        for connection in self._all:
            connection.close()


class Calls:
    """Calls without a right credential; `statuses` counts the answers."""

    def __init__(self, port: int, attempts: int, rate: float) -> None:
        self._port, self._attempts, self._rate = port, attempts, rate
        self._numbers = itertools.count()
        self._begun = time.perf_counter()
        self.statuses: Counter[int] = Counter()

    def run(self, ended: threading.Event) -> None:
        """Call until all calls are made or `ended` is set; for several threads at once."""
        while (number := next(self._numbers)) < self._attempts:
            due = self._begun + number / self._rate if self._rate else 0.0
            if ended.wait(max(0.0, due - time.perf_counter())) or ended.is_set():
                return
            self.statuses[self._call(number)] += 1

    def _call(self, number: int) -> int:
        credential = _WRONG if number % 2 else ""
        source = (f"127.0.1.{1 + number % ADDRESSES}", 0)
        try:
            with socket.create_connection(("127.0.0.1", self._port), TIMEOUT_S, source) as connection:
                connection.sendall(f"{_HEAD}{credential}Content-Length: 0\r\n\r\n".encode())
                return int(connection.recv(4_096).split(b" ", 2)[1])
        except (OSError, IndexError):
            return 0


def main() -> None:
    """Hold, call, and print what came."""
    port, attempts, rate, slow_count = (
        int(sys.argv[1]),
        int(sys.argv[2]),
        float(sys.argv[3]),
        int(sys.argv[4]),
    )
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(_FILES, hard), hard))
    ended = threading.Event()
    slow = Slow(port, slow_count)
    _tell("open")
    calls = Calls(port, attempts, rate)
    callers = [threading.Thread(target=calls.run, args=(ended,)) for _ in range(CALLERS)]
    dripping = threading.Thread(target=slow.drip, args=(ended,))
    waiting = threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True)
    for thread in (*callers, dripping, waiting):
        thread.start()
    for caller in callers:
        caller.join()
    _tell(json.dumps(calls.statuses))
    waiting.join()
    dripping.join()
    slow.close()


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
