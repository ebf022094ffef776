"""A reload that breaks at any step leaves everything as it was, and the next one works."""

from __future__ import annotations

import itertools
import os
import signal

import pytest

from reload.build.builder import Policy
from reload.errors import DeletionsHeld, RepositoryError
from tests.reload.faults import Countdown, FailingGit, counted_clone, counted_folder
from tests.reload.harness import Engine, Place, counts

BAD = {"people/p03.toml": "slug = = 1\n", "notes/bad.toml": "x\n"}
GOOD = {"people/p03.toml": 'slug = "p03"\n', "notes/bad.toml": None}
MOST_PEOPLE = {f"people/p{number:02}.toml": None for number in range(16)}


def edit(number: int) -> dict[str, str]:
    """A change that differs from every other one."""
    return {"notes/start.toml": f"n = {number}\n", f"notes/n{number}.toml": ""}


def forget_state(place: Place) -> None:
    """Delete every state file, so that the next build is from scratch."""
    for path in place.state.glob("*.sqlite3*"):
        path.unlink()


# -- what a commit may be refused for -----------------------------------------------------------------


@pytest.mark.gen_test
async def test_an_unreadable_commit_is_rejected_every_time_and_built_once(place: Place) -> None:
    async with Engine(place) as engine:
        bad = place.remote.push(BAD)
        first = await engine.refuses("data-rejected")
        assert {(problem.path, problem.line) for problem in first.problems} == {
            ("people/p03.toml", 1),
            ("notes/bad.toml", 1),
        }
        assert "build" in first.phases_ms
        for _ in range(2):
            again = await engine.refuses("data-rejected", announced=bad)
            assert again.problems == first.problems
            assert "build" not in again.phases_ms
        good = place.remote.push(GOOD)
        assert counts(await engine.forwards(good)) == {"people": (0, 1, 0)}


@pytest.mark.gen_test
async def test_an_unreadable_commit_is_rejected_again_after_a_restart(place: Place) -> None:
    async with Engine(place) as engine:
        bad = place.remote.push(BAD)
        before = await engine.refuses("data-rejected")
    async with Engine(place) as engine:
        assert engine.journal.rejected is not None
        assert (engine.journal.rejected.commit, engine.journal.rejected.problems) == (bad, before.problems)
        assert (await engine.refuses("data-rejected")).problems == before.problems


@pytest.mark.gen_test
async def test_a_commit_is_rejected_alike_from_scratch_and_by_difference(place: Place) -> None:
    async with Engine(place) as engine:
        place.remote.push(BAD)
        by_difference = await engine.refuses("data-rejected")
    forget_state(place)
    async with Engine(place) as engine:
        forget_state(place)
        from_scratch = await engine.refuses("data-rejected")
        assert from_scratch.problems == by_difference.problems


