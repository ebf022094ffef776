"""The server's own repository on disk: made when absent, pointed at the remote, and opened."""

from __future__ import annotations

import shutil
from pathlib import Path

from reload.errors import BranchMissing, FetchFailed, RepositoryError
from reload.git import Git, GitFailed, GitTimedOut
from reload.repository import Repository, fetch_failure


def open_repository(git_dir: Path, *, remote: str | None, branch: str | None, timeout_s: float) -> Repository:
    """The bare repository at `git_dir`, made there when absent and a remote is set.

    Nothing is fetched beyond the name of the remote's default branch, which is asked for only when
    `branch` is None and the repository is new. Raises FetchFailed when that question fails, and
    RepositoryError where the path holds something else.
    """
    if not _is_repository(git_dir):
        _make(git_dir, remote, branch, timeout_s)
    git = Git(git_dir)
    try:
        if remote is not None:
            _point_at(git, remote)
        name = branch or git.run("symbolic-ref", "--short", "HEAD").decode().strip()
        git.run("check-ref-format", f"refs/heads/{name}")
    except GitFailed as error:
        message = f"{git_dir}: branch {branch!r} cannot be served: {error}"
        raise RepositoryError(message) from error
    finally:
        git.close()
    return Repository(git_dir, name, remote=remote is not None, timeout_s=timeout_s)


def _is_repository(git_dir: Path) -> bool:
    if (git_dir / "HEAD").is_file() and (git_dir / "objects").is_dir():
        return True
    if (git_dir / ".git").exists():
        message = f"{git_dir} has a working tree; give the path of a bare repository that the server may own"
        raise RepositoryError(message)
    if git_dir.exists() and (not git_dir.is_dir() or any(git_dir.iterdir())):
        raise RepositoryError(f"{git_dir} is neither a git repository nor an empty folder")
    return False


def _make(git_dir: Path, remote: str | None, branch: str | None, timeout_s: float) -> None:
    """Make the repository beside its place and move it there whole."""
    if remote is None:
        raise RepositoryError(f"{git_dir} does not exist, and no remote is set to clone it from")
    git_dir.parent.mkdir(parents=True, exist_ok=True)
    partial = git_dir.with_name(git_dir.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    git = Git(partial)
    try:
        git.run("init", "--quiet", "--bare")
        _point_at(git, remote)
        name = branch or _default_branch(git, timeout_s)
        git.run("symbolic-ref", "HEAD", f"refs/heads/{name}")
        partial.replace(git_dir)
    finally:
        git.close()
        shutil.rmtree(partial, ignore_errors=True)


def _point_at(git: Git, remote: str) -> None:
    git.run("config", "remote.origin.url", remote)


def _default_branch(git: Git, timeout_s: float) -> str:
    try:
        answer = git.run("ls-remote", "--symref", "origin", "HEAD", deadline_s=timeout_s).decode()
    except GitTimedOut as error:
        raise FetchFailed(str(error), "timeout") from error
    except GitFailed as error:
        raise fetch_failure(error) from error
    for line in answer.splitlines():
        target, _, name = line.partition("\t")
        if name == "HEAD" and target.startswith("ref: refs/heads/"):
            return target.removeprefix("ref: refs/heads/")
    raise BranchMissing("the remote has no default branch yet; push one, or name the branch to serve")
