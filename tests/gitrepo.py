"""Real git repositories for tests, made with `git fast-import`: one process for many commits."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

FIRST_DATE_S = 1_700_000_000
GIT_TIMEOUT_S = 60
# What keeps git from reading the configuration of whoever runs the tests.
ISOLATION = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
}

Content = bytes | str | None
_IDENTITY = "Test <test@example.org>"


def run_git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    """What `git ARGUMENTS` in `folder` prints, isolated from the user's configuration and GIT_*.

    Raises AssertionError with git's message where it fails.
    """
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("GIT_")}
    done = subprocess.run(
        ["git", *arguments],
        cwd=folder,
        env=inherited | ISOLATION,
        input=stdin,
        capture_output=True,
        timeout=GIT_TIMEOUT_S,
    )
    if done.returncode:
        raise AssertionError(f"git {arguments} in {folder}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def init_bare(path: Path, branch: str = "main", object_format: str = "sha1") -> Path:
    """An empty bare repository at `path` whose HEAD is `branch`."""
    path.mkdir(parents=True)
    run_git(path, "init", "-q", "--bare", "--template=", "-b", branch, f"--object-format={object_format}")
    return path


def read_tree(repository: Path, commit: str, *below: str) -> dict[str, bytes]:
    """Every blob at `commit` by its path, read with git alone; only those `below` some paths."""
    listing = run_git(repository, "ls-tree", "-r", "-z", commit, *below).decode().split("\0")[:-1]
    entries = [entry.partition("\t") for entry in listing]
    objects = {path: fields.split()[2] for fields, _, path in entries if " blob " in fields}
    request = "".join(f"{blob}\n" for blob in objects.values()).encode()
    output = run_git(repository, "cat-file", "--batch", stdin=request)
    tree, position = {}, 0
    for path in objects:
        end = output.index(b"\n", position)
        size = int(output[position:end].split()[2])
        tree[path] = output[end + 1 : end + 1 + size]
        position = end + size + 2
    return tree


class GitRepo:
    """A non-bare repository at `path` with one branch in use; writes are staged until `commit`.

    The working tree stays empty until `checkout`. Commits are a minute apart, so that the same
    calls make the same commit ids.
    """

    def __init__(self, path: Path, branch: str = "main") -> None:
        self.path = path
        self.branch = branch
        self._staged: list[bytes] = []
        self._commits = 0

    @classmethod
    def create(cls, path: Path, branch: str = "main", object_format: str = "sha1") -> GitRepo:
        """A new repository without commits at `path`, which must not hold one yet."""
        path.mkdir(parents=True, exist_ok=True)
        run_git(path, "init", "-q", "--template=", "-b", branch, f"--object-format={object_format}")
        return cls(path, branch)

    @property
    def git_dir(self) -> Path:
        """The folder that holds the objects and refs."""
        return self.path / ".git"

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """What a git command in this repository prints, without the last newline."""
        return run_git(self.path, *arguments, stdin=stdin).decode().rstrip("\n")

    def write(self, files: Mapping[str, Content], mode: str = "100644") -> None:
        """Stage `files` for the next commit: None deletes a file or folder, the others are set.

        A file takes the place of a folder and the other way round. `mode` may be any of git's:
        100755; 120000 with the link's target as content; 160000 with a commit id as content.
        """
        for path, content in files.items():
            if content is None:
                self._staged.append(b"D %s\n" % _quoted(path))
        for path, content in files.items():
            if content is not None:
                self._staged.append(_modification(path, content, mode))

    def commit(
        self,
        message: str = "change",
        date: int | None = None,
        merge: Sequence[str] = (),
    ) -> str:
        """Commit what is staged onto the branch and return the commit's id (40 hex).

        `date` is in seconds since 1970; `merge` adds parents. Nothing staged makes a commit with
        its parent's tree.
        """
        staged, self._staged = self._staged, []
        return self._import([staged], message, date, merge)[0]

    def commit_all(self, trees: Iterable[Mapping[str, bytes]]) -> list[str]:
        """Commit whole trees one after the other, in one git process; their ids, oldest first."""
        changes = [
            [b"deleteall\n", *(_modification(path, data, "100644") for path, data in tree.items())]
            for tree in trees
        ]
        return self._import(changes, "change", None, ())

    def _import(
        self,
        commits: Sequence[Sequence[bytes]],
        message: str,
        date: int | None,
        merge: Sequence[str],
    ) -> list[str]:
        ref = f"refs/heads/{self.branch}"
        old = self.git("for-each-ref", "--format=%(objectname)", ref)
        stream: list[bytes] = []
        for number, changes in enumerate(commits, start=1):
            seconds = FIRST_DATE_S + 60 * self._commits if date is None else date
            self._commits += 1
            stream.append(b"commit %s\nmark :%d\n" % (ref.encode(), number))
            stream.append(f"committer {_IDENTITY} {seconds} +0000\n".encode())
            stream.append(_data(message.encode()))
            if old and number == 1:
                stream.append(f"from {old}\n".encode())
            stream.extend(f"merge {parent}\n".encode() for parent in merge)
            stream.extend([*changes, b"\n"])
        stream.extend(b"get-mark :%d\n" % number for number in range(1, len(commits) + 1))
        stream.append(b"done\n")
        options = ("--quiet", "--done", "--date-format=raw-permissive")
        return self.git("fast-import", *options, stdin=b"".join(stream)).splitlines()

    def bare_clone(self, path: Path) -> Path:
        """A bare clone at `path` with this repository as its `origin`."""
        run_git(self.path, "clone", "-q", "--bare", "--template=", str(self.path), str(path))
        return path

    def push(self, remote: Path, force: bool = False) -> None:
        """Push the branch to the repository at `remote`; `force` allows a rewrite."""
        source = f"refs/heads/{self.branch}"
        self.git("push", "-q", str(remote), f"{'+' if force else ''}{source}:{source}")

    def rev(self, name: str = "HEAD") -> str:
        """The id (40 hex) of the commit that `name` names."""
        return self.git("rev-parse", "--verify", f"{name}^{{commit}}")

    def reset(self, commit: str) -> None:
        """Move the branch to `commit`, wherever it was, and forget what is staged."""
        self._staged = []
        self.git("update-ref", f"refs/heads/{self.branch}", commit)

    def switch(self, branch: str, start: str | None = None) -> None:
        """Commit to `branch` from now on; it is moved to `start`, or starts without a parent."""
        self._staged = []
        if start is not None:
            self.git("update-ref", f"refs/heads/{branch}", start)
        self.git("symbolic-ref", "HEAD", f"refs/heads/{branch}")
        self.branch = branch

    def checkout(self) -> Path:
        """Bring the working tree to the branch's newest commit; the working tree's path."""
        self.git("reset", "-q", "--hard")
        return self.path


def _modification(path: str, content: bytes | str, mode: str) -> bytes:
    data = content.encode() if isinstance(content, str) else content
    if mode == "160000":
        return b"M 160000 %s %s\n" % (data, _quoted(path))
    return b"M %s inline %s\n%s" % (mode.encode(), _quoted(path), _data(data))


def _data(content: bytes) -> bytes:
    return b"data %d\n%s\n" % (len(content), content)


def _quoted(path: str) -> bytes:
    escaped = path.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'.encode()
