"""A folder's files as they are, as commits of a repository of the server's own.

The user's repository is not touched: index, objects and branch are ours. What `.gitignore` names is left
out, as git would.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Final

from reload.repository import maintenance
from reload.repository.command import Git, GitFailed
from reload.repository.refs import BRANCHES, refs_below, repository_of
from server.folder.user_folder import UserFolder

_AUTHOR: Final = ("user.name=Livesheets", "user.email=livesheets@localhost")
_SOME_FILES_FAILED: Final = 1

Note = Callable[..., None]


class UncommittedFiles:
    """Commits the files of a folder whenever they differ; for one thread at a time.

    To be used by whoever holds the lock of the server's repository beside it. `note` takes log events.
    """

    def __init__(self, folder: UserFolder, note: Note) -> None:
        self._path = folder.path
        self._branch = folder.branch
        self._note = note
        self._git_dir = folder.files_repository
        self._git = Git(self._git_dir, work_tree=folder.path)
        self._opened = False
        self._commit: str | None = None
        self._tree = ""
        self._left_out = ""

    def commit(self) -> str:
        """The commit that holds the files as they are now, a new one where they changed.

        Raises GitFailed where git cannot read the folder, or OSError where it cannot write its repository.
        """
        if not self._opened:
            self._open()
        self._add()
        tree = self._run("write-tree")
        if self._commit is None or tree != self._tree:
            parents = ("-p", self._commit) if self._commit else ()
            made = self._run("commit-tree", tree, *parents, "-m", "The files as they are", settings=_AUTHOR)
            self._run("update-ref", f"refs/heads/{self._branch}", made)
            self._commit, self._tree = made, tree
        return self._commit

    def stop(self) -> None:
        """End git and start none any more; callable from any thread."""
        self._git.stop()

    def _open(self) -> None:
        if not (self._git_dir / "HEAD").is_file():
            self._make()
        (self._git_dir / "index.lock").unlink(missing_ok=True)  # of a server that was killed
        self._exclude()
        maintenance.pack(Git(self._git_dir))
        self._commit = refs_below(self._git_dir, BRANCHES).get(BRANCHES + self._branch)
        self._tree = self._run("rev-parse", f"{self._commit}^{{tree}}") if self._commit else ""
        self._opened = True

    def _make(self) -> None:
        """Make the repository beside its place and move it there whole."""
        partial = self._git_dir.with_name("files.git.partial")
        shutil.rmtree(partial, ignore_errors=True)
        git = Git(partial)
        git.run("init", "--quiet", "--bare", "--template=", "--object-format=sha1")
        git.run("symbolic-ref", "HEAD", f"refs/heads/{self._branch}")
        partial.replace(self._git_dir)

    def _exclude(self) -> None:
        """Leave out what the user's own repository leaves out beside what `.gitignore` names."""
        found = repository_of(self._path)
        excluded = found.common_dir / "info" / "exclude" if found is not None else None
        (self._git_dir / "info").mkdir(exist_ok=True)
        patterns = excluded.read_bytes() if excluded is not None and excluded.is_file() else b""
        (self._git_dir / "info" / "exclude").write_bytes(patterns)

    def _add(self) -> None:
        """Take every file into the index; tells once of those that cannot be read."""
        left_out = ""
        try:
            self._run("add", "--all", "--ignore-errors")
        except GitFailed as error:
            if error.status != _SOME_FILES_FAILED:
                raise
            left_out = error.stderr
        if left_out and left_out != self._left_out:
            self._note("folder.files_left_out", reason=left_out)
        self._left_out = left_out

    def _run(self, *arguments: str, settings: tuple[str, ...] = ()) -> str:
        return self._git.run(*arguments, settings=settings).decode().strip()
