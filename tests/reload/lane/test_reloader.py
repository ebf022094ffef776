"""At most one reload runs and one waits; every caller gets a true answer, whoever else comes or goes."""

from __future__ import annotations

import asyncio
import threading
from typing import Any

import pytest

from reload.lane.outcome import Outcome, Trigger
from reload.snapshot.query.query import Query
from reload.snapshot.snapshot import Snapshots
from tests.reload.faults import Countdown, counted_clone
from tests.reload.harness import Engine, Place, counts
from tests.reload.hosts import SilentHost

CALLERS = 1_000


def edit(number: int) -> dict[str, str]:
    """A change that differs from every other one."""
    return {"notes/start.toml": f"n = {number}\n"}


class Gate(Countdown):
    """Holds the reload at a step of this name, once, until it is opened; counts the fetches."""

    def __init__(self, name: str | None = None) -> None:
        super().__init__()
        self.name = name  # None: holds nothing yet
        self.fetches = 0
        self._reached, self._opened = threading.Event(), threading.Event()

    def step(self, name: str) -> None:
        self.fetches += name == "fetch"
        if name == self.name:
            self.name = None
            self._reached.set()
            assert self._opened.wait(30)

    async def reached(self) -> None:
        """Wait until the reload is held."""
        assert await asyncio.to_thread(self._reached.wait, 30)

    def open(self) -> None:
        """Let it go on."""
        self._opened.set()


def gated(place: Place, gate: Gate, **values: Any) -> Engine:
    """An engine whose reloads pass a gate."""
    return Engine(place, clone_folder=counted_clone(gate), **values)


@pytest.mark.gen_test
async def test_nothing_new_is_in_sync(place: Place) -> None:
    async with Engine(place) as engine:
        outcome = await engine.reload()
        assert (outcome.outcome, outcome.no_changes, outcome.rebuilt) == ("in-sync", True, False)
        engine.is_whole(place.remote.head)


