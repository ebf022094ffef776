"""Questions take turns by peer, wait for a bounded time, and are not worked for when nobody waits."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from typing import Any

import pytest

from server.http.fair_queue import PEERS_MAX, Cancelled, FairQueue, QueueFull


class Gate:
    """Questions that note when they begin and end when the test lets them."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._open: dict[str, threading.Event] = {}
        self._changed = threading.Condition()

    def question(self, name: str) -> Callable[[Cancelled], str]:
        opened = self._open.setdefault(name, threading.Event())

        def ask(cancelled: Cancelled) -> str:
            with self._changed:
                self.begun.append(name)
                self._changed.notify_all()
            assert opened.wait(60)
            return f"{name}{' in vain' if cancelled else ''}"

        return ask

    def open(self, *names: str) -> None:
        for name in names:
            self._open.setdefault(name, threading.Event()).set()

    async def wait_for(self, *names: str) -> None:
        def arrived() -> bool:
            with self._changed:
                return self._changed.wait_for(lambda: set(names) <= set(self.begun), 60)

        assert await asyncio.to_thread(arrived), self.begun


class Clock:
    """Seconds that pass only when a test says so."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@asynccontextmanager
async def queue(**settings: Any) -> AsyncIterator[FairQueue]:
    made = FairQueue(**settings)
    try:
        yield made
    finally:
        await asyncio.to_thread(made.close)


def begin(coroutine: Coroutine[Any, Any, str]) -> asyncio.Task[str]:
    return asyncio.get_running_loop().create_task(coroutine)


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def make_short(asked: FairQueue, *peers: str) -> None:
    """Let the queue know that the questions of these peers are short."""
    for peer in peers:
        await asked.run(peer, lambda _: "")


@pytest.mark.gen_test
async def test_an_answer_and_an_error_reach_the_caller() -> None:
    async with queue() as asked:
        assert await asked.run("a", lambda _: 5) == 5
        with pytest.raises(ZeroDivisionError):
            await asked.run("a", lambda _: 1 // 0)
        assert (asked.running, asked.waiting) == (0, 0)


@pytest.mark.gen_test
async def test_a_peer_of_unknown_cost_never_holds_all_threads() -> None:
    gate = Gate()
    async with queue(threads=2) as asked:
        flood = [begin(asked.run("flood", gate.question(f"flood {n}"))) for n in range(5)]
        await gate.wait_for("flood 0")
        other = begin(asked.run("other", gate.question("other")))
        await gate.wait_for("other")
        assert gate.begun == ["flood 0", "other"]
        gate.open("other", *(f"flood {n}" for n in range(5)))
        assert await other == "other"
        assert await asyncio.gather(*flood) == [f"flood {n}" for n in range(5)]


@pytest.mark.gen_test
async def test_a_peer_whose_questions_are_short_uses_every_thread() -> None:
    gate = Gate()
    async with queue(threads=2) as asked:
        await make_short(asked, "a")
        both = [begin(asked.run("a", gate.question(name))) for name in ("one", "two")]
        await gate.wait_for("one", "two")
        gate.open("one", "two")
        await asyncio.gather(*both)


@pytest.mark.gen_test
async def test_the_peer_that_has_used_least_goes_next() -> None:
    gate, clock = Gate(), Clock()
    async with queue(threads=1, clock=clock) as asked:
        first = begin(asked.run("flood", gate.question("flood 0")))
        await gate.wait_for("flood 0")
        waiting = [begin(asked.run("flood", gate.question(f"flood {n}"))) for n in (1, 2)]
        waiting += [begin(asked.run(peer, gate.question(peer))) for peer in ("b", "c")]
        await settled()
        clock.now_s += 1
        gate.open("flood 0", "flood 1", "flood 2", "b", "c")
        await asyncio.gather(first, *waiting)
        assert gate.begun == ["flood 0", "b", "c", "flood 1", "flood 2"]


@pytest.mark.gen_test
async def test_what_a_peer_used_long_ago_is_forgiven() -> None:
    gate, clock = Gate(), Clock()
    async with queue(threads=1, clock=clock) as asked:
        for peer, seconds in (("old", 10.0), ("new", 1.0)):
            running = begin(asked.run(peer, gate.question(peer)))
            await gate.wait_for(peer)
            clock.now_s += seconds
            gate.open(peer)
            await running
            clock.now_s += 60
        blocker = begin(asked.run("blocker", gate.question("blocker")))
        await gate.wait_for("blocker")
        later = [begin(asked.run(peer, gate.question(f"{peer} again"))) for peer in ("new", "old")]
        await settled()
        gate.open("blocker", "new again", "old again")
        await asyncio.gather(blocker, *later)
        assert gate.begun[-2:] == ["old again", "new again"]


@pytest.mark.gen_test
async def test_too_many_waiting_questions_are_refused_at_once() -> None:
    gate = Gate()
    async with queue(threads=1, peer_waiting_max=2, waiting_max=3) as asked:
        tasks = [begin(asked.run("a", gate.question(f"a{n}"))) for n in range(3)]
        await gate.wait_for("a0")
        with pytest.raises(QueueFull) as refused:
            await asked.run("a", gate.question("a3"))
        assert refused.value.reason == "too-many"
        tasks.append(begin(asked.run("b", gate.question("b"))))
        await settled()
        with pytest.raises(QueueFull):
            await asked.run("c", gate.question("c"))
        gate.open("a0", "a1", "a2", "b")
        assert await asyncio.gather(*tasks) == ["a0", "a1", "a2", "b"]


@pytest.mark.gen_test
async def test_a_question_whose_turn_does_not_come_is_refused_in_time() -> None:
    gate = Gate()
    async with queue(threads=1, wait_s_max=0.01) as asked:
        running = begin(asked.run("a", gate.question("a")))
        await gate.wait_for("a")
        with pytest.raises(QueueFull) as refused:
            await asked.run("b", gate.question("b"))
        assert refused.value.reason == "waited-too-long"
        assert asked.waiting == 0
        gate.open("a")
        assert await running == "a"
        assert gate.begun == ["a"]


@pytest.mark.gen_test
async def test_who_gives_up_while_waiting_is_not_worked_for() -> None:
    gate = Gate()
    async with queue(threads=1) as asked:
        running = begin(asked.run("a", gate.question("a")))
        await gate.wait_for("a")
        waiting = begin(asked.run("b", gate.question("b")))
        await settled()
        waiting.cancel()
        await asyncio.wait([waiting])
        assert asked.waiting == 0
        gate.open("a")
        await running
        assert gate.begun == ["a"]


@pytest.mark.gen_test
async def test_a_running_question_is_told_that_nobody_waits() -> None:
    gate, told = Gate(), threading.Event()
    async with queue(threads=1) as asked:

        def ask(cancelled: Cancelled) -> str:
            found = gate.question("a")(cancelled)
            if cancelled:
                told.set()
            return found

        running = begin(asked.run("a", ask))
        await gate.wait_for("a")
        running.cancel()
        await asyncio.wait([running])
        gate.open("a")
        assert await asyncio.to_thread(told.wait, 60)


@pytest.mark.gen_test
async def test_peers_without_questions_are_forgotten() -> None:
    async with queue() as asked:
        for number in range(PEERS_MAX + 10):
            asked._known(f"peer {number}")
        assert len(asked._peers) == PEERS_MAX
