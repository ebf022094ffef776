"""Repositories of many records, made once and kept; and pushes to copies of them."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tests.benchmarks.pack import object_id, tree_object, write_loose, write_pack
from tests.benchmarks.vocabulary import Vocabulary, record_of, slug_of

BRANCH = "main"
SHEET = "records"
FOLDER_RECORDS = 1_000
_VERSION = 1  # raised when the same parameters make other data
_IDENTITY = b"Benchmark <benchmark@example.org>"
_FIRST_S = 1_700_000_000
_ISOLATED = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "LC_ALL": "C"}

Layout = Literal["flat", "nested"]
Progress = Callable[[int, int], None]
Entries = list[tuple[bytes, bytes, bytes]]


def git_environment() -> dict[str, str]:
    """The environment for git: nothing of the user's configuration."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "CFP_"))}
    return kept | _ISOLATED


def git(git_dir: Path, *arguments: str) -> str:
    """What a git command prints."""
    command = ["git", f"--git-dir={git_dir}", *arguments]
    done = subprocess.run(command, env=git_environment(), capture_output=True, check=True)
    return done.stdout.decode().strip()


def definition(layout: Layout, note: str = "") -> bytes:
    """The sheet's definition; another `note` makes it another definition of the same sheet."""
    path = "${{ slug }}" if layout == "flat" else "${{ folder }}/${{ slug }}"
    comment = f"# {note}\n" if note else ""
    text = f'{comment}[gitsheet]\nroot = "{SHEET}"\npath = "{path}"\n\n[livesheets]\nindex = ["createdAt"]\n'
    return text.encode()


@dataclass(frozen=True)
class Dataset:
    """A repository of `records` records in one sheet, in one folder or in folders of a thousand."""

    records: int
    layout: Layout

    @property
    def name(self) -> str:
        """What the repository is called in tables and in the cache."""
        return f"{self.layout}-{self.records}"

    def path_of(self, number: int) -> str:
        """The record's path in its sheet."""
        folder = f"f{number // FOLDER_RECORDS:04d}/" if self.layout == "nested" else ""
        return folder + slug_of(number)

    def cached(self, cache: Path, progress: Progress) -> Path:
        """The bare repository in the cache folder, made there when it is missing."""
        path = cache / "repositories" / f"v{_VERSION}-{self.name}.git"
        if not path.exists():
            new = path.with_suffix(".new")
            shutil.rmtree(new, ignore_errors=True)
            new.mkdir(parents=True)
            git(new, "init", "-q", "--bare", "--template=", "-b", BRANCH)
            self._fill(new, progress)
            new.rename(path)
        return path

    def _fill(self, git_dir: Path, progress: Progress) -> None:
        tree = Tree(self)
        folders = 1 + (len(tree.folders) if self.layout == "nested" else 0)
        count = self.records + folders + 4  # the definition, its folder, the top, the commit
        made: list[bytes] = []

        def objects() -> Iterator[tuple[str, bytes]]:
            vocabulary = Vocabulary()
            for number in range(self.records):
                data = record_of(vocabulary, number)
                tree.put(number, object_id("blob", data))
                yield "blob", data
                if number % 1_000 == 0:
                    progress(number, self.records)
            for kind, data in tree.objects(None, "all records"):
                made.append(object_id(kind, data))
                yield kind, data

        write_pack(git_dir, count, objects())
        git(git_dir, "update-ref", f"refs/heads/{BRANCH}", made[-1].hex())
        progress(self.records, self.records)


