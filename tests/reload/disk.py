"""A disk that fails at the Nth thing that SQLite asks of it, put below every connection of this process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw

_NAME = "failing"


class FailingDisk:
    """As a context: SQLite's files in `folder` go through it; `arm(N, error)` fails the Nth call, once."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._left = 0
        self._error: type[apsw.Error] = apsw.IOError
        self.failed: str | None = None

    def __enter__(self) -> FailingDisk:
        disk = self

        class Vfs(apsw.VFS):
            def __init__(self) -> None:
                super().__init__(_NAME, "unix", makedefault=True)

            def xOpen(self, name: Any, flags: Any) -> Any:  # noqa: N802 (the name is SQLite's)
                path = name if isinstance(name, str) or name is None else name.filename()
                if path is None or not path.startswith(disk._folder):
                    return super().xOpen(name, flags)
                disk.step("open")
                return _file_of(disk.step)("unix", name, flags)

        self._vfs = Vfs()
        return self

    def __exit__(self, *_: object) -> None:
        self._vfs.unregister()

    def arm(self, calls: int, error: type[apsw.Error]) -> None:
        """Fail at that call."""
        self._left, self._error, self.failed = calls, error, None

    def disarm(self) -> str | None:
        """Fail no more; what has failed, if anything did."""
        self._left = 0
        return self.failed

    def step(self, name: str) -> None:
        """Count one call."""
        self._left -= 1
        if self._left == 0:
            self.failed = name
            raise self._error(f"injected into {name}")


def _file_of(step: Callable[[str], None]) -> type[apsw.VFSFile]:
    class File(apsw.VFSFile):
        def xRead(self, amount: int, offset: int) -> bytes:  # noqa: N802
            step("read")
            return super().xRead(amount, offset)

        def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802
            step("write")
            super().xWrite(data, offset)

        def xSync(self, flags: int) -> None:  # noqa: N802
            step("sync")
            super().xSync(flags)

        def xLock(self, level: int) -> None:  # noqa: N802
            try:
                super().xLock(level)
            except apsw.IOError as error:
                # Closing the last connection tries for a lock that a reader cannot have, and goes on
                # without; from here SQLite would report it.
                raise apsw.BusyError from error

        def xTruncate(self, size: int) -> None:  # noqa: N802
            step("truncate")
            super().xTruncate(size)

    return File
