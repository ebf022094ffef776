"""Where it was measured: machine, versions, commit."""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import apsw

from tests.benchmarks.bench import Plan
from tests.benchmarks.load import CONNECTIONS, Load
from tests.benchmarks.process import PROJECT

_PACKAGES = ("tornado", "orjson", "toml-rs", "gitsheets", "datasette")


def conditions(plan: Plan) -> dict[str, str]:
    """Names and values of what somebody who compares numbers has to know."""
    versions = [f"{name} {importlib.metadata.version(name)}" for name in _PACKAGES]
    return {
        "measured": f"{datetime.now(UTC):%Y-%m-%d}, at commit {_commit()}",
        "processor": f"{_processor()}, {os.cpu_count()} of them",
        "memory": f"{os.sysconf('SC_PHYS_PAGES') * os.sysconf('SC_PAGE_SIZE') / (1 << 30):.0f} GiB",
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "git": _said("git", "--version").removeprefix("git version "),
        "SQLite": apsw.sqlite_lib_version(),
        "packages": ", ".join(versions),
        "closed loop": f"{Load().name}, {CONNECTIONS} kept-alive connections, {plan.closed_s:g} s a run",
        "open loop": f"our own client (`tests/benchmarks/clients/open_loop.py`), {plan.open_s:g} s a run",
        "rounds": f"{plan.rounds}, after {plan.warm_up_rounds} that does not count",
    }


def _commit() -> str:
    commit = _said("git", "-C", str(PROJECT), "rev-parse", "--short=12", "HEAD") or "unknown"
    changed = _said("git", "-C", str(PROJECT), "status", "--porcelain", "--", "reload", "server")
    return f"{commit} with changes" if changed else commit


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()


def _said(*command: str) -> str:
    return subprocess.run(command, capture_output=True, text=True).stdout.strip()
