"""Reads the files of a sheet under a policy: records, warnings, unreadable files."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from reload.build.findings import Findings, TooLargeData, Unreadable, oversized
from reload.errors import Problem
from reload.records import toml
from reload.records.path_rule import PathRule
from reload.records.policy import DataPolicy
from reload.records.record import Record, read_record, split_front_matter
from reload.records.schema import Budget, Schema, Violation, locate, pointer
from reload.records.schema_cost import SchemaInvalid
from reload.records.sheet import Sheet, definition_path
from reload.records.toml import DOCUMENT_BYTES_MAX
from reload.repository.repository import Blob, Entry, Repository
from reload.snapshot.tables.problems import Listed

# A file of a few kilobytes can unpack to any size, and any number of paths can name it.
BYTES_MAX = 8 << 30
YAML_IS_BODY = (
    "begins with YAML front matter between lines of ---, which is not read and is part of the body;"
    " write it as TOML between lines of +++"
)
_YAML_FRONT_MATTER = re.compile(
    rb"(?:\xef\xbb\xbf)?---[ \t]*\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?:-[ \t]|[^\n]*:)[^\n]*\n"
    rb"(?:[^\n]*\n)*?(?:---|\.\.\.)[ \t]*\r?(?:\n|\Z)"
)


class SheetReader:
    """Reads the files of one sheet.

    `definition_problem` is set where the sheet's schema cannot be used; the records are then read
    without it. With a budget raises TooExpensive where validation would take more.
    """

    def __init__(
        self, repository: Repository, sheet: Sheet, policy: DataPolicy, budget: Budget | None = None
    ) -> None:
        self.sheet = sheet
        self.definition_problem: Problem | None = None
        self._repository = repository
        self._enforce = policy.schema == "enforce"
        self._rule = PathRule(sheet)
        self._schema: Schema | None = None
        if sheet.schema is None or policy.schema == "off":
            return
        try:
            self._schema = Schema(sheet, budget)
        except SchemaInvalid as error:
            self.definition_problem = _problem_of_schema(sheet, error)

    def read(self, files: Sequence[tuple[str, Entry]], found: Findings) -> Iterator[Record]:
        """The records at these (path, file), what is wrong with them noted in `found`."""
        blobs = self._repository.blobs([entry.oid for _, entry in files], DOCUMENT_BYTES_MAX)
        total = 0
        for (path, entry), blob in zip(files, blobs, strict=True):
            total += blob.size
            if total > BYTES_MAX:
                raise TooLargeData(f"too large: the records have more than {BYTES_MAX} bytes together")
            record = self.read_file(path, blob, found.warnings)
            if isinstance(record, Record):
                yield record
            else:
                found.unreadable.append(Unreadable(path, entry, record))

    def read_file(self, path: str, blob: Blob, warnings: list[Listed]) -> Record | tuple[Problem, ...]:
        """One record, what is listed about it added to `warnings`, or the problems that prevent it."""
        if blob.data is None:
            return (oversized(self.sheet.file_of(path), blob.size),)
        record = read_record(self.sheet, path, blob.oid, blob.data)
        if isinstance(record, Problem):
            return (record,)
        if self._schema is not None and (violations := self._schema.violations(record.json)):
            problems = self._problems_of(path, blob.data, violations)
            if self._enforce:
                return problems
            warnings += [Listed.of(self.sheet.name, "schema", problem) for problem in problems]
        if mismatch := self._rule.mismatch(path, record.json):
            warnings.append(Listed(self.sheet.name, "path", self.sheet.file_of(path), 0, 0, mismatch))
        if self.sheet.body is not None and _YAML_FRONT_MATTER.match(blob.data):
            file = self.sheet.file_of(path)
            warnings.append(Listed(self.sheet.name, "front-matter", file, 1, 1, YAML_IS_BODY))
        return record

    def version(self, path: str, oid: str) -> Record | None:
        """The record that an earlier version of a file holds, None where that cannot be read either."""
        for blob in self._repository.blobs([oid], DOCUMENT_BYTES_MAX):
            record = self.read_file(path, blob, [])
            return record if isinstance(record, Record) else None
        return None

    def _problems_of(self, path: str, data: bytes, violations: list[Violation]) -> tuple[Problem, ...]:
        text, first_line = toml.decode(data), 1
        if self.sheet.body is not None:
            text, _, first_line = split_front_matter(text)
        file = self.sheet.file_of(path)
        places = [locate(text, each.steps) for each in violations]
        return tuple(
            Problem(file, line + first_line - 1 if line else 0, column, _in_words(violation))
            for violation, (line, column) in zip(violations, places, strict=True)
        )


def _in_words(violation: Violation) -> str:
    where = f"{pointer(violation.steps)}: " if violation.steps else ""
    return f"breaks the schema: {where}{violation.message}"


def _problem_of_schema(sheet: Sheet, error: SchemaInvalid) -> Problem:
    line, column = locate(sheet.definition, ["gitsheet.schema"])
    return Problem(definition_path(sheet.name), line, column, str(error))
