"""Bare git doing what a reload asks of git: what no reload can do without."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

from reload.repository import environment
from tests.benchmarks.dataset import BRANCH, git, git_environment
from tests.benchmarks.git_trace import GitTrace


class Floor:
    """Bare git on a clone, with the flags that the server gives to git."""

    def __init__(self, git_dir: Path, trace: GitTrace) -> None:
        self._git_dir = git_dir
        self._trace = trace
        self.start_ms = 0.0  # what the last fetch took to start git, and to see its end
        self._at = git(git_dir, "rev-parse", BRANCH)
        # A clone takes every branch as its own; the server keeps the remote's apart.
        git(git_dir, "update-ref", f"refs/remotes/origin/{BRANCH}", self._at)
        self._command = environment.command_line(git_dir, (), None)
        self._environment = git_environment() | environment.environment() | trace.environment

    def follow(self, commit: str) -> tuple[float, float, list[str]]:
        """Fetch and compare: milliseconds of either, and the ids of the changed blobs."""
        refspec = f"+refs/heads/{BRANCH}:refs/remotes/origin/{BRANCH}"
        options = ["--quiet", "--no-tags", "--no-recurse-submodules", "--no-write-fetch-head"]
        begun = time.perf_counter()
        self._run("fetch", *options, "--no-auto-maintenance", "--refmap=", "origin", refspec)
        fetched = time.perf_counter()
        self.start_ms = (fetched - begun) * 1000 - sum(self._trace.commands_ms().values())
        compares = time.perf_counter()
        found = self._run("diff-tree", "-r", "-z", "--raw", "--no-renames", "--no-abbrev", self._at, commit)
        compared = time.perf_counter()
        self._at = commit
        changed = [meta.split()[3] for meta in found.split("\0") if meta.startswith(":")]
        self._trace.commands_ms()
        return (fetched - begun) * 1000, (compared - compares) * 1000, changed

    def read(self, oids: list[str]) -> list[bytes]:
        """The content of blobs, read by one git."""
        output = self._run("cat-file", "--batch", "--buffer", given="\n".join([*oids, ""]))
        blobs, position, data = [], 0, output.encode()
        for _ in oids:
            end = data.index(b"\n", position)
            size = int(data[position:end].split()[2])
            blobs.append(data[end + 1 : end + 1 + size])
            position = end + size + 2
        return blobs

    def _run(self, *arguments: str, given: str = "") -> str:
        done = subprocess.run(
            [*self._command, *arguments],
            env=self._environment,
            input=given.encode(),
            capture_output=True,
            check=True,
        )
        return done.stdout.decode()


class PlainFetch:
    """`git fetch` as a user types it, in a clone of its own: none of the server's flags and settings."""

    def __init__(self, git_dir: Path) -> None:
        self._command = ("git", f"--git-dir={git_dir}", "fetch", "--quiet", "origin", BRANCH)

    def follow(self) -> float:
        """Fetch the branch; the milliseconds that it took."""
        begun = time.perf_counter()
        subprocess.run(self._command, env=git_environment(), check=True)
        return (time.perf_counter() - begun) * 1000
