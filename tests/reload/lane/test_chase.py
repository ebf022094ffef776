"""A commit that was announced is looked for until it is there."""

from __future__ import annotations

import asyncio

import pytest

from reload.lane.chase import Chase
from reload.lane.journal import Journal

OLD, NEW = "a" * 40, "b" * 40
DEADLINE_S = 20


@pytest.mark.gen_test
async def test_a_commit_is_looked_for_soon_however_long_the_one_before_has_to_wait(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal, arrived = Journal(has_remote=True, stale_after_s=None), asyncio.Event()

    async def look() -> None:
        assert journal.announced is not None
        assert journal.announced.commit == NEW
        journal.arrived()
        arrived.set()

    chase = Chase(journal, look)
    monkeypatch.setattr("reload.lane.chase.CHASE_FIRST_S", 600)
    chase.after(OLD)
    await asyncio.sleep(0)  # the chase begins, and waits for its time
    monkeypatch.setattr("reload.lane.chase.CHASE_FIRST_S", 0.01)
    chase.after(NEW)
    async with asyncio.timeout(DEADLINE_S):
        await arrived.wait()
    await chase.close()


@pytest.mark.gen_test
async def test_a_commit_that_is_announced_again_is_looked_for_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    journal, looks = Journal(has_remote=True, stale_after_s=None), asyncio.Queue[int]()

    async def look() -> None:
        chase.after(OLD)
        looks.put_nowait(1)

    chase = Chase(journal, look)
    monkeypatch.setattr("reload.lane.chase.CHASE_FIRST_S", 0.01)
    chase.after(OLD)
    async with asyncio.timeout(DEADLINE_S):
        for _ in range(3):
            await looks.get()
    journal.arrived()
    await chase.close()
