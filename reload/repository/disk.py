"""How much room the disk below a path has."""

from __future__ import annotations

import os
from pathlib import Path

# With less than this a fetch is not begun: what it leaves unfinished would take the room of others.
FREE_BYTES_MIN = 64 << 20


def free_bytes(path: Path) -> int:
    """How much may still be written where `path` is or will be; raises OSError where that cannot be told."""
    while not path.exists() and path != path.parent:
        path = path.parent
    found = os.statvfs(path)
    return found.f_bavail * found.f_frsize
