"""The repository on disk is made, secured, saved aside and cloned again, while readers keep what they had."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from reload.errors import BranchMissing, FetchFailed, RepositoryError
from reload.repository.clone_folder import CloneFolder
from tests.gitrepo import GitRepo, run_git
from tests.reload.harness import Place

EDIT = {"notes/start.toml": 'text = "Ours"\n'}


def opened(git_dir: Path, remote: Path | str | None, branch: str | None = None) -> str:
    """Open a repository and close it again; the branch that would be served."""
    url = str(remote) if remote else None
    repository = CloneFolder(git_dir, url, branch, 20).open()
    repository.close()
    return repository.branch


def test_a_repository_that_is_absent_is_made_with_the_remote_s_branch(place: Place) -> None:
    run_git(place.remote.path, "branch", "-m", "main", "records")
    shutil.rmtree(place.git_dir)
    assert opened(place.git_dir, place.remote.path) == "records"
    assert place.git("symbolic-ref", "HEAD") == "refs/heads/records"
    assert place.git("config", "remote.origin.url") == str(place.remote.path)
    assert place.refs() == {}
    assert opened(place.git_dir, place.remote.path, "other") == "other"


def test_a_remote_that_is_away_leaves_nothing_half_made(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    place.remote.vanish()
    before = sorted(place.folder.iterdir())
    with pytest.raises(FetchFailed):
        opened(place.git_dir, place.remote.path)
    assert sorted(place.folder.iterdir()) == before


def test_a_remote_without_a_branch_says_what_to_do(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    place.remote.point_at(None)
    with pytest.raises(BranchMissing, match="name the branch"):
        opened(place.git_dir, place.remote.path)


@pytest.mark.parametrize("content", ["file", "folder", "working tree", "git folder of a working tree"])
def test_what_is_no_bare_repository_is_left_alone(place: Place, tmp_path: Path, content: str) -> None:
    path = tmp_path / "something"
    if content == "file":
        path.write_text("precious")
    elif content == "folder":
        path.mkdir()
        (path / "precious").touch()
    else:
        GitRepo.create(path)
        path = path if content == "working tree" else path / ".git"
    before = {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()}
    with pytest.raises(RepositoryError, match=r"bare repository|is no git repository"):
        opened(path, place.remote.path, "main")
    assert {each: each.read_bytes() for each in tmp_path.rglob("*") if each.is_file()} == before


def test_without_a_remote_nothing_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(RepositoryError, match="no remote is set"):
        opened(tmp_path / "absent.git", None)


def test_a_name_that_is_no_branch_is_refused(place: Place) -> None:
    for name in ("a..b", "a b", "main.lock", "a~1", "x:y", "--upload-pack=touch x"):
        with pytest.raises(RepositoryError, match="cannot be served"):
            opened(place.git_dir, place.remote.path, name)
