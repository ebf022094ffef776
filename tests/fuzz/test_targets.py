"""No bytes break what reads them: seeds and former faults, then a short search for new ones."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

from tests.fuzz.targets import CORPUS, TARGETS, seeds

RUNS = 6_000
PROJECT = Path(__file__).parents[2]
CASES = [(target, path.name) for target in TARGETS for path in sorted((CORPUS / target).iterdir())]


@pytest.mark.parametrize(("target", "name"), CASES)
def test_what_was_found_once_breaks_nothing(target: str, name: str) -> None:
    TARGETS[target]((CORPUS / target / name).read_bytes())


@pytest.mark.parametrize("target", TARGETS)
def test_a_seed_that_is_cut_anywhere_breaks_nothing(target: str) -> None:
    for seed in seeds(target):
        for end in range(0, len(seed), 1 + len(seed) // 40):
            TARGETS[target](seed[:end])


@pytest.mark.skipif(importlib.util.find_spec("atheris") is None, reason="atheris has no wheel here")
def test_a_short_search_finds_nothing_that_breaks(tmp_path: Path) -> None:
    command = (sys.executable, "-m", "tests.fuzz", "everything", "--runs", str(RUNS), "--seconds", "20")
    done = subprocess.run(
        (*command, "--found", str(tmp_path)), cwd=PROJECT, capture_output=True, text=True, timeout=90
    )
    assert done.returncode == 0, done.stderr[-4_000:]
