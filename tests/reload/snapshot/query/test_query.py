"""Filters and orders: what SQLite answers is what a plain reading of the records says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cmp_to_key
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reload.snapshot.folding import fold, sort_key
from reload.snapshot.query.conditions import conditions, without
from reload.snapshot.query.query import (
    OPERATORS,
    Condition,
    Facet,
    Filter,
    Group,
    InvalidQuery,
    Operator,
    Query,
    Sort,
    require_field,
)
from tests.reload.columns import ABSENT, columns, numbers, reader_of, tables_of, texts
from tests.reload.engine import examples, paths

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_asked_for = (
    texts | numbers.map(str) | st.sampled_from(("true", "false", "1e0", "+1", " 1", "1_0", "٣", "nan"))
)


def number_of(text: str) -> int | float | None:
    """The number that a text may mean."""
    if not _NUMBER.fullmatch(text) or abs(float(text)) == float("inf"):
        return None
    whole = re.fullmatch(r"[+-]?\d+", text) and abs(int(text)) < 2**63
    return int(text) if whole else float(text)


def is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def same(value: object, text: str) -> bool:
    """Whether a single value is what the text says."""
    if isinstance(value, bool):
        return text == str(value).lower()
    return value == (number_of(text) if is_number(value) else text) and not isinstance(value, list | dict)


def holds(value: object, operator: Operator, text: str) -> bool:
    """Whether a value, ABSENT for none, fulfils a condition."""
    members = value if isinstance(value, list) else [value]
    equal = any(same(member, text) for member in members)
    if operator in ("gt", "gte", "lt", "lte"):
        return _compares(value, operator, text)
    among = any(same(member, part) for member in members for part in text.split(","))
    folded = any(isinstance(member, str) and fold(member) == fold(text) for member in members)
    return {
        "eq": equal,
        "ne": not equal,
        "in": among,
        "nin": not among,
        "icontains": (folded and isinstance(value, list))
        or (isinstance(value, str) and fold(text) in fold(value)),
        "contains": (equal and isinstance(value, list)) or (isinstance(value, str) and text in value),
        "startswith": isinstance(value, str) and value.startswith(text),
        "exists": (value is not ABSENT) == (text == "true"),
    }[operator]


def _compares(value: Any, operator: str, text: str) -> bool:
    bound: Any = number_of(text) if is_number(value) else text
    if bound is None or not (isinstance(value, str) or is_number(value)):
        return False
    return {"gt": value > bound, "gte": value >= bound, "lt": value < bound, "lte": value <= bound}[operator]


@settings(max_examples=examples(100))
@given(columns, st.lists(_asked_for, min_size=1, max_size=3), st.booleans())
@example([1, True], ["true", "1"], False)
@example([{"x": 1}, '{"x":1}'], ['{"x":1}'], False)
@example([[[1]], ["[1]"]], ["[1]"], False)
@example([1, None], ["1"], True)
@example(["\U0010ffff", "\U0010ffffa", "\ud7ff", "\ud7ffa", "\ue000"], ["\U0010ffff", "\ud7ff"], True)
def test_every_filter_finds_what_it_says(column: list[Any], texts: list[str], indexed: bool) -> None:
    texts += [str(value).lower() if isinstance(value, bool) else str(value) for value in column[:2]]
    with reader_of(tables_of(column), ["v"] if indexed else []) as reader:
        if not reader.kinds("people", ["v"]):
            return
        for operator in OPERATORS:
            for text in ("true", "false") if operator == "exists" else texts:
                expected = [str(n) for n, value in enumerate(column) if holds(value, operator, text)]
                query = Query(filters=(Filter("v", operator, text, "v"),), limit=3)
                try:
                    found = paths(reader, "people", query)
                except InvalidQuery:
                    assert expected == []
                    assert operator in ("eq", "in", "gt", "gte", "lt", "lte")
                else:
                    assert found == expected, (operator, text)
                    assert reader.total("people", query) == len(expected)


@pytest.mark.parametrize("indexed", [False, True])
@pytest.mark.parametrize(
    "column",
    [["c999", "other"], [999, 1.5], [999, "c999", "other"], [["x", "c999"], [999], ["other"], {"x": 1}]],
)
def test_however_many_alternatives_there_are_each_counts(column: list[Any], indexed: bool) -> None:
    asked_for = ",".join(f"{number}" if 999 in column else f"c{number}" for number in range(5_000))
    expected = [str(number) for number, value in enumerate(column) if holds(value, "in", asked_for)]
    assert expected
    with reader_of(tables_of(column), ["v"] if indexed else []) as reader:
        for filters in (1, 20):
            query = Query(filters=(Filter("v", "in", asked_for, "v"),) * filters)
            assert paths(reader, "people", query) == expected
            assert reader.total("people", query) == len(expected)


def _rank(value: object) -> tuple[int, Any]:
    """Where a value stands in an order: nothing, then numbers, then text and the JSON of all others."""
    if value is ABSENT or value is None:
        return 0, 0
    if isinstance(value, int | float):
        return 1, value
    return 2, value if isinstance(value, str) else orjson.dumps(value).decode()


def _place(sort: Sort, row: dict[str, Any]) -> tuple[Any, ...]:
    """Where a row stands by one sort key."""
    rank, value = _rank(row.get(sort.field, ABSENT))
    natural = sort_key(value) if isinstance(value, str) and not sort.binary else ""
    return rank, natural, value


def _compare(sorts: Sequence[Sort], one: dict[str, Any], other: dict[str, Any]) -> int:
    for sort in (*sorts, Sort("path", bool(sorts) and sorts[-1].descending, binary=True)):
        left, right = _place(sort, one), _place(sort, other)
        if left != right:
            return (-1 if left < right else 1) * (-1 if sort.descending else 1)
    return 0


@settings(max_examples=examples(100))
@given(
    columns=st.tuples(columns, columns),
    sorts=st.lists(
        st.builds(Sort, st.sampled_from("vw"), st.booleans(), st.booleans()),
        max_size=3,
        unique_by=lambda s: s.field,
    ),
    index=st.sampled_from(((), ("v",), ("v", "w"))),
    limit=st.integers(1, 4),
)
def test_pages_in_any_order_hold_every_record_once_and_in_order(
    columns: tuple[list[Any], list[Any]], sorts: list[Sort], index: Sequence[str], limit: int
) -> None:
    tables = [
        {name: value for name, value in (("v", v), ("w", w)) if value is not ABSENT}
        for v, w in zip(columns[0] * 2, columns[1] * 2, strict=False)
    ]
    rows = [{"path": str(number), **table} for number, table in enumerate(tables)]
    with reader_of(tables, index) as reader:
        known = [sort for sort in sorts if reader.kinds("people", [sort.field])]
        expected = sorted(rows, key=cmp_to_key(lambda one, other: _compare(known, one, other)))
        found = paths(reader, "people", Query(sorts=tuple(known), limit=limit))
    assert found == [row["path"] for row in expected]


def test_fields_of_tables_are_reached_with_dots() -> None:
    tables: list[dict[str, Any]] = [{"a": {"b": {"it's größe": 1}}}, {"a": {"b": 2}}, {"a.b": 3}, {}]
    with reader_of(tables, ["a.b.it's größe"]) as reader:
        deep = Query(filters=(Filter("a.b.it's größe", "eq", "1", "f"),))
        assert paths(reader, "people", deep) == ["0"]
        assert paths(reader, "people", Query(filters=(Filter("a.b", "eq", "2", "f"),))) == ["1"]
        assert paths(reader, "people", Query(sorts=(Sort("a.b", True),))) == ["0", "1", "3", "2"]


@pytest.mark.parametrize(
    "name",
    [
        "'; drop table people; --",
        "$.a')--",
        "v') OR 1=1 --",
        "`v`",
        'v"',
        "v[0]",
        "v\\",
        "record",
        "V",
        "v.x",
        "",
        "v\n",
        "x" * 10_000,
    ],
)
def test_a_name_that_is_no_field_never_reaches_sql(name: str) -> None:
    with reader_of([{"v": 1}]) as reader:
        for ask in (
            lambda: reader.page("people", Query(filters=(Filter(name, "eq", "1", name),))),
            lambda: reader.page("people", Query(sorts=(Sort(name),))),
            lambda: reader.total("people", Query(filters=(Filter(name, "exists", "true", name),))),
            lambda: reader.facet("people", Query(), Facet(name)),
        ):
            with pytest.raises(InvalidQuery):
                ask()
        assert paths(reader, "people", Query()) == ["0"]


def test_a_field_whose_name_would_need_escapes_is_refused_though_records_have_it() -> None:
    kinds = {'a"b': frozenset({"string"})}
    with pytest.raises(InvalidQuery, match="no record of this sheet has a field"):
        require_field("sort", 'a"b', kinds)


@pytest.mark.parametrize(
    ("kinds", "operator", "value", "reason"),
    [
        ({"number"}, "eq", "abc", "'abc' is no number"),
        ({"number", "null"}, "in", "1,abc", "'abc' is no number"),
        ({"boolean"}, "eq", "1", "'1' is no boolean"),
        ({"boolean", "number"}, "eq", "x", "'x' is no boolean or number"),
        ({"number"}, "gt", "x", "cannot be compared"),
        ({"boolean"}, "gt", "true", "cannot be compared"),
        ({"array"}, "lte", "1", "cannot be compared"),
        ({"string"}, "exists", "yes", "neither true nor false"),
    ],
)
def test_a_value_that_no_record_could_have_is_refused_naming_the_parameter(
    kinds: set[str], operator: Operator, value: str, reason: str
) -> None:
    with pytest.raises(InvalidQuery, match=f"^v__x: .*{reason}") as caught:
        conditions([Filter("v", operator, value, "v__x")], {"v": frozenset(kinds)})
    assert caught.value.parameter == "v__x"


_filters = st.builds(
    Filter,
    st.sampled_from("vw"),
    st.sampled_from(("eq", "ne", "nin", "icontains", "exists")),
    texts,
    st.just("p"),
)
_conditions: st.SearchStrategy[Condition] = st.recursive(
    _filters,
    lambda inner: st.builds(
        Group, st.sampled_from(("or", "and")), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=8,
)


def fulfils(row: dict[str, Any], condition: Condition) -> bool:
    """Whether a record fulfils a condition, read plainly."""
    if isinstance(condition, Group):
        every = [fulfils(row, each) for each in condition.conditions]
        return any(every) if condition.operator == "or" else all(every)
    text = condition.value if condition.operator != "exists" else "true"
    return holds(row.get(condition.field, ABSENT), condition.operator, text)


def asked_of(condition: Condition) -> Condition:
    """The same with values that `exists` takes."""
    if isinstance(condition, Group):
        return Group(condition.operator, tuple(map(asked_of, condition.conditions)))
    value = condition.value if condition.operator != "exists" else "true"
    return Filter(condition.field, condition.operator, value, condition.parameter)


@settings(max_examples=examples(100))
@given(
    st.lists(texts, min_size=1, max_size=6),
    st.lists(texts, min_size=1, max_size=6),
    st.lists(_conditions, max_size=3),
)
def test_groups_find_what_a_plain_reading_finds(
    first: list[str], second: list[str], asked_for: list[Condition]
) -> None:
    rows = [{"v": v, "w": w} for v, w in zip(first, second, strict=False)]
    with reader_of(rows) as reader:
        found = paths(reader, "people", Query(filters=tuple(map(asked_of, asked_for))))
    expected = [str(n) for n, row in enumerate(rows) if all(fulfils(row, each) for each in asked_for)]
    assert found == expected


def test_the_path_is_filtered_and_sorted_like_a_field() -> None:
    with reader_of([{"v": number, "path": "none"} for number in range(12)]) as reader:

        def asked_by(operator: Operator, value: str) -> list[str]:
            return paths(reader, "people", Query(filters=(Filter("path", operator, value, "path"),)))

        assert asked_by("in", "3,5,none") == ["3", "5"]
        assert asked_by("startswith", "1") == ["1", "10", "11"]
        assert asked_by("gt", "8") == ["9"]
        backwards = paths(reader, "people", Query(sorts=(Sort("path", True),), limit=5))
        assert backwards == sorted(map(str, range(12)), reverse=True)


def test_texts_are_sorted_as_people_expect_and_by_code_point_when_asked() -> None:
    titles = ["Zoo", "item 10", "apple", "Banana", "item 9", "\u00c4pfel", "zebra", "\u00e9clair", "item 010"]
    natural = [
        "\u00c4pfel",
        "apple",
        "Banana",
        "\u00e9clair",
        "item 9",
        "item 010",
        "item 10",
        "zebra",
        "Zoo",
    ]
    tables = [{"t": title} for title in titles]
    for index in ((), ("t",)):
        with reader_of(tables, index) as reader:

            def ordered(sort: Sort) -> list[str]:
                found = paths(reader, "people", Query(sorts=(sort,), limit=2))
                return [titles[int(path)] for path in found]

            assert ordered(Sort("t")) == natural
            assert ordered(Sort("t", True)) == natural[::-1]
            assert ordered(Sort("t", binary=True)) == sorted(titles)


def test_a_condition_on_other_fields_stays_where_one_field_is_left_out() -> None:
    own, other = Filter("v", "eq", "1", "v"), Filter("w", "eq", "1", "w")
    groups = (Group("or", (own, own)), Group("or", (own, other)), own, other)
    assert without(groups, "v") == (groups[1], other)
