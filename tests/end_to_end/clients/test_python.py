"""`openapi-python-client`, pinned in `setup.py`, makes a client that mypy takes in its strictest mode."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

from tests.docs.running import Demo

PROGRAM = Path(__file__).with_name("python") / "program.py"
RUN_TIMEOUT_S = 100


def run(folder: Path, *command: str) -> str:
    """What a command of this environment prints; it must succeed."""
    program = Path(sys.executable).with_name(command[0])
    done = subprocess.run(
        [str(program), *command[1:]], cwd=folder, capture_output=True, text=True, timeout=RUN_TIMEOUT_S
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_strict_program_reads_searches_and_pages_the_demo_with_a_generated_client(
    demo: Demo, description: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    shutil.copy(PROGRAM, tmp_path)
    (tmp_path / "settings.yml").write_text("post_hooks: []\n")
    run(
        tmp_path,
        *("openapi-python-client", "generate", "--path", str(description), "--config", "settings.yml"),
        *("--meta", "none", "--output-path", "demo_client"),
    )
    run(tmp_path, "mypy", "--strict", "--python-version", "3.11", "program.py", "demo_client")
    assert json.loads(run(tmp_path, "python", "program.py", demo.url)) == expected
