"""The server's own clone: opened when first needed, and repaired when it breaks."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import BinaryIO, TypeVar

from reload.errors import (
    BranchMissing,
    DataRejected,
    DerivationFailed,
    Diverged,
    FetchFailed,
    ObjectMissing,
    ReloadError,
    RepositoryError,
)
from reload.repository.clone_folder import CloneFolder
from reload.repository.command import GitFailed, GitTimedOut
from reload.repository.fetch_failure import OBJECT_FORMAT, PRUNED
from reload.repository.maintenance import tells_of_damage
from reload.repository.repository import Repository

# A repository that is replaced is gone for the moment between two renames.
READ_ATTEMPTS, READ_AGAIN_S = 5, 0.05

T = TypeVar("T")


class Clone:
    """Holds the repository open; `note` takes log events.

    For the thread that prepares reloads; `contains`, the attachments and `stop` are for any thread.
    """

    def __init__(self, folder: CloneFolder, note: Callable[..., None]) -> None:
        self._folder = folder
        self._note = note
        self._opened: Repository | None = None
        self._questions: Repository | None = None
        self._questions_guard = threading.Lock()
        self._stopped = False
        self._replaced = False
        self._left_over: tuple[float, bool] | None = None  # since when, and whether a git died
        self.reached = False  # whether the remote answered when it was last asked
        self.seen_remote_commit: str | None = None

    @property
    def repository(self) -> Repository:
        """The data repository, opened (and made) when first needed; raises what opening it raises."""
        if self._opened is None:
            self._use(self._folder.open())
        assert self._opened is not None
        return self._opened

    @property
    def branch(self) -> str | None:
        """The branch that is served, None while the remote has not told its default branch."""
        return self._opened.branch if self._opened is not None else self._folder.branch

    @property
    def has_remote(self) -> bool:
        """Whether there is a remote to ask."""
        return self._folder.remote is not None

    def note_remote_commit(self) -> None:
        """Set `seen_remote_commit` to the commit of the remote's branch when it was last fetched."""
        with contextlib.suppress(Exception):  # the fetch has told of a broken repository
            self.seen_remote_commit = self._opened.remote_commit() if self._opened is not None else None

    def fetch(self, *, follow: bool) -> None:
        """Ask the remote, if there is one; `reached` tells whether it has answered, whatever that was.

        A remote that names its objects by another hash is cloned anew, where nothing was served from here
        or with `follow`.
        """
        self.reached = False
        if not self.has_remote:
            return
        self._folder.require_room()
        try:
            if incomplete := self._folder.incomplete:
                self.replace(incomplete)
            else:
                self.repository.fetch()
        except BranchMissing:
            self.reached = True
            raise
        except FetchFailed as error:
            if error.reason != OBJECT_FORMAT:
                raise
            self._change_object_format(follow=follow)
        self.reached = True

    def _change_object_format(self, *, follow: bool) -> None:
        self.reached = True
        if self.repository.local_commit() is not None and not follow:
            raise Diverged(
                "the remote was made anew: it names its objects by another hash, so that nothing of what is "
                "served is in its history; accept it once with `livesheets reload --accept-rewrite`",
                "",
            )
        other = "sha1" if self._folder.object_format == "sha256" else "sha256"
        self._use(self._folder.replace("the remote names its objects by another hash", self.branch, other))

    def repair(
        self, error: ReloadError, begun: float, timed: Callable[[str], AbstractContextManager[None]]
    ) -> bool:
        """Repair what an error tells of; whether another try may work.

        `begun` is when the reload began, in seconds since 1970; `timed` measures a phase. A damaged
        repository is replaced by a fresh clone, once until a reload has met no damage. Locks of git
        processes that died are removed. What another git pruned is fetched again.
        """
        reason = getattr(error, "reason", "")
        if reason:
            died = reason in ("timeout", "killed")
            cleared = self._clear(begun, died=died)
            if reason == PRUNED or (reason == "lock-stuck" and cleared):
                return True
        if not is_damage(error):
            self._replaced = False
            return False
        if self._replaced or not self.has_remote or self._stopped or not self._is_ours(error):
            return False
        self._replaced = True
        with timed("replace"):
            self.replace(str(error))
        return True

    def clear_leftovers(self) -> None:
        """Remove what an earlier failure left while another git was in the way; no ref may be locked."""
        if self._left_over is not None:
            begun, died = self._left_over
            self._clear(begun, died=died)

    def note_success(self) -> None:
        """Note that a reload met no damage."""
        self._replaced = False

    def replace(self, reason: str) -> None:
        """Clone the repository again in its place, where the remote answers."""
        self._use(self._folder.replace(reason, self.branch))

    def pack(self) -> None:
        """Keep the repository small and quick to read."""
        if self._opened is None:
            return
        begun = time.time()
        try:
            if self._opened.pack():
                self._note("repository.packed")
        except RepositoryError as error:  # the next reload tries again
            died = isinstance(error, GitTimedOut)
            self._clear(begun, died=died)
            self._note("repository.pack_failed", reason=str(error))

    def contains(self, tip: str, abbreviated: str) -> bool:
        """Whether the commit that these digits name is `tip` or one of its ancestors."""
        with self._questions_guard:
            if self._questions is None:
                return False
            commit = self._questions.resolve(abbreviated)
            return commit is not None and self._questions.contains(tip, commit)

    def attachment(self, oid: str) -> bytes:
        """A file's bytes; for small files."""
        return self._read(lambda repository: repository.attachment(oid))

    def write_attachment(self, oid: str, file: BinaryIO, is_cancelled: Callable[[], bool]) -> None:
        """Write a file's bytes in pieces; ends early where `is_cancelled` says so."""

        def write(repository: Repository) -> None:
            file.seek(0)
            file.truncate()
            repository.write_attachment(oid, file, is_cancelled)

        self._read(write)

    def _read(self, read: Callable[[Repository], T]) -> T:
        """Read from the repository, again where it is being replaced at this moment; from any thread."""
        for attempt in range(READ_ATTEMPTS):
            repository = self._opened
            if repository is None:
                break
            try:
                return read(repository)
            except RepositoryError:
                if attempt == READ_ATTEMPTS - 1:
                    raise
                time.sleep(READ_AGAIN_S)
        raise RepositoryError("the repository is not open yet")

    def stop(self) -> None:
        """End every git and start none any more."""
        self._stopped = True
        for repository in (self._questions, self._opened):
            if repository is not None:
                repository.stop()

    def close(self) -> None:
        """Let go of the repository."""
        self.stop()
        with self._questions_guard:
            for repository in (self._questions, self._opened):
                if repository is not None:
                    repository.close()

    def _use(self, repository: Repository) -> None:
        with self._questions_guard:
            replaced = (self._questions, self._opened)
            self._opened, self._questions = repository, repository.reopened()  # readers find it at once
            for old in replaced:
                if old is not None:
                    old.close()
        if self._stopped:
            self.stop()

    def _clear(self, begun: float, *, died: bool) -> bool:
        """Remove what a git left that failed, now or when no other git is in the way; whether it left any."""
        if self._left_over is not None:
            begun, died = min(begun, self._left_over[0]), died or self._left_over[1]
        cleared = self._folder.clear_after_failure(self._pids(), begun, died=died)
        self._left_over = (begun, died) if cleared is None else None
        return bool(cleared)

    def _pids(self) -> frozenset[int]:
        running = (each.pids() for each in (self._questions, self._opened) if each is not None)
        return frozenset().union(*running)

    def _is_ours(self, error: ReloadError) -> bool:
        """Whether damage is here, and not on its way from the remote, which git tells with the same words."""
        return not isinstance(error, FetchFailed) or self.repository.is_damaged()


def is_damage(error: ReloadError) -> bool:
    """Whether an error says that the local repository lost or garbled objects."""
    if isinstance(error, DataRejected | DerivationFailed):  # their words are the data's or a program's
        return False
    words = error.__cause__.stderr if isinstance(error.__cause__, GitFailed) else ""
    return isinstance(error, ObjectMissing) or tells_of_damage(f"{error}\n{words}")
