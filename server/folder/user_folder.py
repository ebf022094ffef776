"""A user's own folder: the git repository that it belongs to, and the branch that is checked out there.

The folder is only read. What the server keeps lies in the user's cache, below a name of the folder's own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from reload.errors import RepositoryError
from reload.repository.refs import BRANCHES, head_branch, refs_below, repository_of

BRANCH_OF_FILES: Final = "files"
# What is decided otherwise for who edits beside the server: amended commits are followed, a record that
# cannot be read is left out.
DEFAULTS: Final = {
    "CFP_DATA_REWRITE": "follow",
    "CFP_DATA_MASS_DELETE": "allow",
    "CFP_DATA_INVALID": "quarantine",
}
_NAMED_BY_THE_FOLDER: Final = ("CFP_DATA_REPO_PATH", "CFP_DATA_REMOTE")


class FolderError(Exception):
    """The folder cannot be served; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class UserFolder:
    """A folder whose branch is served, or whose files are; `path` is the top of its repository, if any."""

    path: Path
    git_dir: Path | None
    branch: str
    uncommitted: bool = False

    @property
    def cache(self) -> Path:
        """The folder below which the server keeps what it needs; it may be deleted at any time."""
        kind = "-files" if self.uncommitted else ""
        digest = hashlib.sha256(bytes(self.path)).hexdigest()[:12]
        return user_cache_path("livesheets") / f"{self.path.name or 'root'}-{digest}{kind}"

    @property
    def files_repository(self) -> Path:
        """Where files are committed that the user has not committed."""
        return self.cache / "files.git"

    def commit(self) -> str | None:
        """The commit of the branch, None where it has none; raises RepositoryError."""
        assert self.git_dir is not None
        name = BRANCHES + self.branch
        return refs_below(self.git_dir, name).get(name)

    def stop(self) -> None:
        """Nothing: `commit` takes some milliseconds."""

    def settings(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment that serves the folder; the user's own settings count where they do not name it.

        Raises FolderError where they do.
        """
        if given := [name for name in _NAMED_BY_THE_FOLDER if environ.get(name)]:
            raise FolderError(f"{' and '.join(given)} also says what is served: unset it, or name no folder")
        return {
            **DEFAULTS,
            **environ,
            "CFP_DATA_REPO_PATH": str(self.cache / "data.git"),
            "CFP_DATA_REMOTE": str(self.files_repository if self.uncommitted else self.path),
            "CFP_DATA_BRANCH": self.branch,
        }


def find_folder(path: Path, branch: str | None, *, uncommitted: bool) -> UserFolder:
    """The folder to serve: `branch` of its repository or the one that is checked out, or its files.

    Raises FolderError where there is nothing of the kind.
    """
    path = path.resolve()
    if not path.is_dir():
        raise FolderError(f"{path} {'is no folder' if path.exists() else 'does not exist'}")
    found = repository_of(path)
    if uncommitted:
        if found is not None and found.work_tree is None:
            raise FolderError(f"{path} is a bare repository, which has no files: leave --uncommitted out")
        top = found.work_tree if found is not None else None
        return UserFolder(top or path, None, BRANCH_OF_FILES, uncommitted=True)
    if found is None:
        raise FolderError(
            f"{path} is no git repository: make it one with `git init` and commit your files, "
            "or serve the files as they are with --uncommitted"
        )
    place = found.work_tree or found.git_dir
    return UserFolder(place, found.git_dir, branch or _checked_out(place))


def require_commit(folder: UserFolder) -> None:
    """Raise FolderError where the branch has no commit that could be served."""
    try:
        if folder.commit() is not None:
            return
    except RepositoryError as error:
        raise FolderError(str(error)) from error
    raise FolderError(
        f"the branch {folder.branch!r} of {folder.path} has no commit yet: commit your files, "
        "or serve them as they are with --uncommitted"
    )


def _checked_out(top: Path) -> str:
    name = head_branch(top)
    if name is None:
        raise FolderError(f"no branch is checked out in {top}: name one in CFP_DATA_BRANCH")
    return name
