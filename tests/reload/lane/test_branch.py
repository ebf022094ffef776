"""The engine as a library: a branch is opened, asked, reloaded and closed, with values derived from it."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Mapping
from typing import Any

import pytest

import reload
from reload import Branch, DerivationFailed, Difference, DirectoryInUse, ReloadError, Snapshot, open_branch
from reload.errors import FetchFailed
from reload.snapshot.snapshot import ROWS_AT_ONCE
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
@pytest.mark.parametrize("error", [ValueError("the table is corrupt"), FetchFailed("their API is down")])
async def test_a_derivation_is_named_and_called_once_whatever_it_raises(
    place: Place, error: Exception
) -> None:
    calls: list[str] = []
    events: list[str] = []

    def failing(snapshot: Snapshot, previous: Any, changes: Difference) -> None:
        calls.append(snapshot.commit)
        if len(calls) > 1:
            raise error

    def note(event: str, **values: object) -> None:
        events.append(event)

    async with await opened(place, derive={"mine": failing}, note=note) as branch:
        place.remote.push({"notes/a.toml": 'text = "A"\n'})
        outcome = await branch.reload()
        assert isinstance(outcome.error, DerivationFailed)
        assert "'mine'" in str(outcome.error)
        assert outcome.outcome == "build-failed"
        assert len(calls) == 2
        assert "repository.replaced" not in events


@pytest.mark.gen_test
async def test_a_derivation_may_read_in_nested_loops(place: Place) -> None:
    def triples(snapshot: Snapshot, previous: Any, changes: Difference) -> int:
        return sum(
            snapshot.get("notes", outer.path) is not None
            for outer in snapshot.records("notes")
            for _ in snapshot.records("notes")
            for _ in snapshot.records("notes")
        )

    place.remote.push({"notes/a.toml": 'text = "A"\n'})
    async with await opened(place, derive={"triples": triples}) as branch:
        assert branch.snapshot is not None
        assert branch.snapshot.derived["triples"] == 8


@pytest.mark.gen_test
async def test_all_records_of_a_large_sheet_are_read_in_order(place: Place) -> None:
    count = 2 * ROWS_AT_ONCE + 1
    place.remote.push({f"notes/n{number:04}.toml": 'text = "N"\n' for number in range(count)})
    async with await opened(place) as branch:
        assert branch.snapshot is not None
        paths = [row.path for row in branch.snapshot.records("notes")]
        assert paths == [*(f"n{number:04}" for number in range(count)), "start"]


@pytest.mark.gen_test
async def test_every_record_is_added_at_the_first_load(place: Place) -> None:
    for _ in ("with a clone", "with the state file that is there"):
        history = History()
        async with await opened(place, derive={"calls": history}):
            assert history.calls == [
                (place.remote.head, None, {"notes": (1, 0, 0), "people": (30, 0, 0)}, [("added", "start")])
            ]


@pytest.mark.gen_test
async def test_an_opening_that_fails_or_is_cancelled_lets_go_of_the_folder(place: Place) -> None:
    state = place.git_dir.with_name(place.git_dir.name + ".state")
    shutil.rmtree(state, ignore_errors=True)
    state.write_text("a file where the folder belongs")
    for _ in range(2):
        with pytest.raises(FileExistsError):
            await opened(place)
    state.unlink()
    opening = asyncio.ensure_future(opened(place))
    await asyncio.sleep(0)
    opening.cancel()
    with pytest.raises(asyncio.CancelledError):
        await opening
    async with await opened(place):
        pass


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
