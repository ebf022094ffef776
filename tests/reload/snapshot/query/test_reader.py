"""What a reader answers: pages that neither skip nor repeat, and never for too long."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import apsw
import pytest

from reload.snapshot.query.query import Facet, Filter, InvalidQuery, Query, Sort, SortValue
from reload.snapshot.query.reader import QueryTooSlow, Reader, sortable
from tests.reload.engine import all_rows, asked, paths, sheet_of, store_of

DEFINITION = """
[gitsheet]
path = '${{ slug }}'
[livesheets]
index = ['n', 'day']
"""
WORDS = ("food", "access", "garden", "market", "water")


def record(number: int) -> str:
    """A record that ties with others in every field."""
    title = f"{WORDS[number % 5]} {WORDS[number % 3]} common"
    day = f"day = 2024-01-{1 + number % 20:02}\n" if number % 3 else ""
    return f"title = '{title}'\nn = {number % 7}\nm = {number % 4}\n{day}"


RECORDS = {f"r{number:03}": record(number) for number in range(300)}
SLOW: dict[str, Callable[[Reader], object]] = {
    "sort": lambda reader: reader.page("people", Query(sorts=(Sort("title"),))),
    "filter": lambda reader: reader.page("people", Query(filters=(Filter("m", "gt", "5", "m"),))),
    "total": lambda reader: reader.total("people", Query(filters=(Filter("m", "gt", "1", "m"),))),
    "facet": lambda reader: reader.facet("people", Query(), Facet("title")),
    "ranked": lambda reader: reader.page("people", Query(match="common")),
    "search": lambda reader: reader.search(["people"], "common", 10, None),
    "search total": lambda reader: reader.search_total(["people"], "common"),
}


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state file with records that tie in every field."""
    return store_of(tmp_path_factory.mktemp("reader") / "state", {sheet_of(DEFINITION): RECORDS})


