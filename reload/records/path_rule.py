"""Whether a record's path matches its fields: plain references only, nothing is evaluated."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import orjson

from reload.records.sheet import Sheet

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_FIELD = re.compile(r"\s*([\w-]+(?:\.[\w-]+)*)\s*(/\*\*)?\s*")
_DATE_BUCKET = re.compile(r"\s*[\w-]+(?:\.[\w-]+)*\s*:\s*(\S*)\s*", re.ASCII)


class _Component(NamedTuple):
    """The levels of a path that one component of a template makes.

    `parts` alternates literal text and field names, and is None where an expression would have to be
    evaluated. `levels` is None for a component that takes all that is left.
    """

    levels: int | None
    parts: tuple[str, ...] | None

    @property
    def field(self) -> str | None:
        """The field, where the component is nothing but one."""
        alone = self.parts is not None and len(self.parts) == 3 and not self.parts[0] + self.parts[2]
        return self.parts[1] if alone and self.parts else None


class PathRule:
    """Where the records of a sheet belong, as far as plain field references tell."""

    def __init__(self, sheet: Sheet) -> None:
        self._sheet = sheet
        self._components = _components(sheet.path)
        field = self._components[0].field if len(self._components) == 1 else None
        # Of the usual template, one field, the JSON text tells nearly always.
        self._key = f'"{field}":' if field and "." not in field else None

    def mismatch(self, path: str, json: str) -> str | None:
        """What is wrong with a record's path, None where nothing is or where that cannot be told."""
        key = self._key
        if key is not None and f'{key}"{path}"' in json and json.count(key) == 1:
            return None
        proper, fields = self._proper(path, orjson.loads(json))
        if proper == path:
            return None
        named = " and ".join(dict.fromkeys(fields))
        there = self._sheet.file_of(proper)
        return f"the path does not match the record: by its {named} it belongs at {there!r}"

    def _proper(self, path: str, table: dict[str, Any]) -> tuple[str, list[str]]:
        """Where the record belongs, and the fields that disagree with where it is."""
        actual = path.split("/")
        proper: list[str] = []
        fields: list[str] = []
        for component in self._components:
            end = len(actual) if component.levels is None else len(proper) + component.levels
            here = "/".join(actual[len(proper) : end])
            rendered = None if component.parts is None else _rendered(component.parts, table)
            if rendered is not None and rendered != here:
                fields += (component.parts or ())[1::2]
            proper += (here if rendered is None else rendered).split("/")
        return "/".join(proper), fields


def _rendered(parts: tuple[str, ...], table: dict[str, Any]) -> str | None:
    """The component that the fields make, None where one is absent or no plain text or number."""
    text = ""
    for number, part in enumerate(parts):
        if number % 2 == 0:
            text += part
            continue
        value: object = table
        for key in part.split("."):
            value = value.get(key) if isinstance(value, dict) else None
        if isinstance(value, bool) or not isinstance(value, str | int):
            return None
        text += str(value)
    return text


def _components(source: str) -> list[_Component]:
    """The components of a template; slashes inside expressions separate nothing."""
    expressions = _EXPRESSION.findall(source)
    # An expression becomes a NUL, which no path can hold.
    shape = _EXPRESSION.sub("\0", source).strip("/")
    found: list[_Component] = []
    for text in shape.split("/"):
        own = [expressions.pop(0) for _ in range(text.count("\0"))]
        found.append(_component(text.split("\0"), own))
    return found


def _component(literals: list[str], expressions: list[str]) -> _Component:
    if len(expressions) == 1 and (bucket := _DATE_BUCKET.fullmatch(expressions[0])):
        return _Component(bucket[1].count("/") + 1, None)
    fields = [_FIELD.fullmatch(expression) for expression in expressions]
    recursive = any(expression.rstrip().endswith("/**") for expression in expressions)
    levels = None if recursive else 1
    parts = [literals[0]]
    for field, literal in zip(fields, literals[1:], strict=True):
        if field is None:
            return _Component(levels, None)
        parts += [field[1], literal]
    return _Component(levels, tuple(parts))
