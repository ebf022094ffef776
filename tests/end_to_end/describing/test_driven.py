"""The API does what its description says, whatever is asked: schemathesis drives it, in all of its phases."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

from tests.end_to_end.describing.hostile import HOSTILE
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve, ServerProcess, environment

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
DEADLINE_S = 100
# The same questions every time, so that a change is judged by what it changed; LIVESHEETS_SEED asks others.
SEED = os.environ.get("LIVESHEETS_SEED", "1")
CASES_MIN = 500


def drive(server: ServerProcess, folder: Path, *options: str) -> None:
    """Let schemathesis look for errors, undocumented answers and broken schemas; it must find none."""
    finished = subprocess.run(
        [
            *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION)),
            *("run", f"http://127.0.0.1:{server.client.port}/api/_openapi.json"),
            *("--checks", "all", "--continue-on-failure", "--no-color", "--generation-database", "none"),
            # HEAD answers as GET does, which tests of manners see to.
            *("--suppress-health-check", "all", "--exclude-method", "HEAD", "--seed", SEED, *options),
        ],
        cwd=folder,
        env=environment({}) | {"COLUMNS": "200"},
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
    )
    assert finished.returncode == 0, finished.stdout[-20_000:] + finished.stderr[-5_000:]
    asked = re.search(r"(\d+) generated, (\d+) passed", finished.stdout)
    assert asked, finished.stdout
    assert int(asked[1]) == int(asked[2]) > CASES_MIN


def test_the_api_keeps_to_its_description(shared: ServerProcess, tmp_path: Path) -> None:
    drive(shared, tmp_path, "--max-examples", "6")


def test_the_api_keeps_to_its_description_also_with_hostile_data(serve: Serve, tmp_path: Path) -> None:
    remote = DataRemote(tmp_path / "origin", HOSTILE)
    server = serve(tmp_path, remote.path)
    server.ready(remote.head)
    # Sheets without records have nothing to tell that others do not.
    dull = "/api/(broken|fetching|old|empty)"
    drive(server, tmp_path, "--max-examples", "4", "--exclude-path-regex", dull)
