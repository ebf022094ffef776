"""The data repository: the only module that knows what to ask of git.

The server owns a bare repository. It fetches into `refs/remotes/origin/*` only; the branch itself moves
by compare-and-swap, prepared off the loop and committed together with the swap.
"""

from __future__ import annotations

import contextlib
import io
import re
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Literal

from reload.errors import BranchMissing, BranchUnborn, ObjectMissing
from reload.repository import maintenance
from reload.repository.command import Git, GitFailed
from reload.repository.coprocess import Coprocess
from reload.repository.credential import Credential
from reload.repository.difference import DiffTree
from reload.repository.fetch import PACK_BYTES_MAX, Limits, fetch
from reload.repository.objects import (
    STREAM_BYTES,
    Blob,
    Change,
    Entry,
    Version,
    change_of,
    committed_at,
    moment_of,
    nul_records,
    parents_of,
    path_text,
    read_blob,
)
from reload.repository.ref_transaction import RefTransaction
from reload.repository.refs import BRANCHES, named_branches, refs_below

__all__ = ["ACCEPTED_REF", "BLOB_MODES", "Blob", "Change", "Entry", "Repository", "Version"]

BLOB_MODES = frozenset({"100644", "100755", "100664"})
ACCEPTED_REF = "refs/livesheets/accepted"
REWOUND_REFS = "refs/livesheets/rewound"
# git gathers a difference before it tells of it, and a few kilobytes of trees can make one of any size.
DATA_BYTES_MAX = 1 << 30
_FEW_BLOBS = 64
# git reads a file whole into memory unless it is larger than this.
_STREAMED = ("core.bigFileThreshold=1m",)
_ABBREVIATED = re.compile(r"[0-9a-f]{4,64}")

Relation = Literal["same", "ahead", "behind", "diverged"]


