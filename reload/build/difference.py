"""A state file brought from one commit to another: cost follows what changed, never how much there is."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Mapping
from itertools import islice

from reload.build.edits import Edits, edits_of
from reload.build.findings import Findings, TooLargeData
from reload.build.layout import list_layout
from reload.build.manifest import (
    DEFINITIONS_MAX,
    Contents,
    Problems,
    read_entries,
    read_sheets,
    sort_files,
    with_sizes,
)
from reload.build.sheet_build import Build, build_sheet
from reload.errors import DataRejected
from reload.records.policy import DataPolicy
from reload.records.schema import Budget, TooExpensive
from reload.records.sheet import Sheet, sheet_name
from reload.repository.command import GitFailed
from reload.repository.repository import Change, Entry, Repository
from reload.snapshot.state_file import Changes, StateFile

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
    repository: Repository, state_file: StateFile, commit: str, policy: DataPolicy = _DEFAULT_POLICY
) -> dict[str, Changes]:
    """Bring `store`, in a transaction that the caller began, to `commit`.

    `policy` is the one that the state_file was built under. Returns what changed by sheet. Raises TooLarge,
    DataRejected with every problem, or whatever broke; the caller undoes the transaction.
    """
    build = Build(repository, state_file, commit, policy, Problems(), Budget(VALIDATION_STEPS_MAX))
    try:
        changes = _apply_all(build)
    except (TooExpensive, TooLargeData) as error:
        raise TooLarge(str(error)) from error
    if build.problems.total:
        raise DataRejected(commit, build.problems.kept, build.problems.counts)
    state_file.note(commit=commit, committed_at=repository.committed_at(commit).isoformat())
    return {name: change for name, change in sorted(changes.items()) if change}


def _apply_all(build: Build) -> dict[str, Changes]:
    repository, state_file, commit = build.repository, build.state_file, build.commit
    found = _found(repository, state_file.commit, commit)
    changes: dict[str, Changes] = {}
    redefined = _redefine(build, found, changes)
    for name in [name for name in state_file.sheets if name not in redefined]:
        edits = edits_of(state_file, state_file.sheets[name], found)
        changes[name] = _apply(build, state_file.sheets[name], edits)
    if not build.problems.total:
        list_layout(repository, state_file, commit, [change.path for change in found])
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
    """Drop the sheets whose definition is gone or changed and build the changed ones again; their names."""
    state_file = build.state_file
    definitions = [change for change in found if sheet_name(change.path)]
    if not definitions:
        return set()
    names = {name for change in definitions if (name := sheet_name(change.path))}
    if sum(state_file.count(name) for name in names) > REBUILT_RECORDS_MAX:
        raise TooLarge("the definition of a large sheet changed")
    entries = [change.new for change in definitions if change.new]
    new = read_sheets(build.repository, entries, build.problems)
    if len(state_file.sheets.keys() | new.keys()) > DEFINITIONS_MAX:
        raise TooLarge("the commit defines many sheets")
    contents = _contents_of(build, new)
    if sum(len(each.records) for each in contents.values()) > REBUILT_RECORDS_MAX:
        raise TooLarge("the definition of a large sheet changed")
    for name in names:
        before = state_file.contents(name) if name in state_file.sheets else {}
        if name in state_file.sheets:
            state_file.drop_sheet(name)
        if name in new:
            for _ in build_sheet(build, new[name], contents[name]):
                pass
        changes[name] = compared(before, state_file.contents(name) if name in new else {})
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
    state_file, name, changes = build.state_file, sheet.name, Changes()
    if build.policy.invalid == "quarantine":
        _look_again(build, sheet, edits)
    for file in edits.touched:
        state_file.problems.forget(name, file)
    for path in edits.removals:
        state_file.remove(name, path, changes)
    for file in edits.detachments:
        state_file.attachments.remove(name, file)
    if edits.puts or edits.found.unreadable:
        _put(build, sheet, edits.puts, edits.found, changes)
    state_file.problems.add(edits.found.take_warnings())
    state_file.attachments.put(name, with_sizes(build.repository, edits.attachments))
    return changes


def _look_again(build: Build, sheet: Sheet, edits: Edits) -> None:
    """Add to the edits the quarantined files whose last readable version may be another now.

    A file that is as it was may have been another in between, and a merge may put another history
    before it. Only from one commit to the next is neither possible.
    """
    problems, repository = build.state_file.problems, build.repository
    if not problems.has_quarantined(sheet.name):
        return
    if repository.first_parent(build.commit) == build.state_file.commit:
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
    state_file, reader = build.state_file, build.reader(sheet)
    for record in reader.read(list(puts.items()), found):
        state_file.put(sheet.name, record, changes)
    for settled in build.settle(reader, found):
        state_file.problems.add([settled.listed])
        if settled.served is not None:
            state_file.put(sheet.name, settled.served, changes)
        elif settled.path is not None:
            state_file.remove(sheet.name, settled.path, changes)
