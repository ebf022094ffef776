"""The cost of a JSON Schema, computed from its text before it is compiled.

A schema of one kilobyte can ask for 2^25 comparisons: its parts refer to each other, and every way through
them is gone. The ways are counted here, so that a hostile schema is refused and an expensive one is not
run where it would hold up readers. References that lead out of the schema are refused as well.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

WORK_MAX = 1_000_000
LEVELS_MAX = 200
PATTERNS_MAX = 1_000

# Applied to the very value that the schema is applied to.
_ALSO_LISTS = ("allOf", "anyOf", "oneOf")
_ALSO = ("not", "if", "then", "else")
_ALSO_TABLES = ("dependentSchemas", "dependencies")
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
# Applied to parts of the value; of `properties` and `prefixItems` one at most to each part.
_PART = (
    "additionalProperties",
    "propertyNames",
    "unevaluatedProperties",
    "additionalItems",
    "unevaluatedItems",
    "items",
    "contains",
    "contentSchema",
)
_REPETITION = re.compile(r"\{(\d{0,9})(?:,(\d{0,9}))?\}")
_ONE_CHARACTER = re.compile(r"\\[pP]\{[^}]*\}|\\.|\[\^?\]?(?:\\.|[^\]\\])*\]|.", re.DOTALL)


class SchemaInvalid(ValueError):
    """A schema that cannot be used; the message begins with `schema-invalid` and says why."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"schema-invalid: {reason}")


@dataclass(frozen=True, slots=True)
class Cost:
    """Upper bounds: `work` for each value in a record, `text` for each of its characters.

    `recursions` counts the ways in which the schema comes back to itself within one value.
    """

    work: int = 0
    text: int = 0
    recursions: int = 0

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.work + other.work, self.text + other.text, self.recursions + other.recursions)


def cost_of(schema: Mapping[str, Any]) -> Cost:
    """What applying `schema` costs; raises SchemaInvalid where that is too much or cannot be told."""
    return _Counter(schema).count()


