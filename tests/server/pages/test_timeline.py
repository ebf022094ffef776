"""The plot of the last reloads is true to its numbers, and says in words what it shows in colours."""

from __future__ import annotations

from itertools import pairwise

import pytest

from server.operations.advice import ADVICE, Kind
from server.pages.timeline import (
    BAR_PX_MIN,
    HEIGHT_PX,
    RELOADS_MAX,
    SIGNS,
    SLOTS_MIN,
    TOP_PX,
    WORDS,
    timeline,
)
from tests.server.documents import reload


def test_every_reload_has_its_bar_from_old_to_new() -> None:
    plot = timeline([reload(seconds_ago=number) for number in (1, 2, 3)])
    assert [bar.words.split(", ")[-1] for bar in plot.bars] == [
        "2024-05-06 11:59:57 UTC",
        "2024-05-06 11:59:58 UTC",
        "2024-05-06 11:59:59 UTC",
    ]
    assert [bar.left for bar in plot.bars] == sorted(bar.left for bar in plot.bars)


@pytest.mark.parametrize("count", [1, 2, SLOTS_MIN, RELOADS_MAX, RELOADS_MAX + 20])
def test_bars_lie_side_by_side_inside_the_plot(count: int) -> None:
    bars = timeline([reload(seconds_ago=number) for number in range(count)]).bars
    assert len(bars) == min(count, RELOADS_MAX)
    for left, right in pairwise(bars):
        assert left.left + left.width < right.left
    assert bars[0].left >= 0
    assert bars[-1].left + bars[-1].width <= 100


def test_a_longer_reload_has_a_higher_bar_and_none_leaves_the_plot() -> None:
    took = [0.0, 0.004, 0.3, 1, 9.9, 10, 250, 4_000, 60_000, 900_000]
    bars = timeline([reload(took_ms=each) for each in reversed(took)]).bars
    heights = [bar.height for bar in bars]
    assert heights == sorted(heights)
    assert min(heights) >= BAR_PX_MIN
    assert all(bar.top >= TOP_PX and bar.top + bar.height <= TOP_PX + HEIGHT_PX + 0.1 for bar in bars)


def test_a_bar_ends_at_the_line_of_its_duration() -> None:
    plot = timeline([reload(took_ms=each) for each in (1_000, 100, 10)])
    tops = {tick.label: tick.top for tick in plot.ticks}
    assert [bar.top for bar in plot.bars] == [tops["10 ms"], tops["100 ms"], tops["1 s"]]


def test_every_outcome_is_marked_by_a_sign_of_its_kind_that_is_no_colour() -> None:
    plot = timeline([reload(outcome) for outcome in ADVICE])
    assert {bar.kind for bar in plot.bars} == set(Kind) == set(SIGNS) == set(WORDS)
    assert len(set(SIGNS.values())) == len(Kind)
    assert dict(plot.legend) == {Kind.CHANGED: 2, Kind.UNCHANGED: 2, Kind.REFUSED: 6, Kind.FAILED: 2}


def test_the_summary_says_it_in_words() -> None:
    assert timeline([]).summary == "No reload yet."
    assert timeline([reload("fetch-failed", 140)]).summary == "The last reload failed, in 140 ms."
    plot = timeline([reload("fast-forwarded", 90), reload("data-rejected", 2_000), reload("in-sync", 30)])
    assert plot.summary == (
        "Of the last 3 reloads, 1 served a new commit, 1 found nothing new, 1 refused a commit. "
        "Median 90 ms, slowest 2.0 s."
    )
