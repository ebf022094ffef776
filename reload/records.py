"""The bytes of a record file as a Record: its JSON, its search text and its shape; or the Problem that prevents it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time
from math import isfinite
from typing import Any

import orjson

from reload import toml
from reload.errors import Problem
from reload.sheets import Sheet

# Stands between two fields in the search text. A private-use character is a word to SQLite's unicode61
# tokenizer, so that no phrase can match across a field's end.
FIELD_BREAK = "\ue000"
# Mark the hits in a snippet; they cannot occur in a search text.
HIT_START, HIT_END = "\x02", "\x03"

_UNSEARCHABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ue000]")
# As in gitsheets, blank lines after a delimiter belong to it; its idea of space has no separators.
_DELIMITER = re.compile(r"^\+\+\+[^\S\x1c-\x1f]*$", re.MULTILINE)
_OFFSET_UTC = "+00:00"

Kind = str
KINDS: dict[type, Kind] = {
    str: "string",
    int: "number",
    float: "number",
    bool: "boolean",
    datetime: "string",
    date: "string",
    time: "string",
    dict: "table",
    list: "array",
}


@dataclass(frozen=True, slots=True)
class Record:
    """One record, ready to be stored.

    `json` is what readers get; `text` is what is searched; `shape` names every field with its kind
    (`a.b` for a field in a table), which is what filters and sorting may ask for.
    """

    path: str
    blob: str
    json: str
    text: str
    shape: tuple[tuple[str, Kind], ...]


def read_record(sheet: Sheet, path: str, blob: str, data: bytes) -> Record | Problem:
    """The record that a file of `sheet` holds, or the Problem that makes it unreadable."""
    try:
        table = _decode(sheet, data)
        return Record(
            path,
            blob,
            orjson.dumps(table, _json_form, orjson.OPT_PASSTHROUGH_DATETIME).decode(),
            _searchable(_texts(table) if sheet.search is None else _chosen(table, sheet.search)),
            shape_of(table),
        )
    except toml.Unreadable as error:
        return Problem(sheet.file_of(path), error.line, error.column, error.message)


def _decode(sheet: Sheet, data: bytes) -> dict[str, Any]:
    text = toml.decode(data)
    if sheet.body is None:
        return toml.parse(text)
    front, body, first_line = split_front_matter(text)
    try:
        table = toml.parse(front.removeprefix("\ufeff"))
    except toml.Unreadable as error:
        line = error.line + first_line - 1 if error.line else 0
        raise toml.Unreadable(error.message, line, error.column) from None
    table.pop(sheet.body, None)
    table[sheet.body] = body
    return table


def split_front_matter(text: str) -> tuple[str, str, int]:
    """(TOML front matter, body, line on which the front matter begins), as gitsheets splits them.

    The first two `+++` lines delimit; without an opening one everything is body, without a closing
    one everything after the opening one. One blank line before the body and the file's last newline
    belong to neither.
    """
    opening = _DELIMITER.search(text)
    if opening is None:
        return "", text, 1
    start = opening.end() + text.startswith("\n", opening.end())
    closing = _DELIMITER.search(text, start)
    if closing is None:
        return "", text[start:], 1
    body = text[closing.end() :].removeprefix("\n").removeprefix("\n").removesuffix("\n")
    return text[start : closing.start()], body, text.count("\n", 0, start) + 1


def _json_form(value: object) -> str:
    """TOML dates as text that keeps their kind: `2024-01-02`, `03:04:05`, `2024-01-02T03:04:05+02:00`."""
    if isinstance(value, date | time):
        text = value.isoformat()
        return text.removesuffix(_OFFSET_UTC) + "Z" if text.endswith(_OFFSET_UTC) else text
    raise TypeError(f"{type(value)} is no TOML value")


def _texts(value: object) -> Iterator[str]:
    """Every string in a value, in order, nested ones too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)


def _chosen(table: dict[str, Any], fields: tuple[str, ...]) -> Iterator[str]:
    for field in fields:
        value: object = table
        for key in field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        yield from _texts(value)


def _searchable(texts: Iterator[str]) -> str:
    joined = "\x1f".join(texts)
    return _UNSEARCHABLE.sub(_replacement, joined)


def _replacement(found: re.Match[str]) -> str:
    return f"\n{FIELD_BREAK}\n" if found[0] == "\x1f" else " "


def shape_of(table: dict[str, Any]) -> tuple[tuple[str, Kind], ...]:
    """Every field of a record with its kind; the same for the TOML values and for their JSON."""
    shape: list[tuple[str, Kind]] = []
    for key, value in table.items():
        kind = KINDS.get(type(value), "null")
        if kind == "table":
            shape.extend((f"{key}.{inner}", kind) for inner, kind in shape_of(value))
        elif kind == "number" and not isfinite(value):
            kind = "null"  # JSON has no nan and no infinity
        shape.append((key, kind))
    return tuple(shape)
