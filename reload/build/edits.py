"""The files that differ between two commits, as edits of one sheet."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reload.build.findings import Findings, is_utf8
from reload.records.sheet import Place, Sheet
from reload.repository.repository import Change, Entry
from reload.snapshot.state_file import StateFile
from reload.snapshot.tables.attachments import Attachment
from reload.snapshot.tables.problems import Listed

_Touched = dict[str, Entry | None]


@dataclass(slots=True)
class Edits:
    """What a difference does to one sheet; a record that is in `puts` is there afterwards.

    `touched` are the paths in the repository of all files whose meaning may have changed.
    """

    puts: dict[str, Entry] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    detachments: list[str] = field(default_factory=list)
    touched: set[str] = field(default_factory=set)
    found: Findings = field(default_factory=Findings)

    def note(self, sheet: Sheet, file: str, entry: Entry | None, place: Place | None) -> None:
        """Note one file: first what it is no longer, then what it is now."""
        self.touched.add(sheet.prefix + file)
        is_record = place is not None and place.attachment is None
        if is_utf8(file) and file.endswith(sheet.extension) and not is_record:
            self.removals.append(file[: -len(sheet.extension)])
        if is_utf8(file):
            self.detachments.append(file)
        if entry is None or place is None:
            return
        if self.found.refuse(sheet.name, entry, place.record, is_record=is_record):
            return
        if place.attachment is not None:
            self.attachments.append(Attachment(file, place.record, place.attachment, entry.oid, 0))
        elif place.record is not None:
            self.puts[place.record] = entry

    def look_again(self, sheet: Sheet, listed: Listed) -> None:
        """Note a quarantined file that is as it was."""
        file = listed.path[len(sheet.prefix) :]
        entry = Entry(listed.mode or "", listed.blob or "", listed.path)
        self.note(sheet, file, entry, Place(file[: -len(sheet.extension)]))


def edits_of(state_file: StateFile, sheet: Sheet, found: Iterable[Change]) -> Edits:
    """What the changed files mean to one sheet."""
    skipped = len(sheet.prefix)
    touched = {c.path[skipped:]: c.new for c in found if c.path.startswith(sheet.prefix)}
    unserved: dict[str, Entry] = {}
    if touched and sheet.template.recursive:
        unserved = {
            each.path[skipped:]: Entry(each.mode or "", each.blob or "", each.path)
            for each in state_file.problems.unserved(sheet.name)
        }
        _touch_below(state_file, sheet, found, touched, unserved)

    def is_file(file: str) -> bool:
        if file in touched:
            return touched[file] is not None
        return file in unserved or (is_utf8(file) and _is_stored(state_file, sheet, file))

    edits = Edits()
    for file, entry in touched.items():
        edits.note(sheet, file, entry, sheet.place(file, is_file) if entry is not None else None)
    return edits


def _touch_below(
    state_file: StateFile,
    sheet: Sheet,
    found: Iterable[Change],
    touched: _Touched,
    unserved: dict[str, Entry],
) -> None:
    """In a recursive sheet a record that comes or goes changes what the files below its folder are."""
    skipped = len(sheet.prefix)
    for change in found:
        came_or_went = (change.old is None) != (change.new is None)
        if not came_or_went or not change.path.startswith(sheet.prefix):
            continue
        if not change.path.endswith(sheet.extension):
            continue
        folder = change.path[skipped : -len(sheet.extension)]
        # What is stored of a record that cannot be read is an earlier version, so these come first.
        for file, entry in unserved.items():
            if file.startswith(f"{folder}/"):
                touched.setdefault(file, entry)
        if is_utf8(folder):
            records = state_file.records_below(sheet.name, folder)
            below = [(path + sheet.extension, blob) for path, blob in records]
            for file, blob in below + state_file.attachments.below(sheet.name, folder):
                touched.setdefault(file, Entry("100644", blob, sheet.prefix + file))


def _is_stored(state_file: StateFile, sheet: Sheet, file: str) -> bool:
    record = file[: -len(sheet.extension)] if file.endswith(sheet.extension) else None
    if record is not None and state_file.blob_of(sheet.name, record) is not None:
        return True
    return state_file.attachments.blob_of(sheet.name, file) is not None
