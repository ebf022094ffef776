"""Moments and durations read like what people say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from server.operations.time_text import absolute, duration, relative

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.3, "just now"),
        (1, "1 second ago"),
        (59, "59 seconds ago"),
        (60, "1 minute ago"),
        (3_599, "59 minutes ago"),
        (7_200, "2 hours ago"),
        (86_400, "1 day ago"),
        (40_000_000, "462 days ago"),
        (-42, "in 42 seconds"),
        (-90, "in 1 minute"),
    ],
)
def test_a_moment_is_told_in_its_largest_unit(seconds: float, words: str) -> None:
    assert relative(NOW - timedelta(seconds=seconds), NOW) == words


@pytest.mark.parametrize(
    ("milliseconds", "words"),
    [
        (0.04, "0.0 ms"),
        (0.42, "0.4 ms"),
        (9.96, "10 ms"),
        (45.4, "45 ms"),
        (999.4, "999 ms"),
        (999.6, "1.0 s"),
        (59_900, "59.9 s"),
        (59_960, "1 min"),
        (185_000, "3 min 5 s"),
    ],
)
def test_a_duration_is_told_in_the_unit_that_suits_it(milliseconds: float, words: str) -> None:
    assert duration(milliseconds) == words


def test_moments_at_the_ends_of_the_calendar_are_shown() -> None:
    assert absolute(NOW) == "2024-05-06 07:08:09 UTC"
    for moment in (datetime(1, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)):
        assert absolute(moment).endswith("UTC")
        assert relative(moment, NOW)
