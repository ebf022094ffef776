"""The benchmark runs."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.benchmarks.findings import Findings
from tests.benchmarks.page import remarks
from tests.benchmarks.process import PROJECT
from tests.benchmarks.rows import ROWS

# Half a minute where the machine is free; it starts a dozen servers and waits for most of them.
TIMEOUT_S = 600
pytestmark = pytest.mark.timeout(TIMEOUT_S + 30)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page that a benchmark of few records writes."""
    pytest.importorskip("datasette")
    cache = tmp_path_factory.mktemp("bench")
    command = [sys.executable, "-m", "tests.benchmarks", "--smoke", "--cache", str(cache)]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert not list((cache / "work").iterdir())
    return (cache / "page" / "benchmarks.md").read_text("utf-8")


def test_every_row_is_measured_and_shown(page: str) -> None:
    for row in ROWS:
        assert f"| {row.figure} |" in page


def test_nothing_of_the_template_is_left_over(page: str) -> None:
    assert "<!--" not in page


def test_every_remark_belongs_to_a_row() -> None:
    assert set(remarks()) <= {row.key for row in Findings().rows} | {"growth"}
