"""The data repository in the care of this program: opened when first needed, mended when it breaks."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from reload.build.prepared import Phases
from reload.errors import BranchMissing, FetchFailed, ReloadError, RepositoryError
from reload.repository.clone import Clone, is_damage
from reload.repository.command import GitTimedOut
from reload.repository.fetch_failure import PRUNED
from reload.repository.repository import Repository

# A repository that is replaced is gone for the moment between two renames.
READ_ATTEMPTS, READ_AGAIN_S = 5, 0.05


class Keeper:
    """For the thread that prepares reloads, save `contains`, `attachment` and `stop`: those from any."""

    def __init__(self, clone: Clone, note: Callable[..., None]) -> None:
        self._clone = clone
        self._note = note
        self._opened: Repository | None = None
        self._questions: Repository | None = None
        self._questions_guard = threading.Lock()
        self._stopped = False
        self._mended = False
        self._uncleared: tuple[float, bool] | None = None  # since when, and whether a git died
        self.reached = False

    @property
    def repository(self) -> Repository:
        """The data repository, opened (and made) when first needed; raises what opening it raises."""
        if self._opened is None:
            self._use(self._clone.open())
        assert self._opened is not None
        return self._opened

    @property
    def branch(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._opened.branch if self._opened is not None else None

    @property
    def has_remote(self) -> bool:
        """Whether there is a remote to ask."""
        return self._clone.remote is not None

    def remote_commit(self) -> str | None:
        """What the remote's branch was when it last answered."""
        return self._opened.remote_commit() if self._opened is not None else None

    def fetch(self) -> None:
        """Ask the remote, if there is one; `reached` tells whether it has answered, whatever that was."""
        self.reached = False
        if not self.has_remote:
            return
        self._clone.require_room()
        try:
            if incomplete := self._clone.incomplete:
                self.replace(incomplete)
            else:
                self.repository.fetch()
        except BranchMissing:
            self.reached = True
            raise
        self.reached = True

    def mend(self, error: ReloadError, begun: float, phases: Phases) -> bool:
        """Do what can be done about an error; whether that makes another try worth while.

        `begun` is when the reload began, in seconds since 1970. A damaged repository is replaced by a
        fresh clone, and not once more before a reload went without damage; locks of the dead are cleared;
        what another git removed on its way is fetched again.
        """
        reason = getattr(error, "reason", "")
        if reason:
            died = reason in ("timeout", "killed")
            cleared = self._clear(begun, died=died)
            if reason == PRUNED or (reason == "lock-stuck" and cleared):
                return True
        if not is_damage(error):
            self._mended = False
            return False
        if self._mended or not self.has_remote or self._stopped or not self._is_ours(error):
            return False
        self._mended = True
        with phases("replace"):
            self.replace(str(error))
        return True

    def clear(self) -> None:
        """Remove what an earlier failure left while another git was in the way; no ref may be locked."""
        if self._uncleared is not None:
            begun, died = self._uncleared
            self._clear(begun, died=died)

    def worked(self) -> None:
        """Note that a reload met no damage."""
        self._mended = False

    def replace(self, reason: str) -> None:
        """Clone the repository again in its place, where the remote answers."""
        self._use(self._clone.replace(reason, self.branch))

    def tidy(self) -> None:
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
        """A file's bytes; asked again where the repository is being replaced at this moment."""
        for attempt in range(READ_ATTEMPTS):
            repository = self._opened
            if repository is None:
                break
            try:
                return repository.attachment(oid)
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
            self._opened, self._questions = repository, repository.twin()  # whoever reads finds it at once
            for old in replaced:
                if old is not None:
                    old.close()
        if self._stopped:
            self.stop()

    def _clear(self, begun: float, *, died: bool) -> bool:
        """Remove what a git left that failed, now or when no other git is in the way; whether it left any."""
        if self._uncleared is not None:
            begun, died = min(begun, self._uncleared[0]), died or self._uncleared[1]
        cleared = self._clone.clear_after_failure(self._pids(), begun, died=died)
        self._uncleared = (begun, died) if cleared is None else None
        return bool(cleared)

    def _pids(self) -> frozenset[int]:
        running = (each.pids() for each in (self._questions, self._opened) if each is not None)
        return frozenset().union(*running)

    def _is_ours(self, error: ReloadError) -> bool:
        """Whether damage is here, and not on its way from the remote, which git tells with the same words."""
        return not isinstance(error, FetchFailed) or self.repository.is_damaged()
