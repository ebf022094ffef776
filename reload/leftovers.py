"""What a killed git leaves in a repository: lock files, half-written packs, orphaned processes.

Only for a repository that belongs to this process: the caller holds the data directory's lock.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

LOCK_AGE_MIN_S = 600.0
_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something removed or ended: its kind (`lock`, `temporary`, `process`), name, age in seconds."""

    kind: str
    name: str
    age_s: float


def clear_leftovers(git_dir: Path, *, alone: bool) -> list[Leftover]:
    """Remove what killed git processes left behind; what was removed.

    `alone` promises that no git of this process runs on the repository: then every git that still
    does is an orphan of a killed server and is ended, and every lock is stale. Otherwise only locks
    older than LOCK_AGE_MIN_S go, and only while no git runs.
    """
    removed: list[Leftover] = []
    running = list(git_processes(git_dir))
    if alone:
        for pid in running:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                removed.append(Leftover("process", str(pid), 0.0))
    elif running:
        return []
    minimum_s = 0.0 if alone else LOCK_AGE_MIN_S
    for kind, path in [*_locks(git_dir), *_temporaries(git_dir)]:
        with contextlib.suppress(OSError):
            age_s = max(0.0, time.time() - path.stat().st_mtime)
            if age_s >= minimum_s:
                path.unlink()
                removed.append(Leftover(kind, str(path.relative_to(git_dir)), round(age_s, 1)))
    return removed


def git_processes(git_dir: Path) -> Iterator[int]:
    """The git processes that run on this repository, where the system tells (Linux)."""
    mark, variable = f"--git-dir={git_dir}".encode(), f"GIT_DIR={git_dir}".encode()
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            if not Path(os.fsdecode(words[0])).name.startswith("git"):
                continue
            if mark in words or variable in (entry / "environ").read_bytes().split(b"\0"):
                yield int(entry.name)


def _locks(git_dir: Path) -> Iterator[tuple[str, Path]]:
    for path in git_dir.glob("*.lock"):
        yield "lock", path
    for path in (git_dir / "refs").rglob("*.lock"):
        yield "lock", path


def _temporaries(git_dir: Path) -> Iterator[tuple[str, Path]]:
    for pattern in ("pack/tmp_*", "pack/.tmp-*", "??/tmp_obj_*", "incoming-*/**/*", "tmp_objdir-*/**/*"):
        for path in (git_dir / "objects").glob(pattern):
            if path.is_file():
                yield "temporary", path
