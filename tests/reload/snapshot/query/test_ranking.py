"""The best matches first, page by page, however many are equally good."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import example, given, settings
from hypothesis import strategies as st

from reload.snapshot.query.query import Filter, Query
from tests.reload.engine import all_rows, asked, examples, sheet_of, store_of

DEFINITION = "[gitsheet]\npath = '${{ slug }}'\n"
# Few different texts, so that many matches are equally good.
_titles = st.lists(st.sampled_from(("food", "food", "food access", "water", "food food")), max_size=12)


@settings(max_examples=examples(40))
@given(st.lists(_titles, min_size=1, max_size=3), st.integers(1, 4), st.booleans())
@example([["food"] * 9, ["food"] * 9], 4, True)
def test_pages_of_matches_hold_each_once_in_the_order_of_rank_sheet_and_path(
    sheets: list[list[str]], limit: int, filtered: bool
) -> None:
    tables = {
        sheet_of(DEFINITION, f"s{place}"): {
            f"p{number}": f"title = '{title}'\nn = {number % 2}\n" for number, title in enumerate(titles)
        }
        for place, titles in enumerate(sheets)
    }
    with tempfile.TemporaryDirectory() as folder, asked(store_of(Path(folder, "s"), tables)) as reader:
        names = [sheet.name for sheet in tables]
        found = []
        more = True
        while more:
            page, more = reader.search(names, "food", limit, found[-1].row.keys if found else None)
            assert reader.search_total(names, "food") == sum("food" in t for ts in sheets for t in ts)
            found += page
        places = [(hit.rank, hit.sheet, hit.row.path) for hit in found]
        assert places == sorted(places)
        assert len(set(places)) == len(places) == reader.search_total(names, "food")
        filters = (Filter("n", "eq", "1", "n"),) if filtered and reader.kinds("s0", ["n"]) else ()
        query = Query(filters, "food", limit=limit)
        rows = all_rows(reader, "s0", query)
        of_sheet = [hit.row.path for hit in found if hit.sheet == "s0"]
        assert [path for path, *_ in rows] == [p for p in of_sheet if not filters or int(p[1:]) % 2]
        assert reader.total("s0", query) == len(rows)


def test_a_total_is_that_of_the_query_it_is_asked_for(tmp_path: Path) -> None:
    files = {f"p{number}": f"title = 'food {number}'\nn = {number}\n" for number in range(9)}
    with asked(store_of(tmp_path / "state", {sheet_of(DEFINITION): files})) as reader:
        few = Query((Filter("n", "lt", "4", "n"),), "food", limit=2)
        for query, total in ((few, 4), (Query(match="food", limit=2), 9), (few, 4), (Query(match="0"), 1)):
            reader.page("people", query)
            assert reader.total("people", query) == total
            assert reader.total("people", Query(match="food")) == 9
            assert reader.total("people", few) == 4
