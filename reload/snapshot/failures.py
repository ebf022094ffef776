"""What SQLite raises, by what it means for a reload."""

from __future__ import annotations

import apsw

SQLITE_ERROR = apsw.Error
DISK_FULL = apsw.FullError
# A read raises these where the file, or the disk below it, no longer gives what was written.
DAMAGE = (apsw.CorruptError, apsw.NotADBError, apsw.IOError)
# These say nothing against the file: the disk, the memory or another process is the cause.
NOT_THE_FILE = (apsw.FullError, apsw.NoMemError, apsw.InterruptError, apsw.BusyError, apsw.LockedError)
