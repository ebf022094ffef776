"""Everything of a reload that runs off the loop: fetch, judge the history, build, and stand ready to swap."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

import apsw

from reload.snapshot.query.reader import Reader
from reload.repository.clone import Clone, Note
from reload.build.deletions import mass_deletions
from reload.repository.disk import failed_build, is_full
from reload.errors import DataRejected, DeletionsHeld, RefLocked, RefMoved, ReloadError
from reload.repository.ref_transaction import Move
from reload.repository.target import Consent, Target, find_target
from reload.repository.keeper import Keeper
from reload.records.policy import DataPolicy
from reload.build.prepared import Phases, Prepared
from reload.repository.repository import ACCEPTED_REF, REWOUND_REFS, Repository
from reload.snapshot.snapshot import Served, Snapshot
from reload.build.state_writer import Advance, Progress, StateWriter
from reload.snapshot.state_folder import StateFolder
from reload.snapshot.state_file import Changes

MOVE_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Policy:
    """What an operator decided beforehand: about rewritten history, mass deletions and unreadable data."""

    follow_rewrites: bool = False
    allow_deletions: bool = False
    data: DataPolicy = field(default_factory=DataPolicy)


@dataclass(frozen=True, slots=True)
class Request:
    """What a reload is asked for: from what is served, with or without the remote, with whose consent."""

    served: Served | None
    fetch: bool
    consent: frozenset[Consent]
    phases: Phases
    progress: Progress
    damage: str | None = None  # what a reader of what is served met, so that it is to be built anew

    def has(self, commit: str) -> bool:
        """Whether a commit is served, and soundly."""
        return self.served is not None and self.served.commit == commit and self.damage is None


class Builder:
    """Prepares next states, one at a time, on a thread of its own; owns the repository and the state file."""

    def __init__(self, clone: Clone, folder: StateFolder, policy: Policy, note: Note) -> None:
        self._policy = policy
        self._note = note
        self._keeper = Keeper(clone, note)
        self._state = StateWriter(folder, policy.data, note)
        self._rejected: DataRejected | None = None

    @property
    def repository(self) -> Repository:
        """The data repository, opened (and made) when first needed; raises what opening it raises."""
        return self._keeper.repository

    @property
    def branch(self) -> str | None:
        """The branch that is served, None while that is not known yet."""
        return self._keeper.branch

    @property
    def has_remote(self) -> bool:
        """Whether there is a remote to ask."""
        return self._keeper.has_remote

    @property
    def reached(self) -> bool:
        """Whether the remote answered when it was last asked."""
        return self._keeper.reached

    @property
    def remote_commit(self) -> str | None:
        """What the remote's branch was when it last answered; for the thread that prepares."""
        return self._keeper.remote_commit()

    def holds_data(self) -> bool:
        """Whether the local branch has a commit, so that it can be served while the remote is away."""
        try:
            return self.repository.local_commit() is not None
        except Exception:  # the reload that follows meets it again, and says so
            return False

    def prepare(self, request: Request) -> Prepared:
        """Everything up to the swap; raises a ReloadError with nothing changed for readers or refs.

        What can be mended by itself, such as a damaged repository or a stuck lock, is, once.
        """
        begun = time.time()
        self._keeper.clear()
        try:
            prepared = self._prepare(request)
        except ReloadError as error:
            if not self._keeper.mend(error, begun, request.phases):
                raise
            prepared = self._prepare(request)
        self._keeper.worked()
        return prepared

    def give_up(self, prepared: Prepared) -> None:
        """Take back what `prepare` made and nobody got to see; nothing has moved."""
        if prepared.move is not None:
            prepared.move.abort()
        if prepared.snapshot is not None:
            self._state.give_up(prepared.snapshot)

    def tidy(self, current: Snapshot) -> Reader | None:
        """Remove what the last swap left over; returns what `Snapshot.renew` is to be called with."""
        fresh = self._state.tidy(current)
        self._keeper.tidy()
        return fresh

    def contains(self, tip: str, abbreviated: str) -> bool:
        """Whether the commit that these digits name is `tip` or one of its ancestors.

        Callable from any thread, also while `prepare` runs: it asks git processes of its own.
        """
        return self._keeper.contains(tip, abbreviated)

    def attachment(self, oid: str) -> bytes:
        """A file's bytes; callable from any thread."""
        return self._keeper.attachment(oid)

    def stop(self) -> None:
        """End git and the build child; callable from any thread while `prepare` runs."""
        self._state.stop()
        self._keeper.stop()

    def close(self) -> None:
        """Let go of everything; to be called when `prepare` has ended."""
        self._state.close()
        self._keeper.close()

    def _prepare(self, request: Request) -> Prepared:
        if request.fetch and self.has_remote:
            with request.phases("fetch"):
                self._keeper.fetch()
        for attempt in range(MOVE_ATTEMPTS):
            with request.phases("compare"):
                target = self._target(request)
            try:
                if request.has(target.commit):
                    return Prepared(target, move=self._move(target))
                return self._prepare_commit(target, request)
            except RefLocked:
                raise
            except RefMoved as error:
                place = self.repository.git_dir
                if attempt == MOVE_ATTEMPTS - 1 or is_full(error, place):
                    raise failed_build(error, place) from error
                self._note("reload.planned_again", reason=str(error))
        raise AssertionError("unreachable")

    def _target(self, request: Request) -> Target:
        follow = self._policy.follow_rewrites or "rewrite" in request.consent
        serving = request.served.commit if request.served is not None else None
        if serving is not None and request.damage is not None and not request.fetch:
            return Target(serving, serving, None)  # to be built anew, wherever the branch is by now
        return find_target(self.repository, serving, follow=follow, fetched=request.fetch)

    def _prepare_commit(self, target: Target, request: Request) -> Prepared:
        known = self._rejected
        if known is not None and known.commit == target.commit:
            raise DataRejected(known.commit, known.problems, known.counts)
        try:
            with request.phases("build"):
                return self._build(target, request)
        except DataRejected as error:
            self._rejected = DataRejected(error.commit, error.problems, error.counts)
            raise
        except (apsw.Error, OSError) as error:
            raise failed_build(error) from error

    def _build(self, target: Target, request: Request) -> Prepared:
        moves: list[Move] = []

        def approve(before: Mapping[str, int], changes: Mapping[str, Changes]) -> None:
            while moves:
                moves.pop().abort()
            self._hold_deletions(target.commit, before, changes, request)
            if (move := self._move(target)) is not None:
                moves.append(move)

        if request.damage is not None:
            self._state.distrust(request.damage)
        try:
            advance = Advance(self.repository, target.commit, request.served, approve, request.progress)
            snapshot, changes = self._state.advance(advance)
        except BaseException:
            for move in moves:
                move.abort()
            raise
        return Prepared(target, snapshot, moves[-1] if moves else None, changes)

    def _hold_deletions(
        self, commit: str, before: Mapping[str, int], changes: Mapping[str, Changes], request: Request
    ) -> None:
        if request.served is None or self._policy.allow_deletions or "deletions" in request.consent:
            return
        removed = mass_deletions(before, changes)
        if removed:
            raise DeletionsHeld(commit, removed)

    def _move(self, target: Target) -> Move | None:
        """The refs locked for the move, None where they are in their place already."""
        keep = {}
        if target.accepted is not None and target.accepted != self.repository.accepted_commit():
            keep[ACCEPTED_REF] = target.accepted
        for commit in target.lost:
            if self.repository.resolve(commit) is not None:
                keep[f"{REWOUND_REFS}/{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{commit[:12]}"] = commit
        if target.local == target.commit and not keep:
            return None
        return self.repository.prepare_move(target.commit, target.local, keep)
