"""A state file that fits is gone on from; any other is built again, and a note says why."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable

import apsw
import pytest

from reload.snapshot.state_file import APPLICATION_ID
from reload.snapshot.state_folder import CURRENT, StateFolder
from tests.gitrepo import run_git
from tests.reload.harness import Engine, Place

OTHER_ID = APPLICATION_ID + 1
EDIT = {"notes/start.toml": 'text = "Ours"\n'}


class Builds(StateFolder):
    """Counts the state files that are built."""

    count = 0

    def new(self):  # type: ignore[no-untyped-def]
        self.count += 1
        return super().new()


def warm(place: Place) -> Engine:
    """An engine that counts its builds."""
    return Engine(place, folder=Builds)


def builds(engine: Engine) -> int:
    """How many state files an engine has built."""
    assert isinstance(engine.folder, Builds)
    return engine.folder.count


def tamper(place: Place, statement: str) -> None:
    """Change what stands in the state file."""
    db = apsw.Connection(str(place.state / CURRENT))
    db.execute(statement)
    db.close()


@pytest.mark.gen_test
async def test_unchanged_data_is_served_without_a_build(place: Place) -> None:
    async with warm(place) as engine:
        assert (await engine.reload()).outcome == "in-sync"
        engine.is_whole(place.remote.head)
        assert builds(engine) == 0
        assert engine.noted("state.unfit") == []


@pytest.mark.gen_test
async def test_unchanged_data_is_served_while_the_remote_is_away(place: Place) -> None:
    place.remote.vanish()
    async with warm(place) as engine:
        await engine.refuses("fetch-failed")
        assert not engine.journal.fresh
        assert builds(engine) == 0


@pytest.mark.gen_test
async def test_what_was_pushed_meanwhile_is_added_by_difference(place: Place) -> None:
    new = place.remote.push(EDIT)
    async with warm(place) as engine:
        await engine.forwards(new)
        assert builds(engine) == 0


@pytest.mark.gen_test
async def test_a_state_file_of_another_commit_is_brought_to_the_branch(place: Place) -> None:
    old = place.remote.head
    async with Engine(place) as engine:
        await engine.forwards(place.remote.push(EDIT))
    place.git("update-ref", "refs/heads/main", old)
    place.git("update-ref", "-d", "refs/livesheets/accepted")
    place.remote.point_at(old)
    async with warm(place) as engine:
        engine.is_whole(old)
        assert builds(engine) == 0


def _truncated(place: Place) -> None:
    path = (place.state / CURRENT).resolve()
    os.truncate(path, path.stat().st_size // 2)


def _foreign(place: Place) -> None:
    path = (place.state / CURRENT).resolve()
    path.unlink()
    db = apsw.Connection(str(path))
    db.execute("CREATE TABLE somebody (elses)")
    db.close()


def _garbage(place: Place) -> None:
    (place.state / CURRENT).resolve().write_bytes(os.urandom(10_000))


def _empty(place: Place) -> None:
    (place.state / CURRENT).resolve().write_bytes(b"")


def _deleted(place: Place) -> None:
    (place.state / CURRENT).resolve().unlink()


def _folder_deleted(place: Place) -> None:
    shutil.rmtree(place.state)


def _in_the_way(place: Place) -> None:
    (place.state / CURRENT).unlink()
    (place.state / CURRENT).mkdir()


UNFIT: dict[str, tuple[Callable[[Place], None], str]] = {
    "deleted": (_deleted, "no state file"),
    "folder deleted": (_folder_deleted, "no state file"),
    "truncated": (_truncated, "malformed"),
    "garbage": (_garbage, "not a database"),
    "empty": (_empty, "format"),
    "foreign": (_foreign, "format"),
    "future version": (lambda place: tamper(place, "PRAGMA user_version = 999"), "format"),
    "other application": (
        lambda place: tamper(place, f"PRAGMA application_id = {APPLICATION_ID + 1}"),
        "format",
    ),
    "no commit": (lambda place: tamper(place, "DELETE FROM livesheets_state WHERE key = 'commit'"), ""),
    "unknown commit": (
        lambda place: tamper(place, f"UPDATE livesheets_state SET value = '{'7' * 40}' WHERE key = 'commit'"),
        "lacks",
    ),
    "other policy": (
        lambda place: tamper(place, "UPDATE livesheets_state SET value = 'x' WHERE key = 'policy'"),
        "policy",
    ),
    "table lost": (lambda place: tamper(place, "DROP TABLE people"), "people"),
}


@pytest.mark.parametrize("kind", UNFIT)
@pytest.mark.gen_test
async def test_a_state_file_that_does_not_fit_is_built_anew_and_the_note_says_why(
    place: Place, kind: str
) -> None:
    spoil, words = UNFIT[kind]
    spoil(place)
    async with warm(place) as engine:
        engine.is_whole(place.remote.head)
        assert builds(engine) == 1
        reasons = [values["reason"] for values in engine.noted("state.unfit")]
        assert any(words in reason for reason in reasons), reasons
        await engine.forwards(place.remote.push(EDIT))
        assert builds(engine) == 1
        assert engine.noted("state.unfit") == [{"reason": reason} for reason in reasons]
    async with warm(place) as engine:
        engine.is_whole(place.remote.head)
        assert builds(engine) == 0


@pytest.mark.gen_test
async def test_a_folder_in_the_place_of_the_link_fails_the_build_and_says_so(place: Place) -> None:
    _in_the_way(place)
    async with warm(place) as engine:
        outcome = await engine.reload()
        assert outcome.outcome == "build-failed"
        assert CURRENT in str(outcome.error)
        (place.state / CURRENT).rmdir()
        assert (await engine.reload()).ok
        engine.is_whole(place.remote.head)


@pytest.mark.gen_test
async def test_a_bad_head_on_the_remote_leaves_the_last_good_commit_served(place: Place) -> None:
    old = place.remote.head
    place.remote.push({"notes/bad.toml": "= x\n"})
    async with warm(place) as engine:
        engine.is_whole(old)
        await engine.refuses("data-rejected")


@pytest.mark.gen_test
async def test_a_first_start_with_a_bad_head_serves_nothing_and_heals(new_place: Place) -> None:
    new_place.remote.push({"notes/bad.toml": "= x\n"})
    async with Engine(new_place) as engine:
        for _ in range(2):
            assert (await engine.reload()).outcome == "data-rejected"
            assert engine.commit is None
            assert new_place.branch is None
        good = new_place.remote.push({"notes/bad.toml": None})
        await engine.forwards(good)


@pytest.mark.gen_test
async def test_a_first_start_without_the_remote_waits_for_it(new_place: Place) -> None:
    new_place.remote.vanish()
    async with Engine(new_place) as engine:
        for _ in range(2):
            assert (await engine.reload()).outcome == "fetch-failed"
        new_place.remote.return_()
        await engine.forwards(new_place.remote.head)


@pytest.mark.gen_test
async def test_an_empty_folder_is_cloned_into(new_place: Place) -> None:
    new_place.git_dir.mkdir()
    async with Engine(new_place) as engine:
        await engine.forwards(new_place.remote.head)


@pytest.mark.gen_test
async def test_without_a_remote_the_local_branch_is_served_as_it_moves(place: Place) -> None:
    async with Engine(place, remote=None) as engine:
        outcome = await engine.reload()
        assert (outcome.outcome, outcome.fetched, outcome.reached) == ("in-sync", False, False)
        place.remote.author.write(EDIT)
        new = place.remote.author.commit()
        place.remote.author.push(place.git_dir)
        await engine.forwards(new)
        assert engine.journal.fresh
        assert engine.journal.remote.last_reached_at is None


@pytest.mark.gen_test
async def test_without_a_remote_an_empty_repository_becomes_ready_by_its_first_commit(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    shutil.rmtree(place.state)
    run_git(place.folder, "init", "-q", "--bare", "-b", "main", str(place.git_dir))
    async with Engine(place, remote=None) as engine:
        assert (await engine.reload()).outcome == "branch-missing"
        place.remote.author.push(place.git_dir)
        await engine.forwards(place.remote.head)


@pytest.mark.gen_test
async def test_a_state_file_with_a_rotten_page_hinders_no_large_reload(place: Place) -> None:
    async with warm(place):
        pass
    path = (place.state / CURRENT).resolve()
    db = apsw.Connection(str(path))
    db.pragma("wal_checkpoint(TRUNCATE)")
    page = db.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'people'").get
    size = db.pragma("page_size")
    db.close()
    with path.open("r+b") as file:
        file.seek((page - 1) * size)
        file.write(b"\xff" * size)
    new = place.remote.push({f"notes/n{number}.toml": f"n = {number}\n" for number in range(5_100)})
    async with warm(place) as engine:
        await engine.reload()
        assert engine.commit == new
