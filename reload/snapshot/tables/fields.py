"""How many records have a field of a kind: the rows of `livesheets_fields`, gathered and written at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container

import apsw

from reload.records.record import Shape


class FieldCounts:
    """What a transaction adds to the counts of fields, until `write`."""

    def __init__(self, db: apsw.Connection) -> None:
        self._db = db
        self._counts: Counter[tuple[str, str, str]] = Counter()

    def add(self, sheet: str, shape: Shape, records: int) -> None:
        """Count records of one shape in, or out where `records` is negative."""
        for field, kind in shape:
            self._counts[sheet, field, kind] += records

    def has(self, sheet: str, field: str) -> bool:
        """Whether a record of a sheet has a field, also by what is not written yet."""
        select = "SELECT coalesce(sum(records), 0) FROM livesheets_fields WHERE sheet = ? AND field = ?"
        gathered = sum(count for key, count in self._counts.items() if key[:2] == (sheet, field))
        return bool(self._db.execute(select, (sheet, field)).get + gathered > 0)

    def clear(self) -> None:
        """Forget what was gathered."""
        self._counts.clear()

    def forget_sheet(self, sheet: str) -> None:
        """Remove every count of a sheet."""
        for key in [key for key in self._counts if key[0] == sheet]:
            del self._counts[key]
        self._db.execute("DELETE FROM livesheets_fields WHERE sheet = ?", (sheet,))

    def write(self, sheets: Container[str]) -> None:
        """Write what was gathered for these sheets."""
        rows = [(*key, count) for key, count in self._counts.items() if count and key[0] in sheets]
        self._db.executemany(
            "INSERT INTO livesheets_fields VALUES (?, ?, ?, ?)"
            " ON CONFLICT DO UPDATE SET records = records + excluded.records",
            rows,
        )
        if any(count < 0 for *_, count in rows):
            self._db.execute("DELETE FROM livesheets_fields WHERE records <= 0")
        self._counts.clear()
