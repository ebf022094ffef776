"""What every part of the benchmark is given: how much to measure, where to work, whom to tell."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.stand import Stand

First = TypeVar("First")
Second = TypeVar("Second")

# Tells how far a step is: its name, what is done, of how much.
Show = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """How much is measured: rounds, those before that do not count, seconds of a load, calls in a row."""

    rounds: int = 5
    warm_up_rounds: int = 1
    closed_s: float = 2.0
    open_s: float = 5.0
    calls: int = 200


class Bench:
    """The means of a part."""

    def __init__(self, cache: Path, plan: Plan, show: Show) -> None:
        self.cache = cache
        self.plan = plan
        self.show = show

    def rounds(self, *, times: int = 1, most: int = 99) -> Iterator[int]:
        """The numbers of the rounds, `most` at most; those below 0 warm up and are not to be counted."""
        count = min(self.plan.rounds * times, most)
        for number in range(-self.plan.warm_up_rounds, count):
            self.show("round", max(number, 0), count)
            yield number
        self.show("round", count, count)

    def repository(self, dataset: Dataset) -> Path:
        """The dataset's repository, made where it is missing."""
        return dataset.cached(self.cache, lambda done, total: self.show("generating records", done, total))

    @contextlib.contextmanager
    def stand(self, name: str, dataset: Dataset) -> Iterator[Stand]:
        """A fresh stand of a dataset, removed when the block ends."""
        source = self.repository(dataset)
        stand = Stand(self.cache / "work" / f"{name}-{dataset.name}", dataset, source)
        try:
            yield stand
        finally:
            stand.remove()


def in_turn(number: int, ours: Callable[[], First], theirs: Callable[[], Second]) -> tuple[First, Second]:
    """Do both, in even rounds ours first and in odd rounds theirs, so that neither profits from its place."""
    if number % 2:
        second = theirs()
        return ours(), second
    first = ours()
    return first, theirs()
