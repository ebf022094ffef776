"""What a commit's tree holds for its sheets: which files are records, which are attachments, what cannot be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from reload.errors import PROBLEMS_MAX, Problem
from reload.repository import BLOB_MODES, Entry, Repository
from reload.sheets import Sheet, definition_path, read_sheet, sheet_name
from reload.store import Attachment
from reload.toml import DOCUMENT_BYTES_MAX

_ENTRY_KINDS = {"120000": "a symbolic link", "160000": "a submodule"}


class Problems:
    """Every problem found, the first PROBLEMS_MAX of them kept."""

    def __init__(self) -> None:
        self.kept: list[Problem] = []
        self.total = 0

    def add(self, problem: Problem) -> None:
        """Note one more."""
        self.total += 1
        if len(self.kept) < PROBLEMS_MAX:
            self.kept.append(problem)


@dataclass(slots=True)
class Contents:
    """The files of one sheet: (record path, blob) of its records, and its attachments without their sizes."""

    records: list[tuple[str, str]] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Manifest:
    """The sheets of a commit and their files."""

    sheets: dict[str, Sheet]
    contents: dict[str, Contents]


def read_sheets(repository: Repository, entries: Iterable[Entry], problems: Problems) -> dict[str, Sheet]:
    """The sheets that these definition files declare, by name; what cannot be read goes to `problems`."""
    wanted = [(name, entry) for entry in entries if (name := sheet_name(entry.path))]
    wanted = [each for each in wanted if not refuse_entry(each[1], problems)]
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


def read_manifest(repository: Repository, commit: str, problems: Problems) -> Manifest:
    """The sheets and files of a whole commit."""
    entries = list(repository.tree(commit))
    sheets = read_sheets(repository, entries, problems)
    contents = {name: sort_files(sheet, entries, problems) for name, sheet in sheets.items()}
    return Manifest(sheets, contents)


def sort_files(sheet: Sheet, entries: Sequence[Entry], problems: Problems) -> Contents:
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
        if place.attachment is not None:
            if entry.mode in BLOB_MODES and is_utf8(file):
                attachment = Attachment(file, place.record, place.attachment, entry.oid, 0)
                contents.attachments.append(attachment)
        elif place.record is not None and not refuse_entry(entry, problems):
            contents.records.append((place.record, entry.oid))
    return contents


def with_sizes(repository: Repository, attachments: Sequence[Attachment]) -> list[Attachment]:
    """The attachments with their sizes in bytes."""
    sizes = repository.sizes(a.blob for a in attachments)
    return [Attachment(a.file, a.record, a.name, a.blob, sizes[a.blob]) for a in attachments]


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


def refuse_entry(entry: Entry, problems: Problems) -> bool:
    """Whether a file in the place of a record is none, noted as a problem."""
    if entry.mode not in BLOB_MODES:
        kind = _ENTRY_KINDS.get(entry.mode, f"an entry of mode {entry.mode}")
        problems.add(Problem(entry.path, 0, 0, f"unsupported entry: {kind} cannot be a record"))
        return True
    if not is_utf8(entry.path):
        path = entry.path.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
        problems.add(Problem(path, 0, 0, "the file name is not UTF-8"))
        return True
    return False
