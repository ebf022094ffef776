"""A `git` to stand on PATH before the real one: it notes every call and waits at gates that tests hold."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path
from types import TracebackType

from tests.end_to_end.waiting import eventually

# Gates are named pipes: opening one for reading waits for the test, and the other way round.
_SCRIPT = """#!/bin/sh
folder='{folder}'
echo "$*" >>"$folder/calls"
wait_at() {{ [ ! -p "$folder/$1" ] || read -r _ <"$folder/$1"; }}
case " $* " in
*" fetch "*)
    wait_at before-fetch
    '{git}' "$@"
    status=$?
    wait_at after-fetch
    exit $status ;;
*" update-ref --stdin "*)
    while IFS= read -r line; do
        [ "$line" != commit ] || wait_at before-commit
        printf '%s\\n' "$line"
    done | '{git}' "$@" | while IFS= read -r line; do
        [ "$line" != 'commit: ok' ] || wait_at after-commit
        printf '%s\\n' "$line"
    done
    exit ;;
*" diff-tree --stdin "*)
    while IFS= read -r line; do
        [ "$line" = end ] || wait_at difference
        printf '%s\\n' "$line"
    done | '{git}' "$@"
    exit ;;
*" ls-tree "*) wait_at tree ;;
*" --buffer "*) wait_at blobs ;;
*" cat-file blob "*) wait_at attachment ;;
esac
exec '{git}' "$@"
"""
RELOAD_GATES = ("before-fetch", "after-fetch", "difference", "tree", "blobs", "before-commit", "after-commit")
GATES = (*RELOAD_GATES, "attachment")


class GitOnPath:
    """The `git` in `folder`; start a server with `path` as its PATH."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._calls = folder / "calls"
        self._calls.touch()
        script = folder / "git"
        script.write_text(_SCRIPT.format(folder=folder, git=shutil.which("git")))
        script.chmod(0o755)

    @property
    def path(self) -> str:
        """The value for PATH."""
        return f"{self._folder}{os.pathsep}{os.environ['PATH']}"

    def calls(self, word: str) -> int:
        """How often git was started with `word` among its arguments."""
        return sum(f" {word} " in f" {line} " for line in self._calls.read_text().splitlines())

    def gate(self, name: str) -> Gate:
        """Hold git at a gate from now on, one call at a time."""
        assert name in GATES, name
        return Gate(self._folder / name)


class Gate:
    """A place at which git waits; as a context it is open again in the end."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: int | None = None
        os.mkfifo(path)

    def __enter__(self) -> Gate:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.open()

    def reached(self) -> None:
        """Wait until git waits here."""
        self._held = eventually(self._knock, f"git waits at {self._path.name}")

    def open(self) -> None:
        """Let git go on, now and from now on."""
        if self._held is None and self._path.exists():
            self._held = self._knock()
        self._path.unlink(missing_ok=True)
        if self._held is not None:
            os.close(self._held)  # ends git's reading
            self._held = None

    def _knock(self) -> int | None:
        try:
            return os.open(self._path, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno == errno.ENXIO:  # nobody reads yet
                return None
            raise
