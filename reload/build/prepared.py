"""What a reload is on its way to the swap: how long its phases took, and the next state standing ready."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from reload.repository.ref_transaction import Move
from reload.repository.target import Target
from reload.snapshot.snapshot import Snapshot
from reload.snapshot.state_file import Changes


class Phases:
    """How long each phase of a reload took, in milliseconds."""

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


@dataclass(frozen=True, slots=True)
class Prepared:
    """A next state that stands ready: `move` holds the locked refs, `snapshot` the readers.

    `snapshot` is None where the served commit is the right one already.
    """

    target: Target
    snapshot: Snapshot | None = None
    move: Move | None = None
    changes: Mapping[str, Changes] = field(default_factory=dict)

    def commit(self) -> None:
        """Move the refs; the caller swaps in the same breath, on the loop."""
        if self.move is not None:
            self.move.commit()
