"""What a killed git leaves behind goes; what belongs to a git that lives stays."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from reload.repository.leftovers import (
    LOCK_AGE_MIN_S,
    GitProcess,
    clear_after_failure,
    clear_at_start,
    git_processes,
)
from tests.end_to_end.waiting import eventually
from tests.gitrepo import ISOLATION
from tests.reload.harness import Engine, Place, running

LOCKS = (
    "refs/remotes/origin/main.lock",
    "refs/heads/main.lock",
    "refs/livesheets/accepted.lock",
    "packed-refs.lock",
    "config.lock",
    "shallow.lock",
    "index.lock",
    "HEAD.lock",
    "objects/info/commit-graph.lock",
    "objects/pack/multi-pack-index.lock",
)
TEMPORARIES = (
    "objects/pack/tmp_pack_aB3",
    "objects/pack/.tmp-12-pack-x.idx",
    "objects/pack/pack-a1.keep",
    "objects/17/tmp_obj_Zz",
)
KEPT = b"fetch-pack 12 on here\n"
QUARANTINE = "objects/tmp_objdir-incoming-Xy/17/tmp_obj_1"


def litter(git_dir: Path, age_s: float, names: tuple[str, ...] = (*LOCKS, *TEMPORARIES, QUARANTINE)) -> None:
    """Leave files behind as a git would have that was killed `age_s` seconds ago."""
    for name in names:
        path = git_dir / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(KEPT if path.suffix == ".keep" else b"")
        for each in (path, *path.parents):
            if each.name.startswith(("tmp_", ".tmp-")) or each == path:
                os.utime(each, (time.time() - age_s,) * 2)


def left(git_dir: Path) -> set[str]:
    """What still lies there."""
    return {name for name in (*LOCKS, *TEMPORARIES, QUARANTINE) if (git_dir / name).exists()}


@pytest.mark.parametrize("age_s", [0, 3 * LOCK_AGE_MIN_S])
def test_at_start_everything_goes(place: Place, age_s: float) -> None:
    litter(place.git_dir, age_s)
    removed = clear_at_start(place.git_dir)
    assert left(place.git_dir) == set()
    assert {each.kind for each in removed} == {"lock", "temporary"}
    assert {each.name for each in removed} >= {*LOCKS, *TEMPORARIES}
    assert all(age_s <= each.age_s < age_s + 60 for each in removed if each.kind == "lock")
    place.git("fsck")


@pytest.mark.gen_test
async def test_a_start_over_leftovers_needs_nobody_s_help(place: Place) -> None:
    litter(place.git_dir, 1)
    async with Engine(place) as engine:
        engine.is_whole(place.remote.head)
        await engine.forwards(place.remote.push({"notes/a.toml": ""}))
        assert {values["name"] for values in engine.noted("repository.leftover_removed")} >= set(LOCKS)


def test_an_orphan_of_a_killed_server_is_ended_at_start(place: Place) -> None:
    with running(place.git_dir, "git", f"--git-dir={place.git_dir}") as orphan:
        litter(place.git_dir, 1)
        assert [each.name for each in clear_at_start(place.git_dir) if each.kind == "process"] == [
            str(orphan.pid)
        ]
        assert orphan.wait(10) < 0
        assert left(place.git_dir) == set()


def test_an_orphan_that_is_about_to_become_git_is_ended_too(place: Place) -> None:
    command = ["sh", "-c", 'read line && exec "$@"', "sh", "git", f"--git-dir={place.git_dir}", "gc"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, env=os.environ | ISOLATION) as orphan:
        eventually(
            lambda: list(git_processes(place.git_dir)) == [GitProcess(orphan.pid, ours=True)], "it runs"
        )
        clear_at_start(place.git_dir)
        assert orphan.wait(10) < 0


@pytest.mark.parametrize("told", ["folder", "option", "two words", "variable"])
def test_a_git_of_somebody_else_is_left_alone_and_so_are_its_locks(place: Place, told: str) -> None:
    home = place.git_dir.parent
    command, options = {
        "folder": (("git",), {"cwd": place.git_dir}),
        "option": (("git", f"--git-dir={place.git_dir}/../{place.git_dir.name}"), {}),
        "two words": (("git", "--git-dir", place.git_dir.name), {"cwd": home}),
        "variable": (("env", f"GIT_DIR={place.git_dir.name}/.", "git"), {"cwd": home}),
    }[told]
    with running(place.git_dir, *command, **options) as somebody:
        litter(place.git_dir, 1, LOCKS)
        litter(place.git_dir, 2 * LOCK_AGE_MIN_S, TEMPORARIES)
        assert clear_after_failure(place.git_dir, (), time.time() - 60, died=True) is None
        removed = clear_at_start(place.git_dir)
        assert {each.name for each in removed} == set(TEMPORARIES)
        assert left(place.git_dir) == set(LOCKS)
        assert somebody.poll() is None
        assert {process.pid for process in git_processes(place.git_dir)} == {somebody.pid}


@pytest.mark.parametrize("died", [False, True])
def test_after_a_failure_goes_what_came_since_and_what_is_old(place: Place, died: bool) -> None:
    begun = time.time() - 5
    young = ("index.lock", "objects/pack/tmp_pack_aB3", "objects/pack/pack-a1.keep")
    old = ("config.lock", "objects/17/tmp_obj_Zz")
    before = ("HEAD.lock", "objects/pack/.tmp-12-pack-x.idx")
    litter(place.git_dir, 1, young)
    litter(place.git_dir, 2 * LOCK_AGE_MIN_S, old)
    litter(place.git_dir, 60, before)
    clear_after_failure(place.git_dir, (), begun, died=died)
    assert left(place.git_dir) == {*before, *(() if died else young[:1])}


def test_nothing_that_is_no_leftover_is_touched(place: Place) -> None:
    place.git("update-ref", "refs/heads/tmp_lock", "main")
    place.git("pack-refs", "--all")
    place.git("update-ref", "refs/heads/x.lockless", "main")
    for number, reason in enumerate((b"", b"for the archive\n")):
        (place.git_dir / f"objects/pack/pack-{number}.keep").write_bytes(reason)
    before = sorted(path for path in place.git_dir.rglob("*") if path.is_file())
    assert clear_at_start(place.git_dir) == []
    assert sorted(path for path in place.git_dir.rglob("*") if path.is_file()) == before


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "refs/remotes/origin/main.lock"])
@pytest.mark.gen_test
async def test_a_lock_that_somebody_holds_is_told_and_waited_for(place: Place, name: str) -> None:
    async with Engine(place) as engine:
        new = place.remote.push({"notes/a.toml": ""})
        litter(place.git_dir, 1, (name,))
        before = engine.view()
        outcome = await engine.reload()
        assert outcome.outcome == ("fetch-failed" if "remotes" in name else "build-failed")
        assert getattr(outcome.error, "reason", None) == "lock-stuck"
        assert "lock" in str(outcome.error)
        assert engine.view() == before
        assert left(place.git_dir) == {name}
        (place.git_dir / name).unlink()
        await engine.forwards(new)


@pytest.mark.parametrize("name", ["refs/heads/main.lock", "refs/remotes/origin/main.lock", "HEAD.lock"])
@pytest.mark.gen_test
async def test_a_lock_that_was_left_long_ago_is_removed_at_run_time(place: Place, name: str) -> None:
    async with Engine(place) as engine:
        new = place.remote.push({"notes/a.toml": ""})
        litter(place.git_dir, 2 * LOCK_AGE_MIN_S, (name,))
        await engine.forwards(new)
        assert [values["name"] for values in engine.noted("repository.leftover_removed")] == [name]


def test_a_folder_that_is_gone_is_no_error(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    assert clear_at_start(place.git_dir) == []
    assert clear_after_failure(place.git_dir, (), 0.0, died=True) == []
