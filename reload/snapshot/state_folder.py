"""The folder of state files: which one is current, which are left over."""

from __future__ import annotations

import contextlib
import itertools
import os
from pathlib import Path

CURRENT = "current.sqlite3"
_BUILDING = "building"


class StateFolder:
    """A folder that holds one state file under a number of its own, and the link CURRENT to it.

    A new file takes over by one rename of the link, so that the old one stays whole for its readers.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True)
        self._numbers = itertools.count(1)

    def current(self) -> Path | None:
        """The state file that was adopted last, None where there is none."""
        link = self.path / CURRENT
        target = self.path / Path(os.readlink(link)).name if link.is_symlink() else link
        return target if target.is_file() else None

    def identity(self, path: Path) -> tuple[int, int] | None:
        """What tells the file at `path` from another that takes its place; None where there is none."""
        try:
            found = path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def new(self) -> Path:
        """A path for a state file that is being built."""
        self.path.mkdir(parents=True, exist_ok=True)  # it may be deleted at any time
        path = self.path / f"{_BUILDING}-{os.getpid()}-{next(self._numbers)}.sqlite3"
        self.discard(path)
        return path

    def keep(self, built: Path) -> Path:
        """Give a whole new file its lasting name, and return that."""
        numbers = (path.stem.removeprefix("records-") for path in self.path.glob("records-*.sqlite3"))
        taken = [int(number) for number in numbers if number.isascii() and number.isdigit()]
        final = self.path / f"records-{max(taken, default=0) + 1}.sqlite3"
        built.rename(final)
        return final

    def point_at(self, final: Path) -> None:
        """Make a file the current one, by one rename of the link."""
        link = self.path / f"{CURRENT}.new"
        link.unlink(missing_ok=True)
        link.symlink_to(final.name)
        link.replace(self.path / CURRENT)

    def discard(self, path: Path) -> None:
        """Remove a state file with what SQLite keeps beside it."""
        for suffix in ("", "-wal", "-shm", "-journal"):
            with contextlib.suppress(OSError):
                path.with_name(path.name + suffix).unlink()

    def sweep(self, keep: Path) -> list[str]:
        """Remove every state file but `keep` and the current one; the names of those removed."""
        kept = (keep, self.current())
        left_over = [
            path
            for pattern in ("records-*.sqlite3", f"{_BUILDING}-*.sqlite3")
            for path in self.path.glob(pattern)
            if path not in kept
        ]
        for path in left_over:
            self.discard(path)
        return [path.name for path in left_over]
