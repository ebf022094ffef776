"""Records whose paths differ only by case or by Unicode form: some file systems take them for one file.

Only paths that folding alters are kept here; the others are found in the sheet's own table. So the
usual sheet, with its lower-case names, costs nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import apsw

from reload.records.sheet import Sheet
from reload.snapshot.tables.problems import Listed, ProblemTable

COLLISION_SCHEMA = """
CREATE TABLE livesheets_folded (
    sheet TEXT, folded TEXT, path TEXT, PRIMARY KEY (sheet, folded, path)
) WITHOUT ROWID;
"""
NAMED_MAX = 3


def folded(path: str) -> str:
    """What a path has in common with its twins."""
    if path.isascii():
        return path if path.islower() else path.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", path).casefold())


class Collisions:
    """Keeps the twins of a state file's sheets listed as records come and go."""

    def __init__(self, db: apsw.Connection, problems: ProblemTable) -> None:
        self._db = db
        self._problems = problems
        self._touched: dict[str, set[str]] = {}

    def load(self, sheet: str, paths: Iterable[str]) -> None:
        """Note the paths of records that were added in bulk."""
        odd = [(sheet, key, path) for path in paths if (key := folded(path)) != path]
        self._db.executemany("INSERT INTO livesheets_folded VALUES (?, ?, ?)", odd)

    def come(self, sheet: Sheet, path: str) -> None:
        """Note one record that was added."""
        self.load(sheet.name, (path,))
        self._touched.setdefault(sheet.name, set()).add(folded(path))

    def go(self, sheet: Sheet, path: str) -> None:
        """Note one record that was removed."""
        key = folded(path)
        delete = "DELETE FROM livesheets_folded WHERE sheet = ? AND folded = ? AND path = ?"
        self._db.execute(delete, (sheet.name, key, path))
        self._problems.forget_twin(sheet.name, sheet.file_of(path))
        self._touched.setdefault(sheet.name, set()).add(key)

    def forget(self) -> None:
        """Forget what came and went: the transaction was undone, or another begins."""
        self._touched.clear()

    def forget_sheet(self, sheet: str) -> None:
        """Forget a sheet that is dropped."""
        self._touched.pop(sheet, None)
        self._db.execute("DELETE FROM livesheets_folded WHERE sheet = ?", (sheet,))

    def list_all(self, sheet: Sheet, table: str) -> None:
        """List every twin of a sheet; `table` is the sheet's, quoted."""
        select = (
            "SELECT folded FROM livesheets_folded WHERE sheet = ? GROUP BY folded HAVING count(*) > 1"
            f" UNION SELECT folded FROM livesheets_folded JOIN {table} AS t ON t.path = folded"
            " WHERE sheet = ?"
        )
        for (key,) in list(self._db.execute(select, (sheet.name, sheet.name))):
            self._list(sheet, table, key)

    def list_touched(self, sheet: Sheet, table: str) -> None:
        """List the twins of what came and went again."""
        for key in sorted(self._touched.pop(sheet.name, ())):
            self._list(sheet, table, key)

    def _list(self, sheet: Sheet, table: str, key: str) -> None:
        select = (
            "SELECT path FROM livesheets_folded WHERE sheet = ? AND folded = ?"
            f" UNION SELECT path FROM {table} WHERE path = ?"
        )
        found = [sheet.file_of(path) for (path,) in self._db.execute(select, (sheet.name, key, key))]
        for file in found:
            self._problems.forget_twin(sheet.name, file)
        if len(found) > 1:
            self._problems.add(_twin(sheet.name, file, found) for file in found)


def _twin(sheet: str, file: str, all_files: list[str]) -> Listed:
    others = sorted(each for each in all_files if each != file)
    named = ", ".join(ascii_form(each) for each in others[:NAMED_MAX])
    more = f" and {len(others) - NAMED_MAX} more" if len(others) > NAMED_MAX else ""
    message = f"the name differs only by case or Unicode form from {named}{more}"
    return Listed(sheet, "twin", file, 0, 0, message)


def ascii_form(path: str) -> str:
    """A path in quotes, escaped where the eye could not tell it from its twin."""
    return repr(path) if path.isascii() or unicodedata.is_normalized("NFC", path) else ascii(path)
