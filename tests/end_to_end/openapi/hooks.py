"""What schemathesis cannot know about the description; read by it, in a process of its own."""

from __future__ import annotations

from typing import Any

import schemathesis

from server.api.parameters import PARAMETERS_MAX

# Nobody can make up a cursor, and a group of filters is a language of its own.
_LEFT_OUT = {f"#/components/parameters/{name}" for name in ("cursor", "or", "and")}


@schemathesis.hook
def before_load_schema(context: Any, raw_schema: dict[str, Any]) -> None:
    """Leave out what tests of lists and of paging see to."""
    for item in raw_schema["paths"].values():
        item["parameters"] = [each for each in item["parameters"] if each.get("$ref") not in _LEFT_OUT]


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Leave out questions of more parameters than a query may have, which no description can say."""
    return len(case.query or {}) <= PARAMETERS_MAX
