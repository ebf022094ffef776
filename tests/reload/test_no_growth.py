"""However many reloads there are, what they take does not grow."""

from __future__ import annotations

import gc
import os
import resource
import threading
from collections.abc import Iterator
from pathlib import Path
from statistics import median

import pytest

from reload.build.state_writer import LOG_BYTES_MAX
from tests.gitrepo import run_git
from tests.reload.harness import FILES, Engine, Place

# LIVESHEETS_RELOADS=2000 makes it the long run.
RELOADS = int(os.environ.get("LIVESHEETS_RELOADS", "300"))
SETTLED = 50
# The memory of this process is also that of the test runner.
SLACK = {"memory bytes": 16 << 20}
PAGE = 'text = "' + "words " * 200


def trees(number: int) -> Iterator[dict[str, bytes]]:
    """Trees that differ in a few records each; every tenth cannot be served."""
    files = {path: str(text).encode() for path, text in FILES.items()}
    for each in range(number):
        files["notes/start.toml"] = f'{PAGE} {each}"\n'.encode()
        files[f"notes/n{each % 20}.toml"] = f"n = {each}\n".encode()
        files.pop(f"notes/n{(each + 10) % 20}.toml", None)
        bad = {"notes/bad.toml": b"= x\n"} if each % 10 == 9 else {}
        yield files | bad


def taken(place: Place) -> dict[str, int]:
    """What this process and its state file take now."""
    children = Path(f"/proc/self/task/{os.getpid()}/children").read_text().split()
    state = [path for path in place.state.iterdir() if not path.is_symlink()]
    gc.collect()
    resident_pages = int(Path("/proc/self/statm").read_text().split()[1])
    return {
        "memory bytes": resident_pages * resource.getpagesize(),
        "files": len(os.listdir("/proc/self/fd")),
        "threads": threading.active_count(),
        "children": len(children),
        "log bytes": sum(path.stat().st_size for path in state if path.name.endswith("-wal")),
        "state bytes": sum(path.stat().st_size for path in state if path.suffix == ".sqlite3"),
        "state files": len(state),
    }


@pytest.mark.timeout(120 + RELOADS)
@pytest.mark.gen_test(timeout=120 + RELOADS)
async def test_reloads_leave_nothing_behind_that_grows(place: Place) -> None:
    commits = place.remote.author.commit_all(trees(RELOADS))
    author = place.remote.author
    author.git("push", "-q", str(place.remote.path), "main:refs/heads/all")
    run_git(place.remote.path, "pack-refs", "--all")
    async with Engine(place) as engine:
        levels = []
        for number, commit in enumerate(commits):
            (place.remote.path / "refs" / "heads" / "main").write_text(f"{commit}\n")
            outcome = await engine.reload()
            assert outcome.outcome == ("data-rejected" if number % 10 == 9 else "fast-forwarded")
            if number >= SETTLED and number % 10 == 0:
                levels.append(taken(place))
        engine.is_whole(commits[-2])
    early, late = levels[: len(levels) // 4], levels[-len(levels) // 4 :]
    for name in early[0]:
        # Not the highest: while packs are gathered beside it, there are a git and its pipes more.
        before, after = (median(level[name] for level in levels) for levels in (early, late))
        before = LOG_BYTES_MAX if name == "log bytes" else before
        assert after <= before * 1.1 + SLACK.get(name, 2), (name, before, after)
