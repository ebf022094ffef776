"""TOML 1.0 text in, plain values out: the dialect that gitsheets reads, and never a crash.

toml-rs wraps the parser that gitsheets has, so both read alike; tests compare them. Hostile nesting
overflows its stack and ends the process, so nesting is measured first.
"""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Iterable
from typing import Any

import toml_rs

DOCUMENT_BYTES_MAX = 1 << 20
NESTING_DEPTH_MAX = 64

_INTEGER_MIN, _INTEGER_MAX = -(1 << 63), (1 << 63) - 1
_INTEGER_TOO_LARGE = "a whole number does not fit into 64 bits"
# Where a fault is, as both parsers word it.
_LOCATION = re.compile(r"\s*\(?\bat line (\d+),? column (\d+)\)?$", re.MULTILINE)
# What is wrong with a line in words for people, where the parser's words mislead.
_NAME = r"""^(?:[^"'=#]|"[^"]*"|'[^']*')*+="""
_WORDS_FOR_PEOPLE = tuple(
    (re.compile(_NAME + pattern, re.IGNORECASE), words)
    for pattern, words in (
        (r"\s*(?:#.*)?$", "a value is missing after ="),
        (r"\s*(?:null|none|nil)\b", "TOML has no null: leave the key out"),
        ("\\s*[\u2018-\u201f\u00ab\u00bb]", "quotes must be straight ones, \" or '"),
        (r"""\s*"[a-z]:\\""", "a backslash begins an escape: double it, or put the text in single quotes"),
    )
)
_NUMBER = re.compile(r"(?<![\w.+-])[+-]?[0-9][\w.+-]*+")
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
    if text.startswith("\ufeff"):
        raise Unreadable("a byte-order mark stands here", 1, 1)
    try:
        table: dict[str, Any] = toml_rs.loads(text, parse_float=_float, toml_version="1.0.0")
    except toml_rs.TOMLDecodeError as error:
        raise _refused(text, error.msg) from None
    except ValueError as error:  # what TOML can say and Python cannot hold
        raise _beyond_python(text, str(error)) from None
    if _exceeds_integers(table.values()):
        raise Unreadable(_INTEGER_TOO_LARGE, *_place_of_number(text))
    return table


def _float(text: str) -> float:
    """A number, which gitsheets refuses where it is too large; below all others it reads it as -inf."""
    number = float(text)
    if number == math.inf and not text.endswith("inf"):
        raise ValueError(f"{text[:40]} is too large a number")
    return number


def _refused(text: str, words: str) -> Unreadable:
    """The parser's refusal: where, a picture of the line in three lines, and what is wrong with it."""
    found = _LOCATION.search(words)
    if found is None:
        return Unreadable(words)
    line, byte = int(found[1]), int(found[2])
    before = text.split("\n", line)[line - 1 : line] or [""]
    column = len(before[0].encode()[: byte - 1].decode("utf-8", "ignore")) + 1
    end = text.rstrip()
    if line > end.count("\n") + 1:  # what is missing at the end is missing after the last word
        line, column = end.count("\n") + 1, len(end) - end.rfind("\n")
    people = next((told for pattern, told in _WORDS_FOR_PEOPLE if pattern.match(before[0])), None)
    return Unreadable(people or words.rpartition("^\n")[2].strip(), line, column)


def _beyond_python(text: str, words: str) -> Unreadable:
    """A moment or a number that is too large; the standard library knows where the moment is."""
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        if found := _LOCATION.search(str(error)):
            return Unreadable(words, int(found[1]), int(found[2]))
    except ValueError:
        words = _INTEGER_TOO_LARGE
    return Unreadable(words, *_place_of_number(text))


def _place_of_number(text: str) -> tuple[int, int]:
    """Line and column of the first number that is too large."""
    bare = _TOKENS.sub(lambda token: token[0] if len(token[0]) == 1 else " " * len(token[0]), text)
    for found in _NUMBER.finditer(bare):
        if _is_too_large(found[0]):
            line = text.count("\n", 0, found.start()) + 1
            return line, found.start() - text.rfind("\n", 0, found.start())
    return 0, 0


def _is_too_large(number: str) -> bool:
    try:
        return not _INTEGER_MIN <= int(number, 0) <= _INTEGER_MAX
    except ValueError:
        pass
    try:
        return float(number) == math.inf
    except ValueError:
        return False


def _exceeds_integers(values: Iterable[object]) -> bool:
    for value in values:
        kind = type(value)
        if kind is int:
            if not _INTEGER_MIN <= value <= _INTEGER_MAX:  # type: ignore[operator]
                return True
        elif kind is dict:
            if _exceeds_integers(value.values()):  # type: ignore[attr-defined]
                return True
        elif kind is list and _exceeds_integers(value):  # type: ignore[arg-type]
            return True
    return False


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
