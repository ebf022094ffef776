"""`livesheets check`: load a branch as the server would and report every problem."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from reload.errors import DataRejected, Problem, RepositoryError
from reload.repository import Repository
from reload.scratch import build_from_scratch
from reload.store import Changes, Store


@dataclass(frozen=True, slots=True)
class Report:
    """What loading a commit gave: its sheets with their counts, and everything wrong with it."""

    commit: str
    records: dict[str, int]
    problems: tuple[Problem, ...]
    total: int
    changes: dict[str, Changes] | None = None


def check_repository(path: Path, ref: str, base: str | None, progress: Callable[[int, int], None]) -> Report:
    """Load `ref` of the repository at `path`; compare it with `base` where that is given.

    Raises RepositoryError where there is no repository or no such commit.
    """
    git_dir = _git_dir(path)
    repository = Repository(git_dir, "check", remote=False, timeout_s=0)
    try:
        commit = _commit(git_dir, ref)
        with tempfile.TemporaryDirectory(prefix="livesheets-check-") as folder:
            new = Path(folder, "new.sqlite3")
            try:
                build_from_scratch(repository, commit, new, progress)
            except DataRejected as error:
                return Report(commit, {}, error.problems, error.total)
            changes = _changes(repository, _commit(git_dir, base), new, Path(folder)) if base else None
            store = Store.open(new)
            records = {name: store.count(name) for name in sorted(store.sheets)}
            store.close()
            return Report(commit, records, (), 0, changes)
    finally:
        repository.close()


def _changes(repository: Repository, base: str, new: Path, folder: Path) -> dict[str, Changes] | None:
    """What the new commit changes against `base`, None where that one cannot be loaded."""
    old = folder / "old.sqlite3"
    try:
        build_from_scratch(repository, base, old, lambda done, total: None)
    except DataRejected:
        return None
    before, after = Store.open(old), Store.open(new)
    try:
        found: dict[str, Changes] = {}
        for name in sorted({*before.sheets, *after.sheets}):
            if name not in before.sheets:
                found[name] = Changes(added=after.count(name))
            elif name not in after.sheets:
                found[name] = Changes(removed=before.count(name))
            else:
                found[name] = after.compare(name, before)
        return {name: changes for name, changes in found.items() if changes}
    finally:
        before.close()
        after.close()


def _git_dir(path: Path) -> Path:
    found = subprocess.run(
        ["git", "-C", str(path), "rev-parse", "--absolute-git-dir"],
        capture_output=True,
        text=True,
        check=False,
    )
    if found.returncode:
        raise RepositoryError(f"{path} is no git repository")
    return Path(found.stdout.strip())


def _commit(git_dir: Path, ref: str) -> str:
    command = [
        "git",
        f"--git-dir={git_dir}",
        "rev-parse",
        "--verify",
        "--quiet",
        "--end-of-options",
        f"{ref}^{{commit}}",
    ]
    found = subprocess.run(command, capture_output=True, text=True, check=False)
    if found.returncode:
        raise RepositoryError(f"{git_dir} has no commit {ref!r}")
    return found.stdout.strip()
