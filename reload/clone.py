"""The server's own repository on disk: made when absent, pointed at the remote, replaced when damaged."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reload.errors import BranchMissing, FetchFailed, ObjectMissing, ReloadError, RepositoryError
from reload.git import Git, GitFailed, GitTimedOut
from reload.leftovers import clear_leftovers
from reload.repository import Repository, fetch_failure

Note = Callable[..., None]

# What git says of a repository that lost or garbled objects; what the remote says of itself does not count.
_DAMAGE = re.compile(
    r"^(?!remote:).*(?:corrupt|bad object|object file .* is empty"
    r"|unable to read (?:tree|sha1|[0-9a-f]{40})"
    r"|inflate: |missing (?:blob|tree|commit)|pack .* (?:does not match|is garbage|has bad)"
    r"|packfile .* cannot"
    r"|ObjectMissing|did not find object|Could not read [0-9a-f]{40})",
    re.MULTILINE,
)


def is_damage(error: ReloadError) -> bool:
    """Whether an error says that the local repository lost or garbled objects."""
    return isinstance(error, ObjectMissing) or _DAMAGE.search(str(error)) is not None


@dataclass(frozen=True, slots=True)
class Clone:
    """Where the repository is, where it comes from, and how it is opened.

    The caller holds the data directory's lock: nobody else runs git on it. `note` takes log events.
    """

    git_dir: Path
    remote: str | None
    branch: str | None
    timeout_s: float
    note: Note = lambda event, **values: None

    def open(self) -> Repository:
        """The repository, made when absent and a remote is set; what a killed server left is cleared.

        Nothing is fetched beyond the name of the remote's default branch, which is asked for only
        when no branch is set and the repository is new. Raises FetchFailed when that question
        fails, and RepositoryError where the path holds something else.
        """
        if self._is_repository():
            self._clear(alone=True)
            if (self.git_dir / "shallow").exists():
                return self.replace("a shallow clone lacks the history that reloads compare")
        else:
            self._make(self.git_dir)
        return self._opened()

    def clear_leftovers(self) -> None:
        """Remove locks that no running git can own any more."""
        self._clear(alone=False)

    def replace(self, reason: str) -> Repository:
        """Save the repository aside, clone it again in its place, and open that.

        Raises FetchFailed where the remote is away, with nothing changed, and RepositoryError
        where there is no remote to clone from.
        """
        if self.remote is None:
            message = f"{self.git_dir} cannot be used ({reason}), and no remote is set to clone it again from"
            raise RepositoryError(message)
        fresh = self.git_dir.with_name(self.git_dir.name + ".fresh")
        shutil.rmtree(fresh, ignore_errors=True)
        try:
            self._make(fresh)
            repository = Clone(fresh, self.remote, self.branch, self.timeout_s)._opened()
            try:
                repository.fetch()
            finally:
                repository.close()
            aside = self.git_dir.with_name(
                f"{self.git_dir.name}.damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}"
            )
            self._bundle_unpushed()
            self.git_dir.rename(aside)
            fresh.rename(self.git_dir)
        finally:
            shutil.rmtree(fresh, ignore_errors=True)
        self.note("repository.replaced", reason=reason, saved_as=str(aside))
        return self._opened()

    def _bundle_unpushed(self) -> None:
        """Put commits that the remote lacks into a bundle, where they can still be read."""
        git = Git(self.git_dir)
        try:
            head = git.run("symbolic-ref", "--short", "HEAD").decode().strip()
            name = self.branch or head
            reference = f"refs/heads/{name}"
            bundle = str(self.git_dir / "unpushed.bundle")
            git.run("bundle", "create", "--quiet", bundle, reference, "--not", f"refs/remotes/origin/{name}")
        except GitFailed as error:
            self.note("repository.nothing_bundled", reason=error.stderr)
        finally:
            git.close()

    def _clear(self, *, alone: bool) -> None:
        for leftover in clear_leftovers(self.git_dir, alone=alone):
            self.note(
                "repository.leftover_removed", kind=leftover.kind, name=leftover.name, age_s=leftover.age_s
            )

    def _opened(self) -> Repository:
        git = Git(self.git_dir)
        try:
            if self.remote is not None:
                git.run("config", "remote.origin.url", self.remote)
            name = self.branch or git.run("symbolic-ref", "--short", "HEAD").decode().strip()
            git.run("check-ref-format", f"refs/heads/{name}")
        except GitFailed as error:
            raise RepositoryError(
                f"{self.git_dir}: branch {self.branch!r} cannot be served: {error}"
            ) from error
        finally:
            git.close()
        return Repository(self.git_dir, name, remote=self.remote is not None, timeout_s=self.timeout_s)

    def _is_repository(self) -> bool:
        git_dir = self.git_dir
        if (git_dir / "HEAD").is_file() and (git_dir / "objects").is_dir():
            return True
        if (git_dir / ".git").exists():
            message = (
                f"{git_dir} has a working tree; give the path of a bare repository that the server may own"
            )
            raise RepositoryError(message)
        if git_dir.exists() and (not git_dir.is_dir() or any(git_dir.iterdir())):
            raise RepositoryError(f"{git_dir} is neither a git repository nor an empty folder")
        return False

    def _make(self, git_dir: Path) -> None:
        """Make the repository beside its place and move it there whole."""
        if self.remote is None:
            raise RepositoryError(f"{git_dir} does not exist, and no remote is set to clone it from")
        git_dir.parent.mkdir(parents=True, exist_ok=True)
        partial = git_dir.with_name(git_dir.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        git = Git(partial)
        try:
            git.run("init", "--quiet", "--bare")
            git.run("config", "remote.origin.url", self.remote)
            name = self.branch or _default_branch(git, self.timeout_s)
            git.run("symbolic-ref", "HEAD", f"refs/heads/{name}")
            partial.replace(git_dir)
        finally:
            git.close()
            shutil.rmtree(partial, ignore_errors=True)


def open_repository(git_dir: Path, *, remote: str | None, branch: str | None, timeout_s: float) -> Repository:
    """The repository at `git_dir`, opened as `Clone.open` does."""
    return Clone(git_dir, remote, branch, timeout_s).open()


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
