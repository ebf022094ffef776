"""Whatever becomes of the disk or the memory below SQLite: what is served goes on answering, search too."""

from __future__ import annotations

import contextlib
import itertools
import os
import resource
import sys
from pathlib import Path
from typing import Any

import apsw
import pytest

from reload.build.child import BuildChild, Job
from reload.errors import BuildFailed
from reload.snapshot.query.query import Query
from tests.end_to_end.sample import person
from tests.reload.disk import FailingDisk
from tests.reload.engine import opened
from tests.reload.faults import Countdown, counted_clone
from tests.reload.harness import Engine, Place
from tests.reload.policies import build, contents


def edit(number: int) -> dict[str, str]:
    """A change that differs from every other one, and can be searched for."""
    return {"notes/start.toml": f'text = "begin at number{number}"\n'}


def answers(engine: Engine) -> tuple[Any, ...]:
    """What readers see, and what they find."""
    current = engine.snapshots.current
    assert current is not None
    with current.lend() as reader:
        found = [reader.page(sheet, Query(match="begin OR person"))[0] for sheet in current.sheets]
        hits = reader.search(list(current.sheets), "begin OR person", 100, None)
    return engine.view(), found, hits


# How many calls to pass over between two that fail: where the file is blamed, it is built again in a child.
@pytest.mark.parametrize(
    ("error", "stride"),
    [
        (apsw.FullError, 8),
        (apsw.NoMemError, 11),
        (apsw.InterruptError, 13),
        (apsw.IOError, 13),
        (apsw.CorruptError, 23),
    ],
)
@pytest.mark.gen_test
async def test_a_disk_that_fails_at_any_moment_leaves_the_old_state_answering(
    place: Place, error: type[apsw.Error], stride: int
) -> None:
    with FailingDisk(place.state) as disk:
        async with Engine(place) as engine:
            for number in itertools.count(1, stride):
                new = place.remote.push(edit(number))
                before = answers(engine)
                disk.arm(number, error)
                outcome = await engine.reload()
                if disk.disarm() is None:
                    break
                if not outcome.ok:
                    assert outcome.outcome == "build-failed"
                    assert answers(engine) == before
                    await engine.forwards(new)
                engine.is_whole(new)
    assert number > 20


@pytest.mark.parametrize("error", [apsw.FullError, apsw.IOError])
def test_a_build_from_scratch_on_a_failing_disk_raises_or_is_whole(
    place: Place, tmp_path: Path, error: type[apsw.Error]
) -> None:
    new, failed = str(place.branch), 0
    with opened(place.git_dir) as repository:
        whole = contents(build(repository, new, tmp_path / "whole"))
        for number in itertools.count(1, 3):
            folder = tmp_path / str(number)
            folder.mkdir()
            with FailingDisk(folder) as disk:
                disk.arm(number, error)
                with contextlib.suppress(error):
                    assert contents(build(repository, new, folder / "state")) == whole
                if disk.disarm() is None:
                    break
                failed += 1
    assert failed > 5


@pytest.mark.gen_test
async def test_a_state_file_that_is_overwritten_while_it_is_served_is_built_anew(place: Place) -> None:
    async with Engine(place) as engine:
        for path in place.state.glob("*.sqlite3"):
            with path.open("r+b") as file:
                file.seek(4096)
                file.write(b"\xff" * (path.stat().st_size - 4096))
        await engine.forwards(place.remote.push(edit(1)))
        await engine.forwards(place.remote.push(edit(2)))


@pytest.mark.parametrize("lost", ["people_fts_data", "people_fts_idx"])
@pytest.mark.gen_test
async def test_a_search_index_that_is_broken_under_the_server_is_built_anew(place: Place, lost: str) -> None:
    async with Engine(place) as engine:
        with contextlib.closing(apsw.Connection(str(place.state / "current.sqlite3"))) as stranger:
            stranger.execute(f"DELETE FROM {lost}")
        new = place.remote.push({"people/p03.toml": person(3, name="Found Again"), "people/p04.toml": None})
        await engine.forwards(new)
        current = engine.snapshots.current
        assert current is not None
        assert [row.path for row in current.reader.page("people", Query(match="again"))[0]] == ["p03"]
        assert len(current.reader.page("people", Query(match="person"))[0]) == 28


def test_a_build_child_without_memory_for_sqlite_is_a_failed_build(place: Place, tmp_path: Path) -> None:
    limited = "import apsw; apsw.hard_heap_limit(300_000); from reload.build.child import main; main()"
    job = Job(str(place.git_dir), "main", str(place.branch), str(tmp_path / "state"))
    with pytest.raises(BuildFailed, match="NoMemError"):
        BuildChild(command=(sys.executable, "-c", limited)).build(job, lambda done, total: None)


@pytest.mark.parametrize("step", ["fetch", "difference", "lock_refs", "commit"])
@pytest.mark.gen_test
async def test_a_process_without_memory_goes_on_serving_what_it_had(place: Place, step: str) -> None:
    fault = OutOfMemory()
    async with Engine(place, clone_folder=counted_clone(fault)) as engine:
        new = place.remote.push(edit(1))
        before = answers(engine)
        fault.name = step
        await engine.refuses("build-failed")
        assert fault.fired == step
        assert answers(engine) == before
        await engine.forwards(new)


@pytest.mark.gen_test
async def test_a_process_without_file_handles_goes_on_serving_what_it_had(place: Place) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    async with Engine(place) as engine:
        for spare in itertools.count(0, 2):
            new = place.remote.push(edit(spare))
            before = answers(engine)
            resource.setrlimit(resource.RLIMIT_NOFILE, (_handles_up_to(spare), limits[1]))
            try:
                outcome = await engine.reload()
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, limits)
            if outcome.ok:
                break
            assert answers(engine) == before
            await engine.forwards(new)
        engine.is_whole(new)
    assert spare > 2


def _handles_up_to(spare: int) -> int:
    """The limit that leaves room for so many more files."""
    taken = {int(name) for name in os.listdir("/proc/self/fd")}
    free = [number for number in range(max(taken) + spare + 2) if number not in taken]
    return free[spare]


class OutOfMemory(Countdown):
    """Memory runs out at the next step of this name."""

    name: str | None = None

    def step(self, name: str) -> None:
        if name == self.name:
            self.name, self.fired = None, name
            raise MemoryError
