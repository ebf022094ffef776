"""What a reader finds damaged is built again, once, as often as it takes, and only if it is still served."""

from __future__ import annotations

import apsw
import pytest

from reload.lane.outcome import Trigger
from reload.snapshot.state_folder import StateFolder
from tests.reload.harness import Engine, Place

DAMAGE = apsw.CorruptError("database disk image is malformed")


class Failing(StateFolder):
    """Has no room for a state file a few times."""

    fails = 0
    builds = 0

    def new(self):  # type: ignore[no-untyped-def]
        self.builds += 1
        if self.builds <= self.fails:
            raise OSError("no room")
        return super().new()


async def repaired(engine: Engine) -> None:
    """Wait until the repair that was asked for has ended."""
    task = engine.reloader.rebuild.task
    assert task is not None
    await task


@pytest.mark.gen_test
async def test_whoever_finds_the_damage_it_is_repaired_once(place: Place) -> None:
    async with Engine(place, folder=Failing) as engine:
        before, damaged = engine.view(), engine.snapshots.current
        for _ in range(5):
            engine.reloader.report_damage(damaged, DAMAGE)
        await repaired(engine)
        assert engine.snapshots.current is not damaged
        assert engine.view() == before
        engine.is_whole(place.remote.head)
        assert engine.folder.builds == 1
        assert [(each.trigger, each.outcome) for each in engine.outcomes[1:]] == [(Trigger.REPAIR, "in-sync")]
        assert "malformed" in engine.noted("state.unfit")[-1]["reason"]


@pytest.mark.gen_test
async def test_a_repair_that_fails_is_tried_again_by_itself(place: Place) -> None:
    async with Engine(place, folder=Failing) as engine:
        engine.folder.fails = 3
        engine.reloader.rebuild.first_s = 0.01
        engine.reloader.report_damage(engine.snapshots.current, DAMAGE)
        await repaired(engine)
        engine.is_whole(place.remote.head)
        assert [each.outcome for each in engine.outcomes[1:]] == ["build-failed"] * 3 + ["in-sync"]


@pytest.mark.gen_test
async def test_a_push_repairs_what_it_replaces(place: Place) -> None:
    async with Engine(place, folder=Failing) as engine:
        engine.folder.fails = 1
        engine.reloader.report_damage(engine.snapshots.current, DAMAGE)
        assert (await engine.reload()).outcome == "build-failed"  # it shares the first try
        new = place.remote.push({"notes/a.toml": ""})
        await engine.forwards(new)
        assert engine.snapshots.current.damage is None
        engine.is_whole(new)


@pytest.mark.gen_test
async def test_damage_of_what_is_served_no_more_is_no_reason_to_build(place: Place) -> None:
    async with Engine(place, folder=Failing) as engine:
        old = engine.snapshots.current
        await engine.forwards(place.remote.push({"notes/a.toml": ""}))
        engine.reloader.report_damage(old, DAMAGE)
        await repaired(engine)
        assert engine.folder.builds == 0


@pytest.mark.parametrize(
    ("refused", "outcome"),
    [
        ({"notes/bad.toml": "x = \n"}, "data-rejected"),
        ({f"people/p{number:02}.toml": None for number in range(1, 30)}, "deletions-held"),
    ],
)
@pytest.mark.gen_test
async def test_what_is_served_is_repaired_although_the_branch_is_refused(
    place: Place, refused: dict[str, str | None], outcome: str
) -> None:
    async with Engine(place):
        pass
    async with Engine(place, remote=None) as engine:
        before = engine.view()
        author = place.remote.author
        author.write(refused)
        author.commit("refused")
        author.push(place.git_dir)
        assert (await engine.reload()).outcome == outcome
        engine.reloader.report_damage(engine.snapshots.current, DAMAGE)
        await repaired(engine)
        assert [each.outcome for each in engine.outcomes if each.trigger == Trigger.REPAIR] == ["in-sync"]
        assert engine.view() == before
        assert (await engine.reload()).outcome == outcome
