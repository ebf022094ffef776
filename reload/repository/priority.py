"""Low priority for a process, and for its session where Linux schedules sessions.

Linux may schedule whole sessions against each other (`sched_autogroup_enabled`). A process that leads a
session of its own is then as good as any other, however nice it is, unless its session is nice too.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path


def lower(pid: int, niceness: int) -> None:
    """Lower the priority of a process that leads a session, and of what it starts from now on."""
    with contextlib.suppress(OSError):  # it has ended
        os.setpriority(os.PRIO_PROCESS, pid, niceness)
    with contextlib.suppress(OSError):  # sessions do not take turns here
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness))


def share(pid: int) -> None:
    """Make the session of a process that this one has started as nice as this process is."""
    niceness = os.getpriority(os.PRIO_PROCESS, 0)
    if niceness > 0:
        lower(pid, niceness)
