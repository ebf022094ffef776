"""A reload that was accepted runs on by itself, and its outcome can be found under its id."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime

import pytest
from structlog.testing import capture_logs

from reload.errors import BuildFailed
from reload.lane.outcome import Outcome, Trigger
from server.webhook.accepted import AcceptedReloads, TooMany

DONE = Outcome("run", Trigger.WEBHOOK, "in-sync", "a", "a", datetime(2026, 1, 5, tzinfo=UTC), 1.0)


class Counter:
    """Counts what a server would wait for."""

    def __init__(self) -> None:
        self.count = 0

    def began(self) -> None:
        self.count += 1

    def ended(self) -> None:
        self.count -= 1


async def nothing() -> Outcome:
    return DONE


def ignore(reload_id: str, outcome: Outcome) -> None:
    """Nobody wants to know."""


def waiting_for(gate: asyncio.Event) -> Callable[[], Awaitable[Outcome]]:
    async def reload() -> Outcome:
        await gate.wait()
        return DONE

    return reload


@pytest.mark.gen_test
async def test_a_reload_runs_until_its_outcome_is_known() -> None:
    counter, gate, told = Counter(), asyncio.Event(), asyncio.Queue[tuple[str, Outcome]]()
    accepted = AcceptedReloads(counter.began, counter.ended)
    reload_id = accepted.start(waiting_for(gate), lambda *ended: told.put_nowait(ended))
    await asyncio.sleep(0)
    assert accepted.knows(reload_id)
    assert accepted.outcome(reload_id) is None
    assert counter.count == 1
    gate.set()
    assert await told.get() == (reload_id, DONE)
    assert accepted.outcome(reload_id) is DONE
    while counter.count:
        await asyncio.sleep(0)
    assert not accepted.knows("another")


@pytest.mark.gen_test
async def test_a_reload_that_breaks_is_found_as_broken() -> None:
    counter = Counter()
    accepted = AcceptedReloads(counter.began, counter.ended)

    async def broken() -> Outcome:
        raise ZeroDivisionError("a bug")

    with capture_logs() as lines:
        reload_id = accepted.start(broken, ignore)
        while counter.count:
            await asyncio.sleep(0)
    found = accepted.outcome(reload_id)
    assert isinstance(found, BuildFailed)
    assert "a bug" in str(found)
    assert [line["event"] for line in lines] == ["reload.crashed"]


@pytest.mark.gen_test
async def test_only_so_many_run_at_once_and_only_so_many_are_remembered() -> None:
    counter, gate = Counter(), asyncio.Event()
    accepted = AcceptedReloads(counter.began, counter.ended, kept_max=3)
    first = [accepted.start(waiting_for(gate), ignore) for _ in range(3)]
    with pytest.raises(TooMany):
        accepted.start(nothing, ignore)
    gate.set()
    while counter.count:
        await asyncio.sleep(0)
    later = accepted.start(nothing, ignore)
    assert [accepted.knows(each) for each in (*first, later)] == [False, True, True, True]


@pytest.mark.gen_test
async def test_a_server_that_ends_takes_what_still_runs_with_it() -> None:
    counter = Counter()
    accepted = AcceptedReloads(counter.began, counter.ended)
    accepted.start(waiting_for(asyncio.Event()), ignore)
    accepted.close()
    while counter.count:
        await asyncio.sleep(0)
