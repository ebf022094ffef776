"""What a killed git leaves in a repository: lock files, partial packs, orphaned processes.

Only for a repository that belongs to this process: the caller holds the data directory's lock.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import shutil
import signal
import time
from collections.abc import Container, Iterator
from dataclasses import dataclass
from pathlib import Path

LOCK_AGE_MIN_S = 600.0
_END_DEADLINE_S = 10.0
_LOOK_AGAIN_S = 0.005
_PROC = Path("/proc")
_BECOME_GIT = ("sh", "env")  # with which `reload.repository.environment` starts it
_KEPT_BY_FETCH = b"fetch-pack "  # by itself, until a ref names what arrived; others keep packs for good
_LOCKS = ("*.lock", "objects/info/**/*.lock", "objects/pack/*.lock", "objects/*.lock")
_TEMPORARIES = ("pack/tmp_*", "pack/.tmp-*", "??/tmp_obj_*", "incoming-*", "tmp_objdir-*")


@dataclass(frozen=True, slots=True)
class Leftover:
    """Something removed or ended: its kind (`lock`, `temporary`, `process`), name, age in seconds."""

    kind: str
    name: str
    age_s: float


@dataclass(frozen=True, slots=True)
class GitProcess:
    """A git that runs on the repository; `ours` where it was told the folder as this program tells it."""

    pid: int
    ours: bool


def clear_at_start(git_dir: Path) -> list[Leftover]:
    """Remove what a killed server left: its git processes, every lock, every half-written file.

    Another program's git on the repository is left alone, and so are locks that may be its.
    """
    ended = _end_ours(git_dir)
    others = any(git_processes(git_dir))
    removed = _remove(git_dir, time.time() - LOCK_AGE_MIN_S if others else None)
    return [Leftover("process", str(pid), 0.0) for pid in ended] + removed


def clear_after_failure(
    git_dir: Path, ours: Container[int], begun: float, *, died: bool
) -> list[Leftover] | None:
    """Remove what a git left that failed; `begun` is when it was started, in seconds since 1970.

    Half-written files that came since then go, and, where it `died` without a chance to remove them,
    such locks. Other locks go when they are older than LOCK_AGE_MIN_S. Nothing goes, and the answer is
    None, while any git but `ours` runs on the repository.
    """
    if any(process.pid not in ours for process in git_processes(git_dir)):
        return None
    old = time.time() - LOCK_AGE_MIN_S
    removed = _remove(git_dir, old)
    for kind, path in _leftovers(git_dir):
        if kind == "temporary" or died:
            removed += _remove_one(git_dir, kind, path, since=begun)
    return removed


def git_processes(git_dir: Path) -> Iterator[GitProcess]:
    """The git processes that run on this repository, where the system tells (Linux)."""
    mark, variable = f"--git-dir={git_dir}".encode(), f"GIT_DIR={git_dir}".encode()
    home = os.path.realpath(git_dir)
    for entry in _PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            words = (entry / "cmdline").read_bytes().split(b"\0")
            name = Path(os.fsdecode(words[0])).name
            is_git = name.startswith("git")
            variables = (entry / "environ").read_bytes().split(b"\0") if is_git else []
            if variable in variables or (mark in words and (is_git or name in _BECOME_GIT)):
                yield GitProcess(int(entry.name), ours=True)
            elif is_git and home in _places(entry, words, variables):
                yield GitProcess(int(entry.name), ours=False)


def _end_ours(git_dir: Path) -> list[int]:
    """End what a killed server started, together with what that starts meanwhile; their ids."""
    killed: dict[int, None] = {}
    give_up = time.monotonic() + _END_DEADLINE_S
    while ours := [process.pid for process in git_processes(git_dir) if process.ours]:
        if time.monotonic() > give_up:
            break
        for pid in ours:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
                killed[pid] = None
        time.sleep(_LOOK_AGAIN_S)  # one that was killed may write until the system has ended it
    return list(killed)


def _places(entry: Path, words: list[bytes], variables: list[bytes]) -> set[str]:
    """Where another program's git may work: its folder, and the repository it was given, by any spelling."""
    folder = os.readlink(entry / "cwd")
    told = [word.removeprefix(b"--git-dir=") for word in words if word.startswith(b"--git-dir=")]
    told += [after for word, after in itertools.pairwise(words) if word == b"--git-dir"]
    told += [value.removeprefix(b"GIT_DIR=") for value in variables if value.startswith(b"GIT_DIR=")]
    return {folder, *(os.path.realpath(os.path.join(folder, os.fsdecode(path))) for path in told)}


def _remove(git_dir: Path, before: float | None) -> list[Leftover]:
    """Remove what was last written before a moment, or all of it."""
    return [
        leftover
        for kind, path in _leftovers(git_dir)
        for leftover in _remove_one(git_dir, kind, path, before=before)
    ]


def _remove_one(
    git_dir: Path, kind: str, path: Path, *, before: float | None = None, since: float | None = None
) -> list[Leftover]:
    with contextlib.suppress(OSError):
        written = path.stat().st_mtime
        if (before is not None and written > before) or (since is not None and written < since - 1):
            return []
        shutil.rmtree(path) if path.is_dir() else path.unlink()
        age_s = round(max(0.0, time.time() - written), 1)
        return [Leftover(kind, str(path.relative_to(git_dir)), age_s)]
    return []


def _leftovers(git_dir: Path) -> list[tuple[str, Path]]:
    locks = [path for pattern in _LOCKS for path in _matching(git_dir, pattern)]
    locks += _matching(git_dir / "refs", "**/*.lock")
    files = [path for pattern in _TEMPORARIES for path in _matching(git_dir / "objects", pattern)]
    files += filter(_is_kept_by_fetch, _matching(git_dir, "objects/pack/*.keep"))
    return [("lock", path) for path in locks] + [("temporary", path) for path in files]


def _is_kept_by_fetch(path: Path) -> bool:
    with contextlib.suppress(OSError), path.open("rb") as keep:
        return keep.read(len(_KEPT_BY_FETCH)) == _KEPT_BY_FETCH
    return False


def _matching(folder: Path, pattern: str) -> Iterator[Path]:
    """What matches, also while another git removes folders."""
    with contextlib.suppress(OSError):
        yield from folder.glob(pattern)
