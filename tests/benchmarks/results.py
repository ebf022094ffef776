"""Finished parts, kept so that an interrupted benchmark goes on where it was."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict
from pathlib import Path

from tests.benchmarks.bench import Plan
from tests.benchmarks.measurements import Series
from tests.benchmarks.process import PROJECT

_MEASURED = (
    "reload",
    "server",
    "tests/benchmarks/parts",
    "tests/benchmarks/peers",
    "tests/benchmarks/clients",
)


class Results:
    """Measured series by key, one file each; those of another source code or plan are not found."""

    def __init__(self, cache: Path, plan: Plan) -> None:
        self._folder = cache / "results"
        self._fingerprint = hashlib.sha256(f"{source_digest()} {asdict(plan)}".encode()).hexdigest()

    def get(self, key: str) -> Series | None:
        """The series that were measured, None where they have to be."""
        path = self._path(key)
        if not path.exists():
            return None
        found = json.loads(path.read_text())
        return dict(found["series"]) if found["fingerprint"] == self._fingerprint else None

    def put(self, key: str, series: Series) -> None:
        """Keep series."""
        self._folder.mkdir(parents=True, exist_ok=True)
        document = {"fingerprint": self._fingerprint, "series": series}
        new = self._path(key).with_suffix(".new")
        new.write_text(json.dumps(document, indent=1))
        new.rename(self._path(key))

    def forget(self) -> None:
        """Let everything be measured again."""
        for path in self._folder.glob("*.json"):
            path.unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def source_digest() -> str:
    """Changes when the code that is measured, or that measures, does."""
    digest = hashlib.sha256()
    for folder in _MEASURED:
        for path in sorted((PROJECT / folder).rglob("*.py")):
            digest.update(path.relative_to(PROJECT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
