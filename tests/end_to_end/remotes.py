"""What servers fetch from: bare repositories that are pushed to."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from tests.end_to_end.sample import SAMPLE
from tests.gitrepo import Content, GitRepo, init_bare, run_git


class DataRemote:
    """A bare repository at `path` and the clone that somebody pushes to it from."""

    def __init__(
        self, folder: Path, files: Mapping[str, Content] | None = SAMPLE, object_format: str = "sha1"
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = init_bare(folder / "remote.git", object_format=object_format)
        self.author = GitRepo.create(folder / "author", object_format=object_format)
        if files is not None:
            self.push(files)

    @classmethod
    def copied(cls, source: Path, folder: Path) -> DataRemote:
        """What another one made in `source`, on its own."""
        shutil.copytree(source, folder, symlinks=True)
        copy = cls.__new__(cls)
        copy.path, copy.author = folder / "remote.git", GitRepo(folder / "author")
        return copy

    @property
    def head(self) -> str:
        """The commit of the remote's branch."""
        return run_git(self.path, "rev-parse", "refs/heads/main").decode().strip()

    def push(self, files: Mapping[str, Content], message: str = "change") -> str:
        """Commit `files` and push them; the commit."""
        commit = self.commit(files, message)
        self.author.push(self.path)
        return commit

    def commit(self, files: Mapping[str, Content], message: str = "change") -> str:
        """Commit `files` without pushing them; the commit."""
        self.author.write(files)
        return self.author.commit(message)

    def point_at(self, commit: str | None) -> None:
        """Move the remote's branch to a commit that it has, wherever it was; None deletes it."""
        arguments = ("-d", "refs/heads/main") if commit is None else ("refs/heads/main", commit)
        run_git(self.path, "update-ref", *arguments)

    def rewrite(self, start: str | None, files: Mapping[str, Content]) -> str:
        """Force-push a history that goes another way from `start` on, None: from the beginning."""
        if start is None:
            self.author.git("update-ref", "-d", "refs/heads/main")
        else:
            self.author.reset(start)
        self.author.write(files)
        commit = self.author.commit("another history")
        self.author.push(self.path, force=True)
        return commit

    def restore(self, files: Mapping[str, bytes | str], after: str) -> str:
        """Be there, with these files alone, in a commit that follows `after`; the commit."""
        if not self.path.exists():
            self.return_()
        self.author.switch("main", after)
        tree = {path: data.encode() if isinstance(data, str) else data for path, data in files.items()}
        (commit,) = self.author.commit_all([tree])
        self.author.push(self.path, force=True)
        return commit

    def vanish(self) -> None:
        """Be gone, as a host is that is down."""
        self.path.rename(self._hidden)

    def return_(self) -> None:
        """Be there again."""
        self._hidden.rename(self.path)

    @property
    def _hidden(self) -> Path:
        return self.path.with_name("hidden.git")
