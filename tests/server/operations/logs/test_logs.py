"""One event, one line: complete, harmless, without secrets, and never in the way."""

from __future__ import annotations

import io
import logging
import os
import re
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
import structlog

from server.operations.logs.logs import Logs, configure
from server.operations.logs.redaction import Redactor
from server.settings.secret import Secret
from tests.end_to_end.waiting import DEADLINE_S

SECRET = "s3cret/+\"'" + "0123456789abcdef" * 2
HOSTILE = "a\r\nb\x1b[2J\x00c\u2028d\u2029e\x85f\x9bg\x7fh\u202ei\U000e0041j"


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


Start = Callable[..., Logs]


@pytest.fixture
def start() -> Iterator[Start]:
    """`configure`, undone after the test."""
    running: list[Logs] = []

    def begin(*arguments: Any, **options: Any) -> Logs:
        running.append(configure(*arguments, **options))
        return running[-1]

    yield begin
    for logs in running:
        logs.close(0)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


@pytest.fixture
def written(start: Start) -> Callable[..., list[dict[str, Any]]]:
    """What `log` makes of a structlog logger: the JSON lines that were written."""

    def write(log: Callable[[Any], object], *secrets: Secret) -> list[dict[str, Any]]:
        stream = io.StringIO()
        logs = start("json", "debug", stream, Redactor(secrets))
        log(structlog.get_logger())
        assert logs.close(DEADLINE_S)
        return [orjson.loads(line) for line in stream.getvalue().splitlines()]

    return write


def console_lines(start: Start, log: Callable[[Any], object], *secrets: Secret) -> list[str]:
    stream = io.StringIO()
    logs = start("console", "debug", stream, Redactor(secrets))
    log(structlog.get_logger())
    assert logs.close(DEADLINE_S)
    return stream.getvalue().split("\n")[:-1]


def raise_with(message: str) -> None:
    raise ValueError(message)


def test_an_event_is_one_json_line_with_its_time_in_utc(written: Any) -> None:
    (line,) = written(lambda log: log.info("reload.swapped", commit="c0ffee", durationMs=1.5))
    assert list(line)[:3] == ["timestamp", "level", "event"]
    assert datetime.fromisoformat(line.pop("timestamp")).tzinfo == UTC
    assert line == {
        "level": "info",
        "event": "reload.swapped",
        "commit": "c0ffee",
        "durationMs": 1.5,
    }


def test_what_is_bound_to_a_request_is_in_each_of_its_lines(written: Any) -> None:
    def log_request(log: Any) -> None:
        with structlog.contextvars.bound_contextvars(requestId="r1"):
            log.info("request.served")
            logging.getLogger("tornado.general").warning("odd")

    assert [line["requestId"] for line in written(log_request)] == ["r1", "r1"]


def test_the_standard_library_ends_up_in_the_same_place(written: Any) -> None:
    (line,) = written(lambda _: logging.getLogger("tornado.access").warning("%d %s", 404, "GET"))
    assert (line["event"], line["level"], line["logger"]) == (
        "404 GET",
        "warning",
        "tornado.access",
    )


def test_a_record_whose_arguments_do_not_fit_is_logged_all_the_same(written: Any) -> None:
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "%d records", ("many",), None)
    # Not through the logger: pytest's own handler would raise.
    (line,) = written(lambda _: logging.getLogger().handlers[-1].handle(record))
    assert line["event"].startswith("%d records")


def test_python_warnings_end_up_in_the_same_place(written: Any) -> None:
    def warn(_: Any) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            logging.captureWarnings(True)
            warnings.warn("old habit", DeprecationWarning, stacklevel=1)

    (line,) = written(warn)
    assert line["logger"] == "py.warnings"
    assert "old habit" in line["event"]


def test_only_events_of_the_level_and_above_are_logged(start: Start) -> None:
    stream = io.StringIO()
    logs = start("json", "warning", stream)
    log = structlog.get_logger()
    for level in ("debug", "info", "warning", "error", "critical"):
        getattr(log, level)(f"structlog.{level}")
        getattr(logging.getLogger("x"), level)(f"logging.{level}")
    logs.close()
    levels = [orjson.loads(line)["level"] for line in stream.getvalue().splitlines()]
    assert levels == ["warning", "warning", "error", "error", "critical", "critical"]


def test_a_changed_level_reaches_loggers_that_exist_already(start: Start) -> None:
    stream = io.StringIO()
    logs = start("json", "error", stream)
    log = structlog.get_logger()
    log.info("before")
    logs.set_level("debug")
    log.info("after")
    logs.close()
    assert [orjson.loads(line)["event"] for line in stream.getvalue().splitlines()] == ["after"]


