"""The type of a sheet's records as a JSON Schema: the sheet's own, filled up with the kinds that were seen.

What was seen is true of every record of the snapshot, so that adding it to a schema that holds changes
nothing but what a reader knows.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from reload.snapshot.query.query import KindCounts, Kinds

JsonSchema = dict[str, Any]

_TYPES: Final[Mapping[str, str]] = {"table": "object"}  # the other kinds have JSON's own names
_ANNOTATIONS: Final = frozenset(("title", "description", "examples", "deprecated", "$defs", "definitions"))
_OBJECT_KEYWORDS: Final = frozenset(("type", "properties", "required", "additionalProperties"))


def seen_type(fields: Mapping[str, KindCounts], records: int, members: Kinds) -> JsonSchema:
    """The type of `records` records with these fields; `members` are the kinds of arrays' members, if known.

    A field that every record has is required. A key with a dot in it counts as a member of a table.
    """
    root = _table()
    tables = {"": (root, records)}
    for name in sorted(fields):  # a table comes before its members
        table, _, key = name.rpartition(".")
        if table not in tables:
            continue
        owner, owners = tables[table]
        kinds = fields[name]
        field: JsonSchema = {"type": _type_of(frozenset(kinds))}
        if "array" in kinds:
            field["items"] = {"type": _type_of(members[name])} if members.get(name) else {}
        if "table" in kinds:
            field = _table() | field
            tables[name] = (field, kinds["table"])
        owner["properties"][key] = field
        if sum(kinds.values()) == owners:
            owner["required"].append(key)
    return root


def whole_type(own: Any, seen: JsonSchema) -> Any:
    """A schema that all records fit, with what was seen of the fields that it does not name."""
    if not isinstance(own, dict) or "$ref" in own:
        return own
    if "properties" not in seen:
        return seen | own
    named, known = own.get("properties", {}), seen["properties"]
    required = [*own.get("required", ()), *(name for name in seen["required"] if name not in named)]
    members = {name: whole_type(each, known.get(name, {})) for name, each in named.items()}
    open_to_others = {} if "unevaluatedProperties" in own else {"additionalProperties": True}
    return {
        "type": seen["type"],
        **open_to_others,
        **own,
        "properties": known | members,
        "required": [*dict.fromkeys(required)],
    }


def part_type(own: Any, seen: JsonSchema) -> Any:
    """The type of what is left of a record where the parameter `fields` names some of its fields.

    Whatever a schema says of tables as a whole is left out with their members.
    """
    if "properties" not in seen:  # no table: it is shown whole or not at all
        return whole_type(own, seen)
    if not isinstance(own, dict) or own.keys() - _ANNOTATIONS - _OBJECT_KEYWORDS:
        own = seen
    known = seen["properties"]
    members = known | own.get("properties", {})
    return {
        "type": seen["type"],
        **{key: own[key] for key in ("title", "description", "type", "items") if key in own},
        "properties": {name: part_type(each, known.get(name, {})) for name, each in members.items()},
        "additionalProperties": True,
    }


def _table() -> JsonSchema:
    return {"type": "object", "properties": {}, "required": [], "additionalProperties": True}


def _type_of(kinds: frozenset[str]) -> str | list[str]:
    types = sorted(_TYPES.get(kind, kind) for kind in kinds)
    return types[0] if len(types) == 1 else types
