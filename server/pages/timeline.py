"""The plot of the last reloads: one bar each, its height the duration, its mark the outcome.

Places along the time axis are percentages, so that the plot fits any width while its texts keep
their size; heights are pixels on a logarithmic scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from server.operations.advice import Kind, advice_on
from server.operations.time_text import absolute, duration

HEIGHT_PX: Final = 150.0
TOP_PX: Final = 22.0
BAR_PX_MIN: Final = 3.0
SLOTS_MIN: Final = 20
RELOADS_MAX: Final = 30
_BAR_PART: Final = 0.68
_DECADES_MAX: Final = 9

# A sign for each kind, since colour alone tells nothing to many people; in every font.
SIGNS: Final[Mapping[Kind, str]] = {
    Kind.CHANGED: "+",
    Kind.UNCHANGED: "=",
    Kind.REFUSED: "\N{MULTIPLICATION SIGN}",
    Kind.FAILED: "!",
}
WORDS: Final[Mapping[Kind, str]] = {
    Kind.CHANGED: "served a new commit",
    Kind.UNCHANGED: "found nothing new",
    Kind.REFUSED: "refused a commit",
    Kind.FAILED: "failed",
}


@dataclass(frozen=True, slots=True)
class Bar:
    """One reload: `left`, `width` and `middle` in percent, `top` and `height` in pixels."""

    kind: Kind
    left: float
    width: float
    middle: float
    top: float
    height: float
    words: str


@dataclass(frozen=True, slots=True)
class Tick:
    """A line of the scale, `top` in pixels."""

    top: float
    label: str


@dataclass(frozen=True, slots=True)
class Timeline:
    """The whole plot, oldest reload on the left; `summary` says it in a sentence."""

    bars: tuple[Bar, ...]
    ticks: tuple[Tick, ...]
    summary: str
    legend: tuple[tuple[Kind, int], ...]

    @property
    def height(self) -> float:
        """Pixels from the top to the time axis."""
        return TOP_PX + HEIGHT_PX


def timeline(history: Sequence[Mapping[str, Any]]) -> Timeline:
    """The plot of the newest RELOADS_MAX reloads of a status document's history, which begins with them."""
    reloads = list(reversed(history[:RELOADS_MAX]))
    durations = [max(float(each["durationMs"]), 0.001) for each in reloads]
    scale = _Scale(durations)
    slots = max(len(reloads), SLOTS_MIN)
    empty = slots - len(reloads)
    bars = tuple(
        _bar(reload, scale.pixels(took), (empty + number) * 100 / slots, 100 / slots)
        for number, (reload, took) in enumerate(zip(reloads, durations, strict=True))
    )
    counts = {kind: sum(bar.kind is kind for bar in bars) for kind in Kind}
    legend = tuple((kind, count) for kind, count in counts.items())
    return Timeline(bars, scale.ticks(), _summary(counts, durations), legend)


class _Scale:
    """Whole decades of milliseconds, two at least."""

    def __init__(self, durations: Sequence[float]) -> None:
        shown = durations or [1.0, 100.0]
        # A little below the fastest, so that its bar can be told from none.
        self._low = math.floor(math.log10(min(shown)) - 0.2)
        self._high = max(math.ceil(math.log10(max(shown))), self._low + 2)
        self._low = max(self._low, self._high - _DECADES_MAX)

    def pixels(self, took: float) -> float:
        part = (math.log10(took) - self._low) / (self._high - self._low)
        return max(BAR_PX_MIN, min(part, 1) * HEIGHT_PX)

    def ticks(self) -> tuple[Tick, ...]:
        decades = range(self._low, self._high + 1)
        step = math.ceil(len(decades) / 5)
        return tuple(Tick(self._top(decade), _decade(decade)) for decade in decades[::step])

    def _top(self, decade: int) -> float:
        part = (decade - self._low) / (self._high - self._low)
        return round(TOP_PX + HEIGHT_PX * (1 - part), 1)


def _decade(decade: int) -> str:
    """10 to the power of `decade` milliseconds."""
    return f"{10**decade:g} ms" if decade < 3 else f"{10 ** (decade - 3):g} s"


def _bar(reload: Mapping[str, Any], height: float, left: float, slot: float) -> Bar:
    kind = advice_on(reload["outcome"]).kind
    began = absolute(datetime.fromisoformat(reload["startedAt"]))
    words = f"{reload['outcome']}, {duration(reload['durationMs'])}, {reload['trigger']}, {began}"
    return Bar(
        kind,
        round(left + slot * (1 - _BAR_PART) / 2, 3),
        round(slot * _BAR_PART, 3),
        round(left + slot / 2, 3),
        round(TOP_PX + HEIGHT_PX - height, 1),
        round(height, 1),
        words,
    )


def _summary(counts: Mapping[Kind, int], durations: Sequence[float]) -> str:
    if not durations:
        return "No reload yet."
    parts = [(f"{count} {WORDS[kind]}", WORDS[kind]) for kind, count in counts.items() if count]
    if len(durations) == 1:
        return f"The last reload {parts[0][1]}, in {duration(durations[0])}."
    listed = ", ".join(part for part, _ in parts)
    median, slowest = duration(sorted(durations)[len(durations) // 2]), duration(max(durations))
    return f"Of the last {len(durations)} reloads, {listed}. Median {median}, slowest {slowest}."
