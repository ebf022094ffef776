"""The one locked coroutine: every trigger asks it to be at least as new as the branch.

At most one reload runs and one waits. A caller is satisfied only by a fetch that began after it asked, so
callers that come while a reload runs share the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
import traceback
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from reload.build.builder import Builder, Request
from reload.build.phases import Phases
from reload.build.transaction import Transaction
from reload.errors import BuildFailed, DataRejected, ReloadError
from reload.lane.announced import Announced, new_id
from reload.lane.journal import Journal
from reload.lane.outcome import Outcome, Trigger
from reload.lane.retry import Retry
from reload.repository.clone import Clone
from reload.repository.target import Consent
from reload.snapshot.snapshot import Snapshot, Snapshots

ANNOUNCED_RETRIES = 3
ANNOUNCED_RETRY_S = 0.5
REBUILD_FIRST_S = 2.0
REBUILD_MAX_S = 60.0

Observer = Callable[[Outcome], None]


@dataclass(frozen=True, slots=True)
class Running:
    """The reload that runs: since when, and what it is doing."""

    since: datetime
    phases: Phases


class NextReload:
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
        clone: Clone,
        snapshots: Snapshots,
        journal: Journal,
    ) -> None:
        self._lock = asyncio.Lock()
        self._builder = builder
        self._clone = clone
        self._snapshots = snapshots
        self._journal = journal
        self.observers: list[Observer] = []  # told of each outcome
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reload")
        self._next: NextReload | None = None
        self._tasks: set[asyncio.Task[Outcome]] = set()
        self._announced = Announced(
            clone.contains, snapshots, journal, lambda: self._join(Trigger.WEBHOOK, frozenset())
        )
        self.rebuild = Retry(
            lambda: self._join(Trigger.REPAIR, frozenset(), fetch=False),
            self._is_damaged,
            first_s=REBUILD_FIRST_S,
            max_s=REBUILD_MAX_S,
            at_once=True,
        )
        self._stopped = False
        self.running: Running | None = None
        self.announced_retry_s = ANNOUNCED_RETRY_S
        self.on_progress: Callable[[int, int], None] = lambda done, total: None  # records of a full build

    @property
    def busy(self) -> bool:
        """Whether a reload runs."""
        return self._lock.locked()

    @property
    def queued(self) -> bool:
        """Whether another reload waits for the running one."""
        return self._next is not None and self.busy

    async def load(self) -> Outcome | None:
        """Serve what the local branch holds, without asking the remote; None where it holds nothing."""
        if not await self._in_thread(self._builder.holds_data):
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
        """Be at least as new as the branch is now; `announced` is a commit (4 to 64 hex) it should hold.

        An announced commit that is served already costs no fetch, nor does one that the served commit
        contains, unless `is_tip`: the branch was moved to it, maybe backwards. With `consent` there is
        always a fetch. A commit that is not on the branch is looked for a few times, since some hosts call
        before their refs have moved.
        """
        if announced is not None and not consent:
            known = await self._announced.served(trigger, announced, is_tip=is_tip)
            if known is not None:
                return known
        for attempt in range(ANNOUNCED_RETRIES):
            outcome = await self._join(trigger, consent)
            if announced is None or not outcome.ok:
                return outcome
            if await self._announced.is_in(outcome.new_commit, announced):
                return outcome
            if attempt < ANNOUNCED_RETRIES - 1:
                await asyncio.sleep(self.announced_retry_s)
        missing = self._announced.missing(outcome, str(announced))
        await self._report(missing)
        return missing

    def report_damage(self, snapshot: Snapshot, error: BaseException) -> None:
        """Have a snapshot built again that could not be read."""
        snapshot.damage = snapshot.damage or f"{type(error).__name__}: {error}"
        self.rebuild.start()

    async def close(self) -> None:
        """End git and the build, wait for the reload that runs, and start none any more."""
        self._stopped = True
        await asyncio.to_thread(self._builder.stop)
        await self._announced.close()
        await self.rebuild.close()
        if self._tasks:
            await asyncio.wait(set(self._tasks))
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._builder.close)

    async def _join(self, trigger: Trigger, consent: frozenset[Consent], fetch: bool = True) -> Outcome:
        """The outcome of a reload that begins from now on, shared with all others who wait for it."""
        if self._next is None:
            self._next = NextReload(trigger)
            task = self._next.task = asyncio.create_task(self._reload(self._next))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._next.fetch |= fetch
        self._next.consent |= consent
        assert self._next.task is not None
        return await asyncio.shield(self._next.task)  # a caller that goes away cancels nobody's reload

    async def _reload(self, asked: NextReload) -> Outcome:
        """One reload, while no other runs."""
        async with self._lock:
            self._next = None  # callers from now on share the next reload
            outcome = await self._outcome(asked)
            await self._report(outcome)
        return outcome

    async def _outcome(self, asked: NextReload) -> Outcome:
        """Advance, and tell how that ended; never raises."""
        phases = Phases()
        begun, self.running = time.perf_counter(), Running(datetime.now(UTC), phases)
        current = self._snapshots.current
        old = current.commit if current else None
        fetched = asked.fetch and self._clone.has_remote
        outcome = Outcome(
            new_id(), asked.trigger, "", old, old, datetime.now(UTC), 0, phases.ms, fetched=fetched
        )
        ending: dict[str, Any]
        try:
            ending = await self._advance(current, asked, phases)
        except ReloadError as error:
            problems = error.problems if isinstance(error, DataRejected) else ()
            ending = {"outcome": error.outcome, "error": _without_frames(error), "problems": problems}
        except Exception as error:  # a bug must leave readers where they are, and the lock free
            failed = BuildFailed(f"{type(error).__name__}: {error}")
            failed.__cause__ = _without_frames(error)
            ending = {"outcome": failed.outcome, "error": failed}
        self.running = None
        elapsed = round((time.perf_counter() - begun) * 1000, 3)
        ending |= {"remote_commit": self._clone.seen_remote_commit, "answered": self._clone.reached}
        return replace(outcome, duration_ms=elapsed, **ending)

    async def _advance(self, current: Snapshot | None, asked: NextReload, phases: Phases) -> dict[str, Any]:
        """Prepare off the loop, then move the refs and swap; what the outcome says of it."""
        transaction = await self._prepare(current, asked, phases)
        with phases("swap"):
            try:
                transaction.commit()
            except BaseException:
                await self._in_thread(self._builder.abort, transaction)
                raise
            return self._swap(transaction, current)  # no await since the refs moved

    def _swap(self, transaction: Transaction, old: Snapshot | None) -> dict[str, Any]:
        """Serve what was built; nothing undoes it."""
        snapshot = transaction.snapshot
        if snapshot is None:
            return {"outcome": "ahead" if transaction.target.ahead else "in-sync"}
        try:
            self._snapshots.swap(snapshot)
        except Exception as error:
            if self._snapshots.current is not snapshot:
                raise
            self._log_bug("the old snapshot could not be closed", error)
        self._clean_up_later(snapshot)
        same = old is not None and old.commit == snapshot.commit
        moved = "rewritten" if transaction.target.lost else "fast-forwarded"
        return {
            "outcome": "in-sync" if same else moved,
            "new_commit": snapshot.commit,
            "changes": transaction.changes,
            "problems": snapshot.listed,
            "rebuilt": True,
        }

    # -- the thread -------------------------------------------------------------------------------

    async def _in_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._thread, function, *arguments)

    async def _prepare(self, current: Snapshot | None, asked: NextReload, phases: Phases) -> Transaction:
        """What `Builder.prepare` makes; aborted where this task is cancelled meanwhile."""
        self._clone.reached = False
        if self._stopped:
            raise BuildFailed("the server is stopping")
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self.on_progress, done, total)

        request = Request(current, asked.fetch, asked.consent, phases, progress)
        work = self._thread.submit(self._builder.prepare, request)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(self._abort)
            raise

    def _abort(self, work: Future[Transaction]) -> None:
        if not work.cancelled() and work.exception() is None:
            self._builder.abort(work.result())

    def _clean_up_later(self, current: Snapshot) -> None:
        """Clean up behind the swap to `current` as soon as the thread has time."""
        loop = asyncio.get_running_loop()

        def clean_up() -> None:
            try:
                fresh = self._builder.clean_up(current)
            except Exception as error:
                loop.call_soon_threadsafe(self._log_bug, "cleaning up after a reload failed", error)
                return
            if fresh is not None:
                loop.call_soon_threadsafe(current.renew, fresh)

        with contextlib.suppress(RuntimeError):  # the thread has ended
            self._thread.submit(clean_up)

    # -- who is told ------------------------------------------------------------------------------

    async def _report(self, outcome: Outcome) -> None:
        """Tell the journal and the observers; an observer that raises changes nothing."""
        self._tell(self._journal.observe, outcome)
        await self._announced.observe(outcome)
        for observe in self.observers:
            self._tell(observe, outcome)

    def _tell(self, observe: Observer, outcome: Outcome) -> None:
        try:
            observe(outcome)
        except Exception as error:
            self._log_bug("an observer of reloads raised", error)

    def _log_bug(self, message: str, error: BaseException) -> None:
        asyncio.get_running_loop().call_exception_handler({"message": message, "exception": error})

    def _is_damaged(self) -> bool:
        current = self._snapshots.current
        return current is not None and current.damage is not None


def _without_frames(error: Exception) -> Exception:
    """The error without what the frames of its traceback hold, since the journal keeps it for long."""
    for each in (error, error.__cause__, error.__context__):
        if each is not None:
            traceback.clear_frames(each.__traceback__)
    return error