@pytest.fixture(scope="module")
def large_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One with so many records that every question about all of them takes a while."""
    records = {f"r{number:04}": record(number) for number in range(8000)}
    return store_of(tmp_path_factory.mktemp("reader") / "state", {sheet_of(DEFINITION): records})


@pytest.fixture
def reader(state: Path) -> Iterator[Reader]:
    with asked(state) as found:
        yield found


@pytest.mark.parametrize("limit", [1, 7, 299, 300, 1000])
@pytest.mark.parametrize(
    "query",
    [
        Query(),
        Query(sorts=(Sort("n"),)),
        Query(sorts=(Sort("n", True),)),
        Query(sorts=(Sort("day"),)),
        Query(sorts=(Sort("day", True),)),
        Query(sorts=(Sort("m"), Sort("day", True), Sort("n"))),
        Query(sorts=(Sort("day", True), Sort("title"))),
        Query(match="common"),
        Query(match="common", sorts=(Sort("day", True),)),
        Query(match="food OR water", filters=(Filter("m", "lt", "2", "m"),)),
        Query(
            filters=(Filter("n", "in", "1,2,3", "n"), Filter("day", "exists", "true", "day")),
            sorts=(Sort("n"),),
        ),
    ],
    ids=str,
)
def test_pages_hold_every_record_once_whatever_their_size(reader: Reader, query: Query, limit: int) -> None:
    whole = all_rows(reader, "people", Query(query.filters, query.match, query.sorts, limit=1000))
    assert len({path for path, *_ in whole}) == len(whole) == reader.total("people", query)
    sized = Query(query.filters, query.match, query.sorts, limit)
    if limit > 1 or len(whole) < 100 or query.match is None:
        assert all_rows(reader, "people", sized) == whole


def test_a_page_tells_whether_more_follow(reader: Reader) -> None:
    for limit, more in ((299, True), (300, False), (301, False)):
        rows, follows = reader.page("people", Query(limit=limit))
        assert (len(rows), follows) == (min(limit, 300), more)
    assert reader.page("people", Query(nothing=True)) == ([], False)
    assert reader.page("people", Query(after=("r299",))) == ([], False)


def test_a_page_goes_on_behind_a_record_that_is_no_longer_there(reader: Reader) -> None:
    rows, _ = reader.page("people", Query(limit=2, after=("r0105",)))
    assert [row.path for row in rows] == ["r011", "r012"]
    rows, _ = reader.page("people", Query(sorts=(Sort("n", True),), limit=2, after=(6, "r0065")))
    assert [row.path for row in rows] == ["r006", "r293"] or rows[0].keys < (6, "r0065")


@pytest.mark.parametrize("path", ["r100", "", "\0", None, 3, 1.5, True])
@pytest.mark.parametrize("key", ["x", "", None, 3, -(2**63), 2**63 - 1, 1e300, True])
def test_no_cursor_that_somebody_makes_up_does_more_than_find_other_rows(
    reader: Reader, key: SortValue, path: SortValue
) -> None:
    reader.page("people", Query(after=(path,)))
    for descending in (False, True):
        reader.page("people", Query(sorts=(Sort("day", descending),), after=(key, path)))
        reader.page("people", Query(sorts=(Sort("n"), Sort("day", descending)), after=(key, path, path)))
    reader.page("people", Query(match="common", after=(key, path)))
    reader.search(["people"], "common", 3, (key, path, path))


def test_totals_are_of_all_pages_together(reader: Reader) -> None:
    assert reader.total("people", Query()) == reader.counts["people"] == 300
    assert reader.total("people", Query(match="common")) == 300
    assert reader.total("people", Query(match="absent")) == 0
    assert reader.total("people", Query(nothing=True)) == 0
    assert reader.total("people", Query(filters=(Filter("m", "eq", "1", "m"),))) == 75
    assert reader.search_total(["people", "people"], "common") == 600


def test_facets_count_what_the_query_finds(reader: Reader) -> None:
    query = Query(match="food", filters=(Filter("m", "eq", "1", "m"),))
    counted = {each.value: each.count for each in reader.facet("people", query, Facet("n")).values}
    rows = all_rows(reader, "people", Query(query.filters, query.match, limit=1000))
    assert sum(counted.values()) == len(rows) == reader.total("people", query)


def plans_of(state: Path, ask: Callable[[Reader], object]) -> list[str]:
    """How SQLite finds what a question asks for."""
    plans: list[str] = []

    def note(_: object, statement: str, values: object) -> bool:
        if statement.startswith("SELECT") and " people" in statement.replace('"', ""):
            explained = db.execute(f"EXPLAIN QUERY PLAN {statement}", values)  # type: ignore[arg-type]
            plans.append(" / ".join(str(row[-1]) for row in explained))
        return True

    db = apsw.Connection(str(state), flags=apsw.SQLITE_OPEN_READONLY)
    with asked(state) as reader:
        reader._db.exec_trace = note  # type: ignore[assignment]
        ask(reader)
    db.close()
    assert plans
    return plans


@pytest.mark.parametrize(
    ("sort", "index", "value"),
    [
        (Sort("n"), "index/0", 3),
        (Sort("day"), "sort/1", "2024-01-05"),
        (Sort("day", binary=True), "index/1", "2024-01-05"),
    ],
)
@pytest.mark.parametrize("descending", [False, True])
def test_a_page_by_an_indexed_field_is_a_walk_along_the_index(
    state: Path, sort: Sort, index: str, value: SortValue, descending: bool
) -> None:
    sorts = (replace(sort, descending=descending),)
    for after in (None, (value, "r100"), (None, "r100")):
        query = Query(sorts=sorts, after=after, limit=1000)
        plans = plans_of(state, lambda reader, query=query: reader.page("people", query))  # type: ignore[misc]
        assert any(f"USING INDEX people/{index}" in plan for plan in plans) or after == (None, "r100")
        for plan in plans:
            assert "USING INDEX people/" in plan
            assert "TEMP B-TREE" not in plan


def test_other_questions_that_an_index_answers(state: Path) -> None:
    (plan,) = plans_of(state, lambda reader: reader.page("people", Query(after=("r100",))))
    assert plan == "SEARCH t USING INDEX people/path (path>?)"
    (plan,) = plans_of(state, lambda reader: reader.facet("people", Query(), Facet("day")))
    assert "SCAN t USING INDEX people/index/1" in plan
    starts = Query(filters=(Filter("day", "startswith", "2024-01-0", "day"),))
    (plan,) = plans_of(state, lambda reader: reader.total("people", starts))
    assert plan == "SEARCH t USING COVERING INDEX people/index/1 (<expr>>? AND <expr><?)"


@pytest.mark.parametrize("ask", SLOW.values(), ids=SLOW.keys())
def test_a_question_that_takes_too_long_is_given_up(
    large_state: Path, ask: Callable[[Reader], object]
) -> None:
    reader = Reader(large_state, deadline_s=0)
    for _ in range(2):
        with pytest.raises(QueryTooSlow, match="longer than 0 s"):
            ask(reader)
    row = reader.get("people", "r0001")
    assert row is not None
    assert reader.page("people", Query(limit=2))[0][1].path == "r0001"
    reader.close()


def test_several_questions_may_share_one_deadline(large_state: Path) -> None:
    reader = Reader(large_state, deadline_s=3600)
    with reader.question():
        SLOW["facet"](reader)
    reader._deadline_s = -1
    with reader.question(), pytest.raises(QueryTooSlow):
        SLOW["facet"](reader)
    reader._deadline_s = 3600
    SLOW["facet"](reader)
    reader.close()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM people",
        "UPDATE people SET record = '{}'",
        "DROP TABLE people",
        "INSERT INTO people_fts (people_fts) VALUES ('rebuild')",
        "CREATE TABLE x (y)",
        "PRAGMA user_version = 3",
    ],
)
def test_a_reader_cannot_write(reader: Reader, statement: str) -> None:
    with pytest.raises(apsw.ReadOnlyError):
        reader._db.execute(statement)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "R001",
        "r001.toml",
        "r001/",
        "/r001",
        "../r001",
        "..%2fr001",
        "r001\0",
        "r\xff",
        "é" * 4000,
        "%00",
        ".",
    ],
)
def test_a_record_is_found_by_its_exact_path_only(reader: Reader, path: str) -> None:
    assert reader.get("people", path) is None
    assert reader.attachments("people", path) == []
    assert reader.attachment("people", path) is None


def test_the_kinds_of_fields_are_those_that_records_have(reader: Reader) -> None:
    found = reader.kinds("people", ["n", "day", "absent", "record", "n"])
    assert found == {"n": {"number"}, "day": {"string"}}
    with pytest.raises(InvalidQuery, match="no record of this sheet has a field 'absent'"):
        paths(reader, "people", Query(sorts=(Sort("absent"),)))


def test_an_order_that_an_index_gives_is_known() -> None:
    assert sortable((), ())
    assert sortable((Sort("n", True),), ("day", "n"))
    assert not sortable((Sort("m"),), ("day", "n"))
    assert not sortable((Sort("n"), Sort("day")), ("day", "n"))
