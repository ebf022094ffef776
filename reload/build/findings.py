"""Problems found while reading a commit: what is listed, and what cannot be read."""

from __future__ import annotations

from typing import NamedTuple

from reload.errors import Problem
from reload.records.toml import DOCUMENT_BYTES_MAX
from reload.repository.repository import BLOB_MODES, Entry
from reload.snapshot.tables.problems import Listed, shown

_ENTRY_KINDS = {"120000": "a symbolic link", "160000": "a submodule"}


class TooLargeData(Exception):
    """A commit holds more than is ever read; the message says of what."""


class Unreadable(NamedTuple):
    """A file in the place of a record that cannot be read; `record` is None where its name cannot be."""

    record: str | None
    entry: Entry
    problems: tuple[Problem, ...]


class Findings:
    """What reading the files of a sheet found besides records."""

    def __init__(self) -> None:
        self.warnings: list[Listed] = []
        self.unreadable: list[Unreadable] = []

    def take_warnings(self) -> list[Listed]:
        """The warnings found since this was last asked."""
        taken, self.warnings = self.warnings, []
        return taken

    def refuse(self, sheet: str, entry: Entry, record: str | None, *, is_record: bool) -> bool:
        """Whether an entry is nothing that can be served, noted as what it would have been."""
        reason = unsupported(entry)
        if reason is None:
            return False
        if is_record:
            name = record if is_utf8(entry.path) else None
            problem = Problem(shown(entry.path), 0, 0, f"unsupported entry: {reason} cannot be a record")
            self.unreadable.append(Unreadable(name, entry, (problem,)))
        else:
            message = f"unsupported entry: {reason} is not served as an attachment"
            self.warnings.append(
                Listed(sheet, "unsupported", entry.path, 0, 0, message, entry.mode, entry.oid)
            )
        return True


def unsupported(entry: Entry) -> str | None:
    """What an entry is instead of a file that can be served, None where it is one."""
    if entry.mode not in BLOB_MODES:
        return _ENTRY_KINDS.get(entry.mode, f"an entry of mode {entry.mode}")
    return None if is_utf8(entry.path) else "a file whose name is not UTF-8"


def is_utf8(path: str) -> bool:
    """Whether a path can be shown; git allows any bytes."""
    if path.isascii():
        return True
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def oversized(path: str, size: int) -> Problem:
    """The problem of a file that is too large to be parsed."""
    return Problem(path, 0, 0, f"the file has {size} bytes, more than the {DOCUMENT_BYTES_MAX} allowed")
