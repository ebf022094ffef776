"""Facets count what a plain reading of the records counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reload.snapshot.query.query import FACET_VALUES_MAX, Filter, Query
from tests.reload.columns import columns, reader_of, tables_of
from tests.reload.engine import examples


@settings(max_examples=examples(100))
@given(columns, st.booleans())
@example([1, 1.0, True, "1", [1, 1, True, "1"]], False)
def test_a_facet_counts_each_value_once_a_record(column: list[Any], indexed: bool) -> None:
    counted: Counter[tuple[str, Any]] = Counter()
    for value in column:
        members = value if isinstance(value, list) else [value]
        simple = [each for each in members if isinstance(each, str | int | float)]
        counted.update({(type(each).__name__, each): 1 for each in simple}.keys())
    with reader_of(tables_of(column), ["v"] if indexed else []) as reader:
        if not reader.kinds("people", ["v"]):
            return
        found = reader.facet("people", Query(), "v")
    names = {"text": "str", "integer": "int", "real": "float", "true": "bool", "false": "bool"}
    assert {(names[each.kind], each.value): each.count for each in found} == dict(counted)
    assert [each.count for each in found] == sorted((each.count for each in found), reverse=True)


def test_a_facet_shows_the_most_frequent_values_first_and_no_more_than_allowed() -> None:
    tables = [{"v": f"value {number % 30:02}", "w": number} for number in range(100)]
    with reader_of(tables) as reader:
        found = reader.facet("people", Query(), "v")
        some = reader.facet("people", Query(filters=(Filter("w", "lt", "3", "w"),)), "v")
        none = reader.facet("people", Query(nothing=True), "v")
    assert len(found) == FACET_VALUES_MAX
    assert [(each.value, each.count) for each in found[:2]] == [("value 00", 4), ("value 01", 4)]
    assert [(each.value, each.count) for each in found[10:12]] == [("value 10", 3), ("value 11", 3)]
    assert [each.value for each in some] == ["value 00", "value 01", "value 02"]
    assert none == []
