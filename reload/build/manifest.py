"""The files of a commit by sheet: which are records, and which are attachments."""

from __future__ import annotations

import contextlib
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import islice

from reload.build.findings import Findings, TooLargeData, oversized, unsupported
from reload.errors import PROBLEMS_MAX, Problem
from reload.records.sheet import Sheet, definition_path, is_reserved, read_sheet, sheet_name
from reload.records.toml import DOCUMENT_BYTES_MAX
from reload.repository.repository import BLOB_MODES, Entry, Repository
from reload.snapshot.tables.attachments import Attachment
from reload.snapshot.tables.problems import shown

# More files than this are counted before they are kept, so that a tree bomb takes no memory.
KEPT_ENTRIES_MAX = 250_000
# So many sheets with problems are told apart.
SHEETS_MAX = 1_000
# Each sheet has tables of its own, and SQLite looks through all of them for each that it makes.
DEFINITIONS_MAX = 2_000


class Problems:
    """Every problem found, the first PROBLEMS_MAX of them by path kept, in whatever order they are found.

    `counts` has them all by sheet: SHEETS_MAX sheets by name, the others and what no sheet reads as ''.
    """

    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.counts: dict[str, int] = {}

    @property
    def total(self) -> int:
        """How many there are."""
        return sum(self.counts.values())

    def add(self, problem: Problem, sheet: str = "") -> None:
        """Note one more; a file that is a record of two sheets has its problem once."""
        place = bisect_left(self.kept, _position(problem), key=_position)
        if self.kept[place : place + 1] == [problem]:
            return
        name = sheet if sheet in self.counts or len(self.counts) < SHEETS_MAX else ""
        self.counts[name] = self.counts.get(name, 0) + 1
        self.kept.insert(place, problem)
        del self.kept[PROBLEMS_MAX:]


def _position(problem: Problem) -> tuple[str, int, int, str]:
    return problem.path, problem.line, problem.column, problem.message


@dataclass(slots=True)
class Contents:
    """The files of one sheet: (record path, file) of its records, its attachments without their sizes,
    and what is found of others without reading them.
    """

    records: list[tuple[str, Entry]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The sheets of a commit and their files."""

    sheets: dict[str, Sheet]
    contents: dict[str, Contents]


def read_sheets(repository: Repository, entries: Iterable[Entry], problems: Problems) -> dict[str, Sheet]:
    """The sheets that these definition files declare, by name; what cannot be read goes to `problems`.

    Raises TooLargeData where there are more than DEFINITIONS_MAX.
    """
    named = [(sheet_name(entry.path), entry) for entry in entries]
    wanted = [(name, entry) for name, entry in named if name and not is_reserved(name)]
    if len(wanted) > DEFINITIONS_MAX:
        raise TooLargeData(f"too large: the commit defines more than {DEFINITIONS_MAX} sheets")
    wanted = [each for each in wanted if not _refuse_definition(each[1], problems)]
    sheets: dict[str, Sheet] = {}
    blobs = repository.blobs([entry.oid for _, entry in wanted], DOCUMENT_BYTES_MAX)
    for (name, _), blob in zip(wanted, blobs, strict=True):
        if blob.data is None:
            problems.add(oversized(definition_path(name), blob.size))
            continue
        sheet = read_sheet(name, blob.data)
        if isinstance(sheet, Problem):
            problems.add(sheet)
        else:
            sheets[name] = sheet
    return dict(sorted(sheets.items()))


def _refuse_definition(entry: Entry, problems: Problems) -> bool:
    reason = unsupported(entry)
    if reason is not None:
        message = f"unsupported entry: {reason} cannot define a sheet"
        problems.add(Problem(shown(entry.path), 0, 0, message))
    return reason is not None


def read_manifest(repository: Repository, commit: str, entries_max: int, problems: Problems) -> Manifest:
    """The sheets and files of a whole commit; raises TooLargeData where it has more than `entries_max`."""
    entries = read_entries(repository, commit, entries_max)
    sheets = read_sheets(repository, entries, problems)
    contents = {name: sort_files(sheet, entries) for name, sheet in sheets.items()}
    return Manifest(sheets, contents)


def read_entries(repository: Repository, commit: str, entries_max: int, folder: str = "") -> list[Entry]:
    """Every file of a commit below a folder; raises TooLargeData where there are more than `entries_max`."""
    with contextlib.closing(repository.tree(commit, folder)) as tree:
        entries = list(islice(tree, min(KEPT_ENTRIES_MAX, entries_max) + 1))
        if len(entries) > entries_max or (
            len(entries) > KEPT_ENTRIES_MAX and repository.has_more_files(commit, entries_max)
        ):
            raise TooLargeData(f"too large: the commit has more than {entries_max} files")
        entries.extend(tree)
    return entries


def sort_files(sheet: Sheet, entries: Sequence[Entry]) -> Contents:
    """Which of these files are the sheet's records and attachments."""
    prefix = sheet.prefix
    skipped = len(prefix)
    inside = [(entry.path[skipped:], entry) for entry in entries if entry.path.startswith(prefix)]
    files = {file for file, _ in inside} if sheet.template.recursive else set()
    contents = Contents()
    for file, entry in inside:
        place = sheet.place(file, files.__contains__)
        if place is None:
            continue
        if entry.mode not in BLOB_MODES or not file.isascii():
            is_record = place.attachment is None
            if contents.found.refuse(sheet.name, entry, place.record, is_record=is_record):
                continue
        if place.attachment is not None:
            attachment = Attachment(file, place.record, place.attachment, entry.oid, 0)
            contents.attachments.append(attachment)
        elif place.record is not None:
            contents.records.append((place.record, entry))
    return contents


def with_sizes(repository: Repository, attachments: Sequence[Attachment]) -> list[Attachment]:
    """The attachments with their sizes in bytes."""
    sizes = repository.sizes(a.blob for a in attachments)
    return [Attachment(a.file, a.record, a.name, a.blob, sizes[a.blob]) for a in attachments]
