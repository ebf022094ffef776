"""`livesheets check`: load a branch as the server would and report every problem."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from reload.build.deletions import mass_deletions
from reload.build.layout import is_record
from reload.build.scratch import build_from_scratch
from reload.errors import DataRejected, Problem, RepositoryError
from reload.records.policy import DataPolicy
from reload.records.sheet import DEFINITIONS_FOLDER, Sheet, sheet_name
from reload.repository.environment import ELSEWHERE
from reload.repository.refs import BRANCHES, refs_below
from reload.repository.repository import Repository
from reload.snapshot.query.reader import Reader
from reload.snapshot.state_file import Changes, StateFile
from server.commands.pre_receive import TOLD_BY, incoming_objects, with_incoming

NAMES_MAX: Final = 20
# Of more sheets the whole working tree is looked at: a command line has an end.
FOLDERS_MAX: Final = 200

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class SheetDifference:
    """What a commit changes in one sheet; `names` are (added, modified or removed; record), the first few."""

    changes: Changes
    names: tuple[tuple[str, str], ...] = ()
    event: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What loading a commit gave.

    `problems` refuse the commit, `total` counts them all; `listed`, of `listed_total`, are served all
    the same, unless they are `quarantined`: then their last readable version is, or nothing. `held`
    are the sheets that lose so much against `base` that the server waits for consent: (removed,
    before). `difference` is None without a base, or where the base itself cannot be loaded. `uncommitted`
    are definitions in the working tree that are not in HEAD.
    """

    commit: str
    policy: DataPolicy
    records: Mapping[str, int] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    total: int = 0
    listed: tuple[Problem, ...] = ()
    listed_total: int = 0
    quarantined: tuple[Problem, ...] = ()
    shallow: bool = False
    base: str | None = None
    difference: Mapping[str, SheetDifference] | None = None
    held: Mapping[str, tuple[int, int]] = field(default_factory=dict)
    sheets: tuple[Sheet, ...] = ()
    uncommitted: tuple[str, ...] = ()

    @property
    def warned(self) -> bool:
        """Whether anything is odd, though it would be served."""
        return bool(self.listed_total or self.quarantined or self.uncommitted)


def check_repository(
    path: Path, ref: str, base: str | None, policy: DataPolicy, progress: Progress
) -> Report:
    """Load `ref` of the repository at `path`; compare it with `base` where that is given.

    Only what is committed counts, and only these commits must be there: shallow clones will do, and so
    does a push that waits for its `pre-receive` hook. Raises RepositoryError where there is no repository
    or no such commit.
    """
    git_dir = _git_dir(path)
    waiting = incoming_objects(git_dir)
    objects = () if waiting is None else TOLD_BY
    commit = _commit(git_dir, ref, objects)
    base_commit = _commit(git_dir, base, objects) if base else None
    with tempfile.TemporaryDirectory(prefix="livesheets-check-") as name:
        folder = Path(name)
        place = git_dir if waiting is None else with_incoming(git_dir, waiting, folder / "incoming.git")
        repository = Repository(place, "check", remote=False, timeout_s=0)
        try:
            report = _load(repository, commit, base_commit, policy, folder, progress)
            return replace(report, uncommitted=_uncommitted(path, report.sheets) if ref == "HEAD" else ())
        finally:
            repository.close()


def _load(
    repository: Repository,
    commit: str,
    base: str | None,
    policy: DataPolicy,
    folder: Path,
    progress: Progress,
) -> Report:
    new, old = folder / "new.sqlite3", folder / "old.sqlite3"
    try:
        build_from_scratch(repository, commit, new, progress, policy)
    except DataRejected as error:
        return Report(commit, policy, problems=error.problems, total=error.total, base=base)
    report = _report(repository, commit, base, policy, new)
    if base is None:
        return report
    try:
        build_from_scratch(repository, base, old, lambda done, total: None, policy)
    except DataRejected:
        return report
    return _compared(report, old, new)


def _report(repository: Repository, commit: str, base: str | None, policy: DataPolicy, file: Path) -> Report:
    """The report on a commit that was loaded into a state file."""
    reader = Reader(file)
    try:
        listing, records = reader.listing(), dict(sorted(reader.counts.items()))
    finally:
        reader.close()
    return Report(
        commit,
        policy,
        records,
        listed=tuple(each.problem for each in listing.warnings),
        listed_total=sum(listing.counts.values()) - listing.quarantined_count,
        quarantined=tuple(each.problem for each in listing.quarantined),
        shallow=(repository.git_dir / "shallow").exists(),
        base=base,
        sheets=_sheets(file),
    )


