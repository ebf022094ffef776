"""One stranger with long questions: `stranger.py PORT CONNECTIONS SHEET`.

Asks over CONNECTIONS connections from one address of this machine, each time something else, so that no
answer is known. Prints a line when all have asked, goes on until standard input ends, and then prints one
JSON object: how often each status came, 0 for none.
"""

from __future__ import annotations

import contextlib
import http.client
import itertools
import json
import sys
import threading
from collections import Counter

ADDRESS = "127.0.0.2"
FILTERS = 20
TIMEOUT_S = 60.0


class Stranger:
    """Asks; `statuses` counts the answers."""

    def __init__(self, port: int, sheet: str) -> None:
        self._port, self._sheet = port, sheet
        self._numbers = itertools.count()
        self.ended = threading.Event()
        self.statuses: Counter[int] = Counter()

    def run(self, asked: threading.Semaphore) -> None:
        """Ask again and again on one connection."""
        first = True
        while not self.ended.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", self._port, TIMEOUT_S, (ADDRESS, 0))
            with contextlib.closing(connection), contextlib.suppress(OSError, http.client.HTTPException):
                while not self.ended.is_set():
                    connection.request("GET", self._question())
                    if first:
                        asked.release()
                        first = False
                    response = connection.getresponse()
                    response.read()
                    self.statuses[response.status] += 1
                continue
            self.statuses[0] += not self.ended.is_set()

    def _question(self) -> str:
        number = next(self._numbers)
        filters = "&".join(f"tags__ne=none-{number}-{each}" for each in range(FILTERS))
        return f"/api/{self._sheet}?{filters}"


def main() -> None:
    """Be the stranger until standard input ends."""
    port, connections, sheet = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    stranger, asked = Stranger(port, sheet), threading.Semaphore(0)
    for _ in range(connections):
        threading.Thread(target=stranger.run, args=(asked,), daemon=True).start()
    for _ in range(connections):
        asked.acquire()
    _tell("asked")
    sys.stdin.read()
    stranger.ended.set()
    _tell(json.dumps(stranger.statuses))


def _tell(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
