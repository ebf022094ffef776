"""Faults that come at the Nth step of a reload, passed in as parts that fail."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from reload.repository.clone_folder import CloneFolder
from reload.snapshot.state_folder import StateFolder

_SCRIPT = """#!/bin/sh
if [ -f '{folder}/left' ]; then
    read -r left <'{folder}/left'
    if [ "$left" -le 1 ]; then
        rm -f '{folder}/left'
        echo "$*" >'{folder}/failed'
        {fault}
    fi
    echo $((left - 1)) >'{folder}/left'
fi
exec '{git}' "$@"
"""


class Countdown:
    """Raises `error` at the Nth step after `arm(N)`, once; `fired` names the step at which it did."""

    def __init__(self) -> None:
        self._left = 0
        self.error: Exception = OSError("injected")
        self.fired: str | None = None

    def arm(self, steps: int, error: Exception) -> None:
        """Raise at that step."""
        self._left, self.error, self.fired = steps, error, None

    def step(self, name: str) -> None:
        """Count one step."""
        self._left -= 1
        if self._left == 0:
            self.fired = name
            raise self.error


class Counted:
    """An object whose every method is a step, and those of the moves that it prepares."""

    # What puts things in order again is no step: it is what is being looked at.
    _ORDERLY = frozenset({"abort", "close", "stop", "pids"})

    def __init__(self, real: Any, countdown: Countdown) -> None:
        self._real, self._countdown = real, countdown

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._real, name)
        if not callable(found) or name in self._ORDERLY:
            return found

        def stepped(*arguments: Any, **values: Any) -> Any:
            self._countdown.step(name)
            answer = found(*arguments, **values)
            return Counted(answer, self._countdown) if name == "lock_refs" else answer

        return stepped


def counted_clone(countdown: Countdown) -> type[CloneFolder]:
    """A CloneFolder whose repository counts."""

    class CountedFolder(CloneFolder):
        def open(self) -> Any:
            return Counted(super().open(), countdown)

        def replace(self, reason: str) -> Any:
            return Counted(super().replace(reason), countdown)

    return CountedFolder


def counted_folder(countdown: Countdown) -> type[StateFolder]:
    """A StateFolder that counts, before and after it does what it is asked for."""

    def stepped(name: str) -> Callable[..., Any]:
        method = getattr(StateFolder, name)

        def run(self: StateFolder, *arguments: Any) -> Any:
            countdown.step(f"before {name}")
            answer = method(self, *arguments)
            countdown.step(f"after {name}")
            return answer

        return run

    names = ("current", "new", "keep", "point_at", "identity")
    return type("CountedFolder", (StateFolder,), {name: stepped(name) for name in names})


class FailingGit:
    """A `git` that stands on PATH before the real one and fails at the Nth call after `arm(N)`."""

    def __init__(self, folder: Path, fault: str) -> None:
        folder.mkdir()
        self._folder = folder
        script = folder / "git"
        script.write_text(_SCRIPT.format(folder=folder, git=shutil.which("git"), fault=fault))
        script.chmod(0o755)

    @property
    def path(self) -> str:
        """The value for PATH."""
        return f"{self._folder}{os.pathsep}{os.environ['PATH']}"

    def arm(self, calls: int) -> None:
        """Fail at that call."""
        (self._folder / "failed").unlink(missing_ok=True)
        (self._folder / "left").write_text(f"{calls}\n")

    def disarm(self) -> str | None:
        """Fail no more; the command that failed, if one did."""
        (self._folder / "left").unlink(missing_ok=True)
        failed = self._folder / "failed"
        return failed.read_text().strip() if failed.exists() else None
