"""As fast as it goes, where `wrk` is missing: `closed_loop.py PORT CONNECTIONS SECONDS FILE`.

Every connection sends its next request when it has its answer. FILE and the line that is printed are
those of `wrk.lua`.
"""

from __future__ import annotations

import asyncio
import gc
import re
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from pathlib import Path
from typing import cast

_LENGTH = re.compile(rb"\r\nContent-Length: (\d+)\r\n", re.IGNORECASE)
_CHUNKED = re.compile(rb"\r\nTransfer-Encoding: chunked\r\n", re.IGNORECASE)


class Tally:
    """What all connections have seen."""

    def __init__(self, requests: list[bytes]) -> None:
        self.requests: Iterator[bytes] = cycle(requests)
        self.answered = self.failed = self.size = 0


class Connection(asyncio.Protocol):
    """One kept-alive connection."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first request."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(next(self._tally.requests))

    def data_received(self, data: bytes) -> None:
        """Send the next request when the answer is whole."""
        self._received += data
        end = self._received.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        if not self._is_whole(end):
            return
        tally = self._tally
        tally.answered += 1
        tally.size += len(self._received)
        tally.failed += self._received[9:12] not in (b"200", b"304")
        self._received = b""
        self._transport.write(next(tally.requests))

    def _is_whole(self, end: int) -> bool:
        if _CHUNKED.search(self._received, 0, end):
            return self._received.endswith(b"\r\n0\r\n\r\n")
        length = _LENGTH.search(self._received, 0, end)
        return len(self._received) >= end + (int(length[1]) if length else 0)


def request_of(line: str) -> bytes:
    """A line of the file as a request."""
    path, _, tag = line.partition("\t")
    condition = f"If-None-Match: {tag}\r\n" if tag else ""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{condition}\r\n".encode()


async def main() -> None:
    """Send for the time given and print what was found."""
    port, connections, seconds = int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])
    tally = Tally([request_of(line) for line in Path(sys.argv[4]).read_text().splitlines()])
    loop = asyncio.get_running_loop()
    gc.disable()
    begun = time.perf_counter()
    for _ in range(connections):
        await loop.create_connection(lambda: Connection(tally), "127.0.0.1", port)
    await asyncio.sleep(seconds)
    elapsed_us = (time.perf_counter() - begun) * 1e6
    sys.stdout.write(f"RESULT {tally.answered} {elapsed_us:.0f} {tally.failed} {tally.size}\n")


if __name__ == "__main__":
    asyncio.run(main())
