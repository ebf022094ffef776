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
    ("age__nin=27,30,none", lambda r: r["age"] not in (27, 30)),
    ("tags__nin=garden,kitchen", lambda r: not {"garden", "kitchen"} & {*r["tags"]}),
    ("name__icontains=SON%201", lambda r: "son 1" in r["name"]),
    ("home.city__icontains=malaga", lambda r: r["home"]["city"] == "Málaga"),
    ("tags__icontains=GARDEN", lambda r: "garden" in r["tags"]),
    ("tags=garden&tags=library", lambda r: {"garden", "library"} <= {*r["tags"]}),
    ("age__gt=30&age__gt=50", lambda r: r["age"] > 50),
    ("or=(age=27,age__gt=60)", lambda r: r["age"] == 27 or r["age"] > 60),
    ("or=(age=27,and=(age__gt=60,active=true))", lambda r: r["age"] == 27 or (r["age"] > 60 and r["active"])),
    ("or=(age=27,age=28)&or=(active=true)", lambda r: r["age"] in (27, 28) and r["active"]),
    ('or=(name="Person%207",age__in="27,30")', lambda r: r["name"] == "Person 7" or r["age"] in (27, 30)),
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


@pytest.mark.parametrize(
    "sort", ["age", "-age", "-joined", "-active,name:binary", "tags,-age", "home.city,-seenAt"]
)
def test_a_list_is_in_the_order_asked_for(read: Read, sort: str) -> None:
    items = read(f"/api/people?sort={sort}&limit=1000").data
    rows = [(item["path"], item["record"]) for item in items]
    assert {path for path, _ in rows} == RECORDS.keys()
    for key in reversed(sort.split(",")):
        field, descending = key.removeprefix("-").removesuffix(":binary"), key.startswith("-")
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
    assert {each["value"]: each["count"] for each in facets["tags"]["values"]} == tags
    assert facets["tags"]["values"][0] == {"value": "all", "count": PEOPLE}
    assert facets["tags"]["distinct"] == len(tags)
    assert facets["active"] == {
        "values": [{"value": False, "count": 30}, {"value": True, "count": 30}],
        "distinct": 2,
    }
    cities = [{"value": "Porto", "count": 45}, {"value": "Málaga", "count": 15}]
    assert facets["home.city"] == {"values": cities, "distinct": 2}


def test_facets_count_what_filters_and_words_find(read: Read) -> None:
    facets = read("/api/people?age__lt=25&facet=age").json["facets"]
    ages = Counter(record["age"] for record in RECORDS.values() if record["age"] < 25)
    assert {each["value"]: each["count"] for each in facets["age"]["values"]} == ages
    reply = read("/api/people?q=kitchen&facet=tags")
    found = [record for record in RECORDS.values() if "kitchen" in record["tags"]]
    assert reply.json["facets"]["tags"]["values"] == [
        {"value": "all", "count": len(found)},
        {"value": "kitchen", "count": len(found)},
    ]


def test_a_facet_has_the_twenty_most_frequent_values(read: Read) -> None:
    facet = read("/api/people?facet=age").json["facets"]["age"]
    ages = Counter(record["age"] for record in RECORDS.values())
    assert (len(facet["values"]), facet["distinct"]) == (20, len(ages))
    assert [each["count"] for each in facet["values"]] == sorted(ages.values(), reverse=True)[:20]
    whole = read("/api/people?facet=age&facet_limit=1000&limit=0").json
    assert {each["value"]: each["count"] for each in whole["facets"]["age"]["values"]} == ages
    assert (whole["data"], whole["meta"]["total"], whole["meta"]["nextCursor"]) == ([], PEOPLE, None)


def test_a_form_with_several_choices_counts_them_without_its_own_filter(read: Read) -> None:
    query = "active=true&home.city=Porto&facet=active&facet=home.city&limit=0"
    own = read(f"/api/people?{query}&facet_exclude=self").json["facets"]
    both = {True, False}
    assert {each["value"] for each in own["active"]["values"]} == both
    assert own["home.city"]["distinct"] == 2
    assert read(f"/api/people?{query}").json["facets"]["active"]["distinct"] == 1


