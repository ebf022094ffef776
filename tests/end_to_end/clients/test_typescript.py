"""`openapi-typescript` makes types with which a strict program reads, searches and pages the demo.

`typescript/package.json` pins the tools. They are installed once, below `.cache`; without Node.js, npm or
a registry the tests skip.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.docs.running import Demo

SOURCES = Path(__file__).with_name("typescript")
CACHE = Path(__file__).parents[3] / ".cache"
INSTALL_TIMEOUT_S = 200
RUN_TIMEOUT_S = 100


@pytest.fixture(scope="module")
def node_modules() -> Path:
    """The folder of the installed tools."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("no Node.js with npm is installed; on Debian or Ubuntu: apt-get install nodejs npm")
    manifest = (SOURCES / "package.json").read_bytes()
    folder = CACHE / f"npm-{hashlib.sha256(manifest).hexdigest()[:12]}"
    if not folder.exists():
        install(manifest, folder)
    return folder / "node_modules"


def install(manifest: bytes, folder: Path) -> None:
    """Install what the manifest names; the folder is there as soon as that is whole."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    (unfinished / "package.json").write_bytes(manifest)
    command = ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
    done = subprocess.run(command, cwd=unfinished, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
    if done.returncode != 0:
        pytest.skip(f"npm could not install the tools: {done.stderr[-500:]}")
    unfinished.rename(folder)


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
