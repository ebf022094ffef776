"""HEAD and refs are read whatever hash names the objects, and messages name the branches that there are."""

from __future__ import annotations

import shutil

import pytest

from reload.errors import RepositoryError
from reload.repository.refs import head_branch, named_branches, refs_below
from tests.gitrepo import run_git
from tests.reload.harness import Engine, Place


def test_head_names_a_branch_or_none(place: Place) -> None:
    assert head_branch(place.git_dir) == "main"
    place.git("symbolic-ref", "HEAD", "refs/heads/not/yet")
    assert head_branch(place.git_dir) == "not/yet"
    place.git("update-ref", "--no-deref", "HEAD", place.remote.head)
    assert head_branch(place.git_dir) is None


def test_refs_are_listed_loose_and_packed(place: Place) -> None:
    for name in ("a", "b/c"):
        place.git("update-ref", f"refs/heads/{name}", place.remote.head)
    place.git("pack-refs", "--all")
    place.git("update-ref", "refs/heads/later", place.remote.head)
    found = {"refs/heads/a", "refs/heads/b/c", "refs/heads/later", "refs/heads/main"}
    assert (
        refs_below(place.git_dir, "refs/heads/")
        == place.refs("refs/heads/")
        == dict.fromkeys(found, place.remote.head)
    )


def test_what_is_no_repository_is_told(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    with pytest.raises(RepositoryError, match="no git repository"):
        head_branch(place.git_dir)
    place.git_dir.mkdir()
    with pytest.raises(RepositoryError, match="not a git repository"):
        refs_below(place.git_dir, "refs/heads/")


def test_few_branches_are_named_and_the_others_counted() -> None:
    assert named_branches([]) == ""
    assert named_branches(["b", "a"]) == "; there are 'a', 'b'"
    assert named_branches("gfedcba") == "; there are 'a', 'b', 'c', 'd', 'e' and 2 more"


@pytest.mark.gen_test
async def test_a_missing_branch_is_told_with_those_of_the_remote(place: Place) -> None:
    run_git(place.remote.path, "branch", "-m", "main", "trunk")
    async with Engine(place) as engine:
        outcome = await engine.reload()
        assert outcome.outcome == "branch-missing"
        assert str(outcome.error) == "the remote has no branch 'main'; there are 'trunk'"


@pytest.mark.gen_test
async def test_a_branch_without_a_commit_is_told_with_the_others(place: Place) -> None:
    place.git("update-ref", "refs/heads/other", place.remote.head)
    place.git("update-ref", "-d", "refs/heads/main")
    place.git("symbolic-ref", "HEAD", "refs/heads/main")
    async with Engine(place, remote=None) as engine:
        outcome = await engine.reload()
        assert outcome.outcome == "branch-missing"
        assert str(outcome.error).endswith("push one and it will be served; there are 'other'")