def _sheets(file: Path) -> tuple[Sheet, ...]:
    state_file = StateFile.open(file)
    try:
        return tuple(state_file.sheets.values())
    finally:
        state_file.close()


def _compared(report: Report, old: Path, new: Path) -> Report:
    """The report with what changes between two state files."""
    before, after = StateFile.open(old), StateFile.open(new)
    try:
        found = {name: _compare(name, before, after) for name in sorted({*before.sheets, *after.sheets})}
        counts = {name: before.count(name) for name in before.sheets}
    finally:
        before.close()
        after.close()
    held = mass_deletions(counts, {name: each.changes for name, each in found.items()})
    shown = {name: each for name, each in found.items() if each.changes or each.event}
    return replace(report, difference=shown, held=held)


def _compare(name: str, before: StateFile, after: StateFile) -> SheetDifference:
    if name not in before.sheets:
        return SheetDifference(Changes(added=after.count(name)), event="new sheet")
    if name not in after.sheets:
        return SheetDifference(Changes(removed=before.count(name)), event="sheet removed")
    changes = after.compare(name, before)
    names = after.changed_paths(name, before, NAMES_MAX) if changes else []
    redefined = before.sheets[name] != after.sheets[name]
    return SheetDifference(changes, tuple(names), "definition changed" if redefined else "")


def _git_dir(path: Path) -> Path:
    try:
        return Path(_git("-C", str(path), "rev-parse", "--absolute-git-dir"))
    except _GitError as error:
        if "dubious ownership" in str(error):
            raise RepositoryError(
                f"git does not trust {path}, which belongs to another user; if you do: "
                f"git config --global --add safe.directory {path.resolve()}"
            ) from None
        raise RepositoryError(
            f"{path} {'is no git repository' if path.exists() else 'does not exist'}"
        ) from None


def _uncommitted(path: Path, sheets: Collection[Sheet]) -> tuple[str, ...]:
    """The files that a working tree has and HEAD has not, or not like that; none without one.

    Below the folders of `sheets` and the definitions; no folder is looked through that git ignores.
    """
    folders = (DEFINITIONS_FOLDER, *(sheet.root for sheet in sheets)) if len(sheets) < FOLDERS_MAX else ("",)
    places = (f":(top,literal){each}" for each in folders)
    command = ("status", "--porcelain", "-z", "--untracked-files=all", "--no-renames", "--", *places)
    try:
        entries = _git("--no-optional-locks", "-C", str(path), *command).split("\0")
    except _GitError:  # a bare repository
        return ()
    # What was deleted is what the commit still has; so is every file without a checkout.
    changed = [entry[3:] for entry in entries if "D" not in entry[:2]]
    return tuple(sorted(path for path in changed if sheet_name(path) or _is_record(path, sheets)))


def _is_record(path: str, sheets: Collection[Sheet]) -> bool:
    """Whether a file would be a record of a sheet."""
    return any(
        path.startswith(sheet.prefix) and is_record(sheet, path[len(sheet.prefix) :]) for sheet in sheets
    )


def _commit(git_dir: Path, ref: str, inherited: Collection[str]) -> str:
    try:
        command = ("rev-parse", "--verify", "--quiet", "--end-of-options", f"{ref}^{{commit}}")
        return _git(f"--git-dir={git_dir}", *command, inherited=inherited)
    except _GitError:
        if ref == "HEAD" and not refs_below(git_dir, BRANCHES):
            raise RepositoryError(f"{git_dir} has no commit yet: commit your files first") from None
        shallow = (git_dir / "shallow").exists()
        hint = "; the clone is shallow: fetch that commit first" if shallow else ""
        raise RepositoryError(f"{git_dir} has no commit {ref!r}{hint}") from None


class _GitError(Exception):
    """What git said."""


def _git(*arguments: str, inherited: Collection[str] = ()) -> str:
    """What git prints; of what points it elsewhere, as in a hook, only the variables `inherited` count."""
    kept = {name: value for name, value in os.environ.items() if name not in ELSEWHERE or name in inherited}
    try:
        done = subprocess.run(["git", *arguments], env=kept, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise RepositoryError("git is not installed") from None
    if done.returncode:
        raise _GitError(done.stderr)
    return done.stdout.removesuffix("\n")
