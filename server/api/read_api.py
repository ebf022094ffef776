"""What reads ask of: the served snapshot, threads for long questions, and attachments."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

from reload.lane.branch import Branch
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import Answer, Snapshot

QUERY_THREADS = 2
T = TypeVar("T")


class ReadApi:
    """The read API of a branch, below a URL prefix such as `/data` (nothing for the server's own).

    `why_not_ready` says why nothing is served yet.
    """

    def __init__(self, branch: Branch, why_not_ready: Callable[[], str], prefix: str = "") -> None:
        self._branch = branch
        self.why_not_ready = why_not_ready
        self.prefix = prefix
        self._threads = ThreadPoolExecutor(QUERY_THREADS, thread_name_prefix="query")

    @property
    def snapshot(self) -> Snapshot | None:
        """What is served now."""
        return self._branch.snapshots.current

    @property
    def branch_name(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._branch.name

    async def in_thread(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a long question off the loop."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, function, *arguments)

    async def ask(self, snapshot: Snapshot, question: Callable[[Reader], Answer]) -> Answer:
        """The answer of a reader, in a thread."""
        return await self.in_thread(_ask, snapshot, question)

    async def attachment(self, oid: str) -> bytes:
        """An attached file's bytes, from git."""
        return await self.in_thread(self._branch.clone.attachment, oid)

    def report_damage(self, snapshot: Snapshot, error: BaseException) -> None:
        """Have a snapshot built again that could not be read."""
        self._branch.reloader.report_damage(snapshot, error)

    def close(self) -> None:
        """End the threads; for when no request is left."""
        self._threads.shutdown()


def _ask(snapshot: Snapshot, question: Callable[[Reader], Answer]) -> Answer:
    with snapshot.lend() as reader:
        return question(reader)