def test_dates_are_counted_by_year_and_month(read: Read) -> None:
    facets = read("/api/people?facet=joined:year,joined:month&facet_limit=1000").json["facets"]
    months = Counter(record["joined"].isoformat()[:7] for record in RECORDS.values())
    assert {each["value"]: each["count"] for each in facets["joined:month"]["values"]} == months
    assert sum(each["count"] for each in facets["joined:year"]["values"]) == PEOPLE


def test_texts_are_in_natural_order_and_in_that_of_code_points_when_asked(read: Read) -> None:
    names = [record["name"] for record in RECORDS.values()]
    natural = sorted(names, key=lambda name: int(name.removeprefix("Person ")))
    for sort, expected in (("name", natural), ("-name", natural[::-1]), ("name:binary", sorted(names))):
        found = read(f"/api/people?sort={sort}&limit=1000&fields=name").data
        assert [item["record"]["name"] for item in found] == expected


def test_the_path_is_asked_for_like_a_field(read: Read) -> None:
    assert [item["path"] for item in read("/api/people?path__in=p03,p01,none").data] == ["p01", "p03"]
    assert len(read("/api/people?path__startswith=p1&limit=1000").data) == 10
    backwards = read("/api/people?sort=-path&limit=3").data
    assert [item["path"] for item in backwards] == sorted(RECORDS, reverse=True)[:3]


@pytest.mark.parametrize("query", ["", "?limit=3", "?q=a%20b&sort=-age"])
def test_a_slash_behind_a_sheet_leads_to_its_list(read: Read, query: str) -> None:
    reply = read(f"/api/people/{query}")
    assert (reply.status, reply.headers["Location"]) == (308, f"/api/people{query}")
    read("/api/nobody/").problem(404, "sheet-not-found")


@pytest.mark.parametrize(
    ("query", "parameter", "words"),
    [
        ("name=a&name=b", "name", "use name__in=a,b"),
        ("name__eq=a&name__eq=b", "name__eq", "use name__in=a,b"),
        ("or=age=1", "or", "'(' is missing; write or=(a=1,b__gt=2)"),
        ("or=(age=1", "or", "')' is missing"),
        ("or=()", "or", "a term is name=value"),
        ("or=(age=1)x", "or", "nothing may follow"),
        ("or=" + "(or=" * 6 + "(age=1" + ")" * 7, "or", "nested 5 deep at most"),
        ("or=(" + ",".join(["age=1"] * 51) + ")", "or", "50 terms at most"),
        ("or=(agee=1)", "agee", "did you mean age?"),
        ("or=(age__about=1)", "age__about", "no such operator; known are eq, ne"),
        ("facet_limit=0", "facet_limit", "from 1 to 1000"),
        ("facet_limit=1001", "facet_limit", "from 1 to 1000"),
        ("facet_exclude=all", "facet_exclude", "known is self"),
        ("facet=home", "facet", "a table; count a field of it: home.city"),
        ("facet=joined:day", "facet", "no record of this sheet has a field 'joined:day'"),
        ("sort=-Name", "sort", "did you mean name?"),
        ("fields=nmae", "fields", "did you mean name?"),
        ("page=2", "page", "did you mean cursor?"),
        (
            "zzz=2",
            "zzz",
            "those are and, cursor, facet, facet_exclude, facet_limit, fields, limit, or, q, sort",
        ),
    ],
)
def test_what_is_not_understood_is_refused_with_what_would_be(
    read: Read, query: str, parameter: str, words: str
) -> None:
    problem = read(f"/api/people?{query}").problem(400, "invalid-query")
    assert problem["parameter"] == parameter
    assert words in problem["detail"]


def test_a_sheet_that_is_misspelt_is_refused_with_the_one_that_was_meant(read: Read) -> None:
    assert "did you mean people?" in read("/api/People").problem(404, "sheet-not-found")["detail"]


def test_words_and_filters_together_narrow_a_list(read: Read) -> None:
    items = read("/api/people?q=porto&active=true&age__gte=40&limit=1000").data
    expected = {
        path
        for path, record in RECORDS.items()
        if record["home"]["city"] == "Porto" and record["active"] and record["age"] >= 40
    }
    assert {item["path"] for item in items} == expected


LIMITS = ("-1", "1001", "1000000000", "1e3", "NaN", "", "%201", "1_0", "%D9%A3", "+5", "0x10", "1.0")


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