class Repository:
    """A bare repository and the branch that is served; reads and moves refs, never a working tree.

    For use by one thread at a time, save `attachment`, which starts a process of its own.
    """

    def __init__(
        self,
        git_dir: Path,
        branch: str,
        *,
        remote: bool,
        timeout_s: float,
        pack_bytes_max: int = PACK_BYTES_MAX,
        credential: Credential | None = None,
    ) -> None:
        self.git_dir = git_dir
        self.branch = branch
        self.has_remote = remote
        self._limits = Limits(timeout_s, pack_bytes_max)
        self._credential = credential
        self._git = Git(git_dir)
        self._objects = Coprocess(self._git, ("cat-file", "--batch"))
        self._refs = Coprocess(self._git, ("update-ref", "--stdin"))
        self._differences = DiffTree(self._git, DATA_BYTES_MAX)

    def reopened(self) -> Repository:
        """The same repository with git processes of its own, for another thread."""
        timeout_s = self._limits.timeout_s
        return Repository(self.git_dir, self.branch, remote=self.has_remote, timeout_s=timeout_s)

    @property
    def local_ref(self) -> str:
        """The branch that is served."""
        return f"refs/heads/{self.branch}"

    @property
    def remote_ref(self) -> str:
        """Where the remote's branch was last seen."""
        return f"refs/remotes/origin/{self.branch}"

    def fetch(self) -> None:
        """Bring the remote's branch into `remote_ref`, within the limits.

        Raises FetchFailed with a reason, or BranchMissing where the remote lacks the branch.
        """
        fetch(self._git, self.branch, self.remote_ref, self._limits, self._credential)

    def local_commit(self) -> str | None:
        """The commit of the branch in this repository, None while it has none."""
        return self._commit_at(self.local_ref)

    def remote_commit(self) -> str | None:
        """The commit of the remote's branch when it was last fetched."""
        return self._commit_at(self.remote_ref)

    def accepted_commit(self) -> str | None:
        """The last commit of the remote that was served."""
        return self._commit_at(ACCEPTED_REF)

    def resolve(self, abbreviated: str) -> str | None:
        """The full id of the commit that 4 to 64 hex digits name, None where there is no single one."""
        if not _ABBREVIATED.fullmatch(abbreviated):
            return None
        return self._commit_of(abbreviated)

    def relation(self, ours: str, theirs: str) -> Relation:
        """Where `theirs` stands as seen from `ours`: ahead when it descends from it."""
        if ours == theirs:
            return "same"
        if ours in self._parents(theirs):
            return "ahead"
        counts = self._git.run("rev-list", "--left-right", "--count", f"{ours}...{theirs}").split()
        only_ours, only_theirs = int(counts[0]), int(counts[1])
        if only_ours and only_theirs:
            return "diverged"
        return "ahead" if only_theirs else "behind"

    def contains(self, tip: str, commit: str) -> bool:
        """Whether `commit` is `tip` or one of its ancestors."""
        return self.relation(commit, tip) in ("same", "ahead")

    def committed_at(self, commit: str) -> datetime:
        """When the commit was made, in UTC."""
        return committed_at(self._object(commit)[1])

    def first_parent(self, commit: str) -> str | None:
        """The commit that a commit follows on its first-parent history, None for the first one."""
        return next(iter(self._parents(commit)), None)

    def tree(self, commit: str, folder: str = "") -> Generator[Entry, None, None]:
        """Every file below `folder` at a commit, links and submodules too, in git's order."""
        paths = ("--", f":(literal){folder}/") if folder else ()
        with self._git.stream("ls-tree", "-r", "-z", "--full-tree", commit, *paths) as output:
            for line in nul_records(output):
                meta, _, path = line.partition(b"\t")
                mode, _, oid = meta.decode().split(" ")
                yield Entry(mode, oid, path_text(path))

    def folders(self, commit: str, most: int) -> Generator[str, None, None]:
        """The first folders of a commit, at any depth, in git's order."""
        with self._git.stream("ls-tree", "-d", "-r", "-z", "--name-only", "--full-tree", commit) as output:
            yield from map(path_text, islice(nul_records(output), most))

    def difference(self, old: str, new: str) -> Generator[Change, None, None]:
        """Every file that differs between two commits, any two; renames are a removal and an addition."""
        return self._differences.between(old, new)

    def versions(self, commit: str, paths: Sequence[str]) -> Generator[Version, None, None]:
        """Every change of these files on the first-parent history that ends at `commit`, newest first.

        A merge counts as what it changed against its first parent. May tell of other files as well.
        """
        options = ("--first-parent", "--diff-merges=first-parent", "--root", "--raw", "-r", "-z")
        plain = ("--no-renames", "--no-abbrev", "--no-show-signature", "--no-color", "--format=%x01%H %ct")
        few = [f":(literal){path}" for path in paths] if len(paths) <= _FEW_BLOBS else []
        command = ("log", *options, *plain, commit, "--", *few)
        with self._git.stream(*command, data_bytes_max=DATA_BYTES_MAX) as output:
            records = nul_records(output)
            made_by, made_at = commit, moment_of("0")
            for record in records:
                line = record.lstrip(b"\n")
                if line.startswith(b"\1"):
                    made_by, seconds = line[1:].decode().split(" ")
                    made_at = moment_of(seconds)
                elif line.startswith(b":"):
                    yield Version(made_by, made_at, *change_of(line, next(records)))

    def has_more_files(self, commit: str, files_max: int) -> bool:
        """Whether a commit holds more files than that; told by counting, in little memory."""
        files = 0
        with contextlib.closing(self._names(commit)) as pieces:
            for piece in pieces:
                files += piece.count(b"\0")
                if files > files_max:
                    return True
        return False

    def _names(self, commit: str) -> Generator[bytes, None, None]:
        with self._git.stream("ls-tree", "-r", "-z", "--full-tree", "--name-only", commit) as output:
            while piece := output.read(STREAM_BYTES):
                yield piece

    def blobs(self, oids: Sequence[str], bytes_max: int) -> Iterator[Blob]:
        """The files in the order asked for.

        A few are asked of the process that is there anyway; many are read by a git of their own while
        the caller works.
        """
        if len(oids) <= _FEW_BLOBS:
            for oid in oids:
                header = self._objects.line(f"{oid}\n".encode())
                yield read_blob(self._objects.stdout, header, bytes_max)
            return
        lines = "".join(f"{oid}\n" for oid in oids).encode()
        with self._git.stream("cat-file", "--batch", "--buffer", given=(lines,)) as output:
            reader = io.BufferedReader(output.raw, STREAM_BYTES)  # type: ignore[attr-defined]
            while header := reader.readline():
                yield read_blob(reader, header, bytes_max)

    def sizes(self, oids: Iterable[str]) -> dict[str, int]:
        """The size in bytes of each object."""
        lines = [f"{oid}\n".encode() for oid in dict.fromkeys(oids)]
        if not lines:
            return {}
        output = self._git.run("cat-file", "--batch-check", "--buffer", given=b"".join(lines)).decode()
        found: dict[str, int] = {}
        for line in output.splitlines():
            oid, kind, *size = line.split()
            if not size:
                raise ObjectMissing(f"object {oid} {kind}")
            found[oid] = int(size[0])
        return found

    def attachment(self, oid: str) -> bytes:
        """A file's bytes, read by a process of its own; safe from any thread."""
        return self._git.run("cat-file", "blob", oid)

    def write_attachment(self, oid: str, file: BinaryIO, is_cancelled: Callable[[], bool]) -> None:
        """Write a file's bytes in pieces, so that neither git nor this process holds all of them.

        Ends early where `is_cancelled` says so. Safe from any thread.
        """
        with self._git.stream("cat-file", "blob", oid, settings=_STREAMED) as output:
            while (piece := output.read(STREAM_BYTES)) and not is_cancelled():
                file.write(piece)

    def lock_refs(self, commit: str, old: str | None, keep: Mapping[str, str]) -> RefTransaction:
        """Lock the branch for a move from `old` to `commit`, and refs that are to hold what `keep` says.

        Nothing has moved before `RefTransaction.commit`. Raises RefMoved where the branch is no longer at
        `old` (None: has no commit), RefLocked where another git holds its lock.
        """
        move = RefTransaction(self._refs, self.git_dir)
        nothing = "0" * len(commit)
        move.prepare([(self.local_ref, f"{commit} {old or nothing}"), *keep.items()])
        return move

    def is_damaged(self) -> bool:
        """Whether an object is lost or garbled; reads them all."""
        return maintenance.is_damaged(self._git)

    def pack(self) -> bool:
        """Gather many small object files into few large ones; whether there were many."""
        return maintenance.pack(self._git)

    def stop(self) -> None:
        """End every git process and start none any more; callable from any thread."""
        self._git.stop()

    def close(self) -> None:
        """End every git process; the repository cannot be used afterwards."""
        self.stop()
        self._objects.close()
        self._refs.close()
        self._differences.close()

    def pids(self) -> frozenset[int]:
        """The git processes that run for this object now."""
        return self._git.pids()

    def _commit_of(self, name: str) -> str | None:
        header = self._objects.line(f"{name}^{{commit}}\n".encode()).split()
        if len(header) != 3 or not header[2].isdigit():
            return None
        self._objects.stdout.read(int(header[2]) + 1)
        return header[0].decode()

    def _commit_at(self, ref: str) -> str | None:
        """The commit of a ref, None without such a ref; raises ObjectMissing where its commit is gone."""
        found = self._commit_of(ref)
        if found is not None:
            return found
        try:
            named = self._git.run("rev-parse", "--quiet", "--verify", ref).decode().strip()
        except GitFailed:
            return None
        kind, _ = self._object(named)  # raises ObjectMissing
        raise BranchMissing(f"{ref} names a {kind}, not a commit")

    def _object(self, oid: str) -> tuple[str, bytes]:
        header = self._objects.line(f"{oid}\n".encode()).split()
        if len(header) != 3 or not header[2].isdigit():
            raise ObjectMissing(f"object {oid} cannot be read: {b' '.join(header[1:]).decode()}")
        data = self._objects.stdout.read(int(header[2]) + 1)
        return header[1].decode(), data[:-1]

    def _parents(self, commit: str) -> list[str]:
        return parents_of(self._object(commit)[1])


def unborn(git_dir: Path, branch: str) -> BranchUnborn:
    """The error for a branch that has no commit yet, with the branches that there are."""
    others = named_branches(name.removeprefix(BRANCHES) for name in refs_below(git_dir, BRANCHES))
    return BranchUnborn(f"the branch {branch!r} has no commit yet; push one and it will be served{others}")
