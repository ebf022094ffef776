"""Values for logs: plain, of limited size, safe to show."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import date, time
from enum import Enum
from itertools import islice
from typing import Any, Final

from structlog.types import EventDict, WrappedLogger

from server.operations.logs.redaction import Redactor

CHARACTERS_MAX: Final = 16_384
ITEMS_MAX: Final = 200
DEPTH_MAX: Final = 6
_INTEGER_MIN, _INTEGER_MAX = -(2**63), 2**64 - 1  # what JSON renderers take
_FIRST: Final = ("timestamp", "level", "event")
_OF_MANY_LINES: Final = ("exception", "stack")


class Portable:
    """A structlog processor after which an event holds only text, numbers, lists and tables.

    Secrets are taken out of every text; texts, lists and depth are cut to a limit; text that is
    not valid Unicode is escaped. With `one_line`, so is whatever could move the cursor or begin
    a line, except that tracebacks keep their lines, each behind a margin.
    """

    def __init__(self, redactor: Redactor, *, one_line: bool) -> None:
        self._redact = redactor.redact
        self._one_line = one_line

    def __call__(self, _logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
        portable: EventDict = {key: "" for key in _FIRST if key in event}
        for key, value in event.items():
            if self._one_line and key in _OF_MANY_LINES:
                portable[key] = self._behind_margin(value)
            else:
                # Nearly every key is a keyword argument in our own code, and there are many.
                name = key if key.isidentifier() else self._text(key)
                portable[name] = self._value(value, DEPTH_MAX)
        return portable

    def _value(self, value: object, depth: int) -> object:
        if type(value) is str:
            return self._text(value)
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, float):
            return float(value)
        if isinstance(value, Enum):
            return self._value(value.value, depth)
        if isinstance(value, int) and _INTEGER_MIN <= value <= _INTEGER_MAX:
            return int(value)
        if isinstance(value, Mapping | list | tuple | set | frozenset) and depth > 0:
            return self._container(value, depth - 1)
        return self._text(_shown(value))

    def _container(self, value: Mapping[Any, object] | Iterable[object], depth: int) -> object:
        if isinstance(value, Mapping):
            return {
                self._text(_shown(key)): self._value(inner, depth)
                for key, inner in islice(value.items(), ITEMS_MAX)
            }
        return [self._value(inner, depth) for inner in islice(value, ITEMS_MAX)]

    def _text(self, text: str) -> str:
        text = _cut(self._redact(text))
        if text.isascii() and (text.isprintable() or not self._one_line):
            return text
        text = text.encode("utf-8", "backslashreplace").decode()
        return _on_one_line(text) if self._one_line else text

    def _behind_margin(self, value: object) -> str:
        lines = _cut(self._redact(_shown(value))).split("\n")
        return "\n".join(f"  | {self._text(line)}" for line in lines)


def _shown(value: object) -> str:
    """The value as text, whatever it is."""
    try:
        if isinstance(value, bytes | bytearray):
            return value.decode("utf-8", "backslashreplace")
        if isinstance(value, BaseException):
            return f"{type(value).__name__}: {value}"
        if isinstance(value, date | time):
            return value.isoformat()
        return str(value)
    except Exception:  # a log line must not fail for what a value's own __str__ raises
        return f"<{type(value).__name__} that cannot be shown>"


def _cut(text: str) -> str:
    """The text without its middle when it is too long: what matters is at the ends."""
    if len(text) <= CHARACTERS_MAX:
        return text
    half = CHARACTERS_MAX // 2
    return f"{text[:half]}[... {len(text) - 2 * half} characters ...]{text[-half:]}"


def _on_one_line(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode()
        for character in text
    )
