"""One reload off the loop, up to the swap: fetch, check the history, build, lock the refs."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import MappingProxyType

from reload.build.deletions import mass_deletions
from reload.build.derivation import Derivation, derive
from reload.build.disk_full import failed_build, is_full
from reload.build.phases import Phases
from reload.build.state_writer import Advance, Progress, StateWriter
from reload.build.transaction import Transaction
from reload.errors import DataRejected, DeletionsHeld, RefLocked, RefMoved, ReloadError
from reload.records.policy import DataPolicy
from reload.repository.clone import Clone
from reload.repository.ref_transaction import RefTransaction
from reload.repository.repository import ACCEPTED_REF, REWOUND_REFS
from reload.repository.target import Consent, Target, find_target
from reload.snapshot.failures import SQLITE_ERROR
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import Served, Snapshot
from reload.snapshot.state_file import Changes
from reload.snapshot.state_folder import StateFolder

MOVE_ATTEMPTS = 3

Note = Callable[..., None]


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator decided beforehand: about rewritten history, mass deletions and unreadable data."""

    follow_rewrites: bool = False
    allow_deletions: bool = False
    data: DataPolicy = field(default_factory=DataPolicy)


@dataclass(frozen=True, slots=True)
class Request:
    """What a reload is asked for: from what is served, with or without the remote, with whose consent."""

    current: Snapshot | None
    fetch: bool
    consent: frozenset[Consent]
    phases: Phases
    progress: Progress

    @property
    def served(self) -> Served | None:
        """What is served now."""
        return self.current.served if self.current is not None else None

    @property
    def damage(self) -> str | None:
        """What a reader of the served snapshot could not read, so that it has to be built again."""
        return self.current.damage if self.current is not None else None

    def has(self, commit: str) -> bool:
        """Whether a commit is served, and soundly."""
        return self.served is not None and self.served.commit == commit and self.damage is None


class Builder:
    """Prepares reloads, one at a time, on a thread; owns the state file. `note` takes log events."""

    def __init__(
        self,
        clone: Clone,
        folder: StateFolder,
        policy: Policy,
        note: Note,
        derivations: Mapping[str, Derivation] = MappingProxyType({}),
    ) -> None:
        self._policy = policy
        self._derivations = derivations
        self._note = note
        self._clone = clone
        self._state_writer = StateWriter(folder, policy.data, note)
        self._rejected: DataRejected | None = None

    def holds_data(self) -> bool:
        """Whether the local branch has a commit, so that it can be served while the remote is away."""
        try:
            return self._clone.repository.local_commit() is not None
        except Exception:  # the reload that follows meets it again, and says so
            return False

    def prepare(self, request: Request) -> Transaction:
        """Everything up to the swap; raises a ReloadError with nothing changed for readers or refs.

        Once, what can be repaired is repaired and tried again: a damaged repository, a stuck lock.
        """
        begun = time.time()
        self._clone.clear_leftovers()
        try:
            try:
                transaction = self._prepare(request)
            except ReloadError as error:
                if not self._clone.repair(error, begun, request.phases):
                    raise
                transaction = self._prepare(request)
        finally:
            self._clone.note_remote_commit()
        self._clone.note_success()
        return transaction

    def abort(self, transaction: Transaction) -> None:
        """Take back a transaction that was not committed."""
        if transaction.refs is not None:
            transaction.refs.abort()
        if transaction.snapshot is not None:
            self._state_writer.discard(transaction.snapshot)

    def clean_up(self, current: Snapshot) -> Reader | None:
        """Remove what the last swap left over; returns what `Snapshot.renew` is to be called with."""
        fresh = self._state_writer.clean_up(current)
        self._clone.pack()
        return fresh

    def stop(self) -> None:
        """End git and the build child; callable from any thread while `prepare` runs."""
        self._state_writer.stop()
        self._clone.stop()

    def close(self) -> None:
        """Close the state file and the repository; to be called when `prepare` has ended."""
        self._state_writer.close()
        self._clone.close()

    def _prepare(self, request: Request) -> Transaction:
        if request.fetch and self._clone.has_remote:
            with request.phases("fetch"):
                self._clone.fetch(follow=self._follows(request))
        for attempt in range(MOVE_ATTEMPTS):
            with request.phases("compare"):
                target = self._target(request)
            try:
                if request.has(target.commit):
                    return Transaction(target, refs=self._lock_refs(target))
                return self._prepare_commit(target, request)
            except RefLocked:
                raise
            except RefMoved as error:
                place = self._clone.repository.git_dir
                if attempt == MOVE_ATTEMPTS - 1 or is_full(error, place):
                    raise failed_build(error, place) from error
                self._note("reload.planned_again", reason=str(error))
        raise AssertionError("unreachable")

    def _target(self, request: Request) -> Target:
        serving = request.served.commit if request.served is not None else None
        if serving is not None and request.damage is not None and not request.fetch:
            return Target(serving, serving, None)  # to be built again, wherever the branch is by now
        return find_target(
            self._clone.repository, serving, follow=self._follows(request), fetched=request.fetch
        )

    def _follows(self, request: Request) -> bool:
        return self._policy.follow_rewrites or "rewrite" in request.consent

    def _prepare_commit(self, target: Target, request: Request) -> Transaction:
        known = self._rejected
        if known is not None and known.commit == target.commit:
            raise DataRejected(known.commit, known.problems, known.counts)
        try:
            with request.phases("build"):
                return self._build(target, request)
        except DataRejected as error:
            self._rejected = DataRejected(error.commit, error.problems, error.counts)
            raise
        except (SQLITE_ERROR, OSError) as error:
            raise failed_build(error) from error

    def _build(self, target: Target, request: Request) -> Transaction:
        locked: list[RefTransaction] = []

        def approve(before: Mapping[str, int], changes: Mapping[str, Changes]) -> None:
            while locked:
                locked.pop().abort()
            self._hold_deletions(target.commit, before, changes, request)
            if (refs := self._lock_refs(target)) is not None:
                locked.append(refs)

        if request.damage is not None:
            self._state_writer.declare_unfit(request.damage)
        try:
            advance = Advance(
                self._clone.repository, target.commit, request.served, approve, request.progress
            )
            snapshot, changes = self._state_writer.advance(advance)
        except BaseException:
            for refs in locked:
                refs.abort()
            raise
        transaction = Transaction(target, snapshot, locked[-1] if locked else None, changes)
        try:
            derive(self._derivations, snapshot, request.current, changes)
        except BaseException:
            self.abort(transaction)
            raise
        return transaction

    def _hold_deletions(
        self, commit: str, before: Mapping[str, int], changes: Mapping[str, Changes], request: Request
    ) -> None:
        if request.served is None or self._policy.allow_deletions or "deletions" in request.consent:
            return
        removed = mass_deletions(before, changes)
        if removed:
            raise DeletionsHeld(commit, removed)

    def _lock_refs(self, target: Target) -> RefTransaction | None:
        """The refs locked for the move, None where they are in their place already."""
        keep = {}
        if target.accepted is not None and target.accepted != self._clone.repository.accepted_commit():
            keep[ACCEPTED_REF] = target.accepted
        for commit in target.lost:
            if self._clone.repository.resolve(commit) is not None:
                keep[f"{REWOUND_REFS}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{commit[:12]}"] = commit
        if target.local == target.commit and not keep:
            return None
        return self._clone.repository.lock_refs(target.commit, target.local, keep)
