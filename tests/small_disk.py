"""A small disk of its own below a folder, that can be filled up, emptied again, and made read-only."""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from reload.repository.disk import free_bytes
from tests.end_to_end.waiting import eventually


class SmallDisk:
    """A disk below `folder` that is filled up but for some bytes, or made read-only, and back."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / "ballast"

    def leave(self, spare: int) -> None:
        """Take the room."""
        self.drop()
        with self._path.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, max(1, free_bytes(self._path.parent) - spare))

    def drop(self) -> None:
        """Give it back."""
        self._path.unlink(missing_ok=True)

    def forbid_writing(self) -> None:
        """Make it read-only."""
        subprocess.run(["mount", "-o", "remount,ro", str(self._folder)], check=True)

    def allow_writing(self) -> None:
        """Make it as it was."""
        subprocess.run(["mount", "-o", "remount,rw", str(self._folder)], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """Put a folder with all that is in it on a disk of `size` bytes; skips where nothing can be mounted."""
    aside = folder.with_name(f"{folder.name}.aside")
    folder.mkdir(exist_ok=True)
    folder.rename(aside)
    folder.mkdir()
    options = ("-t", "tmpfs", "-o", f"size={size}", "tmpfs")
    if subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", str(folder)], check=True)
        yield SmallDisk(folder)
    finally:
        eventually(lambda: subprocess.run(["umount", str(folder)]).returncode == 0, "nobody uses the disk")
