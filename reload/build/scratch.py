"""A state file built from scratch: git streams, this process parses and inserts, a thread indexes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reload.build.findings import TooLargeData
from reload.build.layout import list_layout
from reload.build.manifest import Problems, read_manifest
from reload.build.sheet_build import Build, build_sheet
from reload.errors import DataRejected, Problem
from reload.records.policy import DataPolicy
from reload.repository.repository import Repository
from reload.snapshot.state_file import StateFile

Progress = Callable[[int, int], None]
_DEFAULT_POLICY = DataPolicy()


def build_from_scratch(
    repository: Repository,
    commit: str,
    path: Path,
    progress: Progress,
    policy: DataPolicy = _DEFAULT_POLICY,
) -> None:
    """Write the whole commit into a new state file at `path`.

    Raises DataRejected with every problem, or whatever broke; the file is worthless then.
    """
    state_file = StateFile.create(path)
    try:
        _fill(Build(repository, state_file, commit, policy, Problems()), progress)
        list_layout(repository, state_file, commit)
        state_file.note(
            commit=commit,
            committed_at=repository.committed_at(commit).isoformat(),
            policy=policy.noted,
        )
        state_file.verify()
        state_file.finish()
    except TooLargeData as error:
        raise DataRejected(commit, [Problem(".", 0, 0, str(error))]) from error
    finally:
        state_file.close()


def _fill(build: Build, progress: Progress) -> None:
    """Every sheet of the commit; raises DataRejected where it cannot be served."""
    problems = build.problems
    manifest = read_manifest(build.repository, build.commit, build.policy.entries_max, problems)
    total = sum(len(contents.records) for contents in manifest.contents.values())
    done = 0
    progress(done, total)
    for name, sheet in manifest.sheets.items():
        for loaded in build_sheet(build, sheet, manifest.contents[name]):
            done += loaded
            progress(done, total)
    if problems.total:
        raise DataRejected(build.commit, problems.kept, problems.counts)
