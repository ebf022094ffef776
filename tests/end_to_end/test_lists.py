"""Filters, sorting, fields and facets of lists; whatever is not understood is refused by name."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.end_to_end.client import Reply
from tests.end_to_end.sample import PEOPLE, person

Read = Callable[..., Reply]
Record = dict[str, Any]
RECORDS: dict[str, Record] = {f"p{number:02}": tomllib.loads(person(number)) for number in range(PEOPLE)}

FILTERS: list[tuple[str, Callable[[Record], bool]]] = [
    ("name=Person%207", lambda r: r["name"] == "Person 7"),
    ("name=person%207", lambda r: False),
    ("age=27", lambda r: r["age"] == 27),
    ("age=27.0", lambda r: r["age"] == 27),
    ("age__ne=27", lambda r: r["age"] != 27),
    ("age__gt=60", lambda r: r["age"] > 60),
    ("age__gte=60", lambda r: r["age"] >= 60),
    ("age__lt=25", lambda r: r["age"] < 25),
    ("age__lte=25", lambda r: r["age"] <= 25),
    ("age__in=27,30", lambda r: r["age"] in (27, 30)),
    ("score__gt=1.5", lambda r: r.get("score", 0) > 1.5),
    ("score__exists=false", lambda r: "score" not in r),
    ("score__exists=true", lambda r: "score" in r),
    ("active=true", lambda r: r["active"]),
    ("active__ne=true", lambda r: not r["active"]),
    ("tags=garden", lambda r: "garden" in r["tags"]),
    ("tags__contains=garden", lambda r: "garden" in r["tags"]),
    ("tags__contains=gard", lambda r: False),
    ("tags__in=garden,kitchen", lambda r: bool({"garden", "kitchen"} & {*r["tags"]})),
    ("tags__ne=garden", lambda r: "garden" not in r["tags"]),
    ("name__contains=son%201", lambda r: "son 1" in r["name"]),
    ("name__startswith=Person%201", lambda r: r["name"].startswith("Person 1")),
    ("name__in=Person%201,Person%202", lambda r: r["name"] in ("Person 1", "Person 2")),
    (f"home.city={quote('Málaga')}", lambda r: r["home"]["city"] == "Málaga"),
    ("home.city__startswith=P", lambda r: r["home"]["city"].startswith("P")),
    ("joined=2024-08-08", lambda r: r["joined"].isoformat() == "2024-08-08"),
    ("joined__gte=2024-06-01", lambda r: r["joined"].isoformat() >= "2024-06-01"),
    ("seenAt__lt=2024-05-06T07:08:10Z", lambda r: r["seenAt"].second < 10),
    ("age__gte=30&age__lt=60&active=false&tags=library", lambda r: (
        30 <= r["age"] < 60 and not r["active"] and "library" in r["tags"]
    )),
]  # fmt: skip


@pytest.mark.parametrize(("query", "fits"), FILTERS, ids=[query for query, _ in FILTERS])
def test_a_filter_finds_what_it_says(read: Read, query: str, fits: Callable[[Record], bool]) -> None:
    reply = read(f"/api/people?{query}&limit=1000")
    expected = [path for path, record in RECORDS.items() if fits(record)]
    assert [item["path"] for item in reply.data] == expected
    assert reply.json["meta"]["total"] == len(expected)


@pytest.mark.parametrize("sort", ["age", "-age", "-joined", "-active,name", "tags,-age", "home.city,-seenAt"])
def test_a_list_is_in_the_order_asked_for(read: Read, sort: str) -> None:
    items = read(f"/api/people?sort={sort}&limit=1000").data
    rows = [(item["path"], item["record"]) for item in items]
    assert {path for path, _ in rows} == RECORDS.keys()
    for key in reversed(sort.split(",")):
        field, descending = key.removeprefix("-"), key.startswith("-")
        rows.sort(key=lambda row: _value(row[1], field), reverse=descending)
    assert [path for path, _ in rows] == [item["path"] for item in items]


def _value(record: Record, field: str) -> Any:
    value: Any = record
    for key in field.split("."):
        value = value[key]
    return value


def test_records_without_the_field_are_sorted_too(read: Read) -> None:
    items = read("/api/people?sort=-score&limit=1000").data
    scores = [item["record"].get("score") for item in items]
    known = [score for score in scores if score is not None]
    assert len(items) == PEOPLE
    assert scores == sorted(known, reverse=True) + [None] * (PEOPLE - len(known))


def test_only_the_fields_asked_for_are_shown(read: Read) -> None:
    for item in read("/api/people?fields=name,home.city&limit=3").data:
        expected = RECORDS[item["path"]]
        assert item["record"] == {"name": expected["name"], "home": {"city": expected["home"]["city"]}}


def test_facets_count_values_over_all_pages(read: Read) -> None:
    facets = read("/api/people?limit=1&facet=tags&facet=active&facet=home.city").json["facets"]
    tags = Counter(tag for record in RECORDS.values() for tag in record["tags"])
    assert {each["value"]: each["count"] for each in facets["tags"]} == tags
    assert facets["tags"][0] == {"value": "all", "count": PEOPLE}
    assert facets["active"] == [{"value": False, "count": 30}, {"value": True, "count": 30}]
    assert facets["home.city"] == [{"value": "Porto", "count": 45}, {"value": "Málaga", "count": 15}]


def test_facets_count_what_filters_and_words_find(read: Read) -> None:
    facets = read("/api/people?age__lt=25&facet=age").json["facets"]
    ages = Counter(record["age"] for record in RECORDS.values() if record["age"] < 25)
    assert {each["value"]: each["count"] for each in facets["age"]} == ages
    reply = read("/api/people?q=kitchen&facet=tags")
    found = [record for record in RECORDS.values() if "kitchen" in record["tags"]]
    assert reply.json["facets"]["tags"] == [
        {"value": "all", "count": len(found)},
        {"value": "kitchen", "count": len(found)},
    ]


def test_a_facet_has_the_twenty_most_frequent_values(read: Read) -> None:
    facet = read("/api/people?facet=age").json["facets"]["age"]
    ages = Counter(record["age"] for record in RECORDS.values())
    assert len(facet) == 20
    assert [each["count"] for each in facet] == sorted(ages.values(), reverse=True)[:20]


def test_words_and_filters_together_narrow_a_list(read: Read) -> None:
    items = read("/api/people?q=porto&active=true&age__gte=40&limit=1000").data
    expected = {
        path
        for path, record in RECORDS.items()
        if record["home"]["city"] == "Porto" and record["active"] and record["age"] >= 40
    }
    assert {item["path"] for item in items} == expected


LIMITS = ("0", "-1", "1001", "1000000000", "1e3", "NaN", "", "%201", "1_0", "%D9%A3", "+5", "0x10", "1.0")


@pytest.mark.parametrize("limit", LIMITS)
def test_a_limit_that_is_none_is_refused_by_name(read: Read, limit: str) -> None:
    problem = read(f"/api/people?limit={limit}").problem(400, "invalid-query")
    assert problem["parameter"] == "limit"
    assert "1000" in problem["detail"]


@pytest.mark.parametrize("limit", ["1", "1000"])
def test_the_bounds_of_limit_are_allowed(read: Read, limit: str) -> None:
    assert len(read(f"/api/people?limit={limit}").data) == min(int(limit), PEOPLE)


def test_a_page_has_fifty_items_unless_asked_otherwise(read: Read) -> None:
    reply = read("/api/people")
    assert (len(reply.data), reply.json["meta"]["limit"]) == (50, 50)


@pytest.mark.parametrize(
    ("query", "named"),
    [
        ("nothing=1", "nothing"),
        ("age__between=1,2", "age__between"),
        ("home.street=x", "home.street"),
        ("age__gt=old", "age__gt"),
        ("age=old", "age"),
        ("score__exists=maybe", "score__exists"),
        ("sort=nothing", "sort"),
        ("sort=", "sort"),
        ("sort=age,,name", "sort"),
        ("sort=age&sort=name", "sort"),
        ("fields=nothing", "fields"),
        ("facet=nothing", "facet"),
        ("q=a&q=b", "q"),
        ("limit=1&limit=1", "limit"),
        ("cursor=tampered", "cursor"),
        ("cursor=", "cursor"),
        ("sort=age%27%3B%20drop%20table%20people%3B--", "sort"),
        ("facet=%24.a%27)--", "facet"),
        ("fields=`", "fields"),
        ("%24.a')--=1", "$.a')--"),
        (f"sort={'x' * 9_000}", "sort"),
        (f"{'x' * 9_000}=1", "xxx"),
        ("age", "query string"),
        ("name=%ff", "query string"),
        ("&".join(f"age__gt={number}" for number in range(60)), "query string"),
        (f"q={'word%20' * 900}", "q"),
    ],
)
def test_a_parameter_that_is_not_understood_is_refused_by_name(read: Read, query: str, named: str) -> None:
    problem = read(f"/api/people?{query}").problem(400, "invalid-query")
    assert named in problem["detail"]


@pytest.mark.parametrize("path", ["/api", "/api/people/p07", "/api/_search"])
def test_parameters_that_a_route_does_not_have_are_refused(read: Read, path: str) -> None:
    problem = read(f"{path}?q=x&limit=1&surprise=1").problem(400, "invalid-query")
    assert problem["detail"]
