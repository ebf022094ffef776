"""A state file brought from one commit to another: cost follows what changed, never how much there is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from reload.errors import DataRejected
from reload.manifest import Problems, is_utf8, read_sheets, refuse_entry, sort_files, with_sizes
from reload.repository import BLOB_MODES, Change, Entry, Repository
from reload.scratch import read_records
from reload.sheets import Place, Sheet, sheet_name
from reload.store import Attachment, Changes, Store

# Above either bound a build from scratch in a child is cheaper than a difference in a thread.
CHANGED_FILES_MAX = 5_000
REBUILT_RECORDS_MAX = 5_000


class TooLarge(Exception):
    """The difference is so large that building from scratch is cheaper."""


@dataclass(slots=True)
class Edits:
    """What a difference does to one sheet; a record that is in `puts` is there afterwards."""

    puts: dict[str, Entry] = field(default_factory=dict)
    removals: list[str] = field(default_factory=list)
    attachments: list[Attachment] = field(default_factory=list)
    detachments: list[str] = field(default_factory=list)


def apply_difference(repository: Repository, store: Store, commit: str) -> dict[str, Changes]:
    """Bring `store`, in a transaction that the caller began, to `commit`.

    Returns what changed by sheet. Raises TooLarge before anything was written, DataRejected with
    every problem, or whatever broke; the caller undoes the transaction.
    """
    found = list(repository.difference(store.commit, commit))
    if len(found) > CHANGED_FILES_MAX:
        raise TooLarge(f"{len(found)} files differ")
    problems = Problems()
    changes: dict[str, Changes] = {}
    redefined = _redefine(repository, store, found, commit, changes, problems)
    for name in [name for name in store.sheets if name not in redefined]:
        edits = _edits(store, store.sheets[name], found, problems)
        changes[name] = _apply(repository, store, store.sheets[name], edits, problems)
    if problems.total:
        raise DataRejected(commit, problems.kept, problems.total)
    store.note(commit=commit, committed_at=repository.committed_at(commit).isoformat())
    return {name: change for name, change in sorted(changes.items()) if change}


def _redefine(
    repository: Repository,
    store: Store,
    found: Iterable[Change],
    commit: str,
    changes: dict[str, Changes],
    problems: Problems,
) -> set[str]:
    """Drop the sheets whose definition is gone or changed and build the changed ones anew; their names."""
    definitions = [change for change in found if sheet_name(change.path)]
    if not definitions:
        return set()
    names = {name for change in definitions if (name := sheet_name(change.path))}
    if sum(store.count(name) for name in names) > REBUILT_RECORDS_MAX:
        raise TooLarge("the definition of a large sheet changed")
    new = read_sheets(repository, [change.new for change in definitions if change.new], problems)
    entries = list(repository.tree(commit)) if new else []
    contents = {name: sort_files(sheet, entries, problems) for name, sheet in new.items()}
    if sum(len(each.records) for each in contents.values()) > REBUILT_RECORDS_MAX:
        raise TooLarge("the definition of a large sheet changed")
    for name in names:
        before = store.contents(name) if name in store.sheets else {}
        if name in store.sheets:
            store.drop_sheet(name)
        if name in new:
            store.add_sheet(new[name])
            store.load(name, read_records(repository, new[name], contents[name].records, problems))
            store.index_sheet(name)
            store.attach(name, with_sizes(repository, contents[name].attachments))
        changes[name] = compared(before, store.contents(name) if name in new else {})
    return names


def compared(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> Changes:
    """How many records one state of a sheet adds to, modifies of and removes from another."""
    common = before.keys() & after.keys()
    modified = sum(before[path] != after[path] for path in common)
    return Changes(len(after) - len(common), modified, len(before) - len(common))


def _edits(store: Store, sheet: Sheet, found: Iterable[Change], problems: Problems) -> Edits:
    """What the changed files mean to one sheet."""
    skipped = len(sheet.prefix)
    touched = {c.path[skipped:]: c.new for c in found if c.path.startswith(sheet.prefix)}

    def is_file(file: str) -> bool:
        if file in touched:
            return touched[file] is not None
        return _stored_blob(store, sheet, file) is not None

    if sheet.template.recursive:
        _touch_below(store, sheet, found, touched)
    edits = Edits()
    for file, entry in touched.items():
        place = sheet.place(file, is_file) if entry is not None else None
        if is_utf8(file):
            _edit(sheet, file, entry, place, edits, problems)
        elif entry is not None and place is not None and place.attachment is None:
            refuse_entry(entry, problems)
    return edits


def _edit(
    sheet: Sheet,
    file: str,
    entry: Entry | None,
    place: Place | None,
    edits: Edits,
    problems: Problems,
) -> None:
    """Note what becomes of one file: first what it is no longer, then what it is now."""
    is_record = place is not None and place.attachment is None
    if file.endswith(sheet.extension) and not is_record:
        edits.removals.append(file[: -len(sheet.extension)])
    if place is None or entry is None or place.attachment is None or entry.mode not in BLOB_MODES:
        edits.detachments.append(file)
    else:
        edits.attachments.append(Attachment(file, place.record, place.attachment, entry.oid, 0))
    if place is not None and entry is not None and place.attachment is None and place.record is not None:
        if not refuse_entry(entry, problems):
            edits.puts[place.record] = entry


def _touch_below(
    store: Store, sheet: Sheet, found: Iterable[Change], touched: dict[str, Entry | None]
) -> None:
    """In a recursive sheet a record that comes or goes changes what the files below its folder are."""
    skipped = len(sheet.prefix)
    for change in found:
        came_or_went = (change.old is None) != (change.new is None)
        if (
            not came_or_went
            or not change.path.startswith(sheet.prefix)
            or not change.path.endswith(sheet.extension)
        ):
            continue
        folder = change.path[skipped : -len(sheet.extension)]
        below = [(path + sheet.extension, blob) for path, blob in store.records_below(sheet.name, folder)]
        for file, blob in below + store.attachments_below(sheet.name, folder):
            touched.setdefault(file, Entry("100644", blob, sheet.prefix + file))


def _stored_blob(store: Store, sheet: Sheet, file: str) -> str | None:
    if file.endswith(sheet.extension):
        found = store.blob_of(sheet.name, file[: -len(sheet.extension)])
        if found is not None:
            return found
    return store.attachment_blob(sheet.name, file)


def _apply(repository: Repository, store: Store, sheet: Sheet, edits: Edits, problems: Problems) -> Changes:
    changes = Changes()
    for path in edits.removals:
        store.remove(sheet.name, path, changes)
    for file in edits.detachments:
        store.detach(sheet.name, file)
    wanted = [(path, entry.oid) for path, entry in edits.puts.items()]
    for record in read_records(repository, sheet, wanted, problems):
        store.put(sheet.name, record, changes)
    store.attach(sheet.name, with_sizes(repository, edits.attachments))
    return changes
