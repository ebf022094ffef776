"""Whether a build failed because the disk is full."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

from reload.errors import BuildFailed, DiskFull, RepositoryError
from reload.repository.disk import free_bytes
from reload.snapshot.failures import DISK_FULL

_FULL = (errno.ENOSPC, errno.EDQUOT)
_WORDS = re.compile("|".join((*map(os.strerror, _FULL), "out of diskspace")), re.IGNORECASE)
# git does not always say why it could not write; with less room than this it is clear.
_NOTHING_BYTES = 64 << 10


def is_full(error: BaseException | None, below: Path | None = None) -> bool:
    """Whether an error says that the disk is full, or what caused it does, or there is no room `below`."""
    if below is not None and free_bytes(below) < _NOTHING_BYTES:
        return True
    while error is not None:
        if isinstance(error, (DISK_FULL, DiskFull)):
            return True
        if isinstance(error, OSError) and error.errno in _FULL:
            return True
        if isinstance(error, RepositoryError) and _WORDS.search(str(error)):
            return True
        error = error.__cause__
    return False


def failed_build(error: Exception, below: Path | None = None) -> BuildFailed:
    """What a build failed by: DiskFull where there was no room."""
    words = f"{type(error).__name__}: {error}"
    return DiskFull(f"{words}; free some space") if is_full(error, below) else BuildFailed(words)
