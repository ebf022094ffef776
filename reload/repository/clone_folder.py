"""The server's own repository as a folder on disk: made when absent, pointed at the remote, replaced."""

from __future__ import annotations

import dataclasses
import shutil
from collections.abc import Callable, Container
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from reload.errors import BranchMissing, FetchFailed, RepositoryError
from reload.repository import configuration
from reload.repository.command import Git, GitFailed, GitTimedOut
from reload.repository.credential import Credential
from reload.repository.disk import FREE_BYTES_MIN, free_bytes
from reload.repository.fetch import PACK_BYTES_MAX
from reload.repository.fetch_failure import fetch_failure
from reload.repository.leftovers import Leftover, clear_after_failure, clear_at_start
from reload.repository.recovery import recover
from reload.repository.refs import head_branch
from reload.repository.repository import Repository

Note = Callable[..., None]


@dataclass(frozen=True, slots=True)
class CloneFolder:
    """Where the repository is, where it comes from, and how it is opened.

    The caller holds the data directory's lock, so no other server runs git on it. `note` takes log events.
    """

    git_dir: Path
    remote: str | None
    branch: str | None
    timeout_s: float
    note: Note = lambda event, **values: None
    credential: Credential | None = None
    pack_bytes_max: int = PACK_BYTES_MAX
    free_bytes_min: int = FREE_BYTES_MIN

    def open(self) -> Repository:
        """The repository, made when absent and a remote is set; what a killed server left is cleared.

        Nothing is fetched beyond the name of the remote's default branch, which is asked for only
        when no branch is set and the repository is new. Raises FetchFailed when that question
        fails, and RepositoryError where the path holds something else.
        """
        self._finish_replacing()
        if is_repository(self.git_dir):
            self._tell(clear_at_start(self.git_dir))
            self._secure()
        else:
            self._make(self.git_dir)
        return self._opened()

    def clear_after_failure(self, ours: Container[int], begun: float, *, died: bool) -> bool | None:
        """Remove what a git that failed left behind; whether it left any.

        None, and nothing is removed, while another program's git runs on the repository.
        """
        removed = clear_after_failure(self.git_dir, ours, begun, died=died)
        self._tell(removed or [])
        return None if removed is None else bool(removed)

    def require_room(self) -> None:
        """Raise FetchFailed where the disk has less room than a fetch should begin with."""
        free = free_bytes(self.git_dir)
        if free < self.free_bytes_min:
            message = (
                f"{free >> 20} MiB are free below {self.git_dir}, "
                f"and nothing is fetched with less than {self.free_bytes_min >> 20} MiB; free some space"
            )
            raise FetchFailed(message, "disk-full")

    @property
    def incomplete(self) -> str | None:
        """Why the repository lacks objects that it should hold, None where it does not."""
        if (self.git_dir / "shallow").exists():
            return "a shallow clone lacks the history that reloads compare"
        if any((self.git_dir / "objects" / "pack").glob("*.promisor")):
            return "a partial clone lacks the files that builds read"
        return None

    @property
    def object_format(self) -> str:
        """How the repository names its objects, SHA-1 where it does not tell."""
        try:
            return configuration.Configuration.read(self.git_dir).object_format
        except RepositoryError:
            return "sha1"

    def replace(self, reason: str, branch: str | None = None, object_format: str | None = None) -> Repository:
        """Save the repository aside, clone it again in its place, and open that, for the same `branch`.

        Without one it is the setting's, or the remote's default; without `object_format` it is the same.
        The branch and what was never pushed
        come along as far as they can be read; what cannot stays in the repository that was saved.
        Raises FetchFailed where the remote is away, with nothing changed, and RepositoryError where
        there is no remote to clone from.
        """
        if self.remote is None:
            message = f"{self.git_dir} cannot be used ({reason}), and no remote is set to clone it again from"
            raise RepositoryError(message)
        begun = self._beside(".replacing")
        shutil.rmtree(begun, ignore_errors=True)
        fresh = dataclasses.replace(self, git_dir=begun, branch=branch or self.branch)
        try:
            fresh._make(begun, object_format or self.object_format)
            repository = fresh._opened()
            try:
                repository.fetch()
                recover(self.git_dir, repository, self.note)
            finally:
                repository.close()
            begun.rename(self._beside(".replacement"))
        finally:
            shutil.rmtree(begun, ignore_errors=True)
        aside = self._beside(f".damaged-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}")
        self.git_dir.rename(aside)
        self._finish_replacing()
        self.note("repository.replaced", reason=reason, saved_as=str(aside))
        return self._opened()

    def _finish_replacing(self) -> None:
        """Put a whole replacement in its place, where a kill came between; clear what is not whole."""
        replacement = self._beside(".replacement")
        if replacement.exists() and not self.git_dir.exists():
            replacement.rename(self.git_dir)
        for name in (".replacement", ".replacing", ".replacing.partial", ".partial"):
            shutil.rmtree(self._beside(name), ignore_errors=True)

    def _beside(self, suffix: str) -> Path:
        return self.git_dir.with_name(self.git_dir.name + suffix)

    def _tell(self, leftovers: list[Leftover]) -> None:
        for each in leftovers:
            self.note("repository.leftover_removed", kind=each.kind, name=each.name, age_s=each.age_s)

    def _secure(self) -> None:
        taken_out = configuration.secure(self.git_dir, self.remote)
        if taken_out:
            copy = str(self.git_dir / configuration.COPY)
            self.note("repository.configuration_secured", keys=taken_out, saved_as=copy)

    def _opened(self) -> Repository:
        git = Git(self.git_dir)
        try:
            name = self.branch or head_branch(self.git_dir) or ""
            git.run("check-ref-format", f"refs/heads/{name}")
        except GitFailed as error:
            raise RepositoryError(
                f"{self.git_dir}: branch {self.branch!r} cannot be served: {error}"
            ) from error
        return Repository(
            self.git_dir,
            name,
            remote=self.remote is not None,
            timeout_s=self.timeout_s,
            pack_bytes_max=self.pack_bytes_max,
            credential=self.credential,
        )

    def _make(self, git_dir: Path, object_format: str = "sha1") -> None:
        """Make the repository beside its place and move it there whole."""
        require_servable(git_dir, has_remote=self.remote is not None)
        git_dir.parent.mkdir(parents=True, exist_ok=True)
        partial = git_dir.with_name(git_dir.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        git = Git(partial)
        try:
            git.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}")
            configuration.secure(partial, self.remote)
            name = self.branch or self._default_branch(git)
            git.run("symbolic-ref", "HEAD", f"refs/heads/{name}")
            partial.replace(git_dir)
        finally:
            git.stop()
            shutil.rmtree(partial, ignore_errors=True)

    def _default_branch(self, git: Git) -> str:
        asked = ("ls-remote", "--symref", "origin", "HEAD")
        try:
            answer = git.run(*asked, deadline_s=self.timeout_s, credential=self.credential).decode()
        except GitTimedOut as error:
            raise FetchFailed(str(error), "timeout") from error
        except GitFailed as error:
            raise fetch_failure(error) from error
        for line in answer.splitlines():
            target, _, name = line.partition("\t")
            if name == "HEAD" and target.startswith("ref: refs/heads/"):
                return target.removeprefix("ref: refs/heads/")
        raise BranchMissing("the remote has no default branch yet; push one, or name the branch to serve")


def is_repository(git_dir: Path) -> bool:
    """Whether a bare repository is there, as far as a look tells."""
    return (git_dir / "HEAD").is_file() and (git_dir / "objects").is_dir()


def require_servable(git_dir: Path, *, has_remote: bool) -> None:
    """Raise RepositoryError where no server can ever own the repository at `git_dir`, or make it there."""
    if is_repository(git_dir):
        configuration.Configuration.read(git_dir).require_supported(git_dir)
        return
    if (git_dir / ".git").exists():
        raise RepositoryError(
            f"{git_dir} is a clone with a working tree; the server needs a bare repository of its own: name "
            f"a path that does not exist yet, or serve this one by `livesheets serve {git_dir}`"
        )
    if git_dir.exists() and (not git_dir.is_dir() or any(git_dir.iterdir())):
        raise RepositoryError(f"{git_dir} is no git repository")
    if not has_remote:
        state = "is an empty folder" if git_dir.exists() else "does not exist"
        raise RepositoryError(f"{git_dir} {state}, and no remote is set to clone it from (CFP_DATA_REMOTE)")
