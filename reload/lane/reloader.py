"""The one locked coroutine: every trigger asks it to be at least as new as the branch.

At most one reload runs and one waits. A caller is satisfied only by a fetch that began after it asked,
so whoever comes while one runs shares the waiting one.
"""

from __future__ import annotations

import asyncio
import secrets
import time
import traceback
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reload.build.builder import Builder
from reload.build.prepared import Phases, Prepared
from reload.errors import BuildFailed, CommitNotOnBranch, DataRejected, ReloadError
from reload.lane.ancestry import Ancestry
from reload.lane.chase import Chase
from reload.lane.journal import Journal
from reload.lane.outcome import Outcome, Trigger
from reload.lane.repair import Repair
from reload.lane.worker import Worker
from reload.repository.target import Consent
from reload.snapshot.snapshot import Snapshot, Snapshots

ANNOUNCED_RETRIES = 3
ANNOUNCED_RETRY_S = 0.5

Observer = Callable[[Outcome], None]


class Waiting:
    """The reload that starts when the running one has ended, with what its callers ask for."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.fetch = False
        self.consent: frozenset[Consent] = frozenset()
        self.task: asyncio.Task[Outcome] | None = None


class Reloader:
    """Brings the served Snapshot up to the branch; lives on the event loop, works on a thread."""

    def __init__(
        self,
        builder: Builder,
        snapshots: Snapshots,
        journal: Journal,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._builder = builder
        self._snapshots = snapshots
        self._journal = journal
        self._observers = observers
        self._worker = Worker(builder)
        self._running: asyncio.Task[Outcome] | None = None
        self._waiting: Waiting | None = None
        self._ancestry = Ancestry(builder.contains)
        self._chase = Chase(journal, lambda: self._join(Trigger.WEBHOOK, frozenset()))
        self.repair = Repair(snapshots, lambda: self._join(Trigger.REPAIR, frozenset(), fetch=False))
        self.announced_retry_s = ANNOUNCED_RETRY_S

    def show_progress(self, show: Callable[[int, int], None]) -> None:
        """Have `show` called, on the loop, with how many records of a full build are done, of how many."""
        self._worker.on_progress = show

    @property
    def busy(self) -> bool:
        """Whether a reload runs."""
        return self._running is not None

    @property
    def queued(self) -> bool:
        """Whether another reload waits for the running one."""
        return self._waiting is not None and self.busy

    async def load(self) -> Outcome | None:
        """Serve what the local branch holds, without asking the remote; None where it holds nothing."""
        if not await self._worker.holds_data():
            return None
        return await self._join(Trigger.STARTUP, frozenset(), fetch=False)

    async def reload(
        self,
        trigger: Trigger,
        announced: str | None = None,
        consent: frozenset[Consent] = frozenset(),
        *,
        is_tip: bool = False,
    ) -> Outcome:
        """Be at least as new as the branch is now; `announced` is a commit (4 to 40 hex) it should hold.

        An announced commit that is served already costs no fetch, nor does one that it builds upon,
        unless `is_tip`: the branch is said to have moved to it, which may have been backwards. Whoever
        consents to something is not told that there is nothing to do. A commit that is not on the branch
        is looked for a few times, since some hosts call before their refs have moved.
        """
        if announced is not None and not consent and (known := await self._known(trigger, announced, is_tip)):
            return known
        for attempt in range(ANNOUNCED_RETRIES):
            outcome = await self._join(trigger, consent)
            if announced is None or not outcome.ok:
                return outcome
            if await self._ancestry.contains(outcome.new_commit, announced):
                return outcome
            if attempt < ANNOUNCED_RETRIES - 1:
                await asyncio.sleep(self.announced_retry_s)
        return await self._missing(outcome, str(announced))

    async def close(self) -> None:
        """End git and the build, wait for the reload that runs, and start none any more."""
        await self._worker.stop()
        waiting = self._waiting.task if self._waiting is not None else None
        await self._chase.close()
        await self.repair.close()
        tasks = {task for task in (self._running, waiting) if task is not None}
        if tasks:
            await asyncio.wait(tasks)
        await self._worker.close()

    async def _known(self, trigger: Trigger, announced: str, is_tip: bool) -> Outcome | None:
        """The in-sync outcome, where the announced commit is served already."""
        begun = time.perf_counter()
        asked_of: Snapshot | None = None
        while (current := self._snapshots.current) is not asked_of and current is not None:
            is_served = current.commit == announced
            if is_served or (not is_tip and await self._ancestry.contains(current.commit, announced)):
                commit, elapsed = current.commit, _ms_since(begun)
                return Outcome(_new_id(), trigger, "in-sync", commit, commit, datetime.now(UTC), elapsed)
            asked_of = current  # another one may be served by now
        return None

    async def _missing(self, outcome: Outcome, announced: str) -> Outcome:
        """The outcome for a commit that is not there; it is looked for later.

        What the remote said has been reported with the reload that fetched; this one adds no more.
        """
        error = CommitNotOnBranch(f"commit {announced} is not on the branch after fetching it")
        missing = Outcome(
            _new_id(),
            outcome.trigger,
            error.outcome,
            outcome.new_commit,
            outcome.new_commit,
            outcome.started_at,
            outcome.duration_ms,
            outcome.phases_ms,
            remote_commit=outcome.remote_commit,
            error=error,
        )
        self._chase.after(announced)
        await self._report(missing)
        return missing

    async def _join(self, trigger: Trigger, consent: frozenset[Consent], fetch: bool = True) -> Outcome:
        """The outcome of a reload that begins from now on, shared with whoever else waits for it."""
        if self._waiting is None:
            self._waiting = Waiting(trigger)
            self._waiting.task = asyncio.create_task(self._run_next(self._waiting, self._running))
        self._waiting.fetch |= fetch
        self._waiting.consent |= consent
        task = self._waiting.task
        assert task is not None
        return await asyncio.shield(task)  # a caller that goes away takes nobody's reload with it

    async def _run_next(self, waiting: Waiting, running: asyncio.Task[Outcome] | None) -> Outcome:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._waiting = waiting.task, None
        try:
            outcome = await self._run(waiting)
            await self._report(outcome)
        finally:
            self._running = None
        return outcome

    async def _report(self, outcome: Outcome) -> None:
        """Tell everybody; whatever they do with it, the reload has ended as it has."""
        self._tell(self._journal.observe, outcome)
        announced = self._journal.announced
        if announced is not None and outcome.fetched:
            for tip in dict.fromkeys((outcome.new_commit, outcome.remote_commit)):
                if tip is not None and await self._ancestry.contains(tip, announced.commit):
                    self._journal.arrived()
        for observe in self._observers:
            self._tell(observe, outcome)

    def _tell(self, observe: Observer, outcome: Outcome) -> None:
        try:
            observe(outcome)
        except Exception as error:
            self._complain("an observer of reloads raised", error)

    def _complain(self, message: str, error: BaseException) -> None:
        """Have a bug logged that changes nothing of how a reload ends."""
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    async def _run(self, waiting: Waiting) -> Outcome:
        phases = Phases()
        begun = time.perf_counter()
        current = self._snapshots.current
        old = current.commit if current else None
        fetched = waiting.fetch and self._builder.has_remote
        outcome = Outcome(
            _new_id(), waiting.trigger, "", old, old, datetime.now(UTC), 0, phases.ms, fetched=fetched
        )
        ending: dict[str, Any]
        try:
            ending = await self._advance(current, waiting, phases)
        except ReloadError as error:
            problems = error.problems if isinstance(error, DataRejected) else ()
            ending = {"outcome": error.outcome, "error": _kept(error), "problems": problems}
        except Exception as error:  # a bug must leave readers where they are, and the lock free
            failed = BuildFailed(f"{type(error).__name__}: {error}")
            failed.__cause__ = _kept(error)
            ending = {"outcome": failed.outcome, "error": failed}
        elapsed = _ms_since(begun)
        ending |= {"remote_commit": self._worker.remote_commit, "answered": self._worker.answered}
        return replace(outcome, duration_ms=elapsed, **ending)

    async def _advance(self, current: Snapshot | None, waiting: Waiting, phases: Phases) -> dict[str, Any]:
        """Prepare, move the branch and swap; what the outcome says of it."""
        prepared = await self._worker.prepare(current, waiting.fetch, waiting.consent, phases)
        with phases("swap"):
            try:
                prepared.commit()
            except BaseException:
                await self._worker.give_up(prepared)
                raise
            return self._swap(prepared, current)

    def _swap(self, prepared: Prepared, old: Snapshot | None) -> dict[str, Any]:
        """Serve what was prepared, its refs having moved; no await comes between, and nothing undoes it."""
        if prepared.snapshot is None:
            return {"outcome": "ahead" if prepared.target.ahead else "in-sync"}
        try:
            self._snapshots.swap(prepared.snapshot)
            self._worker.tidy_later(prepared.snapshot, self._complain)
        except Exception as error:
            self._complain("the old snapshot could not be put away", error)
        same = old is not None and old.commit == prepared.snapshot.commit
        moved = "rewritten" if prepared.target.lost else "fast-forwarded"
        return {
            "outcome": "in-sync" if same else moved,
            "new_commit": prepared.snapshot.commit,
            "changes": prepared.changes,
            "problems": prepared.snapshot.listed,
            "rebuilt": True,
        }


def _kept(error: Exception) -> Exception:
    """The error without what the frames of its traceback hold, since the history keeps it for long."""
    for each in (error, error.__cause__, error.__context__):
        if each is not None:
            traceback.clear_frames(each.__traceback__)
    return error


def _ms_since(begun: float) -> float:
    return round((time.perf_counter() - begun) * 1000, 3)


def _new_id() -> str:
    return secrets.token_hex(8)
