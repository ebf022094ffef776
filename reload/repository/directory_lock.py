"""The data directory belongs to one process at a time."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path


class DirectoryInUse(Exception):
    """Another process has the data directory; the message names it."""


class DirectoryLock:
    """A lock on `<data repository>.lock` that ends with the process, whatever ends it."""

    def __init__(self, repo_path: Path) -> None:
        self.path = repo_path.with_name(repo_path.name + ".lock")
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self._file = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            pid = os.pread(self._file, 32, 0).decode(errors="replace").strip() or "unknown"
            os.close(self._file)
            raise DirectoryInUse(f"{repo_path} is in use by pid {pid}; stop that server first") from None
        os.ftruncate(self._file, 0)
        os.pwrite(self._file, f"{os.getpid()}\n".encode(), 0)

    def release(self) -> None:
        """Let another process have the data directory."""
        os.ftruncate(self._file, 0)
        os.close(self._file)
