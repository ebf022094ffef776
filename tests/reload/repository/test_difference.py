"""One git tells how commits differ, again and again, and silence is never taken for an answer."""

from __future__ import annotations

import contextlib
import itertools
import os
import signal
from collections.abc import Callable, Iterator

import pytest

from reload.errors import ObjectMissing, RepositoryError
from reload.repository.command import Git
from reload.repository.difference import DiffTree
from tests.gitrepo import GitRepo

NewRepo = Callable[..., GitRepo]
ODD = ("end\n", "end\nend", "end", ":100644", "é\n", "a b/end\n")


@pytest.fixture
def repo(tmp_git: NewRepo) -> GitRepo:
    return tmp_git()


@pytest.fixture
def git(repo: GitRepo) -> Iterator[Git]:
    git = Git(repo.git_dir)
    yield git
    git.stop()


@pytest.fixture
def differences(git: Git) -> Iterator[DiffTree]:
    with contextlib.closing(DiffTree(git, 1 << 30)) as differences:
        yield differences


def paths(differences: DiffTree, old: str, new: str) -> list[str]:
    return [change.path for change in differences.between(old, new)]


def test_paths_that_look_like_the_end_do_not_end_an_answer(repo: GitRepo, differences: DiffTree) -> None:
    old = repo.commit_all([{"a": b""}])[0]
    for path in ODD:
        (new,) = repo.commit_all([{"a": b"", path: b"x"}])
        assert paths(differences, old, new) == [path]
        assert paths(differences, new, old) == [path]
        assert paths(differences, new, new) == []


def test_many_answers_come_from_one_process(repo: GitRepo, git: Git, differences: DiffTree) -> None:
    commits = repo.commit_all({f"n{number}": b"x"} for number in range(5))
    for old, new in itertools.pairwise(commits):
        assert len(paths(differences, old, new)) == 2
        assert len(git.pids()) == 1


def test_a_commit_that_is_not_there_is_no_empty_difference(repo: GitRepo, differences: DiffTree) -> None:
    (commit,) = repo.commit_all([{"a": b""}])
    with pytest.raises(ObjectMissing):
        paths(differences, commit, "1" * 40)
    with pytest.raises(RepositoryError):
        paths(differences, "1" * 40, commit)
    assert paths(differences, commit, commit) == []


def test_what_was_not_read_is_not_in_the_next_answer(repo: GitRepo, differences: DiffTree) -> None:
    old, new, last = repo.commit_all([{}, {f"n{number}": b"" for number in range(5_000)}, {"a": b""}])
    with contextlib.closing(differences.between(old, new)) as left_early:
        assert next(left_early).path == "n0"
    assert paths(differences, old, last) == ["a"]


def killed_after_the_first(git: Git, differences: DiffTree, old: str, new: str) -> None:
    for number, _ in enumerate(differences.between(old, new)):
        if number == 0:
            (pid,) = git.pids()
            os.kill(pid, signal.SIGKILL)


def test_a_git_that_was_killed_is_an_error_once(repo: GitRepo, git: Git, differences: DiffTree) -> None:
    old, new = repo.commit_all([{}, {f"n{number}": b"" for number in range(20_000)}])
    with pytest.raises(RepositoryError):
        killed_after_the_first(git, differences, old, new)
    assert len(paths(differences, old, new)) == 20_000
