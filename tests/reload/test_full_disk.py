"""A disk that is really full: the old state serves, whatever was stopped, and all is well with room again."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reload.build.child import BuildChild, Job
from reload.errors import DiskFull
from reload.lane.outcome import Outcome
from reload.repository.disk import FREE_BYTES_MIN, free_bytes
from tests.end_to_end.waiting import eventually
from tests.gitrepo import run_git
from tests.reload.harness import Engine, Place
from tests.small_disk import SmallDisk, small_disk

DISK_BYTES = 32 << 20
NO_FLOOR = {"free_bytes_min": 0}


@pytest.fixture
def small(place: Place) -> Iterator[Callable[[str], SmallDisk]]:
    """Puts a folder of the place on a small disk of its own."""
    with contextlib.ExitStack() as stack:
        yield lambda name: stack.enter_context(small_disk(place.folder / name, DISK_BYTES))


def reason(outcome: Outcome) -> str:
    """The stable word for why a reload failed."""
    assert "free some space" in str(outcome.error)
    return str(getattr(outcome.error, "reason", ""))


def bulky(place: Place, number: int = 0) -> str:
    """Push a megabyte of records that do not get smaller; the commit."""
    return place.remote.push(
        {f"notes/b{number}-{n}.toml": f'x = "{os.urandom(10_000).hex()}"\n' for n in range(50)}
    )


@pytest.mark.gen_test
async def test_a_disk_that_fills_up_during_a_fetch_is_told_and_left_clean(
    place: Place, small: Callable[[str], SmallDisk]
) -> None:
    ballast = small("data.git")
    async with Engine(place, limits=NO_FLOOR) as engine:
        new = bulky(place)
        for spare in (0, 200 << 10):
            ballast.leave(spare)
            assert reason(await engine.refuses("fetch-failed")) == "disk-full"
        ballast.drop()
        await engine.forwards(new)


@pytest.mark.gen_test
async def test_a_disk_without_room_for_a_lock_stops_the_move_and_nothing_else(
    place: Place, small: Callable[[str], SmallDisk]
) -> None:
    ballast = small("data.git")
    async with Engine(place, limits=NO_FLOOR) as engine:
        new = place.remote.push({"notes/a.toml": ""})
        run_git(place.git_dir, "fetch", "-q", "origin", "+main:refs/remotes/origin/main")
        ballast.leave(0)
        outcome = await engine.refuses("build-failed")
        assert reason(outcome) == "disk-full"
        ballast.drop()
        await engine.forwards(new)


@pytest.mark.gen_test
async def test_a_disk_that_fills_up_during_a_build_leaves_the_old_state_serving(
    place: Place, small: Callable[[str], SmallDisk]
) -> None:
    ballast = small("data.git.state")
    async with Engine(place) as engine:
        failed = 0
        for number, spare in enumerate((0, 4096, 64 << 10, 400 << 10, 2 << 20)):
            new, before = bulky(place, number), engine.view()
            ballast.leave(spare)
            outcome = await engine.reload()
            if not outcome.ok:  # what SQLite has of room in its log from before may be enough
                failed += 1
                assert (outcome.outcome, reason(outcome)) == ("build-failed", "disk-full")
                assert engine.view() == before
                ballast.drop()
                await engine.forwards(new)
            assert [path.name for path in place.state.glob("building-*")] == []
            engine.is_whole(new)
        assert failed > 1


def test_a_build_child_without_room_says_so(place: Place, small: Callable[[str], SmallDisk]) -> None:
    small("data.git.state").leave(20 << 10)
    job = Job(str(place.git_dir), "main", str(place.branch), str(place.state / "built"))
    with pytest.raises(DiskFull, match="free some space"):
        BuildChild().build(job, lambda done, total: None)


@pytest.mark.gen_test
async def test_packs_that_cannot_be_gathered_harm_nothing(
    place: Place, small: Callable[[str], SmallDisk]
) -> None:
    ballast = small("data.git")
    async with Engine(place, limits=NO_FLOOR) as engine:
        await engine.forwards(bulky(place))
        for number in range(60):
            oid = run_git(place.git_dir, "hash-object", "-w", "--stdin", stdin=b"n%d" % number)
            run_git(place.git_dir, "pack-objects", "-q", "objects/pack/pack", stdin=oid)
        new = place.remote.push({"notes/a.toml": ""})
        ballast.leave(100 << 10)
        assert (await engine.reload()).ok
        # What a failed git leaves goes only while no other git is at work, such as those of `is_whole`.
        failed = eventually(lambda: engine.noted("repository.pack_failed"), "packs cannot be gathered")
        assert "Out of diskspace" in failed[0]["reason"]
        engine.is_whole(new)
        ballast.drop()
        await engine.forwards(place.remote.push({"notes/c.toml": ""}))
        await engine.forwards(place.remote.push({"notes/d.toml": ""}))
        assert engine.noted("repository.packed") != []


@pytest.mark.gen_test
async def test_below_the_floor_nothing_is_fetched_and_git_is_not_even_started(place: Place) -> None:
    async with Engine(place, limits={"free_bytes_min": 1 << 62}) as engine:
        place.remote.vanish()  # a git that asked would be told that nothing is there
        outcome = await engine.refuses("fetch-failed")
        assert reason(outcome) == "disk-full"
        assert str(place.git_dir) in str(outcome.error)
    assert FREE_BYTES_MIN == 64 << 20


def test_room_is_told_for_what_is_not_there_yet(tmp_path: Path) -> None:
    assert free_bytes(tmp_path / "a" / "b") == pytest.approx(free_bytes(tmp_path), rel=0.1)
