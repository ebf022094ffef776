"""Progress of a full build: a bar on a terminal, elsewhere a log line every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog
from rich.console import Console
from rich.progress_bar import ProgressBar

LINE_INTERVAL_S = 5.0
_BAR_WIDTH = 40

log = structlog.get_logger()


class BuildProgress:
    """Is told how many records of a build are done.

    `draw` shows a text on the terminal until the next line is logged, an empty one nothing; None where
    there is no terminal.
    """

    def __init__(
        self, draw: Callable[[str], None] | None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._draw = draw
        self._clock = clock
        self._done: int | None = None
        self._said = 0.0
        self._console = Console(width=_BAR_WIDTH, force_terminal=True)

    def __call__(self, done: int, total: int) -> None:
        """Note that `done` of `total` records are built; fewer than before belong to another build."""
        begins, self._done = self._done is None or done < self._done, done
        if self._draw is not None:
            self._draw("" if done >= total else self._bar(done, total))
        elif begins:
            self._said = self._clock()
        elif done < total and self._clock() - self._said >= LINE_INTERVAL_S:
            self._said = self._clock()
            log.info("build.progressed", records=done, of=total)

    def _bar(self, done: int, total: int) -> str:
        with self._console.capture() as drawn:
            self._console.print(ProgressBar(total, done, _BAR_WIDTH), end="")
        return f"building {drawn.get()} {done:,} of {total:,} records"
