"""TOML 1.0 text in, plain values out: the dialect that gitsheets reads, and never a crash.

rtoml is the fastest parser, but hostile nesting overflows its stack and ends the process, so nesting
is measured first. What it reads differently from gitsheets, and what it refuses, is read again with
the standard library's tomllib, which is exact and knows where a fault lies (source: differential
tests of both parsers against gitsheets).
"""

from __future__ import annotations

import math
import re
import tomllib
from typing import Any

import rtoml

DOCUMENT_BYTES_MAX = 1 << 20
NESTING_DEPTH_MAX = 64

_INTEGER_BITS = 64
_LOCATION = re.compile(r"\s*\(?\bat line (\d+),? column (\d+)\)?$")
# rtoml reads -09:30 as -08:30, and offsets that no day has; each expression begins with one literal
# character, because that makes the search many times faster than a choice of characters does.
_ODD_OFFSET = re.compile(r":\d\d(?:\.\d+)?(?:-\d\d:(?!00)\d\d|[+-](?:2[4-9]|[3-9]\d):\d\d|[+-]\d\d:[6-9]\d)")
# It also reads +0x1 and +-1, which are no numbers.
_ODD_SIGN = re.compile(r"\+(?:-|0[xob])")
# Strings and comments are skipped whole, so that brackets and dots inside them do not count. Nothing
# here backtracks, and what is not closed is skipped to its end: the time is linear in the text.
_TOKENS = re.compile(
    r'"""(?:[^"\\]++|\\.?|"(?!""))*+(?:"""|\Z)'
    r"|'''(?:[^']++|'(?!''))*+(?:'''|\Z)"
    r'|"(?:[^"\\\n]++|\\[^\n]?)*+"?'
    r"|'[^'\n]*+'?"
    r"|#[^\n]*+"
    r"|[\[\]{}.,=\n]",
    re.DOTALL,
)


class Unreadable(ValueError):
    """A text that is not TOML; `line` and `column` count from 1 and are 0 where unknown."""

    def __init__(self, message: str, line: int = 0, column: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.line = line
        self.column = column


def decode(data: bytes) -> str:
    """UTF-8 bytes as text, a byte-order mark removed; raises Unreadable naming the first bad byte."""
    if len(data) > DOCUMENT_BYTES_MAX:
        raise Unreadable(f"the file has {len(data)} bytes, more than the {DOCUMENT_BYTES_MAX} allowed")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        start = data.rfind(b"\n", 0, error.start) + 1
        column = len(data[start : error.start].decode()) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise Unreadable(message, line, column) from None
    return text.removeprefix("\ufeff")


def parse(text: str) -> dict[str, Any]:
    """The table that a TOML 1.0 document holds; raises Unreadable with line and column."""
    if text.count("[") + text.count("{") + text.count(".") > NESTING_DEPTH_MAX:
        _refuse_deep_nesting(text)
    try:
        table: dict[str, Any] = rtoml.loads(text)
    except ValueError as error:
        return _parse_exactly(text, _located(str(error)))
    return _parse_exactly(text) if _is_odd(text) else table


def _is_odd(text: str) -> bool:
    """Whether rtoml may read the text in another way than gitsheets does."""
    return (
        "\x7f" in text
        or text.startswith("\ufeff")
        or _ODD_SIGN.search(text) is not None
        or _ODD_OFFSET.search(text) is not None
    )


def _parse_exactly(text: str, refused: Unreadable | None = None) -> dict[str, Any]:
    """What the text holds after all; raises Unreadable, with the message of `refused` where there is one."""
    try:
        table = tomllib.loads(text, parse_float=_float)
    except tomllib.TOMLDecodeError as error:
        found = _located(str(error))
        message = refused.message if refused else found.message
        line, column = _end_of(text) if "at end of document" in str(error) else (found.line, found.column)
        raise Unreadable(message, line, column) from None
    except (ValueError, RecursionError) as error:  # a number of thousands of digits, for one
        raise refused or Unreadable(str(error)) from None
    if _exceeds_integers(table):
        raise refused or Unreadable(f"a whole number does not fit into {_INTEGER_BITS} bits")
    return table


def _float(text: str) -> float:
    """A number, which gitsheets refuses where it is too large; below all others it reads it as -inf."""
    number = float(text)
    if number == math.inf and not text.endswith("inf"):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _located(message: str) -> Unreadable:
    found = _LOCATION.search(message)
    line, column = (int(found[1]), int(found[2])) if found else (0, 0)
    return Unreadable(_LOCATION.sub("", message).removeprefix("ValueError: "), line, column)


def _end_of(text: str) -> tuple[int, int]:
    """Line and column after the last character that is no space."""
    end = text.rstrip()
    return end.count("\n") + 1, len(end) - end.rfind("\n")


def _exceeds_integers(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(_exceeds_integers, value.values()))
    if isinstance(value, list):
        return any(map(_exceeds_integers, value))
    return isinstance(value, int) and not -(1 << _INTEGER_BITS - 1) <= value < 1 << _INTEGER_BITS - 1


class _Nesting:
    """How deep a value stands: the parts of its header, the open brackets, the parts of its key."""

    def __init__(self) -> None:
        self._header = 0
        self._open: list[int] = []
        self._opened = 0
        self._key = 0
        self._in_header = False
        self._in_value = False

    @property
    def depth(self) -> int:
        """Levels below the document's own table."""
        return self._header + self._opened + self._key

    def take(self, token: str) -> None:
        """Go on by one token."""
        if token in ("[", "{"):
            self._enter()
        elif token in ("]", "}"):
            self._leave()
        elif token == ".":
            if self._in_header:
                self._header += 1
            else:
                self._key += 1
        elif token == "=":
            self._in_value = True
        else:
            self._key = 0
            self._in_value = self._in_value and (token != "\n" or bool(self._open))
            self._in_header = self._in_header and token != "\n"

    def _enter(self) -> None:
        if self._in_value or self._open:
            self._open.append(self._key + 1)
            self._opened += self._key + 1
            self._key = 0
        else:
            self._header = self._header + 1 if self._in_header else 1
            self._in_header = True

    def _leave(self) -> None:
        self._in_header = False
        if self._open:
            self._opened -= self._open.pop()


def _refuse_deep_nesting(text: str) -> None:
    """Raise Unreadable where headers, brackets and keys together nest deeper than NESTING_DEPTH_MAX."""
    nesting = _Nesting()
    line = 1
    for found in _TOKENS.finditer(text):
        token = found[0]
        if len(token) > 1:
            line += token.count("\n")
            continue
        nesting.take(token)
        if nesting.depth > NESTING_DEPTH_MAX:
            column = found.start() - text.rfind("\n", 0, found.start())
            raise Unreadable(f"nested deeper than {NESTING_DEPTH_MAX} levels", line, column)
        line += token == "\n"
