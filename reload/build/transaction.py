"""A reload between its build and its swap: refs are locked, the next Snapshot is open, nothing is visible."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from reload.repository.ref_transaction import RefTransaction
from reload.repository.target import Target
from reload.snapshot.snapshot import Snapshot
from reload.snapshot.state_file import Changes


@dataclass(frozen=True, slots=True)
class Transaction:
    """What a reload is about to make visible; `Builder.abort` takes it back.

    `snapshot` is None where the served commit is the right one already, `refs` where none have to move.
    """

    target: Target
    snapshot: Snapshot | None = None
    refs: RefTransaction | None = None
    changes: Mapping[str, Changes] = field(default_factory=dict)

    def commit(self) -> None:
        """Move the refs. The caller swaps the snapshot directly after it, on the loop, without an await."""
        if self.refs is not None:
            self.refs.commit()