@pytest.mark.gen_test
async def test_a_push_is_served_and_counted(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push(edit(1) | {"notes/a.toml": "x = 1\n", "people/p01.toml": None})
        outcome = await engine.forwards(new)
        assert outcome.outcome == "fast-forwarded"
        assert counts(outcome) == {"notes": (1, 1, 0), "people": (0, 0, 1)}
        assert outcome.phases_ms.keys() >= {"fetch", "compare", "build", "swap"}


async def queued(engine: Engine) -> None:
    """Wait until one reload runs and another waits for it."""
    async with asyncio.timeout(30):
        while not engine.reloader.queued:
            await asyncio.sleep(0.001)


# -- sharing ----------------------------------------------------------------------------------------


@pytest.mark.gen_test
async def test_a_thousand_callers_at_once_share_two_reloads_and_get_true_answers(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "fetch"
        first = place.remote.push(edit(1))
        early = [asyncio.create_task(engine.reload()) for _ in range(CALLERS)]
        await gate.reached()
        second = place.remote.push(edit(2))
        late = [asyncio.create_task(engine.reload(second)) for _ in range(CALLERS)]
        await queued(engine)
        gate.open()
        ended = await asyncio.gather(*early, *late)
        assert gate.fetches == 2
        assert {outcome.new_commit for outcome in ended[CALLERS:]} == {second}
        assert {outcome.new_commit for outcome in ended[:CALLERS]} <= {first, second}
        assert {outcome.ok for outcome in ended} == {True}
        assert len({outcome.id for outcome in ended}) == len(engine.outcomes) - 1 == 2
        engine.is_whole(second)


@pytest.mark.gen_test
async def test_a_caller_is_never_answered_by_a_fetch_that_began_before_it_asked(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "remote_commit"  # the remote has answered, the reload still runs
        first = asyncio.create_task(engine.reload())
        await gate.reached()
        new = place.remote.push(edit(1))
        second = asyncio.create_task(engine.reload(trigger=Trigger.POLL))
        await asyncio.sleep(0)
        gate.open()
        assert (await first).no_changes
        outcome = await second
        assert (outcome.outcome, outcome.new_commit, outcome.trigger) == ("fast-forwarded", new, Trigger.POLL)


@pytest.mark.gen_test
async def test_a_commit_that_is_announced_while_the_one_before_is_built_is_served(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "difference"
        before = place.remote.push(edit(1))
        running = asyncio.create_task(engine.reload(before))
        await gate.reached()
        new = place.remote.push(edit(2))
        waiting = asyncio.create_task(engine.reload(new))
        await queued(engine)
        gate.open()
        assert (await running).new_commit == before
        outcome = await waiting
        assert (outcome.old_commit, outcome.new_commit, outcome.no_changes) == (before, new, False)
        engine.is_whole(new)


@pytest.mark.gen_test
async def test_consent_is_not_given_to_the_reload_that_runs_already(place: Place) -> None:
    start = place.remote.head
    gate = Gate()
    async with gated(place, gate) as engine:
        served = place.remote.push(edit(1))
        await engine.forwards(served)
        other = place.remote.rewrite(start, edit(2))
        gate.name = "local_commit"
        running = asyncio.create_task(engine.reload())
        await gate.reached()
        consenting = asyncio.create_task(engine.reload(None, "rewrite"))
        await queued(engine)
        gate.open()
        assert ((await running).outcome, (await running).new_commit) == ("diverged", served)
        assert ((await consenting).outcome, (await consenting).new_commit) == ("rewritten", other)


@pytest.mark.gen_test
async def test_whoever_joins_the_first_load_gets_a_fetch_all_the_same(place: Place) -> None:
    new = place.remote.push(edit(1))
    gate = Gate("local_commit")
    engine = gated(place, gate)
    try:
        loading = asyncio.create_task(engine.reloader.load())
        await gate.reached()
        calls = [asyncio.create_task(engine.reload(new)) for _ in range(3)]
        await asyncio.sleep(0)
        gate.open()
        await loading
        for outcome in await asyncio.gather(*calls):
            assert (outcome.ok, outcome.fetched, outcome.new_commit) == (True, True, new)
    finally:
        await engine.__aexit__()


@pytest.mark.gen_test
async def test_what_is_served_already_costs_no_fetch_and_waits_for_nobody(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "fetch"
        served = str(engine.commit)
        running = asyncio.create_task(engine.reload())
        await gate.reached()
        for announced in (served, served[:4], served[:39]):
            outcome = await engine.reload(announced)
            assert (outcome.outcome, outcome.fetched, outcome.new_commit) == ("in-sync", False, served)
        assert not running.done()
        gate.open()
        await running


# -- callers and others that go wrong -------------------------------------------------------------------


@pytest.mark.gen_test
async def test_a_caller_that_goes_away_takes_nobody_s_reload_with_it(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "difference"
        new = place.remote.push(edit(1))
        calls = [asyncio.create_task(engine.reload()) for _ in range(3)]
        await gate.reached()
        for call in calls[:2]:
            call.cancel()
        gate.open()
        assert (await calls[2]).new_commit == new
        engine.is_whole(new)
        assert all(call.cancelled() for call in calls[:2])


@pytest.mark.gen_test
async def test_a_reload_goes_on_when_every_caller_has_gone(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "difference"
        new = place.remote.push(edit(1))
        call = asyncio.create_task(engine.reload())
        await gate.reached()
        call.cancel()
        gate.open()
        assert (await engine.reload()).new_commit == new
        assert [outcome.new_commit for outcome in engine.outcomes[1:]] == [new, new]
        engine.is_whole(new)


@pytest.mark.gen_test
async def test_a_reload_that_is_cancelled_itself_gives_everything_back(place: Place) -> None:
    gate = Gate()
    async with gated(place, gate) as engine:
        gate.name = "lock_refs"
        old, new = str(engine.commit), place.remote.push(edit(1))
        call = asyncio.create_task(engine.reload())
        await gate.reached()
        waiting = asyncio.create_task(engine.reload())
        await asyncio.sleep(0)
        _running_reload().cancel()
        gate.open()
        assert isinstance((await asyncio.gather(call, return_exceptions=True))[0], asyncio.CancelledError)
        outcome = await waiting
        assert (outcome.old_commit, outcome.new_commit, counts(outcome)) == (old, new, {"notes": (0, 1, 0)})
        engine.is_whole(new)


def _running_reload() -> asyncio.Task[Any]:
    """The task of the reload that runs; the one that waits was made after it."""
    tasks = [each for each in asyncio.all_tasks() if "Reloader._reload" in repr(each.get_coro())]
    return min(tasks, key=lambda task: int(task.get_name().rpartition("-")[2]))


@pytest.mark.gen_test
async def test_a_stop_ends_the_fetch_that_runs_and_leaves_nothing(place: Place) -> None:
    with SilentHost() as host:
        engine = Engine(place, remote=host.url)
        await engine.reloader.load()
        calls = [asyncio.create_task(engine.reload()) for _ in range(2)]
        assert await asyncio.to_thread(host.called.wait, 30)
        calls.append(asyncio.create_task(engine.reload()))
        await asyncio.sleep(0)
        await engine.__aexit__()
        assert [outcome.ok for outcome in await asyncio.gather(*calls)] == [False] * 3
        assert not (await engine.reload()).ok
    assert place.leftovers() == []


@pytest.mark.gen_test
async def test_an_observer_that_raises_undoes_nothing(place: Place) -> None:
    complaints: list[dict[str, Any]] = []
    told: list[Outcome] = []

    def broken(outcome: Outcome) -> None:
        raise RuntimeError("injected")

    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with Engine(place, observers=(broken, told.append)) as engine:
        new = place.remote.push(edit(1))
        outcome = await engine.forwards(new)
        assert [str(complaint["exception"]) for complaint in complaints] == ["injected"] * 2
        assert told[-1] is outcome is engine.journal.last
        place.remote.vanish()
        await engine.refuses("fetch-failed")
        place.remote.return_()
        assert (await engine.reload()).ok


@pytest.mark.gen_test
async def test_an_old_snapshot_that_cannot_be_put_away_undoes_nothing(place: Place) -> None:
    class Careless(Snapshots):
        """Breaks after the swap."""

        def swap(self, snapshot: Any) -> None:
            super().swap(snapshot)
            if snapshot is not None:
                raise RuntimeError("injected")

    complaints: list[dict[str, Any]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: complaints.append(context))
    async with Engine(place, snapshots=Careless) as engine:
        await engine.forwards(place.remote.push(edit(1)))
        await engine.forwards(place.remote.push(edit(2)))
        assert len(complaints) == 3


@pytest.mark.gen_test
async def test_a_slow_reader_finishes_on_the_snapshot_that_it_began_with(place: Place) -> None:
    async with Engine(place) as engine:
        old, before = engine.snapshots.current, engine.view()["rows"]["notes"]
        assert old is not None
        old.enter()
        with old.lend() as reader:
            for number in range(5):
                await engine.forwards(place.remote.push(edit(number)))
            rows = await asyncio.to_thread(reader.page, "notes", Query())
            assert [(row.path, row.blob, row.json) for row in rows[0]] == before
            assert old.reader.get("notes", "start") is not None
        old.leave()
        assert engine.view()["rows"]["notes"] != before


# -- announced commits ----------------------------------------------------------------------------------


@pytest.mark.gen_test
async def test_an_announced_commit_that_comes_late_is_served_without_another_call(place: Place) -> None:
    async with Engine(place) as engine:
        place.remote.author.write(edit(1))
        late = place.remote.author.commit()
        await engine.refuses("commit-not-on-branch", announced=late)
        announced = engine.journal.announced
        assert announced is not None
        assert (announced.commit, engine.journal.fresh) == (late, False)
        assert engine.journal.remote.last_error is None  # the remote is well, it merely lacks the commit
        place.remote.author.push(place.remote.path)
        async with asyncio.timeout(30):
            while engine.commit != late:
                await asyncio.sleep(0.01)
        engine.is_whole(late)
        async with asyncio.timeout(30):
            while engine.journal.announced is not None:
                await asyncio.sleep(0.01)
        assert engine.journal.fresh


@pytest.mark.gen_test
async def test_an_announced_commit_has_arrived_even_where_it_is_refused(place: Place) -> None:
    async with Engine(place) as engine:
        place.remote.author.write({"notes/bad.toml": "= x\n"})
        bad = place.remote.author.commit()
        await engine.refuses("commit-not-on-branch", announced=bad)
        place.remote.author.push(place.remote.path)
        await engine.refuses("data-rejected", announced=bad)
        assert engine.journal.announced is None
