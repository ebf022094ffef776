"""TOML 1.0 text in, plain values out: the dialect that gitsheets reads, and never a crash.

rtoml is the fastest parser, but hostile nesting overflows its stack and ends the process, so nesting
is measured first. When a text is refused, the standard library's tomllib says where (source: measured,
rtoml names the wrong line for duplicate keys).
"""

from __future__ import annotations

import re
import tomllib
from typing import Any

import rtoml

DOCUMENT_BYTES_MAX = 1 << 20
NESTING_DEPTH_MAX = 64

_LOCATION = re.compile(r"\s*\(?\bat line (\d+),? column (\d+)\)?$")
_NEGATIVE_OFFSET = re.compile(r":\d\d(?:\.\d+)?-\d\d:(?!00)\d\d")
# Strings and comments are skipped whole, so that brackets and dots inside them do not count.
_TOKENS = re.compile(
    r'"""(?:\\.|[^\\])*?"""|\'\'\'.*?\'\'\'|"(?:\\.|[^"\\\n])*"|\'[^\'\n]*\'|#[^\n]*'
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
        column = error.start - (data.rfind(b"\n", 0, error.start) + 1) + 1
        message = f"not UTF-8: byte 0x{data[error.start]:02x} at offset {error.start}"
        raise Unreadable(message, line, column) from None
    return text.removeprefix("\ufeff")


def parse(text: str) -> dict[str, Any]:
    """The table that a TOML 1.0 document holds; raises Unreadable with line and column."""
    if text.count("[") + text.count("{") + text.count(".") > NESTING_DEPTH_MAX:
        _refuse_deep_nesting(text)
    try:
        table: dict[str, Any] = rtoml.loads(text)
        # rtoml 0.13 reads a negative offset with minutes wrongly: -09:30 as -08:30.
        return tomllib.loads(text) if _NEGATIVE_OFFSET.search(text) else table
    except rtoml.TomlParsingError as error:
        raise _located(str(error), text) from None


def _located(message: str, text: str) -> Unreadable:
    found = _LOCATION.search(message)
    line, column = (int(found[1]), int(found[2])) if found else (0, 0)
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        better = _LOCATION.search(str(error))
        if better:
            line, column = int(better[1]), int(better[2])
    except RecursionError:
        pass
    return Unreadable(_LOCATION.sub("", message), line, column)


def _refuse_deep_nesting(text: str) -> None:
    """Raise Unreadable where brackets or dotted keys nest deeper than NESTING_DEPTH_MAX."""
    depth = dots = 0
    line = 1
    for found in _TOKENS.finditer(text):
        token = found[0]
        if token in ("[", "{"):
            depth += 1
        elif token in ("]", "}"):
            depth = max(0, depth - 1)
        elif token == ".":
            dots += 1
        else:
            line += token.count("\n")
            dots = 0 if token in ("\n", ",", "=") else dots
        if max(depth, dots) > NESTING_DEPTH_MAX:
            column = found.start() - text.rfind("\n", 0, found.start())
            raise Unreadable(f"nested deeper than {NESTING_DEPTH_MAX} levels", line, column)
