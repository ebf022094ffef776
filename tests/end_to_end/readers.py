"""Many readers at once, on connections that are kept alive, who note what they see."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from tests.end_to_end.client import TIMEOUT_S


@dataclass(frozen=True)
class Seen:
    """One answer as a reader saw it."""

    path: str
    status: int
    commit: str
    document: Any


@dataclass
class Crowd:
    """`size` readers who ask for `paths` in turn until `enough` says so; `seen` has one list a reader.

    `{turn}` in a path becomes a number that differs from turn to turn, so that no answer is at hand.
    """

    port: int
    paths: tuple[str, ...]
    size: int
    enough: Callable[[], bool] = lambda: False
    seen: list[list[Seen]] = field(default_factory=list)

    async def read(self) -> None:
        """Let everybody read; raises what the first failed request raised."""
        self.seen = [[] for _ in range(self.size)]
        await asyncio.gather(*(self._reader(number) for number in range(self.size)))

    async def _reader(self, number: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        turn = number
        try:
            while not self.enough():
                path = self.paths[turn % len(self.paths)].format(turn=turn)
                turn += 1
                async with asyncio.timeout(TIMEOUT_S):
                    self.seen[number].append(await _ask(reader, writer, path))
        finally:
            writer.close()


async def _ask(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str) -> Seen:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head.splitlines())}
    body = await reader.readexactly(int(headers["content-length"]))
    return Seen(path, int(head.split(" ", 2)[1]), headers.get("x-data-commit", ""), json.loads(body))
