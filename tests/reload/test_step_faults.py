"""A fault at any step of a difference leaves the state file as it was, and the next try succeeds."""

from __future__ import annotations

import re
from typing import Any

import apsw
import pytest

from reload.build.difference import apply_difference
from reload.errors import BuildFailed
from reload.records.policy import DataPolicy
from reload.repository.repository import Repository
from reload.snapshot.state_file import StateFile
from reload.snapshot.tables.attachments import AttachmentTable
from reload.snapshot.tables.problems import ProblemTable
from tests.reload.engine import opened, rows_of
from tests.reload.policies import DEFAULT, QUARANTINE, MakeRepo, build, built, contents, move, repo_of


class _Fuse:
    """Lets a number of calls pass, then fails one."""

    def __init__(self, calls: int, error: Exception) -> None:
        self._left = calls
        self._error = error
        self.blown = False

    def pass_through(self) -> None:
        self._left -= 1
        if self._left < 0 and not self.blown:
            self.blown = True
            raise self._error


class _Fused:
    """Anything whose every method call goes through a fuse."""

    def __init__(self, target: Any, fuse: _Fuse) -> None:
        self._target = target
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        if isinstance(found, AttachmentTable | ProblemTable):
            return _Fused(found, self._fuse)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            self._fuse.pass_through()
            return found(*arguments, **named)

        return call


@pytest.mark.parametrize("error", [BuildFailed("injected"), OSError(28, "no space"), MemoryError()])
def test_a_fault_at_any_step_of_a_difference_leaves_the_store_as_it_was(
    tmp_git: MakeRepo, error: Exception
) -> None:
    notes = "[gitsheet]\nroot = 'notes'\npath = '${{ path/** }}'\n"
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'ada'\n", "people/bo.toml": "slug = 'bo'\n"})
    first = repo.rev()
    repo.write({".gitsheets/notes.toml": notes, "notes/a.toml": "x = 1\n", "notes/a/b.txt": "x"})
    repo.write({"people/ada.toml": "slug = \n", "people/bo.toml": None, "people/ADA.toml": "n = 1\n"})
    second = repo.commit()
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, first, repo.path / "state", QUARANTINE))
        before = contents(state_file.path)
        steps = 0
        while _fails_after(steps, error, repository, state_file, second):
            assert contents(state_file.path) == before
            steps += 1
        assert steps > 25
        assert contents(state_file.path) == contents(
            build(repository, second, repo.path / "fresh", QUARANTINE)
        )
        state_file.verify()
        state_file.close()


def _fails_after(
    steps: int, error: Exception, repository: Repository, state_file: StateFile, commit: str
) -> bool:
    fuse = _Fuse(steps, error)
    fused: Any = _Fused(state_file, fuse)
    target: Any = _Fused(repository, fuse)
    state_file.begin()
    try:
        apply_difference(target, fused, commit, QUARANTINE)
        fused.finish()
    except type(error):
        state_file.undo()
    return fuse.blown


def test_a_full_disk_in_the_middle_of_a_difference_leaves_the_store_as_it_was(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'ada'\n"})
    first = repo.rev()
    repo.write({f"people/p{n}.toml": f"slug = 'p{n}'\ntext = '{'x' * 5_000}'\n" for n in range(100)})
    second = repo.commit()
    with opened(repo.git_dir) as repository:
        state = build(repository, first, repo.path / "state")
        before = contents(state)
        state_file = StateFile.open(state)
        pages = rows_of(state, "PRAGMA page_count")[0][0]
        state_file._db.pragma("max_page_count", pages + 20)
        with pytest.raises(apsw.FullError):
            move(repository, state_file, second, DEFAULT)
        assert contents(state) == before
        state_file._db.pragma("max_page_count", 1 << 30)
        move(repository, state_file, second, DEFAULT)
        state_file.verify()
        state_file.close()


def test_a_state_file_notes_the_policy_that_it_was_built_under(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {})
    noted = {policy: DataPolicy(policy).noted for policy in ("reject", "quarantine")}  # type: ignore[arg-type]
    for policy in (DEFAULT, QUARANTINE):
        state_file = StateFile.open(built(repo, policy))
        assert state_file.state("policy") == policy.noted == noted[policy.invalid]
        state_file.close()
    assert re.fullmatch(r"invalid=\w+ schema=\w+ entries_max=\d+", DEFAULT.noted)
