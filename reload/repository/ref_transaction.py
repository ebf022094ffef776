"""A move of refs by compare-and-swap: prepared off the loop, committed together with the swap."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterable
from pathlib import Path

from reload.errors import RefLocked, RefMoved, RepositoryError
from reload.repository.coprocess import Coprocess

COMMIT_DEADLINE_S = 5.0
_LOCKED = "file exists"
# A git that ends by itself or is asked to (SIGTERM) removes its locks; one that is killed cannot.
_CLEAN_ENDS = (0, 1, 128, -signal.SIGTERM)


class RefTransaction:
    """Refs that are locked and checked, and then moved or given up; nothing moves before `commit`.

    It holds on to one git process: where that dies its locks are removed, and the move has failed.
    """

    def __init__(self, session: Coprocess, git_dir: Path) -> None:
        self._session = session
        self._git_dir = git_dir
        self._held: list[str] = []
        self._process = 0

    def prepare(self, updates: Iterable[tuple[str, str]]) -> None:
        """Lock and check refs, each with its `new` or `new old` values.

        Raises RefMoved where one is not where it should be, RefLocked where another holds its lock.
        """
        updates = list(updates)
        lines = b"".join(f"update {ref} {values}\n".encode() for ref, values in updates)
        try:
            self._say("start", go_on=False)
            self._process = self._session.starts
            self._session.go_on(lines)
            self._say("prepare")
        except RepositoryError as error:
            self._session.close()
            refused = RefLocked if _LOCKED in str(error).lower() else RefMoved
            raise refused(f"the branch moved or is locked: {error}") from error
        self._held = ["HEAD", *(ref for ref, _ in updates)]  # git locks HEAD with the branch it names

    def commit(self) -> None:
        """Move the refs: a few renames, less than a millisecond. Raises RepositoryError where git fails."""
        try:
            self._say("commit", deadline_s=COMMIT_DEADLINE_S)
        except RepositoryError:
            self.abort()
            raise
        self._held = []

    def abort(self) -> None:
        """Give the locks back; harmless after `commit`, and when another move has begun since."""
        if self._held and self._process == self._session.starts:
            self._session.close()
            if self._session.status not in _CLEAN_ENDS:
                self._unlock()
        self._held = []

    def _unlock(self) -> None:
        for ref in self._held:
            with contextlib.suppress(OSError):
                (self._git_dir / f"{ref}.lock").unlink()

    def _say(self, word: str, *, go_on: bool = True, deadline_s: float | None = None) -> None:
        answer = self._session.line(f"{word}\n".encode(), go_on=go_on, deadline_s=deadline_s)
        if answer.strip() != f"{word}: ok".encode():
            raise RepositoryError(f"git update-ref refused to {word}: {self._session.close()}")
