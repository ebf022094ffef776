"""Logs: one event, one line; secrets removed, hostile text escaped, the loop never blocked.

Everything ends up in the same place: structlog's loggers, the standard library's (Tornado's and
asyncio's among them) and Python's warnings.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TextIO, cast

import orjson
import structlog
from structlog.types import EventDict, Processor, WrappedLogger

from server.operations.logs.redaction import Redactor
from server.operations.logs.values import Portable
from server.operations.logs.writer import CLOSE_TIMEOUT_S, PENDING_BYTES_MAX, LogWriter

# What a line on a terminal leaves out: it ties lines together, or is for statistics.
_FOR_PROGRAMS = frozenset(("reload_id", "request_id", "phases_ms", "route", "agent"))
_COMMIT_DIGITS = 12
_TO_THE_SECOND = len("2025-09-30T18:50:05")


class Logs:
    """The running logs of a process; made by `configure`, ended by `close`."""

    def __init__(self, pipeline: _Pipeline, writer: LogWriter) -> None:
        self._writer = writer
        self._processors = pipeline.processors
        self._handler = _StandardLibraryHandler(pipeline, writer)
        self._pipeline = pipeline
        self._shows_info = True
        self._root_level = logging.getLogger().level

    def start(self, level: str) -> None:
        """Take over structlog and the standard library's logging."""
        line_logger = _LineLogger(self._writer)
        structlog.configure(
            processors=self._processors,
            logger_factory=lambda *_: line_logger,
            context_class=dict,
            # A level that changes must reach loggers that exist already.
            cache_logger_on_first_use=False,
        )
        logging.getLogger().addHandler(self._handler)
        logging.captureWarnings(True)
        self.set_level(level)

    def set_level(self, level: str) -> None:
        """Log events of `level` and above from now on: debug, info, warning, error, critical."""
        number = logging.getLevelNamesMapping()[level.upper()]
        self._shows_info = number <= logging.INFO
        structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(number))
        logging.getLogger().setLevel(number)

    def plain(self, event: EventDict) -> None:
        """Log an event of level info whose values are plain already, by the shortest way.

        For the one line that every request writes, where structlog's own way costs as much as the
        answer.
        """
        if self._shows_info:
            self._writer.write(self._pipeline.plain_line(event))

    @property
    def draw(self) -> Callable[[str], None] | None:
        """Shows a text below the lines of a terminal until the next one is logged; None elsewhere."""
        return None if not self._pipeline.on_terminal else lambda text: self._writer.draw(text.encode())

    def dropped(self) -> int:
        """How many lines were dropped because the reader was too slow; grows only."""
        return self._writer.dropped()

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Write what waits, for at most `timeout_s` seconds; True when all of it was written."""
        logging.captureWarnings(False)
        logging.getLogger().removeHandler(self._handler)
        logging.getLogger().setLevel(self._root_level)
        return self._writer.close(timeout_s)


def configure(
    format: str = "",
    level: str = "info",
    stream: TextIO | None = None,
    redactor: Redactor | None = None,
    pending_bytes_max: int = PENDING_BYTES_MAX,
) -> Logs:
    """Send every log line of the process to `stream` (default: stderr).

    `format` is `json`, `console` or, for `console` on a terminal and `json` elsewhere, empty.
    What `redactor` knows is replaced by `***` wherever it appears. The caller closes the result.
    """
    stream = sys.stderr if stream is None else stream
    on_terminal = stream.isatty()
    console = format == "console" or (not format and on_terminal)
    pipeline = _Pipeline(redactor or Redactor(), console=console, colors=on_terminal)
    writer = LogWriter(stream, pipeline.report_lost, pending_bytes_max)
    logs = Logs(pipeline, writer)
    logs.start(level)
    return logs


class _Pipeline:
    """The processors that turn an event into the bytes of its line, without the line end."""

    def __init__(self, redactor: Redactor, *, console: bool, colors: bool) -> None:
        self._console = console
        self.on_terminal = console and colors
        self._redact = redactor.redact
        self.processors: list[Processor] = [
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            Portable(redactor, one_line=console),
            _ConsoleRenderer(colors) if console else _render_json,
        ]

    def line(self, method: str, event: EventDict) -> bytes:
        """The line of an event that does not come from a structlog logger."""
        for processor in self.processors:
            event = cast("EventDict", processor(None, method, event))
        return cast("bytes", event) + b"\n"  # the last processor renders

    def plain_line(self, event: EventDict) -> bytes:
        """The line of an event of level info that holds nothing but short texts, numbers and one path."""
        if self._console:
            return self.line("info", event)
        head = {"timestamp": _now(), "level": "info"}
        try:
            line = orjson.dumps({**head, **event}).decode()
        except TypeError:  # a text that is no valid Unicode
            return self.line("info", event)
        if not (line.isascii() and line.isprintable()):  # a path may hold what moves a terminal's cursor
            return self.line("info", event)
        return self._redact(line).encode() + b"\n"

    def report_lost(self, count: int) -> bytes:
        """The line that says how many lines are missing before it."""
        return self.line("warning", {"event": "log.dropped", "lines": count})


class _LineLogger:
    """What structlog hands finished lines to, whatever their level."""

    def __init__(self, writer: LogWriter) -> None:
        self._write = writer.write

    def msg(self, line: bytes) -> None:
        self._write(line + b"\n")

    debug = info = warning = error = critical = exception = log = msg


class _StandardLibraryHandler(logging.Handler):
    """Sends records of the standard library's loggers through the same processors."""

    def __init__(self, pipeline: _Pipeline, writer: LogWriter) -> None:
        super().__init__()
        self._pipeline = pipeline
        self._writer = writer

    def emit(self, record: logging.LogRecord) -> None:
        """Log one record; one with arguments that do not fit is logged all the same."""
        try:
            message = record.getMessage()
        except Exception:  # whatever an argument's own formatting raises
            message = f"{record.msg} (its arguments do not fit)"
        event: EventDict = {"event": message, "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        self._writer.write(self._pipeline.line(record.levelname.lower(), event))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _render_json(_logger: WrappedLogger, _method: str, event: EventDict) -> bytes:
    line = orjson.dumps(event)
    if line.isascii() and b"\x7f" not in line:
        return line
    text = line.decode()
    return line if text.isprintable() else "".join(map(_json_escaped, text)).encode()


def _json_escaped(character: str) -> str:
    """JSON allows line separators and terminal controls beyond ASCII; a log line does not."""
    if character.isprintable():
        return character
    units = character.encode("utf-16-be").hex()
    return "".join(f"\\u{units[start : start + 4]}" for start in range(0, len(units), 4))


class _ConsoleRenderer:
    """Lines for people, coloured on a terminal, without what only programs need."""

    def __init__(self, colors: bool) -> None:
        self._render = structlog.dev.ConsoleRenderer(colors=colors)

    def __call__(self, logger: WrappedLogger, method: str, event: EventDict) -> bytes:
        shown = {name: _shown(name, value) for name, value in event.items() if name not in _FOR_PROGRAMS}
        return self._render(logger, method, shown).encode()


def _shown(name: str, value: object) -> object:
    """A value as a person reads it: commits by their first digits, times to the second."""
    if name.endswith("commit") and isinstance(value, str):
        return value[:_COMMIT_DIGITS]
    if name == "timestamp" and isinstance(value, str):
        return value[:_TO_THE_SECOND]
    return value
