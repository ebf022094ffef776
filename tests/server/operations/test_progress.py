"""A full build tells how far it is: by a bar on a terminal, by a line now and then elsewhere."""

from __future__ import annotations

import contextlib
import io
import os
import re
from collections.abc import Iterator
from typing import TextIO

import orjson
import pytest
import structlog

from server.operations.logs.logs import Logs, configure
from server.operations.progress import LINE_INTERVAL_S, BuildProgress

_ERASE = "\r\x1b[2K"
_ANSI = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")


@contextlib.contextmanager
def logging_to(stream: TextIO) -> Iterator[Logs]:
    logs = configure("json" if isinstance(stream, io.StringIO) else "console", stream=stream)
    try:
        yield logs
    finally:
        logs.close()
        structlog.reset_defaults()


def test_a_line_every_few_seconds_says_how_far_a_long_build_is() -> None:
    stream, now = io.StringIO(), [0.0]
    with logging_to(stream) as logs:
        assert logs.draw is None
        progress = BuildProgress(logs.draw, lambda: now[0])
        for done in (0, 100, 200, 300, 400):
            progress(done, 400)
            now[0] += LINE_INTERVAL_S * 0.6
    lines = [orjson.loads(line) for line in stream.getvalue().splitlines()]
    assert [(line["event"], line["records"], line["of"]) for line in lines] == [
        ("build.progressed", 200, 400)
    ]


def test_a_short_build_says_nothing_and_the_next_one_counts_from_its_own_start() -> None:
    stream, now = io.StringIO(), [0.0]
    with logging_to(stream) as logs:
        progress = BuildProgress(logs.draw, lambda: now[0])
        progress(100, 100)
        now[0] += 10 * LINE_INTERVAL_S
        progress(50, 100)
        progress(100, 100)
    assert stream.getvalue() == ""


@pytest.fixture
def terminal() -> Iterator[tuple[TextIO, int]]:
    ours, theirs = os.openpty()
    with open(theirs, "w") as stream:
        yield stream, ours
    os.close(ours)


def _all_of(screen: int, stream: TextIO) -> bytes:
    """What a terminal was sent, which may come in pieces; the stream is closed."""
    stream.close()
    shown = b""
    with contextlib.suppress(OSError):  # how a terminal ends that nobody writes to any more
        while piece := os.read(screen, 65_536):
            shown += piece
    return shown


def test_a_bar_on_a_terminal_gives_way_to_the_next_line(terminal: tuple[TextIO, int]) -> None:
    stream, screen = terminal
    with logging_to(stream) as logs:
        progress = BuildProgress(logs.draw)
        progress(50_000, 100_000)
        structlog.get_logger().info("reload.failed")
        progress(75_000, 100_000)
        progress(100_000, 100_000)
        structlog.get_logger().info("reload.swapped")
    shown = _all_of(screen, stream).decode()
    first, failed, second, swapped = (_ANSI.sub("", part) for part in shown.split(_ERASE) if part)
    assert first.startswith("building ━")
    assert first.endswith("━ 50,000 of 100,000 records")
    assert failed.rstrip().endswith("reload.failed")
    assert failed.endswith("\n")
    assert second.endswith(" 75,000 of 100,000 records")
    assert swapped.rstrip().endswith("reload.swapped")
