"""Derived state: values that a program makes from each Snapshot, and that are swapped together with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Literal

from reload.errors import DerivationFailed
from reload.snapshot.query.answers import Row
from reload.snapshot.snapshot import Snapshot
from reload.snapshot.state_file import Changes

Kind = Literal["added", "modified", "removed"]


class Difference(Mapping[str, Changes]):
    """What a reload changes: how many records by sheet, and with `paths` which ones.

    `before` is the Snapshot that is served meanwhile, None at the first load; then every record is added.
    """

    def __init__(self, counts: Mapping[str, Changes], before: Snapshot | None, after: Snapshot) -> None:
        self._counts = counts
        self._before = before
        self._after = after

    def __getitem__(self, sheet: str) -> Changes:
        return self._counts[sheet]

    def __iter__(self) -> Iterator[str]:
        return iter(self._counts)

    def __len__(self) -> int:
        return len(self._counts)

    def paths(self, sheet: str) -> Iterator[tuple[Kind, str]]:
        """Each record of a sheet that changed, by path; reads all records of the sheet on both sides."""
        before, after = _rows(self._before, sheet), _rows(self._after, sheet)
        old, new = next(before, None), next(after, None)
        while old is not None or new is not None:
            if new is None or (old is not None and old.path < new.path):
                assert old is not None
                yield "removed", old.path
                old = next(before, None)
            elif old is None or new.path < old.path:
                yield "added", new.path
                new = next(after, None)
            else:
                if (old.blob, old.json) != (new.blob, new.json):
                    yield "modified", new.path
                old, new = next(before, None), next(after, None)


# Makes a value from a snapshot, the value before it (None at first), and what changed.
Derivation = Callable[[Snapshot, Any, Difference], Any]


def derive(
    derivations: Mapping[str, Derivation],
    snapshot: Snapshot,
    before: Snapshot | None,
    changes: Mapping[str, Changes],
) -> None:
    """Set `snapshot.derived`, in the order of the derivations; raises DerivationFailed naming one."""
    if not derivations:
        return
    if before is None:
        changes = {name: Changes(added=count) for name, count in snapshot.served.records.items() if count}
    difference = Difference(changes, before, snapshot)
    previous = before.derived if before is not None else {}
    values: dict[str, Any] = {}
    for name, derivation in derivations.items():
        try:
            values[name] = derivation(snapshot, previous.get(name), difference)
        except Exception as error:
            raise DerivationFailed(name, error) from error
    snapshot.derived = MappingProxyType(values)


def _rows(snapshot: Snapshot | None, sheet: str) -> Iterator[Row]:
    return iter(()) if snapshot is None or sheet not in snapshot.sheets else snapshot.records(sheet)
