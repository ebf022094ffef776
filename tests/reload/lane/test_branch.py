"""The engine as a library: a branch is opened, asked, reloaded and closed, with values derived from it."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from typing import Any

import pytest

import reload
from reload import Branch, DerivationFailed, Difference, DirectoryInUse, ReloadError, Snapshot, open_branch
from tests.end_to_end.waiting import eventually
from tests.reload.harness import Place

BAD = {"notes/bad.toml": "x = \n"}


def titles(snapshot: Snapshot, previous: Any, changes: Difference) -> dict[str, str]:
    return {row.path: row.record["text"] for row in snapshot.records("notes")}


class History:
    """A derivation that notes what it is called with, and fails when told to."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, Any, Mapping[str, Any], list[tuple[str, str]]]] = []
        self.fails = False

    def __call__(self, snapshot: Snapshot, previous: Any, changes: Difference) -> int:
        if self.fails:
            raise ZeroDivisionError("told to")
        counts = {name: (each.added, each.modified, each.removed) for name, each in changes.items()}
        self.calls.append((snapshot.commit, previous, counts, list(changes.paths("notes"))))
        return len(self.calls)


async def opened(place: Place, **options: Any) -> Branch:
    return await open_branch(place.git_dir, remote=str(place.remote.path), branch="main", **options)


def test_every_public_name_is_there_and_documented() -> None:
    assert sorted(reload._MODULES) == sorted(reload.__all__)
    for name in reload.__all__:
        assert getattr(reload, name).__doc__ or name == "Derivation", name
    with pytest.raises(AttributeError, match="nothing"):
        _ = reload.nothing


@pytest.mark.gen_test
async def test_a_branch_is_opened_asked_and_reloaded(place: Place) -> None:
    async with await opened(place) as branch:
        snapshot = branch.snapshot
        assert snapshot is not None
        assert (branch.name, snapshot.commit) == ("main", place.remote.head)
        assert [row.path for row in snapshot.records("notes")] == ["start"]
        found = snapshot.get("notes", "start")
        assert found is not None
        assert found.record == {"text": "Where to begin"}
        assert snapshot.get("notes", "none") is None
        new = place.remote.push({"notes/more.toml": 'text = "More"\n'})
        outcome = await branch.reload()
        assert (outcome.ok, outcome.new_commit) == (True, new)
        assert branch.snapshot is not snapshot
    assert branch.snapshot is None
    assert place.processes() == {}


@pytest.mark.gen_test
async def test_a_branch_is_served_by_one_process(place: Place) -> None:
    async with await opened(place):
        with pytest.raises(DirectoryInUse):
            await opened(place)
    async with await opened(place):
        pass


@pytest.mark.gen_test
async def test_a_branch_whose_first_commit_cannot_be_served_is_not_opened(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    place.remote.push(BAD)
    with pytest.raises(ReloadError, match=r"notes/bad\.toml"):
        await opened(place)
    place.remote.push({"notes/bad.toml": None})
    async with await opened(place) as branch:
        assert branch.snapshot is not None


@pytest.mark.gen_test
async def test_derived_state_changes_together_with_the_snapshot(place: Place) -> None:
    history = History()
    async with await opened(place, derive={"titles": titles, "calls": history}) as branch:
        first = branch.snapshot
        assert first is not None
        assert dict(first.derived) == {"titles": {"start": "Where to begin"}, "calls": 1}
        edit = {"notes/start.toml": 'text = "New"\n', "notes/a.toml": 'text = "A"\n'}
        new = place.remote.push(edit)
        assert (await branch.reload()).ok
        second = branch.snapshot
        assert second is not None
        assert dict(second.derived) == {"titles": {"a": "A", "start": "New"}, "calls": 2}
        assert dict(first.derived)["calls"] == 1
        changed = [("added", "a"), ("modified", "start")]
        assert history.calls[1] == (new, 1, {"notes": (1, 1, 0)}, changed)
        assert (await branch.reload()).no_changes
        assert len(history.calls) == 2
        place.remote.push({"notes/a.toml": None})
        assert (await branch.reload()).ok
        assert history.calls[2][1:] == (2, {"notes": (0, 0, 1)}, [("removed", "a")])


@pytest.mark.gen_test
async def test_a_derivation_that_fails_refuses_the_commit(place: Place) -> None:
    history = History()
    async with await opened(place, derive={"calls": history}) as branch:
        before, head = branch.snapshot, place.branch
        new = place.remote.push({"notes/a.toml": 'text = "A"\n'})
        history.fails = True
        for _ in range(2):
            outcome = await branch.reload()
            assert (outcome.ok, outcome.outcome) == (False, "build-failed")
            assert isinstance(outcome.error, DerivationFailed)
            assert str(outcome.error) == "the derivation 'calls' failed: ZeroDivisionError: told to"
            assert branch.snapshot is before
            assert before is not None
            assert dict(before.derived) == {"calls": 1}
            assert [row.path for row in before.records("notes")] == ["start"]
            assert place.branch == head
        history.fails = False
        outcome = await branch.reload()
        assert (outcome.ok, outcome.new_commit, place.branch) == (True, new, new)
        assert history.calls[1][1:3] == (1, {"notes": (1, 0, 0)})
        eventually(lambda: not place.leftovers(), "what is half-written is finished or removed")


@pytest.mark.gen_test
async def test_a_derivation_that_fails_at_the_first_load_leaves_nothing_open(place: Place) -> None:
    history = History()
    history.fails = True
    with pytest.raises(DerivationFailed, match="'calls'"):
        await opened(place, derive={"calls": history})
    history.fails = False
    async with await opened(place, derive={"calls": history}) as branch:
        assert branch.snapshot is not None
        assert branch.snapshot.derived["calls"] == 1


@pytest.mark.gen_test
async def test_a_warm_start_and_a_rebuild_derive_too(place: Place) -> None:
    async with await opened(place):
        pass
    async with await opened(place, derive={"titles": titles}) as branch:
        damaged = branch.snapshot
        assert damaged is not None
        assert damaged.derived["titles"] == {"start": "Where to begin"}
        branch.reloader.report_damage(damaged, OSError("rotten"))
        assert branch.reloader.rebuild.task is not None
        await branch.reloader.rebuild.task
        assert branch.snapshot is not damaged
        assert branch.snapshot is not None
        assert branch.snapshot.derived == damaged.derived
