"""The attachments of a state file's sheets: the rows of `livesheets_attachments`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import apsw

from reload.snapshot.tables.format import below


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that belongs to a record; `record` is None for a loose file below a recursive sheet."""

    file: str
    record: str | None
    name: str
    blob: str
    size: int


class AttachmentTable:
    """The writing side of `livesheets_attachments`; files are named by their path below a sheet's root."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db

    def put(self, sheet: str, attachments: Iterable[Attachment]) -> None:
        """Add or replace attachments of a sheet."""
        rows = ((sheet, a.file, a.record, a.name, a.blob, a.size) for a in attachments)
        self._db.executemany("REPLACE INTO livesheets_attachments VALUES (?, ?, ?, ?, ?, ?)", rows)

    def remove(self, sheet: str, file: str) -> None:
        """Remove the attachment that lies at `file`, if it is there."""
        self._db.execute("DELETE FROM livesheets_attachments WHERE sheet = ? AND file = ?", (sheet, file))

    def forget_sheet(self, sheet: str) -> None:
        """Remove every attachment of a sheet."""
        self._db.execute("DELETE FROM livesheets_attachments WHERE sheet = ?", (sheet,))

    def blob_of(self, sheet: str, file: str) -> str | None:
        """The blob of the attachment at `file`, None where there is none."""
        select = "SELECT blob FROM livesheets_attachments WHERE sheet = ? AND file = ?"
        return next((str(blob) for (blob,) in self._db.execute(select, (sheet, file))), None)

    def below(self, sheet: str, folder: str) -> list[tuple[str, str]]:
        """(file, blob) of every attachment that lies below `folder`."""
        select = "SELECT file, blob FROM livesheets_attachments WHERE sheet = ? AND file > ? AND file < ?"
        rows = self._db.execute(select, (sheet, *below(folder)))
        return [(str(file), str(blob)) for file, blob in rows]
