"""The log events that the source emits, found by reading it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

EVENT = re.compile(r"[a-z]+(?:_[a-z]+)*\.[a-z]+(?:_[a-z]+)*")
LOGGERS = frozenset(
    ("debug", "info", "warning", "error", "critical", "exception", "log", "note", "_note", "_log_line")
)
# What structlog makes of an exception.
RENAMED = {"exc_info": "exception"}


def events_in(files: list[Path]) -> dict[str, set[str]]:
    """Every event of these files with the keys that are given where it is emitted."""
    found: dict[str, set[str]] = {}
    for file in files:
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            for event, keys in _events_of(node):
                found.setdefault(event, set()).update(RENAMED.get(key, key) for key in keys)
    return found


def _events_of(node: ast.AST) -> Iterator[tuple[str, set[str]]]:
    if isinstance(node, ast.Call) and node.args and _name(node.func) in LOGGERS:
        keys = {keyword.arg for keyword in node.keywords if keyword.arg}
        yield from ((text, keys) for text in _texts(node.args[0]))
    elif isinstance(node, ast.Assign) and [_name(target) for target in node.targets] == ["event"]:
        yield from ((text, set()) for text in _texts(node.value))
    elif isinstance(node, ast.Dict):
        members = {key.value: value for key, value in zip(node.keys, node.values, strict=True)
                   if isinstance(key, ast.Constant) and isinstance(key.value, str)}  # fmt: skip
        if "event" in members:
            yield from ((text, set(members) - {"event"}) for text in _texts(members["event"]))


def _name(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def _texts(node: ast.expr) -> Iterator[str]:
    """The events that an expression may be: a text, or one of two."""
    if isinstance(node, ast.IfExp):
        yield from _texts(node.body)
        yield from _texts(node.orelse)
    elif isinstance(node, ast.Constant) and isinstance(node.value, str) and EVENT.fullmatch(node.value):
        yield node.value
