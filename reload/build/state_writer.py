"""The state file that is written to, brought to another commit by difference or built from scratch.

Off the loop only, for one thread at a time.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from reload.build.child import BuildChild, Job
from reload.build.difference import TooLarge, apply_difference
from reload.errors import DataRejected, StateFileError
from reload.records.policy import DataPolicy
from reload.repository.repository import Repository
from reload.snapshot.failures import DISK_FULL, NOT_THE_FILE, SQLITE_ERROR
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import Served, Snapshot
from reload.snapshot.state_file import Changes, StateFile
from reload.snapshot.state_folder import StateFolder

LOG_BYTES_MAX = 4 << 20

Progress = Callable[[int, int], None]
# Told how many records each sheet had and what changes, before anything can be seen; may raise.
Approve = Callable[[Mapping[str, int], Mapping[str, Changes]], None]


@dataclass(frozen=True, slots=True)
class Advance:
    """What a state file is to be brought to: a commit, from what is served, if `approve` does not raise."""

    repository: Repository
    commit: str
    served: Served | None
    approve: Approve
    progress: Progress


class StateWriter:
    """Owns the state file; a reload that fails leaves its readers, and the file, as they were."""

    def __init__(self, folder: StateFolder, policy: DataPolicy, note: Callable[..., None]) -> None:
        self._folder = folder
        self._policy = policy
        self._note = note
        self._child = BuildChild()
        self._state_file: StateFile | None = None
        self._identity: tuple[int, int] | None = None  # of the file that was opened
        self._unfit: object = None  # the path and identity of a file that is not to be opened again
        self._replaced: StateFile | None = None  # by one built from scratch that is not served yet

    def advance(self, to: Advance) -> tuple[Snapshot, Mapping[str, Changes]]:
        """A snapshot at a commit, and what it changes against what is served."""
        self._close_replaced()
        for _ in range(2):
            try:
                state_file = self._usable_store(to) or self._rebuilt(to)
                return (
                    self._by_difference(state_file, to) if state_file is not None else self._from_scratch(to)
                )
            except NOT_THE_FILE:
                raise
            except (StateFileError, SQLITE_ERROR) as error:
                self.declare_unfit(f"{type(error).__name__}: {error}")
        return self._from_scratch(to)

    def declare_unfit(self, reason: str) -> None:
        """Do not go on from the file: the next `advance` builds again."""
        self._note("state.unfit", reason=reason)
        if self._state_file is not None:
            self._unfit = (self._state_file.path, self._identity)
            self._state_file.close()
        self._state_file = None

    def discard(self, snapshot: Snapshot) -> None:
        """Forget a snapshot that `advance` made and that was not served."""
        snapshot.retire()
        if self._replaced is not None and self._state_file is not None:
            given_up, self._state_file, self._replaced = self._state_file, self._replaced, None
            given_up.close()
            self._identity = self._folder.identity(self._state_file.path)
            self._folder.point_at(self._state_file.path)
            self._folder.discard(given_up.path)

    def clean_up(self, current: Snapshot) -> Reader | None:
        """Remove left-over state files and keep the write-ahead log short.

        Returns a reader with which the event loop is to renew the snapshot's own, where the log can
        start over once it has.
        """
        self._close_replaced()
        for name in self._folder.sweep(keep=current.path):
            self._note("state.swept", file=name)
        log = current.path.with_name(current.path.name + "-wal")
        if self._state_file is None or self._state_file.path != current.path or not log.exists():
            return None
        with contextlib.suppress(DISK_FULL):  # the log stays as long as it is until there is room
            if log.stat().st_size > LOG_BYTES_MAX and self._state_file.checkpoint():
                return current.reopen_readers()
        return None

    def stop(self) -> None:
        """End the build child; callable from any thread."""
        self._child.close()

    def close(self) -> None:
        """Close the file; readers of their own stay open."""
        self._close_replaced()
        if self._state_file is not None:
            self._state_file.close()
        self._state_file = None

    def _close_replaced(self) -> None:
        if self._replaced is not None:
            self._replaced.close()
        self._replaced = None

    def _usable_store(self, to: Advance) -> StateFile | None:
        """The state file, brought back to what is served where an earlier swap failed; None: build again."""
        state_file = self._state_file
        if state_file is not None and self._folder.identity(state_file.path) != self._identity:
            self.declare_unfit(f"{state_file.path.name} was deleted or moved")
            self._unfit = None
        if self._state_file is None:
            self._state_file = self._warm_store()
        state_file = self._state_file
        if state_file is None:
            return None
        if to.repository.resolve(state_file.commit) is None:
            self.declare_unfit(f"{state_file.path.name} holds a commit that the repository lacks")
            return None
        if to.served is not None and state_file.commit != to.served.commit:
            self._write(state_file, to.repository, to.served.commit)
        return state_file

    def _warm_store(self) -> StateFile | None:
        """The state file that an earlier run left, if it fits."""
        path = self._folder.current()
        if path is None:
            self._note("state.unfit", reason="there is no state file yet")
        if path is None or (path, self._folder.identity(path)) == self._unfit:
            return None
        with contextlib.ExitStack() as undo:
            try:
                state_file = StateFile.open(path)
                undo.callback(state_file.close)
                state_file.verify()
                built_under = state_file.state("policy")
                if built_under != self._policy.noted:
                    raise StateFileError(f"{path.name} was built under another policy: {built_under}")
                state_file.state("commit")
            except (StateFileError, SQLITE_ERROR) as error:
                self._note("state.unfit", reason=str(error))
                return None
            undo.pop_all()
        self._identity = self._folder.identity(path)
        return state_file

    def _write(
        self, state_file: StateFile, repository: Repository, commit: str, approve: Approve | None = None
    ) -> Mapping[str, Changes]:
        """Bring the file to a commit in one transaction; leaves it as it was where anything raises."""
        before = {name: state_file.count(name) for name in state_file.sheets}
        changes: Mapping[str, Changes] = {}
        state_file.begin()
        try:
            if state_file.commit != commit:
                changes = apply_difference(repository, state_file, commit, self._policy)
            if approve is not None:
                approve(before, changes)
            state_file.finish()
        except BaseException:
            state_file.undo()
            raise
        return changes

    def _by_difference(self, state_file: StateFile, to: Advance) -> tuple[Snapshot, Mapping[str, Changes]]:
        try:
            changes = self._write(state_file, to.repository, to.commit, to.approve)
        except TooLarge as reason:
            self._note("build.from_scratch", reason=str(reason))
            return self._from_scratch(to)
        return Snapshot(state_file.path, state_file.sheets), changes

    def _rebuilt(self, to: Advance) -> StateFile | None:
        """The state file of what is served, where it was lost, so that it can be told what changes."""
        if to.served is None or to.repository.resolve(to.served.commit) is None:
            return None
        with contextlib.ExitStack() as undo:
            try:
                state_file = self._build(to, to.served.commit, undo)
            except DataRejected:  # under a policy that has become stricter
                return None
            self._folder.point_at(state_file.path)
            undo.pop_all()
        self._state_file, self._identity = state_file, self._folder.identity(state_file.path)
        return state_file

    def _from_scratch(self, to: Advance) -> tuple[Snapshot, Mapping[str, Changes]]:
        with contextlib.ExitStack() as undo:
            state_file = self._build(to, to.commit, undo)
            before = dict(to.served.records) if to.served is not None else {}
            changes = self._changes_to(state_file, to.served, before)
            to.approve(before, changes)
            snapshot = Snapshot(state_file.path, state_file.sheets)
            undo.callback(snapshot.retire)
            self._folder.point_at(state_file.path)
            undo.pop_all()
        self._replaced, self._state_file = self._state_file, state_file
        self._identity = self._folder.identity(state_file.path)
        return snapshot, changes

    def _build(self, to: Advance, commit: str, undo: contextlib.ExitStack) -> StateFile:
        """A new state file for a commit, built in a child; `undo` removes it again."""
        repository, built = to.repository, self._folder.new()
        undo.callback(self._folder.discard, built)
        job = Job(str(repository.git_dir), repository.branch, commit, str(built), self._policy)
        self._child.build(job, to.progress)
        path = self._folder.keep(built)
        undo.callback(self._folder.discard, path)
        state_file = StateFile.open(path)
        undo.callback(state_file.close)
        return state_file

    def _changes_to(
        self, new: StateFile, served: Served | None, before: Mapping[str, int]
    ) -> dict[str, Changes]:
        """What a newly built file changes against what is served; without its file, by counts alone."""
        old = self._state_file
        if old is not None and served is not None and old.commit != served.commit:
            old = None
        names = sorted({*new.sheets, *(old.sheets if old is not None else before)})
        found = {name: self._changes_of(name, old, new, before.get(name, 0)) for name in names}
        return {name: changes for name, changes in found.items() if changes}

    def _changes_of(self, name: str, old: StateFile | None, new: StateFile, before: int) -> Changes:
        now = new.count(name) if name in new.sheets else 0
        if old is None:
            return Changes(added=max(0, now - before), removed=max(0, before - now))
        if name not in old.sheets:
            return Changes(added=now)
        if name not in new.sheets:
            return Changes(removed=old.count(name))
        return new.compare(name, old)
