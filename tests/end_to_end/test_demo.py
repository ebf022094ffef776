"""`livesheets demo` as a newcomer meets it: start it, paste what it prints, see the edit."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import pytest

from server.demo.demo import EDITED_RECORD
from tests.end_to_end.server_process import ServerProcess, environment
from tests.gitrepo import run_git

COMMAND_TIMEOUT_S = 60
_COMMAND = re.compile(r"^[A-Z][^\n]*:\n\n(.+?)\n\n", re.MULTILINE | re.DOTALL)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[ServerProcess]:
    # The demo takes no settings but those of the log, so these must not matter.
    settings = {"CFP_DATA_BRANCH": "another", "CFP_CORS_ORIGINS": "not an origin", "PORT": "nonsense"}
    started = ServerProcess(tmp_path, "/nowhere", CFP_LOG_LEVEL="info", **settings)
    try:
        yield started.start("demo", "--port", "0", "--dir", str(tmp_path / "demo-data"))
    finally:
        started.clean_up()


def printed_commands(demo: ServerProcess) -> list[str]:
    """The shell commands in what the demo prints before it waits."""
    lines = []
    for line in cast("IO[bytes]", demo.process.stdout):
        lines.append(line.decode())
        if line.startswith(b"Stop with"):
            break
    return _COMMAND.findall("".join(lines))


def paste(command: str, folder: Path) -> str:
    """What a command prints in a new shell."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment({}),
        capture_output=True,
        timeout=COMMAND_TIMEOUT_S,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_the_three_commands_that_the_demo_prints_list_search_and_edit(
    demo: ServerProcess, tmp_path: Path
) -> None:
    listing, search, edit = printed_commands(demo)
    demo.ready()
    assert len(json.loads(paste(listing, tmp_path))["data"]) == 3
    found = json.loads(paste(search, tmp_path))["data"]
    assert "<mark>" in found[0]["snippet"]
    started_at = demo.client.metrics()["process_start_time_seconds"]
    before = demo.client.get(f"/api/{EDITED_RECORD}")

    outcome, shown = map(json.loads, paste(edit, tmp_path).splitlines())

    after = demo.client.get(f"/api/{EDITED_RECORD}")
    pushed = run_git(tmp_path / "demo-data" / "remote.git", "rev-parse", "main").decode().strip()
    assert (outcome["outcome"], outcome["newCommit"]) == ("fast-forwarded", pushed)
    assert outcome["changes"] == {"projects": {"added": 0, "modified": 1, "removed": 0}}
    assert shown == after.json
    assert (before.commit, after.commit) == (outcome["oldCommit"], pushed)
    assert after.data["record"]["summary"].startswith("Edit ")
    assert after.data["record"]["summary"] != before.data["record"]["summary"]
    assert demo.client.metrics()["process_start_time_seconds"] == started_at
    assert demo.running
    assert not (tmp_path / "data.git").exists()


def test_the_commands_work_again_after_a_restart(demo: ServerProcess, tmp_path: Path) -> None:
    edit = printed_commands(demo)[2]
    demo.ready()
    paste(edit, tmp_path)
    edited = demo.client.get(f"/api/{EDITED_RECORD}")
    demo.stop()
    demo.start("demo", "--port", "0", "--dir", str(tmp_path / "demo-data"))
    edit_again = printed_commands(demo)[2]
    demo.ready()
    assert demo.client.get(f"/api/{EDITED_RECORD}").body == edited.body
    paste(edit_again, tmp_path)
    assert demo.client.get(f"/api/{EDITED_RECORD}").body != edited.body
