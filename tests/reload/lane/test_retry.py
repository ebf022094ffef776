"""An action is repeated until it is not needed, and at once where something new asks for it."""

from __future__ import annotations

import asyncio

import pytest

from reload.lane.retry import Retry

DEADLINE_S = 20


class Wanted:
    """An action that is needed until it was done `times` times."""

    def __init__(self, times: int) -> None:
        self.left = times
        self.done = asyncio.Event()

    async def __call__(self) -> None:
        self.left -= 1
        if not self.left:
            self.done.set()

    @property
    def is_needed(self) -> bool:
        return self.left > 0


def retry(wanted: Wanted, first_s: float, *, at_once: bool = False) -> Retry:
    return Retry(wanted, lambda: wanted.is_needed, first_s=first_s, max_s=0.02, at_once=at_once)


@pytest.mark.gen_test
async def test_an_action_is_repeated_until_it_is_not_needed() -> None:
    wanted = Wanted(5)
    repeated = retry(wanted, 0.001)
    repeated.start()
    async with asyncio.timeout(DEADLINE_S):
        assert repeated.task is not None
        await repeated.task
    assert wanted.left == 0


@pytest.mark.gen_test
async def test_the_first_call_comes_at_once_where_that_is_asked_for() -> None:
    wanted = Wanted(1)
    repeated = retry(wanted, 600, at_once=True)
    repeated.start()
    async with asyncio.timeout(DEADLINE_S):
        await wanted.done.wait()
    await repeated.close()


@pytest.mark.gen_test
async def test_a_restart_ends_a_long_wait() -> None:
    wanted = Wanted(1)
    repeated = retry(wanted, 600)
    repeated.start()
    await asyncio.sleep(0)  # it waits for its first call
    repeated.first_s = 0.01
    repeated.start()
    assert wanted.left == 1
    repeated.restart()
    async with asyncio.timeout(DEADLINE_S):
        await wanted.done.wait()
    await repeated.close()


@pytest.mark.gen_test
async def test_an_action_that_asks_for_itself_is_repeated_once_at_a_time() -> None:
    calls: list[int] = []

    async def again() -> None:
        calls.append(len(calls))
        repeated.start()

    repeated = Retry(again, lambda: len(calls) < 3, first_s=0.001, max_s=0.01)
    repeated.start()
    async with asyncio.timeout(DEADLINE_S):
        assert repeated.task is not None
        await repeated.task
    assert calls == [0, 1, 2]
