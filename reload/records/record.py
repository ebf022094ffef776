"""The bytes of a record file as a Record (JSON, search text, shape), or the Problem that prevents it."""

from __future__ import annotations

import re
from datetime import date, datetime, time
from math import isfinite
from typing import Any, NamedTuple

import orjson

from reload.errors import Problem
from reload.records import toml
from reload.records.sheet import Sheet

# Stands between two fields in the search text. A private-use character is a word to SQLite's unicode61
# tokenizer, so that no phrase can match across a field's end.
FIELD_BREAK = "\ue000"
# Mark the hits in a snippet; they cannot occur in a search text.
HIT_START, HIT_END = "\x02", "\x03"

_BREAK = f"\n{FIELD_BREAK}\n"
_UNSEARCHABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ue000]")
# How JSON escapes them; begins with one literal character, which makes the search many times faster.
_ESCAPED = re.compile(r"\\(?:u00|[bf])")
# As in gitsheets, blank lines after a delimiter belong to it; its idea of space has no separators.
_DELIMITER = re.compile(r"^\+\+\+[^\S\x1c-\x1f]*$", re.MULTILINE)

Kind = str
Shape = tuple[tuple[str, Kind], ...]
# The keys of a table, the types of their values, the shapes of the tables among these.
_Outline = tuple[tuple[str, ...], tuple[type, ...], tuple[Shape, ...]]
_NULL = type(None)
# What is remembered of shapes: so many, none with more fields or longer names than records mostly have.
_SHAPES_MAX = 1024
_SHAPE_FIELDS_MAX = 256
_SHAPE_CHARACTERS_MAX = 8_192
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


class Record(NamedTuple):
    """One record, ready to be stored.

    `json` is what readers get; `text` is what is searched; `shape` names every field with its kind
    (`a.b` for a field in a table), which is what filters and sorting may ask for.
    """

    path: str
    blob: str
    json: str
    text: str
    shape: Shape


def read_record(sheet: Sheet, path: str, blob: str, data: bytes) -> Record | Problem:
    """The record that a file of `sheet` holds, or the Problem that makes it unreadable."""
    try:
        table = _decode(sheet, data)
        json = orjson.dumps(table, None, orjson.OPT_UTC_Z).decode()
        texts: list[str] = []
        if sheet.search is None:
            _gather(table, texts)
        else:
            _gather_chosen(table, sheet.search, texts)
        return Record(path, blob, json, _searchable(texts, json), shape_of(table))
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


def _gather(value: object, texts: list[str]) -> None:
    """Add every string in a value, in order, nested ones too."""
    kind = type(value)
    if kind is str:
        texts.append(value)  # type: ignore[arg-type]
    elif kind is dict:
        for item in value.values():  # type: ignore[attr-defined]
            # Most fields are plain strings: no call for those.
            if type(item) is str:
                texts.append(item)
            elif type(item) is dict or type(item) is list:
                _gather(item, texts)
    elif kind is list:
        for item in value:  # type: ignore[attr-defined]
            _gather(item, texts)


def _gather_chosen(table: dict[str, Any], fields: tuple[str, ...], texts: list[str]) -> None:
    for field in fields:
        value: object = table
        for key in field.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        _gather(value, texts)


def _searchable(texts: list[str], json: str) -> str:
    """The texts with FIELD_BREAK between them, and without what would be mistaken for a mark of ours.

    JSON escapes every such character, so that its text tells quickly that there is none.
    """
    if _ESCAPED.search(json) is not None or FIELD_BREAK in json:
        texts = [_UNSEARCHABLE.sub(" ", text) for text in texts]
    return _BREAK.join(texts)


def shape_of(table: dict[str, Any]) -> Shape:
    """Every field of a record with its kind; the same for the TOML values and for their JSON."""
    types = tuple(map(type, table.values()))
    inner: tuple[Shape, ...] = ()
    if dict in types:
        inner = tuple([shape_of(value) for value in table.values() if type(value) is dict])
    if float in types:  # JSON has no nan and no infinity
        types = tuple([_NULL if _is_endless(value) else type(value) for value in table.values()])
    return _shapes[tuple(table), types, inner]


class _Shapes(dict[_Outline, Shape]):
    """Shapes by outline, made when first asked for: most records of a sheet share one. Keeps small ones."""

    def __missing__(self, outline: _Outline) -> Shape:
        shape = _shape_of(*outline)
        if len(shape) <= _SHAPE_FIELDS_MAX and sum(len(name) for name, _ in shape) <= _SHAPE_CHARACTERS_MAX:
            if len(self) >= _SHAPES_MAX:
                self.clear()
            self[outline] = shape
        return shape


def _shape_of(keys: tuple[str, ...], types: tuple[type, ...], inner: tuple[Shape, ...]) -> Shape:
    shape: list[tuple[str, Kind]] = []
    tables = iter(inner)
    for key, each in zip(keys, types, strict=True):
        kind = KINDS.get(each, "null")
        if kind == "table":
            shape.extend((f"{key}.{name}", kind) for name, kind in next(tables))
        shape.append((key, kind))
    return tuple(shape)


_shapes = _Shapes()


def _is_endless(value: object) -> bool:
    return type(value) is float and not isfinite(value)
