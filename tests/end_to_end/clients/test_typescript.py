"""`openapi-typescript` makes types with which a strict program reads, searches and pages the demo.

`typescript/package.json` pins the tools; `make test` installs them. Without Node.js, npm or a registry the
test skips.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.running import Demo

SOURCES = Path(__file__).with_name("typescript")
INSTALLED = Path(__file__).parents[3] / ".venv/node/node_modules"
RUN_TIMEOUT_S = 100


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The folder of the installed tools."""
    if shutil.which("node") is None:
        pytest.skip("no Node.js is installed; on Debian or Ubuntu: apt-get install nodejs npm")
    if not INSTALLED.exists():
        pytest.skip("the tools for TypeScript are not installed: make test installs them with npm")
    return INSTALLED


def run(folder: Path, *command: str) -> str:
    """What a command prints; it must succeed."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=RUN_TIMEOUT_S)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_strict_program_reads_searches_and_pages_the_demo_with_generated_types(
    node_modules: Path, demo: Demo, description: Path, expected: dict[str, Any], tmp_path: Path
) -> None:
    for name in ("package.json", "tsconfig.json", "program.ts"):
        shutil.copy(SOURCES / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(node_modules)
    tools = node_modules / ".bin"
    run(tmp_path, str(tools / "openapi-typescript"), str(description), "--output", "api.d.ts")
    run(tmp_path, str(tools / "tsc"))
    assert json.loads(run(tmp_path, "node", "program.js", demo.url)) == expected
