"""Everything of a reload that runs off the loop: fetch, judge the history, build, and stand ready to swap."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import apsw

from reload.child import BuildChild, Job
from reload.clone import Clone, Note, is_damage
from reload.difference import TooLarge, apply_difference
from reload.errors import (
    BuildFailed,
    DataRejected,
    DeletionsHeld,
    RefMoved,
    ReloadError,
    StoreError,
)
from reload.history import Consent, Target, find_target
from reload.policy import DataPolicy
from reload.reader import Reader
from reload.repository import Move, Repository
from reload.snapshot import Served, Snapshot
from reload.state_folder import StateFolder
from reload.store import Changes, Store

HELD_SHEET_RECORDS_MIN = 20
MOVE_ATTEMPTS = 3
LOG_BYTES_MAX = 4 << 20

Progress = Callable[[int, int], None]


class Phases:
    """How long each phase of a reload took, in milliseconds."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - begun) * 1000
            self.ms[name] = round(self.ms.get(name, 0) + elapsed, 3)


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator decided beforehand: about rewritten history, mass deletions and unreadable data."""

    follow_rewrites: bool = False
    allow_deletions: bool = False
    data: DataPolicy = field(default_factory=DataPolicy)


@dataclass(slots=True)
class Prepared:
    """A next state that stands ready: `move` holds the locked refs, `snapshot` the readers.

    `snapshot` is None where the served commit is the right one already.
    """

    target: Target
    snapshot: Snapshot | None = None
    move: Move | None = None
    changes: dict[str, Changes] = field(default_factory=dict)
    rebuilt: bool = False

    def commit(self) -> None:
        """Move the refs; the caller swaps in the same breath, on the loop."""
        if self.move is not None:
            self.move.commit()

    def abandon(self) -> None:
        """Give everything back; nothing has moved."""
        if self.move is not None:
            self.move.abort()
        if self.snapshot is not None:
            self.snapshot.retire()


def mass_deletions(before: Mapping[str, int], changes: Mapping[str, Changes]) -> dict[str, tuple[int, int]]:
    """The sheets of HELD_SHEET_RECORDS_MIN or more records that lose most of them, with (removed, before)."""
    return {
        name: (change.removed, before[name])
        for name, change in changes.items()
        if before.get(name, 0) >= HELD_SHEET_RECORDS_MIN and change.removed * 2 > before[name]
    }


class Builder:
    """Prepares next states, one at a time, on a thread of its own; owns the repository and the store."""

    def __init__(
        self,
        clone: Clone,
        folder: StateFolder,
        policy: Policy,
        note: Note,
    ) -> None:
        self._clone = clone
        self._opened: Repository | None = None
        self._folder = folder
        self._policy = policy
        self._note = note
        self._questions: Repository | None = None
        self._questions_guard = threading.Lock()
        self._stopped = False
        self._child = BuildChild()
        self._store: Store | None = None
        self._rejected: DataRejected | None = None

    @property
    def repository(self) -> Repository:
        """The data repository, opened (and made) when first needed; raises what opening it raises."""
        if self._opened is None:
            self._use(self._clone.open())
        assert self._opened is not None
        return self._opened

    def _use(self, repository: Repository) -> None:
        with self._questions_guard:
            for old in (self._questions, self._opened):
                if old is not None:
                    old.close()
            self._opened, self._questions = repository, repository.twin()
        if self._stopped:
            self.stop()

    @property
    def branch(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._opened.branch if self._opened is not None else None

    @property
    def remote_commit(self) -> str | None:
        """What the remote's branch was when it last answered; for the thread that prepares."""
        return self._opened.remote_commit() if self._opened is not None else None

    def holds_data(self) -> bool:
        """Whether the local branch has a commit, so that it can be served while the remote is away."""
        try:
            return self.repository.local_commit() is not None
        except ReloadError:
            return False

    def prepare(
        self,
        served: Served | None,
        fetch: bool,
        consent: frozenset[Consent],
        phases: Phases,
        progress: Progress,
    ) -> Prepared:
        """Everything up to the swap; raises a ReloadError with nothing changed for readers or refs.

        A damaged repository is replaced by a fresh clone, once, and a stuck lock cleared.
        """
        try:
            return self._prepare(served, fetch, consent, phases, progress)
        except ReloadError as error:
            if getattr(error, "reason", "") in ("lock-stuck", "timeout"):
                self._clone.clear_leftovers()
            if not is_damage(error) or not self.repository.has_remote:
                raise
            with phases("replace"):
                self._replace_repository(served, str(error))
        return self._prepare(served, fetch, consent, phases, progress)

    def _replace_repository(self, served: Served | None, reason: str) -> None:
        """A fresh clone in place of the damaged one, its branch where it is served."""
        self._use(self._clone.replace(reason))
        self._rejected = None
        if served is not None and self.repository.resolve(served.commit):
            self.repository.prepare_move(served.commit, accepted=served.commit).commit()

    def _prepare(
        self,
        served: Served | None,
        fetch: bool,
        consent: frozenset[Consent],
        phases: Phases,
        progress: Progress,
    ) -> Prepared:
        if fetch and self.repository.has_remote:
            with phases("fetch"):
                self.repository.fetch()
        follow = self._policy.follow_rewrites or "rewrite" in consent
        for attempt in range(MOVE_ATTEMPTS):
            with phases("compare"):
                serving = served.commit if served else None
                target = find_target(self.repository, serving, follow=follow, fetched=fetch)
            if target.commit == serving:
                return Prepared(target, move=self._move(target))
            try:
                return self._prepare_commit(target, served, consent, phases, progress)
            except RefMoved as error:
                if attempt == MOVE_ATTEMPTS - 1:
                    raise BuildFailed(str(error)) from error
                self._note("reload.planned_again", reason=str(error))
        raise AssertionError("unreachable")

    def tidy(self, current: Snapshot) -> Reader | None:
        """Remove left-over state files and keep the write-ahead log short.

        Returns a reader with which the event loop is to renew the snapshot's own, where the log can
        start over once it has.
        """
        for name in self._folder.sweep():
            self._note("state.swept", file=name)
        log = current.path.with_name(current.path.name + "-wal")
        if self._store is None or self._store.path != current.path or not log.exists():
            return None
        if log.stat().st_size > LOG_BYTES_MAX and self._store.checkpoint():
            return current.pin_afresh()
        return None

    def contains(self, tip: str, abbreviated: str) -> bool:
        """Whether the commit that these digits name is `tip` or one of its ancestors.

        Callable from any thread, also while `prepare` runs: it asks git processes of its own.
        """
        with self._questions_guard:
            if self._questions is None:
                return False
            commit = self._questions.resolve(abbreviated)
            return commit is not None and self._questions.contains(tip, commit)

    def stop(self) -> None:
        """End git and the build child; callable from any thread while `prepare` runs."""
        self._stopped = True
        self._child.close()
        for repository in (self._questions, self._opened):
            if repository is not None:
                repository.close()

    def close(self) -> None:
        """Close the store; to be called when `prepare` has ended."""
        if self._store is not None:
            self._store.close()

    def _prepare_commit(
        self,
        target: Target,
        served: Served | None,
        consent: frozenset[Consent],
        phases: Phases,
        progress: Progress,
    ) -> Prepared:
        if self._rejected is not None and self._rejected.commit == target.commit:
            raise self._rejected
        try:
            with phases("build"):
                return self._build(target, served, consent, phases, progress)
        except DataRejected as error:
            self._rejected = error
            raise
        except (apsw.Error, OSError) as error:
            raise BuildFailed(f"{type(error).__name__}: {error}") from error

    def _build(
        self,
        target: Target,
        served: Served | None,
        consent: frozenset[Consent],
        phases: Phases,
        progress: Progress,
    ) -> Prepared:
        if self._store is None:
            self._store = self._warm_store()
        if self._store is not None:
            try:
                return self._by_difference(self._store, target, served, consent)
            except TooLarge as reason:
                self._note("build.from_scratch", reason=str(reason))
            except (StoreError, apsw.CorruptError, apsw.NotADBError) as error:
                self._note("state.unfit", reason=str(error))
                self._store.close()
                self._store = None
        return self._from_scratch(target, served, consent, progress)

    def _warm_store(self) -> Store | None:
        """The state file that an earlier run left, if it fits."""
        path = self._folder.current()
        if path is None:
            return None
        try:
            store = Store.open(path)
            unfit = self._misfit(store)
            if unfit is None:
                return store
            store.close()
        except StoreError as error:
            unfit = str(error)
        self._note("state.unfit", reason=unfit)
        return None

    def _misfit(self, store: Store) -> str | None:
        """Why a whole state file cannot be gone on from."""
        built_under = store.state_or_none("policy")
        if built_under != self._policy.data.noted:
            return f"{store.path.name} was built under another policy: {built_under or 'none is noted'}"
        commit = store.state_or_none("commit")
        if commit is None or self.repository.resolve(commit) is None:
            return f"{store.path.name} holds a commit that the repository lacks"
        return None

    def _by_difference(
        self, store: Store, target: Target, served: Served | None, consent: frozenset[Consent]
    ) -> Prepared:
        move: Move | None = None
        before = {name: store.count(name) for name in store.sheets}
        store.begin()
        try:
            changes = (
                {}
                if store.commit == target.commit
                else apply_difference(self.repository, store, target.commit, self._policy.data)
            )
            if served is not None:
                self._hold_deletions(target.commit, before, changes, consent)
            move = self._move(target)
            store.finish()
            return Prepared(target, Snapshot(store.path, store.sheets), move, changes)
        except BaseException:
            if move is not None:
                move.abort()
            store.undo()
            raise

    def _from_scratch(
        self, target: Target, served: Served | None, consent: frozenset[Consent], progress: Progress
    ) -> Prepared:
        path = self._folder.new()
        move: Move | None = None
        store: Store | None = None
        try:
            git_dir, branch = str(self.repository.git_dir), self.repository.branch
            job = Job(git_dir, branch, target.commit, str(path), self._policy.data)
            self._child.build(job, progress)
            store = Store.open(path)
            changes = self._changes_to(store)
            if served is not None:
                before = dict(served.records)
                self._hold_deletions(target.commit, before, changes, consent)
            move = self._move(target)
            store.close()
            store = Store.open(self._folder.adopt(path))
            snapshot = Snapshot(store.path, store.sheets)
        except BaseException:
            if move is not None:
                move.abort()
            if store is not None:
                store.close()
            self._folder.discard(path)
            raise
        old, self._store = self._store, store
        if old is not None:
            old.close()
        return Prepared(target, snapshot, move, changes, rebuilt=True)

    def _changes_to(self, new: Store) -> dict[str, Changes]:
        """What a newly built store changes against the one before; everything is added to none."""
        old = self._store
        names = sorted({*new.sheets, *(old.sheets if old else ())})
        found = {name: self._changes_of(name, old, new) for name in names}
        return {name: changes for name, changes in found.items() if changes}

    def _changes_of(self, name: str, old: Store | None, new: Store) -> Changes:
        if old is None or name not in old.sheets:
            return Changes(added=new.count(name))
        if name not in new.sheets:
            return Changes(removed=old.count(name))
        return new.compare(name, old)

    def _hold_deletions(
        self,
        commit: str,
        before: dict[str, int],
        changes: dict[str, Changes],
        consent: frozenset[Consent],
    ) -> None:
        if self._policy.allow_deletions or "deletions" in consent:
            return
        removed = mass_deletions(before, changes)
        if removed:
            raise DeletionsHeld(commit, removed)

    def _move(self, target: Target) -> Move | None:
        """The refs locked for the move, None where they are in their place already."""
        local = self.repository.local_commit()
        accepted = target.accepted
        if accepted is not None and accepted == self.repository.accepted_commit():
            accepted = None
        if local == target.commit and accepted is None:
            return None
        return self.repository.prepare_move(target.commit, accepted=accepted, rewound=target.rewound)
