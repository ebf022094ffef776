"""Trees, blobs and commits as git prints them, parsed into values."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import takewhile
from typing import IO, NamedTuple

from reload.errors import ObjectMissing

STREAM_BYTES = 1 << 20
# The last second of the year 9999, which is the last that a calendar knows.
_LAST_S = 253_402_300_799
_DIGITS_MAX = len(str(_LAST_S))
_COMMITTER = re.compile(rb"^committer .*> (-?\d+) [+-]\d+$", re.MULTILINE)


class Entry(NamedTuple):
    """A file of a tree: mode in octal text, object id, path from the top of the tree."""

    mode: str
    oid: str
    path: str


class Change(NamedTuple):
    """A file that differs between two trees; `new` or `old` is None where the file is absent."""

    path: str
    old: Entry | None
    new: Entry | None


class Version(NamedTuple):
    """A file as one commit changed it from `old` to `new`, None where it is absent."""

    commit: str
    committed_at: datetime
    path: str
    old: Entry | None
    new: Entry | None


class Blob(NamedTuple):
    """A file's content; `data` is None where `size` bytes are more than was asked for."""

    oid: str
    size: int
    data: bytes | None


def read_blob(reader: IO[bytes], header: bytes, bytes_max: int) -> Blob:
    """The file that `header` announces, read from what follows; raises ObjectMissing without one."""
    parts = header.split()
    if len(parts) != 3:
        raise ObjectMissing(f"object {header.decode('utf-8', 'replace').strip()}")
    size = int(parts[2])
    if parts[1] != b"blob":
        _skip(reader, size + 1)
        raise ObjectMissing(f"object {parts[0].decode()} is a {parts[1].decode()} where a file should be")
    if size <= bytes_max:
        data = reader.read(size + 1)
        if len(data) <= size:
            raise ObjectMissing(f"object {parts[0].decode()} ends after {len(data)} of {size} bytes")
        return Blob(parts[0].decode(), size, data[:size])
    _skip(reader, size + 1)
    return Blob(parts[0].decode(), size, None)


def _skip(reader: IO[bytes], left: int) -> None:
    """Read so many bytes, so that they do not pass for the next answer."""
    while left > 0:
        left -= len(reader.read(min(left, STREAM_BYTES))) or left


def nul_records(output: IO[bytes]) -> Iterator[bytes]:
    """The NUL-terminated records of an output."""
    rest = b""
    while piece := output.read(STREAM_BYTES):
        *whole, rest = (rest + piece).split(b"\0")
        yield from whole


def change_of(meta: bytes, path: bytes) -> Change:
    """A file that differs, from the two fields in which git names it."""
    old_mode, new_mode, old_oid, new_oid, _ = meta.decode().lstrip(":").split(" ")
    name = path_text(path)
    before = Entry(old_mode, old_oid, name) if old_mode != "000000" else None
    after = Entry(new_mode, new_oid, name) if new_mode != "000000" else None
    return Change(name, before, after)


def moment_of(seconds: str) -> datetime:
    """A commit's time; hostile ones are moved to the nearest that a calendar can hold.

    It may have any number of digits, or none where git itself could not read it.
    """
    if not seconds.isdecimal():
        return datetime.fromtimestamp(0, UTC)
    first = seconds.lstrip("0")[: _DIGITS_MAX + 1]  # of more, these alone are beyond every calendar
    return datetime.fromtimestamp(min(int(first or 0), _LAST_S), UTC)


def committed_at(commit: bytes) -> datetime:
    """When a commit object says that it was committed; 1970 where it says nothing that can be read."""
    found = _COMMITTER.search(commit.split(b"\n\n", 1)[0])
    return moment_of(found[1].decode() if found else "")


def parents_of(commit: bytes) -> list[str]:
    """The commits that a commit object follows, as git reads them: the lines right after its tree, no others.

    What else it holds is anybody's to choose, an author's name with a carriage return in it, too.
    """
    _, *lines = commit.split(b"\n\n", 1)[0].split(b"\n")
    return [line[7:].decode() for line in takewhile(lambda line: line.startswith(b"parent "), lines)]


def path_text(path: bytes) -> str:
    """A path as text; bytes that are not UTF-8 become surrogates, and the file a problem."""
    return path.decode("utf-8", "surrogateescape")
