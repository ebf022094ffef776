"""Search over all sheets: relevant first, forgiving in spelling, and impossible to break."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import quote

import pytest

from tests.end_to_end.client import Reply

Read = Callable[..., Reply]


def found(read: Read, text: str, more: str = "") -> list[str]:
    reply = read(f"/api/_search?q={quote(text)}{more}&limit=1000")
    assert reply.json["meta"]["total"] == len(reply.data)
    return [f"{item['sheet']}/{item['path']}" for item in reply.data]


def test_a_hit_is_an_item_with_sheet_score_and_snippet(read: Read) -> None:
    reply = read("/api/_search?q=food")
    assert reply.json["meta"].keys() == {"commit", "total", "limit", "nextCursor"}
    assert reply.json["meta"]["commit"] == reply.commit
    for item in reply.data:
        assert item.keys() == {"sheet", "path", "blob", "record", "score", "snippet"}
        assert item["record"] == read(f"/api/{item['sheet']}/{item['path']}").data["record"]
        assert "<mark>Food</mark>" in item["snippet"] or "<mark>food</mark>" in item["snippet"]
    scores = [item["score"] for item in reply.data]
    assert scores == sorted(scores, reverse=True)


def test_what_a_record_says_is_escaped_in_its_snippet(read: Read) -> None:
    (item,) = read("/api/_search?q=counting%20every").data
    assert item["record"]["body"] == "Walking <b>every</b> block & counting shops."
    assert "&lt;b&gt;<mark>every</mark>&lt;/b&gt; block &amp; <mark>counting</mark>" in item["snippet"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("harvest", ["events/2024/harvest"]),
        ("HARVEST dinner", ["events/2024/harvest"]),
        ("harv", ["events/2024/harvest"]),
        ("harv dinner", []),
        ("dinner harv", ["events/2024/harvest"]),
        ("gardens", ["posts/garden"]),
        ("running gardens", ["posts/garden"]),
        ("cafe", ["notes/deep/er/one"]),
        ("naive CAFÉ", ["notes/deep/er/one"]),
        ('"counting shops"', ["posts/food"]),
        ('"shops counting"', []),
        ('"opening day"', ["events/2023/opening"]),
        ("opening nonsense", []),
    ],
)
def test_words_are_found_as_people_spell_them(read: Read, text: str, expected: list[str]) -> None:
    hits = [hit for hit in found(read, text) if not hit.startswith("people/")]
    assert hits == expected


def test_a_search_keeps_to_the_sheets_named(read: Read) -> None:
    assert {hit.split("/")[0] for hit in found(read, "garden")} == {"people", "posts"}
    assert {hit.split("/")[0] for hit in found(read, "garden", "&sheet=people&sheet=notes")} == {"people"}
    assert found(read, "garden", "&sheet=posts&sheet=events") == ["posts/garden"]
    read("/api/_search?q=garden&sheet=nothing").problem(404, "sheet-not-found")


def test_a_list_is_searched_by_the_same_words(read: Read) -> None:
    assert [item["path"] for item in read("/api/posts?q=food").data] == [
        hit.removeprefix("posts/") for hit in found(read, "food", "&sheet=posts")
    ]


def test_a_search_without_words_to_search_for_is_refused(read: Read) -> None:
    assert "q" in read("/api/_search").problem(400, "invalid-query")["detail"]


HOSTILE = (
    *('"', '""', '"""', "*", "^", "(", ")", "NEAR(", "NEAR(a b, 2)", "a AND", "NOT a", "a OR b", "title:x"),
    *("-x", "+x", "c++", "foo-bar", "o'neil", "'; DROP TABLE people; --", "{a b}", "a:b:c", "\\", "%", "_"),
    *(
        "\x00",
        "a\x00b",
        "👩‍🌾",
        "日本語",
        "\u202e",
        "\ue000",
        "\x02\x03",
        "ﬁ",
        "a" * 1_900,
        '"' * 99,
        "( " * 99,
    ),
    *("", " ", "\t\n", "a " * 900, "a* " * 600, "OR " * 600, "́", "\ufeff", "<mark>", "&lt;"),
)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_no_text_breaks_a_search(read: Read, text: str) -> None:
    for url in (f"/api/_search?q={quote(text)}", f"/api/people?q={quote(text)}&facet=tags"):
        reply = read(url)
        if reply.status != 200:
            reply.problem(400, "invalid-query")
        else:
            assert isinstance(reply.data, list)
