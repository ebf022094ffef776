"""Moments and durations in words: "3 minutes ago", "in 42 seconds", "1.2 s"."""

from __future__ import annotations

from datetime import datetime
from typing import Final

_UNITS: Final = (("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1))


def absolute(moment: datetime) -> str:
    """A moment in UTC, to the second: `2024-01-02 03:04:05 UTC`."""
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"


def relative(moment: datetime, now: datetime) -> str:
    """How long ago a moment was, or how far ahead it is, in its largest unit."""
    seconds = round((moment - now).total_seconds())
    if seconds == 0:
        return "just now"
    return f"in {span(seconds)}" if seconds > 0 else f"{span(-seconds)} ago"


def span(seconds: float) -> str:
    """A span of at least a second in its largest unit, rounded down: `2 hours`."""
    whole = int(seconds)
    unit, size = next((each for each in _UNITS if whole >= each[1]), _UNITS[-1])
    count = whole // size
    return f"{count} {unit}" if count == 1 else f"{count} {unit}s"


def duration(milliseconds: float) -> str:
    """How long something took, in the unit that suits it: `0.4 ms`, `45 ms`, `1.2 s`, `3 min 5 s`."""
    if milliseconds < 9.95:
        return f"{milliseconds:.1f} ms"
    if milliseconds < 999.5:
        return f"{milliseconds:.0f} ms"
    seconds = milliseconds / 1000
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if rest else f"{minutes} min"
