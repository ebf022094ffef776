"""The doctor's checks of the folders that the server writes to: owner, permissions, space, users."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from server.commands.doctor.findings import Finding, as_far_as_seen

FREE_BYTES_MIN: Final = 512 << 20
ENTRIES_LOOKED_AT_MAX: Final = 2_000


def examine_places(repo_path: Path, state_path: Path) -> Iterator[Finding]:
    """The repository's folder and the state's; nothing is made or changed."""
    places = {"repository folder": repo_path, "state folder": state_path}
    for subject, path in places.items():
        yield from as_far_as_seen(subject, _folder(subject, path))
    yield from as_far_as_seen("disk", _disks(places.values()))
    yield _lock(repo_path)


def existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that exists."""
    while not os.path.lexists(path):
        path = path.parent
    return path


def _folder(subject: str, path: Path) -> Iterator[Finding]:
    place = existing(path)
    refused = _unwritable(place)
    if refused is not None:
        yield _not_writable(subject, refused)
        return
    there = "" if place == path else " (not made yet)"
    yield Finding(subject, True, f"{path}{there}, writable for {_user(os.geteuid())}")
    status = place.stat()
    if status.st_mode & stat.S_IWOTH and not status.st_mode & stat.S_ISVTX:
        detail = f"{place} belongs to {_user(status.st_uid)} and is writable by everybody"
        yield Finding(subject, False, detail, f"chmod -R o-w {place}, and start the server with umask 022")
    elif status.st_uid != os.geteuid() and place == path:
        detail = f"{place} belongs to {_user(status.st_uid)}, this is {_user(os.geteuid())}"
        remedy = "run the server, and every command, as one user; what another one makes it cannot change"
        yield Finding(subject, True, detail, remedy)


def _unwritable(place: Path) -> Path | None:
    """The folder or file that cannot be written to: the place itself, or something just below it."""
    if not os.access(place, os.W_OK | os.X_OK):
        return place
    for number, path in enumerate(_below(place)):
        if number >= ENTRIES_LOOKED_AT_MAX:
            break
        # Objects are read-only by git's own will; what matters is that new ones can be added.
        if path.is_dir() and not os.access(path, os.W_OK | os.X_OK):
            return path
    return None


def _below(place: Path) -> Iterator[Path]:
    if not (place / "HEAD").exists():
        return
    for folder in (place / "objects", place / "refs"):
        with contextlib.suppress(OSError):
            yield folder
            yield from sorted(folder.iterdir())


def _not_writable(subject: str, place: Path) -> Finding:
    if os.statvfs(place).f_flag & os.ST_RDONLY:
        remedy = "mount it writable, or choose another path"
        return Finding(subject, False, f"{place} lies on a read-only file system", remedy)
    status = place.stat()
    detail = (
        f"{place} cannot be written to: it belongs to {_user(status.st_uid)} "
        f"with mode {stat.S_IMODE(status.st_mode):04o}, this is {_user(os.geteuid())}"
    )
    return Finding(subject, False, detail, f"chown -R {os.geteuid()} {place} && chmod -R u+rwX {place}")


def _user(uid: int) -> str:
    with contextlib.suppress(KeyError):
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    return f"uid {uid}"


def _disks(paths: Iterable[Path]) -> Iterator[Finding]:
    devices = {os.stat(existing(path)).st_dev: existing(path) for path in paths}
    yield from map(_space, devices.values())


def _space(place: Path) -> Finding:
    free = shutil.disk_usage(place).free
    detail = f"{free >> 20} MiB free below {place}"
    if free >= FREE_BYTES_MIN:
        return Finding("disk", True, detail)
    return Finding("disk", False, detail, f"free at least {FREE_BYTES_MIN >> 20} MiB below {place}")


def _lock(repo_path: Path) -> Finding:
    """Who uses the data directory; read only, so that a server that starts now is not kept out."""
    path = repo_path.with_name(repo_path.name + ".lock")
    with contextlib.suppress(OSError, ValueError):
        pid = int(path.read_text())
        with contextlib.suppress(PermissionError):
            os.kill(pid, 0)
        return Finding("server", True, f"pid {pid} serves {repo_path}")
    return Finding("server", True, f"none serves {repo_path} now")
