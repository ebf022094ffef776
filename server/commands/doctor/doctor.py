"""`livesheets doctor`: look at everything a server needs, change nothing, and say how to fix each fault."""

from __future__ import annotations

import re
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import apsw

from server.commands.doctor.findings import Finding, as_far_as_seen
from server.commands.doctor.folders import examine_places
from server.commands.doctor.repository import examine_sources
from server.settings.settings import Settings, SettingsError, read_settings
from server.settings.variables import VARIABLES

GIT_VERSION_MIN: Final = (2, 36)


def examine(environ: Mapping[str, str]) -> list[Finding]:
    """Everything that was looked at, faults among it; safe beside a server that runs."""
    findings = [_git(), Finding("sqlite", True, apsw.sqlite_lib_version())]
    try:
        settings = read_settings(environ, required=("CFP_DATA_REPO_PATH",))
    except SettingsError as error:
        return findings + [Finding("settings", False, fault, configuration=True) for fault in error.faults]
    assert settings.repo_path is not None
    repo_path = settings.repo_path.absolute()
    state_path = settings.state_path or repo_path.with_name(repo_path.name + ".state")
    findings += as_far_as_seen("settings", _settings(settings, environ))
    findings += examine_places(repo_path, state_path)
    if findings[0].ok:
        findings += examine_sources(settings, repo_path)
    return findings


def _git() -> Finding:
    wanted = ".".join(map(str, GIT_VERSION_MIN))
    if shutil.which("git") is None:
        return Finding("git", False, "not found", f"install git {wanted} or newer")
    words = subprocess.run(["git", "--version"], capture_output=True, text=True, check=False).stdout.strip()
    found = re.search(r"(\d+)\.(\d+)", words)
    if found is None or (int(found[1]), int(found[2])) < GIT_VERSION_MIN:
        return Finding("git", False, words, f"install git {wanted} or newer")
    return Finding("git", True, words.removeprefix("git version "))


def _settings(settings: Settings, environ: Mapping[str, str]) -> Iterator[Finding]:
    yield Finding("settings", True, "understood")
    for warning in settings.warnings:
        yield Finding("settings", True, warning, "correct it, or ignore it")
    yield from _secret_files(environ)
    if settings.reload_secret is None:
        remedy = "set CFP_DATA_RELOAD_SECRET (openssl rand -hex 32) to let pushes reload the data"
        yield Finding("webhook", True, "no secret is set, so it answers 503", remedy)
    else:
        yield Finding("webhook", True, "a secret is set")
    if settings.poll_interval_s == 0 and settings.remote is not None:
        remedy = "set CFP_DATA_POLL_INTERVAL=300, so that a lost webhook heals by itself"
        yield Finding("polling", True, "off: a push is seen only when a webhook announces it", remedy)
    if settings.notify_url is not None:
        yield Finding("reports", True, f"go to {urlsplit(settings.notify_url).hostname}")


def _secret_files(environ: Mapping[str, str]) -> Iterator[Finding]:
    """Files of secrets that others may read."""
    for variable in VARIABLES:
        file = environ.get(f"{variable.name}_FILE")
        if variable.secret and file and Path(file).stat().st_mode & (stat.S_IROTH | stat.S_IWOTH):
            detail = f"{file}, the file of {variable.name}, is open to every user of this machine"
            yield Finding("secrets", False, detail, f"chmod o-rwx {file}")
