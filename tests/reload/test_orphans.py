"""As process 1 of a container, which inherits every orphan: none of them stays as a zombie."""

from __future__ import annotations

import contextlib
import ctypes
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reload.build.child import BuildChild, Job
from reload.errors import BuildFailed
from tests.end_to_end.waiting import eventually
from tests.reload.faults import FailingGit
from tests.reload.harness import Engine, Place

# LIVESHEETS_ORPHANS=1000 makes it the long run.
RELOADS = int(os.environ.get("LIVESHEETS_ORPHANS", "15"))
_SET_CHILD_SUBREAPER = 36
# A git that dies and leaves two processes behind, as one does that speaks with a remote through others.
LEAVES_OTHERS = "sleep 600 >/dev/null 2>&1 & sleep 600 >/dev/null 2>&1 & kill -9 $$"


@contextlib.contextmanager
def inheriting_orphans() -> Iterator[None]:
    """This process is given the orphans among its descendants, as the first process of a container is."""
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    assert prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0) == 0
    try:
        yield
    finally:
        prctl(_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def zombies() -> list[str]:
    """The children of this process that have ended and wait to be told of."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):
            for pid in (task / "children").read_text().split():
                status = Path(f"/proc/{pid}/stat").read_text()
                found += [status] if status.rpartition(")")[2].split()[0] == "Z" else []
    return found


@pytest.mark.timeout(120 + RELOADS)
@pytest.mark.gen_test
async def test_git_that_dies_leaves_no_zombies_to_who_inherits_its_children(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = FailingGit(place.folder / "bin", LEAVES_OTHERS)
    monkeypatch.setenv("PATH", git.path)
    before = len(zombies())
    with inheriting_orphans():
        async with Engine(place) as engine:
            for number in range(RELOADS):
                place.remote.push({"notes/start.toml": f"n = {number}\n"})
                git.arm(1 + number % 4)
                await engine.reload()
                git.disarm()
                assert (await engine.reload()).ok
        eventually(lambda: len(zombies()) <= before, f"no zombies beyond {before}: {zombies()}")


def test_a_build_that_is_ended_takes_the_git_along_that_it_waits_for(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    git = FailingGit(tmp_path / "bin", "sleep 600")
    monkeypatch.setenv("PATH", git.path)
    before, known = len(zombies()), children()
    job = Job(str(place.git_dir), "main", str(place.branch), str(tmp_path / "state"))
    child, ended = BuildChild(), []

    def build() -> None:
        try:
            child.build(job, lambda done, total: None)
        except BuildFailed as error:
            ended.append(str(error))

    with inheriting_orphans():
        git.arm(1)
        building = threading.Thread(target=build)
        building.start()
        eventually((tmp_path / "bin" / "failed").exists, "git hangs")
        child.close()
        building.join()
        assert "signal 9" in ended[0]
        assert children() <= known
        assert len(zombies()) <= before


def children() -> set[str]:
    """Every child of this process."""
    found: set[str] = set()
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            found.update((task / "children").read_text().split())
    return found
