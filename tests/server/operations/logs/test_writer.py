"""Whoever logs never waits: not for a slow reader, not for a stuck one, not for one that left."""

from __future__ import annotations

import io
import os
import threading
from itertools import islice
from typing import TextIO

from server.operations.logs.writer import LogWriter
from tests.end_to_end.waiting import DEADLINE_S


def no_report(_lost: int) -> bytes:
    return b""


def blocked_pipe() -> tuple[int, TextIO]:
    """A pipe that is full, as when whoever collects logs stands still; and its reading end."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    try:
        while True:
            os.write(writing, b"x" * 4095 + b"\n")
    except BlockingIOError:
        os.set_blocking(writing, True)
    return reading, os.fdopen(writing, "w")


def test_a_blocked_log_pipe_delays_nobody_and_what_is_lost_is_counted() -> None:
    reading, stream = blocked_pipe()
    with os.fdopen(reading, "rb") as reader, stream:
        writer = LogWriter(stream, no_report, pending_bytes_max=1000)
        for number in range(1000):  # would never end if one of them blocked
            writer.write(b"line %04d\n" % number)
        assert writer.dropped() == 900
        assert not writer.close(0)  # nor does the end of the process wait for ever

        lines = (line for line in reader if line.startswith(b"line"))
        assert list(islice(lines, 100)) == [b"line %04d\n" % number for number in range(100)]
        assert writer.close(DEADLINE_S)


def test_after_a_blockade_the_log_says_how_many_lines_are_missing() -> None:
    reading, stream = blocked_pipe()
    with os.fdopen(reading, "rb") as reader, stream:
        writer = LogWriter(stream, lambda lost: b"lost\n" * lost, pending_bytes_max=10)
        for line in (b"one\n", b"two\n", b"three\n", b"four\n"):
            writer.write(line)
        assert writer.dropped() == 2
        assert not writer.close(0)
        lines = (line for line in reader if not line.startswith(b"x"))
        assert sorted(islice(lines, 4)) == [b"lost\n", b"lost\n", b"one\n", b"two\n"]
        assert writer.close(DEADLINE_S)


def test_closing_writes_what_waits_and_later_lines_are_dropped() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream, no_report)
    for number in range(5000):
        writer.write(b"%d\n" % number)
    assert writer.close(DEADLINE_S)
    assert writer.close(DEADLINE_S)
    assert stream.getvalue().split() == [str(number) for number in range(5000)]
    writer.write(b"late\n")
    assert writer.dropped() == 1


def test_a_reader_that_went_away_stops_nobody() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, no_report)
        writer.write(b"one\n")
        assert writer.close(DEADLINE_S)
        assert writer.dropped() == 1


def test_a_non_blocking_descriptor_loses_nothing() -> None:
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    lines = [b"%06d %s\n" % (number, b"x" * 1000) for number in range(1000)]
    with os.fdopen(reading, "rb") as reader, os.fdopen(writing, "w") as stream:
        writer = LogWriter(stream, no_report)
        for line in lines:
            writer.write(line)
        assert [reader.readline() for _ in lines] == lines
        assert writer.close(DEADLINE_S)


def test_lines_of_several_threads_stay_whole() -> None:
    stream = io.StringIO()
    writer = LogWriter(stream, no_report)

    def write_all(name: bytes) -> None:
        for _ in range(500):
            writer.write(name * 50 + b"\n")

    threads = [threading.Thread(target=write_all, args=(name,)) for name in (b"a", b"b", b"c")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert writer.close(DEADLINE_S)
    lines = stream.getvalue().split()
    assert {line: lines.count(line) for line in set(lines)} == {n * 50: 500 for n in "abc"}
