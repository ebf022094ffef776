"""The environment that git runs in: its settings, its variables, and limits on what it may write."""

from __future__ import annotations

import os
import resource
import signal
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

# What the repository's own configuration says about running programs, or going elsewhere, is void.
_CONFIGURATION = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    "core.askPass=",
    "gc.auto=0",
    "maintenance.auto=false",
    "advice.detachedHead=false",
    "protocol.allow=never",
    "protocol.file.allow=always",
    "protocol.git.allow=always",
    "protocol.http.allow=always",
    "protocol.https.allow=always",
    "protocol.ssh.allow=always",
    # git tells a redirect to the same host from one to another by nothing.
    "http.followRedirects=false",
    # The history of one file is asked for by its name; by another name it was another file.
    "log.follow=false",
    # Whoever holds a lock for a moment, such as a `git gc` by hand, is waited for.
    "core.filesRefLockTimeout=1000",
    "core.packedRefsTimeout=1000",
)
_ENVIRONMENT = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_ASKPASS": "",
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_NO_LAZY_FETCH": "1",  # since git 2.44: what is missing is missing, and not asked of a remote
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_PROTOCOL_FROM_USER": "0",
    "GIT_GRAFT_FILE": f"{os.devnull}/none",  # parents are what the commits say
    "LC_ALL": "C",
}
# What points git at another repository or at a part of one, or has it read paths and attributes otherwise:
# set where a git hook or an alias starts the server.
ELSEWHERE = (
    "GIT_ALTERNATE_OBJECT_DIRECTORIES",
    "GIT_ATTR_SOURCE",
    "GIT_COMMON_DIR",
    "GIT_CONFIG",
    "GIT_DEFAULT_REF_FORMAT",
    "GIT_DIR",
    "GIT_GLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
    "GIT_INDEX_FILE",
    "GIT_INTERNAL_SUPER_PREFIX",
    "GIT_LITERAL_PATHSPECS",
    "GIT_NAMESPACE",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
    "GIT_PROXY_COMMAND",
    "GIT_QUARANTINE_PATH",
    "GIT_REPLACE_REF_BASE",
    "GIT_SHALLOW_FILE",
    "GIT_WORK_TREE",
)
_SSH = "ssh -oBatchMode=yes -oConnectTimeout=15"
# A shell sets the bounds, since they must count before git starts others; it becomes git and so costs little.
# Whatever writes beyond them is to say so, instead of being ended by a signal without a word.
_BOUNDED = (
    "sh",
    "-c",
    f'trap "" {int(signal.SIGXFSZ)}; ulimit -f "$0" && ulimit -d "$1" && shift && exec "$@"',
)
_FILE_UNIT, _MEMORY_UNIT = 512, 1024


@dataclass(frozen=True, slots=True)
class Bounds:
    """How much git, and each process that it starts, may write into one file and have in memory."""

    file_bytes_max: int
    memory_bytes_max: int

    def command_line(self) -> tuple[str, ...]:
        """What starts a program within the bounds, and never beyond those that this process lives in."""
        file = _capped(resource.RLIMIT_FSIZE, self.file_bytes_max) // _FILE_UNIT
        memory = _capped(resource.RLIMIT_DATA, self.memory_bytes_max) // _MEMORY_UNIT
        return (*_BOUNDED, str(file), str(memory))


def command_line(
    git_dir: Path, settings: Iterable[str], bounds: Bounds | None, work_tree: Path | None = None
) -> list[str]:
    """How git is started on a repository, up to its arguments."""
    inherited = [part for name in ELSEWHERE if name in os.environ for part in ("-u", name)]
    unset = ("env", *inherited) if inherited else ()
    given = (part for setting in (*_CONFIGURATION, *settings) for part in ("-c", setting))
    files = ("-C", str(work_tree), f"--work-tree={work_tree}") if work_tree is not None else ()
    return [*(bounds.command_line() if bounds else ()), *unset, "git", f"--git-dir={git_dir}", *files, *given]


def environment() -> dict[str, str]:
    """What git's environment has beside the inherited one."""
    return _ENVIRONMENT | {"GIT_SSH_COMMAND": os.environ.get("GIT_SSH_COMMAND", _SSH)}


def _capped(limit: int, wanted: int) -> int:
    _, hard = resource.getrlimit(limit)
    return wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