class Tree:
    """The tree of a dataset at one commit; `objects` gives what makes it a commit."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        size = FOLDER_RECORDS if dataset.layout == "nested" else max(dataset.records, 1)
        numbers = range(dataset.records)
        self.folders: list[list[int]] = [
            sorted(numbers[start : start + size], key=slug_of) for start in range(0, dataset.records, size)
        ]
        self._size = size
        self._oids: list[bytes] = [b""] * dataset.records
        self._folder_oids: dict[int, bytes] = {}
        self.definition = definition(dataset.layout)
        self._commits = 0

    def put(self, number: int, oid: bytes) -> None:
        """Set the blob of one record."""
        self._oids[number] = oid
        self._folder_oids.pop(number // self._size, None)

    def load(self, git_dir: Path) -> None:
        """Take every blob from the repository's branch."""
        numbers = {self._dataset.path_of(n): n for n in range(self._dataset.records)}
        listing = git(git_dir, "ls-tree", "-r", "-z", "--full-tree", BRANCH, f"{SHEET}/")
        for line in listing.split("\0")[:-1]:
            meta, _, path = line.partition("\t")
            number = numbers[path.removeprefix(f"{SHEET}/").removesuffix(".toml")]
            self._oids[number] = bytes.fromhex(meta.split()[2])

    def objects(self, parent: str | None, message: str) -> Iterator[tuple[str, bytes]]:
        """Every changed tree, the definition, and the commit at the end."""
        changed = [number for number in range(len(self.folders)) if number not in self._folder_oids]
        for number in changed:
            data = tree_object(self._entries(number))
            self._folder_oids[number] = object_id("tree", data)
            yield "tree", data
        sheet_oid = self._folder_oids.get(0, b"")
        if self._dataset.layout == "nested":
            names = ((b"40000", f"f{n:04d}".encode(), self._folder_oids[n]) for n in range(len(self.folders)))
            data = tree_object(names)
            sheet_oid = object_id("tree", data)
            yield "tree", data
        yield "blob", self.definition
        sheets = tree_object([(b"100644", f"{SHEET}.toml".encode(), object_id("blob", self.definition))])
        yield "tree", sheets
        top = tree_object(
            [(b"40000", b".gitsheets", object_id("tree", sheets)), (b"40000", SHEET.encode(), sheet_oid)]
        )
        yield "tree", top
        yield "commit", self._commit(object_id("tree", top), parent, message)

    def _entries(self, folder: int) -> Entries:
        return [(b"100644", f"{slug_of(n)}.toml".encode(), self._oids[n]) for n in self.folders[folder]]

    def _commit(self, tree: bytes, parent: str | None, message: str) -> bytes:
        self._commits += 1
        parents = b"parent %b\n" % parent.encode() if parent else b""
        who = b"%b %d +0000" % (_IDENTITY, _FIRST_S + self._commits)
        head = b"tree %b\n%bauthor %b\ncommitter %b\n\n" % (tree.hex().encode(), parents, who, who)
        return head + message.encode() + b"\n"


class Pushes:
    """Commits prepared in a remote; `publish` moves the branch to the next, which is the push itself."""

    def __init__(self, dataset: Dataset, remote: Path) -> None:
        self._dataset = dataset
        self._remote = remote
        self._vocabulary = Vocabulary()
        self._tree = Tree(dataset)
        self._tree.load(remote)
        self._source = random.Random(7)
        self._editions = 0
        self.tip = git(remote, "rev-parse", BRANCH)
        self.published = self.tip

    def prepare(self, records: int) -> tuple[str, list[int]]:
        """A commit that changes this many records; its id and their numbers."""
        self._editions += 1
        numbers = self._source.sample(range(self._dataset.records), records)
        for number in numbers:
            data = record_of(self._vocabulary, number, self._editions)
            self._tree.put(number, write_loose(self._remote, "blob", data))
        return self._commit(f"{records} records"), numbers

    def prepare_definition(self) -> str:
        """A commit that changes the sheet's definition, so that everything is built from scratch."""
        self._editions += 1
        self._tree.definition = definition(self._dataset.layout, f"edition {self._editions}")
        return self._commit("the definition")

    def _commit(self, message: str) -> str:
        oid = b""
        for kind, data in self._tree.objects(self.tip, message):
            oid = write_loose(self._remote, kind, data)
        self.tip = oid.hex()
        return self.tip

    def publish(self, commit: str) -> None:
        """Let the branch be at a prepared commit, as `git push` does last."""
        git(self._remote, "update-ref", f"refs/heads/{BRANCH}", commit)
        self.published = commit
