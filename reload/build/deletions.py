"""Mass deletions: a commit that removes most of a sheet is held until an operator accepts it."""

from __future__ import annotations

from collections.abc import Mapping

from reload.snapshot.state_file import Changes

HELD_SHEET_RECORDS_MIN = 20


def mass_deletions(before: Mapping[str, int], changes: Mapping[str, Changes]) -> dict[str, tuple[int, int]]:
    """The sheets of HELD_SHEET_RECORDS_MIN or more records that lose most of them, with (removed, before)."""
    return {
        name: (change.removed, before[name])
        for name, change in changes.items()
        if before.get(name, 0) >= HELD_SHEET_RECORDS_MIN and change.removed * 2 > before[name]
    }
