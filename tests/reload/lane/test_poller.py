"""The poller heals what a lost webhook left undone, and asks again soon while the remote fails."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from reload.errors import FetchFailed
from reload.lane.outcome import Outcome, Trigger
from reload.lane.poller import JITTER, RETRY_FIRST_S, Poller
from tests.reload.harness import Engine, Place

NOW = datetime(2024, 1, 2, tzinfo=UTC)
SECONDS = 100.0
DONE = Outcome("1", Trigger.WEBHOOK, "in-sync", "a", "a", NOW, 1, fetched=True)
FAILED = replace(DONE, outcome="fetch-failed", new_commit="a")


class Idle:
    """A reloader that only counts."""

    def __init__(self) -> None:
        self.polls = 0

    async def reload(self, trigger: Trigger) -> Outcome:
        assert trigger is Trigger.POLL
        self.polls += 1
        return DONE


def waiting(poller: Poller, seconds: float) -> bool:
    """Whether the next poll is so many seconds away, give or take the jitter."""
    assert poller.next_at is not None
    found = (poller.next_at - NOW).total_seconds()
    return seconds * (1 - JITTER) <= found <= seconds * (1 + JITTER)


def poller(interval_s: float = SECONDS) -> Poller:
    """A started poller whose clock stands still."""
    made = Poller(Idle(), interval_s)  # type: ignore[arg-type]
    made.now = lambda: NOW
    made.start()
    return made


async def until(look: Callable[[], Any]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(30):
        while not look():
            await asyncio.sleep(0.005)


@pytest.mark.gen_test
async def test_without_an_interval_nothing_is_polled() -> None:
    off = poller(0)
    assert off.next_at is None
    off.observe(DONE)
    assert off.next_at is None
    off.stop()


@pytest.mark.gen_test
async def test_the_wait_is_one_interval_give_or_take_and_differs_every_time() -> None:
    made, seen = poller(), set()
    for _ in range(20):
        assert waiting(made, SECONDS)
        seen.add(made.next_at)
        made.observe(DONE)
    assert len(seen) > 10
    made.stop()


@pytest.mark.gen_test
async def test_after_a_failure_it_asks_sooner_then_less_and_less_often_up_to_the_interval() -> None:
    made = poller(10 * RETRY_FIRST_S)
    for failures, factor in enumerate((1, 2, 4, 8, 10, 10), start=1):
        made.observe(FAILED)
        assert waiting(made, factor * RETRY_FIRST_S)
        assert made.consecutive_failures == failures
    made.observe(DONE)
    assert waiting(made, 10 * RETRY_FIRST_S)
    assert made.consecutive_failures == 0
    made.stop()


@pytest.mark.gen_test
async def test_an_interval_shorter_than_the_first_retry_is_kept_while_the_remote_fails() -> None:
    made = poller(RETRY_FIRST_S / 3)
    made.observe(FAILED)
    assert waiting(made, RETRY_FIRST_S / 3)
    made.stop()


@pytest.mark.gen_test
async def test_a_remote_that_is_asked_too_often_is_not_asked_sooner() -> None:
    made = poller()
    made.observe(replace(FAILED, error=FetchFailed("returned error: 429", "rate-limited")))
    assert waiting(made, SECONDS)
    made.stop()


@pytest.mark.parametrize(
    "outcome", ["diverged", "rewound", "data-rejected", "deletions-held", "branch-missing"]
)
@pytest.mark.gen_test
async def test_a_remote_that_answers_is_asked_as_often_as_ever(outcome: str) -> None:
    made = poller()
    made.observe(FAILED)
    made.observe(replace(DONE, outcome=outcome))
    assert waiting(made, SECONDS)
    made.stop()


@pytest.mark.gen_test
async def test_a_remote_that_was_not_reached_for_another_reason_is_asked_again_soon() -> None:
    made = poller()
    made.observe(replace(DONE, outcome="build-failed", answered=False))
    assert waiting(made, RETRY_FIRST_S)
    made.stop()


@pytest.mark.gen_test
async def test_what_never_asked_the_remote_postpones_nothing() -> None:
    made = poller()
    before = made.next_at
    made.observe(replace(DONE, fetched=False))
    assert made.next_at is before
    made.observe(replace(DONE, fetched=False, trigger=Trigger.POLL))
    assert made.next_at is not before
    made.stop()


@pytest.mark.gen_test
async def test_a_poller_that_was_stopped_stays_so() -> None:
    made = poller()
    made.stop()
    made.observe(DONE)
    assert made.next_at is None


@pytest.mark.gen_test
async def test_a_poll_follows_the_other_even_if_nobody_observes() -> None:
    idle = Idle()
    made = Poller(idle, 0.01)  # type: ignore[arg-type]
    made.start()
    await until(lambda: idle.polls >= 3)
    made.stop()
    polls = idle.polls
    await asyncio.sleep(0.05)
    assert idle.polls <= polls + 1


@pytest.mark.gen_test
async def test_a_lost_webhook_is_made_good_by_the_next_poll(place: Place) -> None:
    pollers: list[Poller] = []
    observers = [lambda outcome: [each.observe(outcome) for each in pollers]]
    async with Engine(place, observers=observers) as engine:
        polling = Poller(engine.reloader, 0.02)
        pollers.append(polling)
        polling.start()
        new = place.remote.push({"notes/a.toml": ""})
        await until(lambda: engine.commit == new)
        assert engine.journal.last is not None
        assert engine.journal.last.trigger is Trigger.POLL
        place.remote.vanish()
        await until(lambda: polling.consecutive_failures >= 2)
        place.remote.return_()
        await until(lambda: polling.consecutive_failures == 0)
        polling.stop()
        engine.is_whole(new)
