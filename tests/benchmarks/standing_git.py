"""Bare git that runs already and is asked how commits differ: what a comparison takes without starting it."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path
from typing import IO, cast

from reload.repository import environment
from tests.benchmarks.dataset import git_environment

_COMMAND = ("diff-tree", "--stdin", "-r", "-z", "--raw", "--no-renames", "--no-abbrev")
# Git repeats a line that is no commit when it is through with those before it.
_END = b"end\n"


class StandingGit:
    """One `git diff-tree --stdin` on a repository."""

    def __init__(self, git_dir: Path) -> None:
        self._process = subprocess.Popen(
            [*environment.command_line(git_dir, (), None), *_COMMAND],
            env=git_environment() | environment.environment(),
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )

    def compare(self, old: str, new: str) -> float:
        """Milliseconds that the comparison of two commits takes."""
        self._ask("")
        begun = time.perf_counter()
        self._ask(f"{new} {old}\n")
        return (time.perf_counter() - begun) * 1000

    def close(self) -> None:
        """End the process."""
        self._process.communicate()

    def _ask(self, line: str) -> None:
        cast("IO[bytes]", self._process.stdin).write(line.encode() + _END)
        answer = b""
        while not answer.endswith(_END):
            answer += cast("IO[bytes]", self._process.stdout).read(1 << 16)
