"""The API does what its description says, whatever is asked: schemathesis drives it, in all of its phases."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.end_to_end.openapi.hostile import HOSTILE
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import ServerProcess, environment, servers

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
DEADLINE_S = 100
# The same questions every time, so that a change is judged by what it changed; LIVESHEETS_SEED asks others.
SEED = os.environ.get("LIVESHEETS_SEED", "1")
CASES_MIN = 500


@contextlib.contextmanager
def driving(server: ServerProcess, folder: Path, *options: str) -> Iterator[Run]:
    """A schemathesis that looks for errors, undocumented answers and broken schemas."""
    command = [
        *(str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIGURATION)),
        *("run", f"http://127.0.0.1:{server.client.port}/api/_openapi.json"),
        *("--checks", "all", "--continue-on-failure", "--no-color", "--generation-database", "none"),
        # HEAD answers as GET does, which tests of manners see to.
        *("--suppress-health-check", "all", "--exclude-method", "HEAD", "--seed", SEED, *options),
    ]
    variables = environment({}) | {"COLUMNS": "200"}
    with open(folder / "output", "w+") as output:
        process = subprocess.Popen(command, cwd=folder, env=variables, stdout=output, stderr=output)
        try:
            yield Run(process, folder / "output")
        finally:
            process.kill()
            process.wait()


@dataclass(frozen=True)
class Run:
    """One run of schemathesis and the file that it writes to."""

    process: subprocess.Popen[bytes]
    output: Path

    def finds_nothing(self) -> None:
        """It ends, after many questions, without a finding."""
        status = self.process.wait(DEADLINE_S)
        told = self.output.read_text()
        assert status == 0, told[-25_000:]
        asked = re.search(r"(\d+) generated, (\d+) passed", told)
        assert asked, told
        assert int(asked[1]) == int(asked[2]) > CASES_MIN


@pytest.fixture(scope="module")
def runs(shared: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Run]]:
    """Both runs, started together, since each keeps one processor busy."""
    folder = tmp_path_factory.mktemp("hostile")
    remote = DataRemote(folder / "origin", HOSTILE)
    with servers() as serve:
        hostile = serve(folder, remote.path)
        hostile.ready(remote.head)
        # Sheets without records have nothing to tell that others do not.
        dull = ("--exclude-path-regex", "/api/(broken|fetching|old|empty)")
        with (
            driving(shared, tmp_path_factory.mktemp("sample"), "--max-examples", "6") as sample,
            driving(hostile, folder, "--max-examples", "4", *dull) as other,
        ):
            yield {"sample": sample, "hostile": other}


@pytest.mark.parametrize("data", ["sample", "hostile"])
def test_the_api_keeps_to_its_description(runs: dict[str, Run], data: str) -> None:
    runs[data].finds_nothing()
