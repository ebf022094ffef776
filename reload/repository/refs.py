"""The refs of a repository: what HEAD names, which refs there are.

GitPython reads HEAD from its file. Git lists the refs, since GitPython does not read ids of 64 digits.
Objects are not looked at: a ref may name a commit that is lost.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import git as gitpython

from reload.errors import RepositoryError
from reload.repository.command import Git

BRANCHES = "refs/heads/"
NAMED_MAX = 5


@dataclass(frozen=True, slots=True)
class Found:
    """A repository that was found: where git keeps it, and the top of its working tree where it has one."""

    git_dir: Path
    common_dir: Path
    work_tree: Path | None


def repository_of(folder: Path) -> Found | None:
    """The repository that a folder lies in or is, None where there is none."""
    try:
        with gitpython.Repo(folder, search_parent_directories=True, expand_vars=False) as repo:
            top = repo.working_tree_dir
            return Found(Path(repo.git_dir), Path(repo.common_dir), Path(top) if top else None)
    except (gitpython.InvalidGitRepositoryError, gitpython.NoSuchPathError):
        return None


def head_branch(git_dir: Path) -> str | None:
    """The branch that HEAD names, also one without a commit; None where HEAD names a commit."""
    with _opened(git_dir) as repo:
        try:
            return repo.head.reference.path.removeprefix(BRANCHES)
        except TypeError:  # HEAD is detached
            return None


def refs_below(git_dir: Path, prefix: str) -> dict[str, str]:
    """The full names of all refs below a prefix such as `refs/heads/`, with the object that each names."""
    listed = Git(git_dir).run("for-each-ref", "--format=%(refname) %(objectname)", prefix)
    pairs = (line.rpartition(" ") for line in listed.decode("utf-8", "surrogateescape").splitlines())
    return {name: oid for name, _, oid in pairs}


def named_branches(names: Iterable[str]) -> str:
    """The branches that there are, as the end of a message; nothing where there are none."""
    found = sorted(names)
    more = f" and {len(found) - NAMED_MAX} more" if len(found) > NAMED_MAX else ""
    return f"; there are {', '.join(map(repr, found[:NAMED_MAX]))}{more}" if found else ""


@contextlib.contextmanager
def _opened(git_dir: Path) -> Iterator[gitpython.Repo]:
    try:
        repo = gitpython.Repo(git_dir, search_parent_directories=False, expand_vars=False)
    except (gitpython.InvalidGitRepositoryError, gitpython.NoSuchPathError) as error:
        raise RepositoryError(f"{git_dir} is no git repository") from error
    try:
        yield repo
    except (OSError, ValueError) as error:
        raise RepositoryError(f"the refs of {git_dir} cannot be read: {error}") from error
    finally:
        repo.close()
