"""How long each phase of a reload took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Phases:
    """Milliseconds by phase: `with phases("fetch"):` adds to one, which is `current` meanwhile."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}
        self.current = ""

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun, self.current = time.perf_counter(), name
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - begun) * 1000
            self.ms[name] = round(self.ms.get(name, 0) + elapsed, 3)