def test_without_a_format_a_terminal_gets_colours_and_anything_else_json(start: Start) -> None:
    for stream, expected in ((Terminal(), "\x1b["), (io.StringIO(), '{"timestamp"')):
        logs = start("", "info", stream)
        structlog.get_logger().info("x.happened")
        logs.close()
        assert expected in stream.getvalue()


def test_a_console_that_is_no_terminal_gets_no_colours(start: Start) -> None:
    (line,) = console_lines(start, lambda log: log.info("x.happened", commit="c0ffee"))
    assert re.fullmatch(r"20\S+T[\d:]{8} \[info *\] x\.happened +commit=c0ffee", line)


# Hostile text


def test_hostile_text_stays_on_one_json_line_and_is_kept_whole(start: Start) -> None:
    stream = io.StringIO()
    logs = start("json", "info", stream)
    structlog.get_logger().info(HOSTILE, value=HOSTILE, table={HOSTILE: [HOSTILE]})
    logging.getLogger("x").warning("said %s", HOSTILE)
    logs.close()
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3
    assert lines[2] == ""
    assert all(line.isprintable() for line in lines)
    line = orjson.loads(lines[0])
    assert line["event"] == line["value"] == HOSTILE
    assert line["table"] == {HOSTILE: [HOSTILE]}


def test_hostile_text_stays_on_one_console_line(start: Start) -> None:
    (line,) = console_lines(start, lambda log: log.info(HOSTILE, value=HOSTILE, table={HOSTILE: [HOSTILE]}))
    assert line.isprintable()
    assert "\\x1b[2J" in line


def test_a_hostile_message_cannot_pass_for_a_line_within_a_console_traceback(start: Start) -> None:
    def log_failure(log: Any) -> None:
        try:
            raise_with(f"x\n2026-01-01T00:00:00Z [info] all.well {HOSTILE}")
        except ValueError:
            log.exception("build.failed")

    first, *rest = console_lines(start, log_failure)
    assert "build.failed" in first
    assert rest
    assert all(line.startswith("  | ") and line.isprintable() for line in rest)


# Secrets


def test_no_secret_is_written_anywhere_in_a_line(written: Any) -> None:
    saying = f"x {SECRET}"

    def log_secret(log: Any) -> None:
        percent = "s3cret%2F%2B%22%27" + SECRET[10:]
        nested = {SECRET: [f"Bearer {SECRET}"]}
        log.info(saying, token=SECRET, query=f"?t={percent}", nested=nested)
        log.info("x.happened", headers=str({"a": SECRET}), raw=SECRET.encode(), secret=secret)
        logging.getLogger("x").warning("%s", SECRET)
        try:
            raise_with(SECRET)
        except ValueError:
            log.exception("build.failed")

    secret = Secret(SECRET.encode())
    lines = written(log_secret, secret)
    assert len(lines) == 4
    assert SECRET[10:] not in orjson.dumps(lines).decode()
    assert lines[0]["token"] == "***"
    assert "ValueError: ***" in lines[3]["exception"]


def test_no_secret_is_written_to_a_console(start: Start) -> None:
    saying = f"x {SECRET}"

    def log_secret(log: Any) -> None:
        try:
            raise_with(SECRET)
        except ValueError:
            log.exception(saying, token=SECRET, nested={"a": SECRET})

    assert SECRET[10:] not in "".join(console_lines(start, log_secret, Secret(SECRET.encode())))


# Trouble


def test_a_log_that_nobody_takes_says_how_much_of_it_is_missing(start: Start) -> None:
    reading, writing = os.pipe()
    with os.fdopen(reading, "rb") as reader:
        with os.fdopen(writing, "w") as stream:
            logs = start("json", "info", stream, pending_bytes_max=150)
            structlog.get_logger().info("x.happened", text="x" * 200)
            structlog.get_logger().info("x.happened")
            assert logs.close(DEADLINE_S)
        lines = [orjson.loads(line) for line in reader]
    assert logs.dropped() == 1
    assert [line["event"] for line in lines] == ["x.happened", "log.dropped"]
    assert (lines[1]["level"], lines[1]["lines"]) == ("warning", 1)


def test_the_short_way_escapes_what_the_long_one_does(start: Start) -> None:
    stream = io.StringIO()
    logs = start("json", "debug", stream)
    for path in ("/api/people", HOSTILE, "/höhe", "\udce9"):
        logs.plain({"event": "request.finished", "path": path})
    assert logs.close(DEADLINE_S)
    lines = stream.getvalue().split("\n")[:-1]
    assert all(line.isprintable() for line in lines)
    paths = [orjson.loads(line)["path"] for line in lines]
    assert paths == ["/api/people", HOSTILE, "/höhe", "\\udce9"]
