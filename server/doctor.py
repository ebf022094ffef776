"""`livesheets doctor`: look at everything a server needs, and say how to mend each fault."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import apsw

from reload.clone import open_repository
from reload.errors import ReloadError
from server.lock import DirectoryLock, InUse
from server.settings import Settings, SettingsError, read_settings

GIT_VERSION_MIN = (2, 36)
FREE_BYTES_MIN = 512 << 20


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `remedy` mends a fault, `configuration` says that a setting is at fault."""

    subject: str
    ok: bool
    detail: str
    remedy: str = ""
    configuration: bool = False


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Everything that was looked at, faults among it."""
    findings = [_git(), Finding("sqlite", True, apsw.sqlite_lib_version())]
    try:
        settings = read_settings(environ, required=("CFP_DATA_REPO_PATH",))
    except SettingsError as error:
        return findings + [Finding("settings", False, fault, configuration=True) for fault in error.faults]
    findings.append(Finding("settings", True, "understood"))
    findings += [Finding("settings", True, warning) for warning in settings.warnings]
    if settings.reload_secret is None:
        remedy = "set CFP_DATA_RELOAD_SECRET (openssl rand -hex 32) to let pushes reload the data"
        findings.append(Finding("webhook", True, "no secret is set, so it answers 503", remedy))
    assert settings.repo_path is not None
    return findings + list(_places(settings, settings.repo_path.absolute()))


def _git() -> Finding:
    if shutil.which("git") is None:
        return Finding("git", False, "not found", "install git 2.36 or newer")
    words = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.search(r"(\d+)\.(\d+)", words)
    if found is None or (int(found[1]), int(found[2])) < GIT_VERSION_MIN:
        return Finding("git", False, words, "install git 2.36 or newer")
    return Finding("git", True, words)


def _places(settings: Settings, repo_path: Path) -> Iterator[Finding]:
    state_path = settings.state_path or repo_path.with_name(repo_path.name + ".state")
    for subject, path in (("repository folder", repo_path), ("state folder", state_path)):
        yield _writable(subject, path)
    free = shutil.disk_usage(_existing(repo_path)).free
    enough = free >= FREE_BYTES_MIN
    yield Finding("disk", enough, f"{free >> 20} MiB free", "" if enough else "free at least 512 MiB")
    try:
        DirectoryLock(repo_path).release()
    except InUse as error:
        yield Finding("lock", True, str(error))
        return
    except OSError as error:
        yield Finding("lock", False, str(error), f"let uid {os.getuid()} write to {repo_path.parent}")
        return
    yield from _remote(settings, repo_path)


def _writable(subject: str, path: Path) -> Finding:
    place = _existing(path)
    if os.access(place, os.W_OK | os.X_OK):
        return Finding(subject, True, str(path))
    owner = place.stat().st_uid
    remedy = f"chown -R {os.getuid()} {place}"
    return Finding(subject, False, f"{place} belongs to uid {owner}, this is uid {os.getuid()}", remedy)


def _existing(path: Path) -> Path:
    """The path itself or the nearest folder above it that exists."""
    return path if path.exists() else _existing(path.parent)


def _remote(settings: Settings, repo_path: Path) -> Iterator[Finding]:
    try:
        repository = open_repository(
            repo_path,
            remote=settings.remote,
            branch=settings.branch,
            timeout_s=settings.git_timeout_s,
        )
    except ReloadError as error:
        remedy = "check CFP_DATA_REPO_PATH, CFP_DATA_REMOTE, the network and the deploy key"
        yield Finding("repository", False, str(error), remedy)
        return
    try:
        yield Finding("repository", True, f"{repo_path}, branch {repository.branch}")
        if repository.has_remote:
            repository.fetch()
            yield Finding("remote", True, f"reached, {repository.branch} is at {repository.remote_commit()}")
        else:
            yield Finding("remote", True, "none is set; the local branch is served as it is")
    except ReloadError as error:
        yield Finding("remote", False, str(error), "check CFP_DATA_REMOTE, the network and the deploy key")
    finally:
        repository.close()
