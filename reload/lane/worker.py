"""The border between the loop and the thread that prepares reloads: asked on the one, done on the other."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from reload.build.builder import Builder, Request
from reload.build.prepared import Phases, Prepared
from reload.errors import BuildFailed
from reload.repository.target import Consent
from reload.snapshot.snapshot import Snapshot


class Worker:
    """One thread, which does one thing after the other with a Builder; its methods are for the loop.

    `remote_commit` is what the remote's branch was when it was last asked, `answered` whether it has
    answered then.
    """

    def __init__(self, builder: Builder) -> None:
        self._builder = builder
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="reload")
        self._stopped = False
        self.remote_commit: str | None = None
        self.answered = False
        self.on_progress: Callable[[int, int], None] = lambda done, total: None

    async def holds_data(self) -> bool:
        """Whether the local branch has a commit."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, self._builder.holds_data)

    async def prepare(
        self, current: Snapshot | None, fetch: bool, consent: frozenset[Consent], phases: Phases
    ) -> Prepared:
        """What `Builder.prepare` makes; taken back where the caller is cancelled meanwhile."""
        self.answered = False
        if self._stopped:
            raise BuildFailed("the server is stopping")
        loop = asyncio.get_running_loop()

        def progress(done: int, total: int) -> None:
            loop.call_soon_threadsafe(self.on_progress, done, total)

        served, damage = (current.served, current.damage) if current else (None, None)
        request = Request(served, fetch, consent, phases, progress, damage)

        def prepare() -> Prepared:
            try:
                return self._builder.prepare(request)
            finally:
                self.answered = self._builder.reached
                with contextlib.suppress(Exception):  # a broken repository has been told of by now
                    self.remote_commit = self._builder.remote_commit

        work = self._thread.submit(prepare)
        try:
            return await asyncio.wrap_future(work)
        except asyncio.CancelledError:
            work.add_done_callback(self._take_back)
            raise

    async def give_up(self, prepared: Prepared) -> None:
        """Take back what was prepared and nobody got to see."""
        await asyncio.get_running_loop().run_in_executor(self._thread, self._builder.give_up, prepared)

    def tidy_later(self, current: Snapshot, complain: Callable[[str, Exception], None]) -> None:
        """Tidy up behind the swap to `current` as soon as there is time."""
        loop = asyncio.get_running_loop()

        def tidy() -> None:
            try:
                fresh = self._builder.tidy(current)
            except Exception as error:
                loop.call_soon_threadsafe(complain, "tidying up after a reload failed", error)
                return
            if fresh is not None:
                loop.call_soon_threadsafe(current.renew, fresh)

        self._thread.submit(tidy)

    async def stop(self) -> None:
        """End git and the build, and begin nothing any more."""
        self._stopped = True
        await asyncio.to_thread(self._builder.stop)

    async def close(self) -> None:
        """Wait for the thread and let go of what it worked on."""
        await asyncio.to_thread(self._thread.shutdown)
        await asyncio.to_thread(self._builder.close)

    def _take_back(self, work: Future[Prepared]) -> None:
        if not work.cancelled() and work.exception() is None:
            self._builder.give_up(work.result())
