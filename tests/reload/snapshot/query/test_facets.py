"""Facets count what a plain reading of the records counts."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reload.snapshot.query.answers import FacetCounts
from reload.snapshot.query.query import FACET_VALUES_DEFAULT, Facet, Filter, Group, InvalidQuery, Query
from tests.reload.columns import columns, reader_of, tables_of
from tests.reload.engine import examples


@settings(max_examples=examples(100))
@given(columns, st.booleans())
@example([1, 1.0, True, "1", [1, 1, True, "1"]], False)
def test_a_facet_counts_each_value_once_a_record(column: list[Any], indexed: bool) -> None:
    counts: Counter[tuple[str, Any]] = Counter()
    for value in column:
        members = value if isinstance(value, list) else [value]
        simple = [each for each in members if isinstance(each, str | int | float)]
        counts.update({(type(each).__name__, each): 1 for each in simple}.keys())
    with reader_of(tables_of(column), ["v"] if indexed else []) as reader:
        if not reader.kinds("people", ["v"]).get("v", frozenset()) - {"null", "table"}:
            return
        found = reader.facet("people", Query(), Facet("v"))
    names = {"text": "str", "integer": "int", "real": "float", "true": "bool", "false": "bool"}
    assert {(names[each.kind], each.value): each.count for each in found.values} == dict(counts)
    assert found.distinct == len(counts)
    assert [each.count for each in found.values] == sorted(
        (each.count for each in found.values), reverse=True
    )


def test_a_facet_shows_the_most_frequent_values_first_and_no_more_than_allowed() -> None:
    tables = [{"v": f"value {number % 30:02}", "w": number} for number in range(100)]
    with reader_of(tables) as reader:
        found = reader.facet("people", Query(), Facet("v"))
        more = reader.facet("people", Query(facet_values_max=25), Facet("v"))
        some = reader.facet("people", Query(filters=(Filter("w", "lt", "3", "w"),)), Facet("v"))
        none = reader.facet("people", Query(nothing=True), Facet("v"))
    assert (len(found.values), found.distinct) == (FACET_VALUES_DEFAULT, 30)
    assert (len(more.values), more.distinct) == (25, 30)
    assert [(each.value, each.count) for each in found.values[:2]] == [("value 00", 4), ("value 01", 4)]
    assert [(each.value, each.count) for each in found.values[10:12]] == [("value 10", 3), ("value 11", 3)]
    assert [each.value for each in some.values] == ["value 00", "value 01", "value 02"]
    assert none == FacetCounts()


def counted(counts: FacetCounts) -> dict[object, int]:
    return {each.value: each.count for each in counts.values}


def test_a_facet_may_leave_out_the_filters_on_its_own_field() -> None:
    tables = [{"v": "ab"[number % 2], "w": number % 3} for number in range(6)]
    both = (Filter("v", "eq", "a", "v"), Filter("w", "lt", "2", "w"))
    group = Group("or", (Filter("v", "eq", "a", "v"), Filter("v", "eq", "none", "v")))
    with reader_of(tables) as reader:
        assert counted(reader.facet("people", Query(filters=both), Facet("v"))) == {"a": 2}
        for filters in (both, (group, both[1])):
            query = Query(filters=filters, facet_excludes_self=True)
            assert counted(reader.facet("people", query, Facet("v"))) == {"a": 2, "b": 2}
            assert counted(reader.facet("people", query, Facet("w"))) == {0: 1, 1: 1, 2: 1}


def test_dates_are_counted_by_year_and_month_as_they_are_written() -> None:
    values = [
        "2024-01-02",
        "2024-01-31T23:59:59-05:00",
        "2025-12-01",
        ["2025-11-30", "soon"],
        "2024",
        7,
        None,
    ]
    with reader_of([{"v": value} for value in values]) as reader:
        years = reader.facet("people", Query(), Facet("v", "year"))
        assert (counted(years), years.distinct) == ({"2024": 2, "2025": 2}, 2)
        months = reader.facet("people", Query(), Facet("v", "month"))
        assert counted(months) == {"2024-01": 2, "2025-11": 1, "2025-12": 1}
    with reader_of([{"v": value} for value in ("2024-01-02", "2024-03-01", "no date")]) as reader:
        assert counted(reader.facet("people", Query(), Facet("v", "year"))) == {"2024": 2}


def test_a_facet_over_a_table_names_the_fields_in_it() -> None:
    with reader_of([{"v": {"a": 1, "b": {"c": "x"}}, "w": 1}, {"v": None}]) as reader:
        with pytest.raises(InvalidQuery, match=r"'v' is a table; count a field of it: v\.a, v\.b\.c"):
            reader.facet("people", Query(), Facet("v"))
