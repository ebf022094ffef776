"""A state file brought from one commit to another: cost follows what changed, never how much there is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from itertools import islice

from reload.building.edits import Edits, edits_of
from reload.building.sheet_build import Build, build_sheet
from reload.errors import DataRejected
from reload.git.command import GitFailed
from reload.policy import DataPolicy
from reload.reading.findings import Findings, TooLargeData
from reload.reading.manifest import Contents, Problems, read_entries, read_sheets, sort_files, with_sizes
from reload.reading.schemas import Budget, TooExpensive
from reload.repository import Change, Entry, Repository
from reload.sheets import Sheet, sheet_name
from reload.store import Changes, Store

# Above any of these bounds a build from scratch in a child is cheaper than a difference in a thread, or
# holds up readers less.
CHANGED_FILES_MAX = 5_000
REBUILT_RECORDS_MAX = 5_000
LISTED_ENTRIES_MAX = 20_000
VALIDATION_STEPS_MAX = 10_000_000
_DEFAULT_POLICY = DataPolicy()


class TooLarge(Exception):
    """The difference is so large that building from scratch is cheaper."""


def apply_difference(
    repository: Repository, store: Store, commit: str, policy: DataPolicy = _DEFAULT_POLICY
) -> dict[str, Changes]:
    """Bring `store`, in a transaction that the caller began, to `commit`.

    `policy` is the one that the store was built under. Returns what changed by sheet. Raises TooLarge,
    DataRejected with every problem, or whatever broke; the caller undoes the transaction.
    """
    build = Build(repository, store, commit, policy, Problems(), Budget(VALIDATION_STEPS_MAX))
    try:
        changes = _apply_all(build)
    except (TooExpensive, TooLargeData) as error:
        raise TooLarge(str(error)) from error
    if build.problems.total:
        raise DataRejected(commit, build.problems.kept, build.problems.counts)
    store.note(commit=commit, committed_at=repository.committed_at(commit).isoformat())
    return {name: change for name, change in sorted(changes.items()) if change}


def _apply_all(build: Build) -> dict[str, Changes]:
    repository, store, commit = build.repository, build.store, build.commit
    found = _found(repository, store.commit, commit)
    changes: dict[str, Changes] = {}
    redefined = _redefine(build, found, changes)
    for name in [name for name in store.sheets if name not in redefined]:
        edits = edits_of(store, store.sheets[name], found)
        changes[name] = _apply(build, store.sheets[name], edits)
    return changes


def _found(repository: Repository, old: str, new: str) -> list[Change]:
    """Every file that differs; raises TooLarge where there are too many."""
    try:
        with contextlib.closing(repository.difference(old, new)) as difference:
            found = list(islice(difference, CHANGED_FILES_MAX + 1))
    except GitFailed as error:
        if error.out_of_memory:
            raise TooLarge("git needs too much memory for the difference") from error
        raise
    if len(found) > CHANGED_FILES_MAX:
        raise TooLarge(f"more than {CHANGED_FILES_MAX} files differ")
    return found


def _redefine(build: Build, found: Iterable[Change], changes: dict[str, Changes]) -> set[str]:
    """Drop the sheets whose definition is gone or changed and build the changed ones anew; their names."""
    store = build.store
    definitions = [change for change in found if sheet_name(change.path)]
    if not definitions:
        return set()
    names = {name for change in definitions if (name := sheet_name(change.path))}
    if sum(store.count(name) for name in names) > REBUILT_RECORDS_MAX:
        raise TooLarge("the definition of a large sheet changed")
    entries = [change.new for change in definitions if change.new]
    new = read_sheets(build.repository, entries, build.problems)
    contents = _contents_of(build, new)
    if sum(len(each.records) for each in contents.values()) > REBUILT_RECORDS_MAX:
        raise TooLarge("the definition of a large sheet changed")
    for name in names:
        before = store.contents(name) if name in store.sheets else {}
        if name in store.sheets:
            store.drop_sheet(name)
        if name in new:
            for _ in build_sheet(build, new[name], contents[name]):
                pass
        changes[name] = compared(before, store.contents(name) if name in new else {})
    return names


def _contents_of(build: Build, sheets: Mapping[str, Sheet]) -> dict[str, Contents]:
    found: dict[str, Contents] = {}
    for name, sheet in sheets.items():
        entries = read_entries(build.repository, build.commit, LISTED_ENTRIES_MAX, sheet.root)
        found[name] = sort_files(sheet, entries)
    return found


def compared(before: dict[str, tuple[str, str]], after: dict[str, tuple[str, str]]) -> Changes:
    """How many records one state of a sheet adds to, modifies of and removes from another."""
    common = before.keys() & after.keys()
    modified = sum(before[path] != after[path] for path in common)
    return Changes(len(after) - len(common), modified, len(before) - len(common))


def _apply(build: Build, sheet: Sheet, edits: Edits) -> Changes:
    store, name, changes = build.store, sheet.name, Changes()
    if build.policy.invalid == "quarantine":
        _look_again(build, sheet, edits)
    for file in edits.touched:
        store.problems.forget(name, file)
    for path in edits.removals:
        store.remove(name, path, changes)
    for file in edits.detachments:
        store.attachments.remove(name, file)
    if edits.puts or edits.found.unreadable:
        _put(build, sheet, edits.puts, edits.found, changes)
    store.problems.add(edits.found.take_warnings())
    store.attachments.put(name, with_sizes(build.repository, edits.attachments))
    return changes


def _look_again(build: Build, sheet: Sheet, edits: Edits) -> None:
    """Add to the edits the quarantined files whose last readable version may be another now.

    A file that is as it was may have been another in between, and a merge may put another history
    before it. Only from one commit to the next is neither possible.
    """
    problems, repository = build.store.problems, build.repository
    if not problems.has_quarantined(sheet.name):
        return
    if repository.first_parent(build.commit) == build.store.commit:
        return
    waiting = [
        listed
        for listed in problems.unserved(sheet.name)
        if listed.kind == "quarantined" and listed.path not in edits.touched
    ]
    if len(waiting) > CHANGED_FILES_MAX:
        raise TooLarge(f"{len(waiting)} records are in quarantine")
    for listed in waiting:
        edits.look_again(sheet, listed)


def _put(build: Build, sheet: Sheet, puts: Mapping[str, Entry], found: Findings, changes: Changes) -> None:
    store, reader = build.store, build.reader(sheet)
    for record in reader.read(list(puts.items()), found):
        store.put(sheet.name, record, changes)
    for settled in build.settle(reader, found):
        store.problems.add([settled.listed])
        if settled.served is not None:
            store.put(sheet.name, settled.served, changes)
        elif settled.path is not None:
            store.remove(sheet.name, settled.path, changes)
