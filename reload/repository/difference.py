"""How commits differ, from one `git diff-tree` that keeps running: starting it costs more than the answer."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import IO

from reload.errors import ObjectMissing
from reload.repository.command import Git, GitFailed
from reload.repository.coprocess import Coprocess
from reload.repository.objects import STREAM_BYTES, Change, change_of

# `--always` has git name the commit even where nothing differs, so that silence is no answer.
_COMMAND = ("diff-tree", "--stdin", "--always", "-r", "-z", "--raw", "--no-renames", "--no-abbrev")
# Git repeats a line that is no commit and empties its buffer then: all that was asked is answered.
_END = b"end\n"


class DiffTree:
    """A conversation about differences; for use by one thread at a time."""

    def __init__(self, git: Git, data_bytes_max: int) -> None:
        self._session = Coprocess(git, _COMMAND, data_bytes_max)

    def between(self, old: str, new: str) -> Generator[Change, None, None]:
        """Every file that differs between two commits; renames are a removal and an addition.

        Raises ObjectMissing, or GitFailed where git ended, which it does where it needs too much memory.
        """
        whole = False
        try:
            output = self._session.ask(f"{new} {old}\n".encode() + _END)
            fields = self._fields(output)
            if next(fields, b"").decode() != new:
                raise ObjectMissing(f"commit {new} cannot be read")
            for meta in fields:
                yield change_of(meta, next(fields))
            whole = True
        finally:
            if not whole:  # what is left unread would pass for the next answer
                self._session.close()

    def close(self) -> None:
        """End the process."""
        self._session.close()

    def _fields(self, output: IO[bytes]) -> Iterator[bytes]:
        """The NUL-terminated fields of one answer: the commit, then two for each file, the last its path."""
        rest, found = b"", 0
        while rest != _END or (found and found % 2 == 0):  # a path may begin as the end looks
            piece = output.read1(STREAM_BYTES)  # type: ignore[attr-defined]
            if not piece:
                words = self._session.close()
                raise GitFailed("diff-tree", self._session.status or 0, words)
            *whole, rest = (rest + piece).split(b"\0")
            found += len(whole)
            yield from whole
