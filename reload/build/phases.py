"""How long each phase of a reload took."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator


class Phases:
    """Milliseconds by phase: `with phases("fetch"):` adds to one."""

    def __init__(self) -> None:
        self.ms: dict[str, float] = {}

    @contextlib.contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        begun = time.perf_counter()
        try:
            yield
        finally:
            elapsed = (time.perf_counter() - begun) * 1000
            self.ms[name] = round(self.ms.get(name, 0) + elapsed, 3)
