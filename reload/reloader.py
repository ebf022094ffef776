"""The one locked coroutine: every trigger asks it to be at least as new as the branch.

At most one reload runs and one waits. A caller is satisfied only by a fetch that began after it asked,
so whoever comes while one runs shares the waiting one.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from reload.build import Builder, Phases, Prepared
from reload.errors import BuildFailed, DataRejected, ReloadError
from reload.history import Consent
from reload.journal import Journal
from reload.outcome import Outcome, Trigger
from reload.snapshot import Snapshot, Snapshots

ANNOUNCED_RETRIES = 3
ANNOUNCED_RETRY_S = 0.5
CHASE_FIRST_S = 2.0
CHASE_MAX_S = 60.0

Observer = Callable[[Outcome], None]


class Waiting:
    """The reload that starts when the running one has ended, with what its callers ask for."""

    def __init__(self, trigger: Trigger) -> None:
        self.trigger = trigger
        self.consent: frozenset[Consent] = frozenset()
        self.task: asyncio.Task[Outcome] | None = None


class CommitNotOnBranch(ReloadError):
    """The announced commit is not on the branch, even after fetching it again."""

    outcome = "commit-not-on-branch"


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
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reload")
        self._running: asyncio.Task[Outcome] | None = None
        self._waiting: Waiting | None = None
        self._remote_commit: str | None = None
        self._chase: asyncio.Task[None] | None = None
        self._closed = False
        self.on_progress: Callable[[int, int], None] = lambda done, total: None

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
        loop = asyncio.get_running_loop()
        if not await loop.run_in_executor(self._worker, self._builder.holds_data):
            return None
        return await self._join(Trigger.STARTUP, frozenset(), fetch=False)

    async def reload(
        self,
        trigger: Trigger,
        announced: str | None = None,
        consent: frozenset[Consent] = frozenset(),
    ) -> Outcome:
        """Be at least as new as the branch is now; `announced` is a commit (4 to 40 hex) it should hold.

        An announced commit that is served already costs no fetch; one that is not on the branch is
        looked for a few times, since some hosts call before their refs have moved.
        """
        if announced is not None and (known := await self._known(trigger, announced)):
            return known
        for attempt in range(ANNOUNCED_RETRIES):
            outcome = await self._join(trigger, consent)
            if announced is None or not outcome.ok or await self._contains(outcome.new_commit, announced):
                return outcome
            if attempt < ANNOUNCED_RETRIES - 1:
                await asyncio.sleep(ANNOUNCED_RETRY_S)
        return await self._missing(outcome, str(announced))

    async def close(self) -> None:
        """End git and the build, wait for the reload that runs, and start none any more."""
        self._closed = True
        if self._chase is not None:
            self._chase.cancel()
        self._builder.stop()
        while self._running is not None:
            await asyncio.wait([self._running])
        await asyncio.to_thread(self._worker.shutdown)
        self._builder.close()

    async def _known(self, trigger: Trigger, announced: str) -> Outcome | None:
        """The in-sync outcome, where the announced commit is served already."""
        begun = time.perf_counter()
        current = self._snapshots.current
        if current is None or not await self._contains(current.commit, announced):
            return None
        elapsed = round((time.perf_counter() - begun) * 1000, 3)
        return Outcome(
            _new_id(),
            trigger,
            "in-sync",
            current.commit,
            current.commit,
            datetime.now(UTC),
            elapsed,
        )

    async def _contains(self, tip: str | None, announced: str) -> bool:
        if tip is None or tip.startswith(announced):
            return tip is not None
        try:
            return await asyncio.to_thread(self._builder.contains, tip, announced)
        except ReloadError:
            return False

    async def _missing(self, outcome: Outcome, announced: str) -> Outcome:
        """The outcome for a commit that is not there; it is looked for later."""
        error = CommitNotOnBranch(f"commit {announced} is not on the branch after fetching it")
        missing = replace(outcome, id=_new_id(), outcome=error.outcome, error=error, rebuilt=False)
        self._expect(announced)
        await self._report(missing)
        return missing

    def _expect(self, announced: str) -> None:
        """Remember an announced commit and look for it, ever less often, until it is there or overdue."""
        self._journal.announce(announced)
        if self._chase is None or self._chase.done():
            self._chase = asyncio.create_task(self._look_until_there())

    async def _look_until_there(self) -> None:
        wait_s = CHASE_FIRST_S
        while self._journal.awaits_announced:
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, CHASE_MAX_S)
            if self._journal.awaits_announced:
                await self._join(Trigger.WEBHOOK, frozenset())

    async def _join(self, trigger: Trigger, consent: frozenset[Consent], fetch: bool = True) -> Outcome:
        """The outcome of a reload that begins from now on, shared with whoever else waits for it."""
        if self._waiting is None:
            self._waiting = Waiting(trigger)
            self._waiting.task = asyncio.create_task(self._run_next(self._waiting, self._running, fetch))
        self._waiting.consent |= consent
        task = self._waiting.task
        assert task is not None
        return await asyncio.shield(task)  # a caller that goes away takes nobody's reload with it

    async def _run_next(
        self, waiting: Waiting, running: asyncio.Task[Outcome] | None, fetch: bool
    ) -> Outcome:
        if running is not None:
            await asyncio.wait([running])
        self._running, self._waiting = waiting.task, None
        try:
            outcome = await self._run(waiting, fetch)
        finally:
            self._running = None
        await self._report(outcome)
        return outcome

    async def _report(self, outcome: Outcome) -> None:
        self._journal.observe(outcome)
        announced = self._journal.announced
        if announced is not None and outcome.ok:
            if await self._contains(outcome.new_commit, announced.commit):
                self._journal.arrived()
        for observe in self._observers:
            observe(outcome)

    async def _run(self, waiting: Waiting, fetch: bool) -> Outcome:
        phases = Phases()
        begun = time.perf_counter()
        current = self._snapshots.current
        old = current.commit if current else None
        outcome = Outcome(
            _new_id(), waiting.trigger, "", old, old, datetime.now(UTC), 0, phases.ms, fetched=fetch
        )
        ending: dict[str, Any]
        try:
            prepared = await self._prepare(current, fetch, waiting.consent, phases)
            with phases("swap"):
                ending = self._commit(prepared)
        except ReloadError as error:
            problems = error.problems if isinstance(error, DataRejected) else ()
            ending = {"outcome": error.outcome, "error": error, "problems": problems}
        except Exception as error:  # a bug must leave readers where they are, and the lock free
            failed = BuildFailed(f"{type(error).__name__}: {error}")
            failed.__cause__ = error
            ending = {"outcome": failed.outcome, "error": failed}
        elapsed = round((time.perf_counter() - begun) * 1000, 3)
        return replace(outcome, duration_ms=elapsed, remote_commit=self._remote_commit, **ending)

    async def _prepare(
        self, current: Snapshot | None, fetch: bool, consent: frozenset[Consent], phases: Phases
    ) -> Prepared:
        if self._closed:
            raise BuildFailed("the server is stopping")
        served = current.served if current else None
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self.on_progress, done, total)

        def prepare() -> Prepared:
            try:
                return self._builder.prepare(served, fetch, consent, phases, progress)
            finally:
                with contextlib.suppress(ReloadError):
                    self._remote_commit = self._builder.remote_commit

        return await loop.run_in_executor(self._worker, prepare)

    def _commit(self, prepared: Prepared) -> dict[str, Any]:
        """Move the branch and swap, with no await between; what the outcome says of it."""
        try:
            prepared.commit()
        except ReloadError:
            prepared.abandon()
            raise
        if prepared.snapshot is None:
            return {"outcome": "ahead" if prepared.target.ahead else "in-sync"}
        self._snapshots.swap(prepared.snapshot)
        self._tidy_later(prepared.snapshot)
        return {
            "outcome": "rewritten" if prepared.target.rewound else "fast-forwarded",
            "new_commit": prepared.snapshot.commit,
            "changes": prepared.changes,
            "rebuilt": True,
        }

    def _tidy_later(self, current: Snapshot) -> None:
        loop = asyncio.get_running_loop()

        def tidy() -> None:
            fresh = self._builder.tidy(current)
            if fresh is not None:
                loop.call_soon_threadsafe(current.renew, fresh)

        self._worker.submit(tidy)


def _new_id() -> str:
    return secrets.token_hex(8)
