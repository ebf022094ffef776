"""`python -m tests.fuzz TARGET --seconds 60`: fuzz one target, or `everything`, from its corpus.

What is found new is kept below `.fuzz/`, which git ignores; a crash is written there too, and its path
printed. To be kept, it is copied to `tests/fuzz/corpus/TARGET/`, which the suite runs.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

import atheris  # type: ignore[import-untyped]

with atheris.instrument_imports(include=["reload", "server"]):
    from tests.fuzz.targets import CORPUS, TARGETS, everything, seeds

FOUND = Path(__file__).parents[2] / ".fuzz"
BYTES_MAX = 4_096


def main() -> None:
    """Fuzz until the time is over or something breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("target", choices=(*TARGETS, "everything"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("--runs", type=int, default=-1, help="stop after so many, whatever the time")
    parser.add_argument("--found", type=Path, default=FOUND, help="where to keep what is found")
    given = parser.parse_args()
    kept = given.found / given.target
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as mixed:
        corpus = _mixed(Path(mixed)) if given.target == "everything" else CORPUS / given.target
        options = {
            "max_total_time": given.seconds,
            "runs": given.runs,
            "max_len": BYTES_MAX,
            "artifact_prefix": f"{kept}/",
            "timeout": 10,
            "rss_limit_mb": 2_048,
            "verbosity": int(sys.stderr.isatty()),
        }
        arguments = [f"-{name}={value}" for name, value in options.items()]
        atheris.Setup([sys.argv[0], *arguments, str(kept), str(corpus)], _target(given.target))
        atheris.Fuzz()


def _target(name: str) -> object:
    return everything if name == "everything" else TARGETS[name]


def _mixed(folder: Path) -> Path:
    """Every seed of every target, behind the byte that chooses the target."""
    for number, target in enumerate(TARGETS):
        for each, seed in enumerate(seeds(target)):
            (folder / f"{target}-{each}").write_bytes(bytes([number]) + seed)
    return folder


if __name__ == "__main__":
    main()
