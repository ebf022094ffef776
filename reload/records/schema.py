"""Records against the JSON Schema of their sheet: nothing is fetched, and no schema takes unbounded time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import orjson

from reload.errors import shortened
from reload.records.schema_cost import Cost, SchemaInvalid, cost_of
from reload.records.sheet import Sheet

VIOLATIONS_MAX = 5
LOCATED_CHARACTERS_MAX = 250  # of a field's name; to look for a longer one takes long
REASON_CHARACTERS_MAX = 300
# A step is some ten nanoseconds; naming a violation takes up to 4,000 times as long as finding one.
RECORD_STEPS_MAX = 50_000_000
NAMING_STEPS_MAX = 200_000
NAMING_FACTOR = 100
PATTERN_BYTES_MAX = 256 * 1024
DEFINITION_CHARACTERS_MAX = 64 * 1024


class Violation(NamedTuple):
    """Where a record breaks its schema, as the steps from the record to the value, and how."""

    steps: tuple[str | int, ...]
    message: str


class TooExpensive(Exception):
    """The schema would take longer than the caller can wait; a build in a child has more time."""


class Budget:
    """How many steps validation may take so that readers do not wait; raises TooExpensive."""

    def __init__(self, steps: int) -> None:
        self._left = steps

    def spend(self, steps: int) -> None:
        """Take steps before they are done."""
        self._left -= steps
        if self._left < 0:
            raise TooExpensive("validating by the sheet's schema takes too long beside readers")


class Schema:
    """The compiled schema of one sheet.

    Raises SchemaInvalid where the sheet's schema is none, leads out of itself, or costs too much;
    TooExpensive where compiling it alone takes more than the budget.
    """

    def __init__(self, sheet: Sheet, budget: Budget | None = None) -> None:
        if budget is not None and len(sheet.definition) > DEFINITION_CHARACTERS_MAX:
            raise TooExpensive("the sheet's definition is large")
        schema = orjson.loads(orjson.dumps(sheet.schema))
        self._cost: Cost = cost_of(schema)
        self._most = self._cost.work + self._cost.text
        self._validator = _compiled(schema)
        self._budget = budget

    def violations(self, json: str) -> list[Violation]:
        """How a record breaks the schema, the first VIOLATIONS_MAX of it; mostly nothing."""
        # Counting values takes longer than validating most records, so that is left out where it can be.
        if self._budget is not None or len(json) * self._most > RECORD_STEPS_MAX:
            steps = self._steps(json)
            if steps > RECORD_STEPS_MAX:
                return [Violation((), "not validated: schema and record are too large together")]
            if self._budget is not None:
                self._budget.spend(steps)
        record = orjson.loads(json)
        if self._validator.is_valid(record):
            return []
        return self._named(record, self._steps(json))

    def _steps(self, json: str) -> int:
        values = json.count(",") + json.count("[") + json.count("{") + 1
        return self._cost.work * values + self._cost.text * len(json)

    def _named(self, record: dict[str, Any], steps: int) -> list[Violation]:
        """Every violation, where that is affordable: a recursive schema names one many times over."""
        if self._cost.recursions:
            steps *= (self._cost.recursions + 1) ** _depth(record)
        if steps > NAMING_STEPS_MAX:
            return [Violation((), "the record breaks the schema in a way too complex to describe")]
        if self._budget is not None:
            self._budget.spend(steps * NAMING_FACTOR)
        found = {
            Violation(tuple(error.instance_path), shortened(error.message, REASON_CHARACTERS_MAX))
            for error in self._validator.iter_errors(record)
        }
        return sorted(found, key=_position)[:VIOLATIONS_MAX]


def _position(violation: Violation) -> tuple[str, str]:
    return pointer(violation.steps), violation.message


def _compiled(schema: dict[str, Any]) -> Any:
    import jsonschema_rs  # only deployments with schemas pay for loading it

    try:
        return jsonschema_rs.validator_for(
            schema,
            validate_formats=True,
            offline=True,
            pattern_options=jsonschema_rs.RegexOptions(
                size_limit=PATTERN_BYTES_MAX, dfa_size_limit=PATTERN_BYTES_MAX
            ),
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        where = "/".join(str(step) for step in getattr(error, "instance_path", []))
        reason = shortened(getattr(error, "message", str(error)), REASON_CHARACTERS_MAX)
        raise SchemaInvalid(f"{where}: {reason}" if where else reason) from None


def pointer(steps: Sequence[str | int]) -> str:
    """A JSON pointer (RFC 6901); the record itself is the empty one."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in steps)


def locate(text: str, steps: Sequence[str | int]) -> tuple[int, int]:
    """Line and column of a record's top-level field in its file, (0, 0) where they cannot be told."""
    if not steps or len(str(steps[0])) > LOCATED_CHARACTERS_MAX:
        return 0, 0
    name = re.escape(str(steps[0]))
    key = rf"(?:{name}|\"{name}\"|'{name}')"
    found = re.search(rf"^[ \t]*(?:\[\[?[ \t]*)?({key})[ \t]*[=.\]]", text, re.MULTILINE)
    if found is None:
        return 0, 0
    before = text[: found.start(1)]
    if before.count('"""') % 2 or before.count("'''") % 2:
        return 0, 0  # inside a text of several lines
    return before.count("\n") + 1, len(before) - before.rfind("\n")


def _depth(value: object) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=-1)