@pytest.mark.gen_test
async def test_a_mass_deletion_is_held_every_time_until_somebody_consents(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push(MOST_PEOPLE)
        for _ in range(2):
            held = await engine.refuses("deletions-held", "rewrite")
            assert isinstance(held.error, DeletionsHeld)
            assert held.error.removed == {"people": (16, 30)}
        assert counts(await engine.forwards(new, "deletions")) == {"people": (0, 0, 16)}


@pytest.mark.gen_test
async def test_a_mass_deletion_is_served_where_that_is_the_policy(place: Place) -> None:
    async with Engine(place, policy=Policy(allow_deletions=True)) as engine:
        await engine.forwards(place.remote.push({".gitsheets/people.toml": None}))


@pytest.mark.gen_test
async def test_a_mass_deletion_is_held_too_where_the_state_file_is_lost(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push({**MOST_PEOPLE, "people/new.toml": ""})
        forget_state(place)
        held = await engine.refuses("deletions-held")
        assert isinstance(held.error, DeletionsHeld)
        await engine.forwards(new, "deletions")


@pytest.mark.gen_test
async def test_a_mass_deletion_goes_unnoticed_by_nobody_who_makes_it_in_two_pushes(place: Place) -> None:
    """What counts is the difference to what is served, however many commits lie between."""
    async with Engine(place) as engine:
        halves = list(MOST_PEOPLE.items())
        place.remote.push(dict(halves[:8]))
        place.remote.push(dict(halves[8:]))
        await engine.refuses("deletions-held")


@pytest.mark.gen_test
async def test_a_state_folder_that_cannot_be_written_fails_the_build_and_heals(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push(edit(1))
        place.state.rename(place.folder / "aside")
        place.state.write_text("no folder")
        for _ in range(2):
            await engine.refuses("build-failed")
        place.state.unlink()
        (place.folder / "aside").rename(place.state)
        assert counts(await engine.forwards(new)) == {"notes": (1, 1, 0)}


@pytest.mark.gen_test
async def test_the_state_folder_may_be_deleted_at_any_time(place: Place) -> None:
    async with Engine(place) as engine:
        for number in range(3):
            for path in place.state.iterdir():
                path.unlink()
            place.state.rmdir()
            await engine.forwards(place.remote.push(edit(number)))
            await engine.forwards(place.remote.push(edit(10 + number)))


class FailAt(Countdown):
    """Fails the next step of this name."""

    name: str | None = None

    def step(self, name: str) -> None:
        if name == self.name:
            self.name, self.fired = None, name
            raise RepositoryError("injected")


# -- a fault at every step ------------------------------------------------------------------------------

ERRORS = [OSError("injected"), RepositoryError("injected"), MemoryError("injected"), ValueError("injected")]


@pytest.mark.gen_test
async def test_an_error_at_any_step_leaves_all_as_it_was(place: Place) -> None:
    countdown, failed = Countdown(), set()
    engine = Engine(place, clone_folder=counted_clone(countdown), folder=counted_folder(countdown))
    async with engine:
        for number, error in zip(itertools.count(1), itertools.cycle(ERRORS), strict=False):
            new = place.remote.push(edit(number))
            countdown.arm(number, error)
            outcome = await engine.reload()
            if countdown.fired is None:
                break
            failed.add(countdown.fired)
            if not outcome.ok:
                assert outcome.outcome == "build-failed"
                engine.is_whole(place.remote.author.rev(f"{new}~"))
                outcome = await engine.forwards(new)
            assert counts(outcome)["notes"] == (1, 1, 0), countdown.fired
            engine.is_whole(new)
    assert failed >= {"fetch", "local_commit", "difference", "lock_refs", "commit"}


@pytest.mark.parametrize(
    "step",
    ["before new", "after keep", "before point_at", "after point_at", "lock_refs", "commit"],
)
@pytest.mark.gen_test
async def test_an_error_at_any_step_of_building_anew_leaves_all_as_it_was(place: Place, step: str) -> None:
    fault = FailAt()
    async with Engine(place, clone_folder=counted_clone(fault), folder=counted_folder(fault)) as engine:
        forget_state(place)
        new = place.remote.push(edit(1))
        fault.name = step
        await engine.refuses("build-failed")
        assert fault.fired == step
        assert counts(await engine.forwards(new)) == {"notes": (1, 1, 0)}
        assert counts(await engine.forwards(place.remote.push(edit(2)))) == {"notes": (1, 1, 0)}


@pytest.mark.parametrize("fault", ["exit 128", "kill -9 $$"])
@pytest.mark.gen_test
async def test_a_git_that_dies_at_any_call_is_made_good(
    place: Place, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    git = FailingGit(place.folder / "git-on-path", fault)
    monkeypatch.setenv("PATH", git.path)
    old = place.remote.head
    for number in itertools.count(1):
        new = place.remote.push(edit(number))
        engine = Engine(place)
        git.arm(number)
        async with engine:
            await engine.reload()
            failed = git.disarm()
            if engine.commit is not None:
                assert engine.commit in (old, new), failed
                engine.is_whole(engine.commit)
            await engine.reload()
            engine.is_whole(new)
        if failed is None:
            break
        old = new
    assert number > 5


@pytest.mark.gen_test
async def test_a_git_that_is_killed_between_locking_and_moving_moves_nothing_else(place: Place) -> None:
    class Killing(Countdown):
        """Kills the git that holds the locks, just before it is told to move."""

        def step(self, name: str) -> None:
            if name == "commit":
                for pid, words in place.processes().items():
                    if "update-ref" in words:
                        os.kill(pid, signal.SIGKILL)

    async with Engine(place, clone_folder=counted_clone(Killing())) as engine:
        old = str(engine.commit)
        new = place.remote.push(edit(1))
        outcome = await engine.reload()
        assert not outcome.ok
        engine.is_whole(old)
    async with Engine(place) as engine:
        assert counts(await engine.forwards(new)) == {"notes": (1, 1, 0)}


@pytest.mark.gen_test
async def test_a_commit_that_lands_while_a_reload_builds_is_not_lost(place: Place) -> None:
    landed: list[str] = []

    class Landing(Countdown):
        """Somebody pushes to the server's own branch, after the reload was planned."""

        def step(self, name: str) -> None:
            if name == "difference" and not landed:
                place.remote.author.write({"notes/landed.toml": ""})
                landed.append(place.remote.author.commit())
                place.remote.author.push(place.git_dir)

    async with Engine(place, clone_folder=counted_clone(Landing())) as engine:
        place.remote.push(edit(1))
        outcome = await engine.reload()
        assert (outcome.outcome, engine.commit) == ("fast-forwarded", landed[0])
        engine.is_whole(landed[0])
        assert engine.noted("reload.planned_again") != []
        assert (await engine.reload()).outcome == "ahead"


@pytest.mark.parametrize("many", [1, 5_001])
@pytest.mark.gen_test
async def test_a_swap_that_failed_is_counted_right_the_next_time(place: Place, many: int) -> None:
    """With many files the state file is built from scratch, and the one before is gone back to."""
    fault = FailAt()
    async with Engine(place, clone_folder=counted_clone(fault)) as engine:
        new = place.remote.push({f"notes/m{number}.toml": "" for number in range(many)})
        fault.name = "commit"
        await engine.refuses("build-failed")
        assert fault.fired == "commit"
        if many == 1:
            new = place.remote.push({"people/p01.toml": None})
            assert counts(await engine.forwards(new)) == {"notes": (1, 0, 0), "people": (0, 0, 1)}
        else:
            assert counts(await engine.forwards(new)) == {"notes": (many, 0, 0)}
        assert counts(await engine.forwards(place.remote.push(edit(1)))) == {"notes": (1, 1, 0)}
