"""What was measured: values by name, one a round; and what is told of them."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

Series = dict[str, list[float]]


class Recorder:
    """Collects the values of round after round."""

    def __init__(self) -> None:
        self.series: Series = {}

    def add(self, **values: float) -> None:
        """Note one value of each name."""
        for name, value in values.items():
            self.series.setdefault(name, []).append(round(value, 4))


@dataclass(frozen=True, slots=True)
class Sample:
    """The median of several rounds, with the least and the most."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Sample:
        """The sample that these values are."""
        return cls(statistics.median(values), min(values), max(values))


def percentile(values: Sequence[float], share: float) -> float:
    """The value that this share (0 to 1) of all values does not exceed."""
    ordered = sorted(values)
    return ordered[min(int(share * len(ordered)), len(ordered) - 1)]
