"""Waiting for what must happen: on a condition, with a deadline, never for a fixed time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

# Generous, since machines are shared; a promise that holds is seen long before.
DEADLINE_S = 60.0
_LOOK_AGAIN_S = 0.005

T = TypeVar("T")


def eventually(look: Callable[[], T], what: str, deadline_s: float = DEADLINE_S) -> T:
    """The first true value that `look` gives; an AssertionError naming `what` after the deadline."""
    end = time.monotonic() + deadline_s
    while True:
        if seen := look():
            return seen
        if time.monotonic() > end:
            raise AssertionError(f"not within {deadline_s:g} s: {what}; last seen: {seen!r}")
        time.sleep(_LOOK_AGAIN_S)
