"""What reads ask of: the served snapshot, a fair queue for long questions, and attachments."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from reload.lane.branch import Branch
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import Answer, Snapshot
from server.api.attachment_files import FILES_BYTES_MAX, AttachmentFiles
from server.http.fair_queue import Cancelled, FairQueue

ATTACHMENT_BYTES_MAX = 1 << 30
T = TypeVar("T")


class ReadApi:
    """The read API of a branch, below a URL prefix such as `/data` (nothing for the server's own).

    `why_not_ready` says why nothing is served yet. Attachments of more than `attachment_bytes_max` bytes
    are not served.
    """

    def __init__(
        self,
        branch: Branch,
        why_not_ready: Callable[[], str],
        prefix: str = "",
        queue: FairQueue | None = None,
        *,
        attachment_bytes_max: int = ATTACHMENT_BYTES_MAX,
        attachment_files_bytes_max: int = FILES_BYTES_MAX,
    ) -> None:
        self._branch = branch
        self.why_not_ready = why_not_ready
        self.prefix = prefix
        self.attachment_bytes_max = attachment_bytes_max
        self._queue = queue or FairQueue()
        folder = branch.state_path / "attachments"
        self._files = AttachmentFiles(folder, branch.clone.write_attachment, attachment_files_bytes_max)

    @property
    def snapshot(self) -> Snapshot | None:
        """What is served now."""
        return self._branch.snapshots.current

    @property
    def branch_name(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._branch.name

    async def ask(self, peer: str, snapshot: Snapshot, question: Callable[[Reader], Answer]) -> Answer:
        """The answer of a reader, in a thread, when it is the peer's turn; raises QueueFull.

        The snapshot lives until the thread has ended, also where the caller goes away before.
        """

        def ask(cancelled: Cancelled) -> Answer:
            try:
                with snapshot.lend(lambda: bool(cancelled)) as reader:
                    return question(reader)
            finally:
                snapshot.leave()

        snapshot.enter()
        return await self._queue.run(peer, ask, snapshot.leave)

    async def in_thread(self, peer: str, function: Callable[[], T]) -> T:
        """What a function returns, in a thread, when it is the peer's turn; raises QueueFull."""
        return await self._queue.run(peer, lambda _: function())

    def attachment(self, oid: str) -> bytes:
        """A small attachment's bytes, from git; for threads."""
        return self._branch.clone.attachment(oid)

    async def attachment_file(self, oid: str) -> int:
        """A descriptor of a file with an attachment's bytes, for the caller to close."""
        return await self._files.open(oid)

    def report_damage(self, snapshot: Snapshot, error: BaseException) -> None:
        """Have a snapshot built again that could not be read."""
        self._branch.reloader.report_damage(snapshot, error)

    def close(self) -> None:
        """End the threads; for when no request is left."""
        self._queue.close()
        self._files.close()
