"""URL parameters: read strictly, and cursors that only go on where they came from."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from reload.snapshot.query.query import SORT_KEYS_MAX, InvalidQuery, Sort, SortValue
from server.api.cursors import make_cursor, read_cursor
from server.api.parameters import Fields, read_list, read_search
from tests.reload.columns import reader_of
from tests.reload.engine import paths

NOTHING = Fields(lambda names: {})
_keys = st.none() | st.text(st.characters(exclude_categories=("Cs",))) | st.integers(-(2**63), 2**63 - 1)
_floats = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(_keys | _floats, min_size=1, max_size=4).map(tuple), st.text("ab", max_size=3))
def test_a_cursor_gives_back_the_keys_of_the_row_it_was_made_of(
    keys: tuple[SortValue, ...], fingerprint: str
) -> None:
    cursor = make_cursor(fingerprint, keys)
    assert read_cursor(cursor, fingerprint, len(keys)) == keys
    for other, width in ((fingerprint + "c", len(keys)), (fingerprint, len(keys) + 1)):
        with pytest.raises(InvalidQuery, match=r"^cursor: does not belong to this query"):
            read_cursor(cursor, other, width)


@pytest.mark.parametrize("keys", [[{}], [[1]], [2**63], [2**64 - 1], {}, "", 1, None, [1, [2]]])
def test_a_cursor_with_keys_that_no_row_can_have_is_refused(keys: Any) -> None:
    cursor = make_cursor("f", keys)
    for width in (1, 2):
        with pytest.raises(InvalidQuery):
            read_cursor(cursor, "f", width)
    assert orjson.dumps(keys)


@given(st.text(max_size=40))
def test_no_text_is_a_cursor_by_chance(text: str) -> None:
    with pytest.raises(InvalidQuery):
        read_cursor(text, "f", 1)


@pytest.mark.parametrize(
    "limit", ["-1", "1001", "1000000000", "1e3", "NaN", "", "%201", "1_0", "%D9%A3", "1.0", "+5", "05x"]
)
def test_a_limit_that_is_none_is_refused_naming_what_is_allowed(limit: str) -> None:
    for read in (lambda query: read_list(query, NOTHING), lambda query: read_search(f"q=a&{query}")):
        with pytest.raises(InvalidQuery, match=r"limit: .*whole number from 0 to 1000"):
            read(f"limit={limit}")


def test_a_list_is_sorted_by_so_many_fields_and_no_more() -> None:
    names = [f"f{number}" for number in range(SORT_KEYS_MAX + 1)]
    tables = [{name: (number >> place) % 2 for place, name in enumerate(names)} for number in range(40)]
    with reader_of(tables) as reader:
        for sign in ("", "-"):
            sort = ",".join(f"{sign}{name}" for name in names[:-1])
            query = read_list(
                f"sort={sort}&limit=1", Fields(lambda names: reader.kinds("people", names))
            ).query
            assert len(set(paths(reader, "people", query))) == len(tables)
        with pytest.raises(InvalidQuery, match=f"^sort: 17 fields; at most {SORT_KEYS_MAX} "):
            read_list(f"sort={','.join(names)}", Fields(lambda names: reader.kinds("people", names)))


def test_a_field_orders_a_list_once_however_often_it_is_named() -> None:
    kinds = {"n": frozenset({"number"}), "m": frozenset({"number"})}
    sort = ",".join(["n", "-m", *["-n"] * 500])
    assert read_list(f"sort={sort}", Fields(lambda names: kinds)).query.sorts == (Sort("n"), Sort("m", True))


@pytest.mark.parametrize(
    ("parameter", "meant"),
    [
        ("page", "cursor"),
        ("offset", "cursor"),
        ("search", "q"),
        ("per_page", "limit"),
        ("Limit", "limit"),
        ("sort_by", "sort"),
        ("facets", "facet"),
        ("zzz", None),
    ],
)
def test_a_parameter_of_another_api_is_refused_with_what_it_is_called_here(
    parameter: str, meant: str | None
) -> None:
    with pytest.raises(InvalidQuery) as caught:
        read_list(f"{parameter}=1", NOTHING)
    hint = f" (did you mean {meant}?)" if meant else ""
    expected = f"neither a field of this sheet nor a parameter of lists{hint}; those are and, cursor, "
    assert str(caught.value).startswith(f"{parameter}: {expected}")


def test_a_search_names_its_parameters_and_the_one_that_was_meant() -> None:
    with pytest.raises(InvalidQuery) as caught:
        read_search("q=x&page=2")
    expected = "no such parameter (did you mean cursor?); known are q, sheet, limit, cursor"
    assert str(caught.value) == f"page: {expected}"