class _Counter:
    """Counts the ways through one schema; each part of it is looked at once."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._root = schema
        self._costs: dict[int, tuple[Cost, int]] = {}
        self._open: set[int] = set()
        self._anchors: dict[str, Any] | None = None
        self._patterns = 0

    def count(self) -> Cost:
        if any("$id" in table or isinstance(table.get("id"), str) for table in self._inner_tables()):
            raise SchemaInvalid("a part with an $id of its own is not supported")
        cost, _ = self._cost(self._root, 0)
        return cost

    def _cost(self, schema: object, level: int) -> tuple[Cost, int]:
        """The cost of a part and how many levels of parts lie below it."""
        if not isinstance(schema, Mapping):
            return Cost(1), 0
        key = id(schema)
        if key in self._open:
            return Cost(1, 0, 1), 0
        if key not in self._costs:
            if level > LEVELS_MAX:
                raise SchemaInvalid(f"references lead more than {LEVELS_MAX} levels deep")
            self._open.add(key)
            self._costs[key] = self._count(schema, level + 1)
            self._open.discard(key)
        return self._costs[key]

    def _count(self, schema: Mapping[str, Any], level: int) -> tuple[Cost, int]:
        total, deepest = self._own(schema), 0
        for part in self._applied(schema):
            cost, levels = self._cost(part, level)
            total, deepest = total + cost, max(deepest, levels)
        for group in _exclusive(schema):
            costs = [self._cost(part, level) for part in group]
            total += _largest(cost for cost, _ in costs)
            deepest = max([deepest, *(levels for _, levels in costs)])
        if total.work > WORK_MAX:
            raise SchemaInvalid(f"its parts combine in more than {WORK_MAX} ways")
        if deepest + 1 > LEVELS_MAX:
            raise SchemaInvalid(f"references lead more than {LEVELS_MAX} levels deep")
        return total, deepest + 1

    def _own(self, schema: Mapping[str, Any]) -> Cost:
        """What the keywords of a part cost by themselves."""
        work = 1 + sum(len(schema[k]) for k in ("properties", "required") if _sized(schema.get(k)))
        work += sum(isinstance(option, Mapping | list) for option in _items(schema.get("enum")))
        patterns = [p for p in (schema.get("pattern"), *_keys(schema.get("patternProperties"))) if p]
        self._patterns += len(patterns)
        if self._patterns > PATTERNS_MAX:
            raise SchemaInvalid(f"it has more than {PATTERNS_MAX} patterns")
        text = sum(pattern_size(pattern) for pattern in patterns if isinstance(pattern, str))
        return Cost(work, text + ("format" in schema))

    def _applied(self, schema: Mapping[str, Any]) -> Iterator[object]:
        """The parts that may all be applied to one value."""
        for keyword in _ALSO_LISTS:
            yield from _items(schema.get(keyword))
        for keyword in _ALSO_TABLES:
            yield from _values(schema.get(keyword))
        for keyword in _ALSO + _PART:
            if isinstance(schema.get(keyword), Mapping):
                yield schema[keyword]
        yield from _values(schema.get("patternProperties"))
        for keyword in _REFERENCES:
            if isinstance(schema.get(keyword), str):
                yield self._target(schema[keyword])

    def _target(self, reference: str) -> object:
        """What a reference within the schema names."""
        name = unquote(reference.removeprefix("#"))
        if not reference.startswith("#"):
            raise SchemaInvalid(f"{reference[:200]!r} leads out of the schema; nothing is fetched")
        if not name:
            return self._root
        if not name.startswith("/"):
            return self._anchored(name)
        found: object = self._root
        for step in name[1:].split("/"):
            found = _step(found, step.replace("~1", "/").replace("~0", "~"))
        return found

    def _anchored(self, name: str) -> object:
        if self._anchors is None:
            tables = (self._root, *self._inner_tables())
            keywords = ("$anchor", "$dynamicAnchor")
            self._anchors = {str(t[key]): t for t in tables for key in keywords if key in t}
        return self._anchors.get(name, True)

    def _inner_tables(self) -> Iterator[Mapping[str, Any]]:
        """Every table in the schema but the outermost."""
        waiting: list[object] = list(self._root.values())
        while waiting:
            value = waiting.pop()
            if isinstance(value, Mapping):
                yield value
                waiting.extend(value.values())
            elif isinstance(value, list):
                waiting.extend(value)


def pattern_size(pattern: str) -> int:
    """About how many states a regular expression has: repetitions multiply what they repeat."""
    groups: list[int] = [0]
    last = 0
    position = 0
    while position < len(pattern):
        repetition = _REPETITION.match(pattern, position)
        token = repetition or _ONE_CHARACTER.match(pattern, position)
        assert token is not None  # any one character matches
        position = token.end()
        if repetition:
            times = max(int(repetition[1] or 0), int(repetition[2] or 0), 1)
            groups[-1] += last * (times - 1)
            last *= times
        elif token[0] == "(":
            groups.append(0)
        elif token[0] == ")" and len(groups) > 1:
            last = groups.pop()
            groups[-1] += last
        else:
            last = 1
            groups[-1] += 1
    return sum(groups)


def _exclusive(schema: Mapping[str, Any]) -> Iterator[list[object]]:
    """Groups of parts of which one at most is applied to each value."""
    yield list(_values(schema.get("properties")))
    yield [*_items(schema.get("prefixItems")), *_items(schema.get("items"))]


def _largest(costs: Iterable[Cost]) -> Cost:
    found = list(costs)
    if not found:
        return Cost()
    return Cost(
        max(cost.work for cost in found),
        max(cost.text for cost in found),
        max(cost.recursions for cost in found),
    )


def _step(value: object, step: str) -> object:
    if isinstance(value, Mapping):
        return value.get(step, True)
    if isinstance(value, list) and step.isdigit() and int(step) < len(value):
        return value[int(step)]
    return True


def _sized(value: object) -> bool:
    return isinstance(value, Mapping | list)


def _items(value: object) -> Iterable[object]:
    return value if isinstance(value, list) else ()


def _values(value: object) -> Iterable[object]:
    return value.values() if isinstance(value, Mapping) else ()


def _keys(value: object) -> Iterable[object]:
    return value.keys() if isinstance(value, Mapping) else ()
