"""A state brought forward by difference answers exactly as one built from scratch."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings

from reload.snapshot.state_file import StateFile
from tests.gitrepo import run_git
from tests.histories import Tree, histories
from tests.reload.engine import (
    build,
    everything,
    examples,
    move,
    new_repository,
    opened,
    problems_by_difference,
    problems_from_scratch,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@settings(max_examples=examples(25), suppress_health_check=SLOW)
@given(histories())
def test_after_any_reloads_by_difference_every_answer_is_as_from_scratch(history: list[Tree]) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        commits = repo.commit_all(history)
        fresh = {c: everything(build(repository, c, repo.path / "fresh")) for c in commits}
        moved = build(repository, commits[0], repo.path / "moved")
        state_file = StateFile.open(moved)
        for commit in [*commits[1:], *reversed(commits), commits[-1], commits[0]]:
            move(repository, state_file, commit)
            assert everything(moved) == fresh[commit]
        state_file.verify()
        state_file.close()


@settings(max_examples=examples(25), suppress_health_check=SLOW)
@given(histories(invalid=True))
def test_both_ways_refuse_the_same_commits_for_the_same_problems(history: list[Tree]) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        commits = repo.commit_all([{}, *history])
        moved = build(repository, commits[0], repo.path / "moved")
        state_file = StateFile.open(moved)
        good = everything(moved)
        for commit in commits[1:]:
            problems = problems_from_scratch(repository, commit, repo.path / "fresh")
            assert problems_by_difference(repository, state_file, commit) == problems
            if not problems:
                good = everything(repo.path / "fresh")
            assert everything(moved) == good
        state_file.close()


def test_the_real_history_answers_alike_forwards_and_backwards(blog: Path) -> None:
    commits = run_git(blog, "rev-list", "--first-parent", "--reverse", "published").decode().split()
    commits = [*commits[:: len(commits) // 30], commits[-1]]
    compared = {*commits[:: len(commits) // examples(2)], commits[-1]}
    with tempfile.TemporaryDirectory() as folder, opened(blog) as repository:

        def answers(path: Path) -> dict[str, Any]:
            return everything(path, ("rust releas", "organiz"), fields_max=2 * examples(1))

        fresh = {c: answers(build(repository, c, Path(folder, "fresh"))) for c in compared}
        moved = build(repository, commits[0], Path(folder, "moved"))
        state_file = StateFile.open(moved)
        for commit in [*commits[1:], *reversed(commits[:-1])]:
            move(repository, state_file, commit)
            if commit in compared:
                assert answers(moved) == fresh[commit]
        state_file.close()
