"""The search box: any text is safe, words are stemmed and folded, the last one is a prefix."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reload.records.record import FIELD_BREAK, HIT_END, HIT_START
from reload.snapshot.query.answers import Hit
from reload.snapshot.query.query import Query
from reload.snapshot.query.reader import Reader
from reload.snapshot.query.search import WORDS_MAX, match_expression
from tests.gitrepo import read_tree
from tests.reload.engine import asked, examples, paths, sheet_of, store_of

RECORDS = {
    "access": "title = 'Accessibility of food'\nbody = 'Every organization may share.'\n",
    "party": "title = 'A party'\nbody = 'It happily dropped; the quick brown fox.'\n",
    "split": "title = 'quick'\nbody = 'brown'\ntags = ['red', 'apple']\n",
    "ñandú": "title = 'Ñandú'\nbody = 'Größe, naïve café: Œuvre; İstanbul'\n",
    "nfd": "title = 'n\u0303andu\u0301 again'\n",
    "cjk": "title = '東京都の図書館'\nbody = '👩‍🌾 emoji'\n",
    "code": "title = 'C++ and foo-bar'\nbody = \"o'neil wrote title:x\"\n",
    "nested": "n = 1\n[links]\nhome = 'homepage'\nmore = [{label = 'deepest'}, ['inner words']]\n",
    "odd": 'title = "nul\\u0000byte \\u0002mark\\u0003 \\uE000private"\n',
}
DEFINITION = "[gitsheet]\npath = '${{ slug }}'\nroot = 'people'\n"
CHOSEN = DEFINITION.replace("people", "pages") + "[livesheets]\nsearch = ['title', 'links.home', 'tags']\n"
# Row G1: what FTS5 takes for operators, or cannot take at all.
ODD = (
    *('"', '""', '"""', "*", "^", "(", ")", "NEAR(", "NEAR(a b, 2)", "a AND", "AND", "OR", "NOT a"),
    *("title:x", "text:x", "-x", "- x", "c++", "foo-bar", "o'neil", "\0", "a\0b", "", " ", "\t\n"),
    *("a*", "*a", "a^", "{a b}:c", "[a]", "a\\", "\\", "%", "_", ";", "--", "/*", "'; drop table x", "+"),
    *("\ud800", "a\udfffb", "\ue000", "\ue000 x", "\x02", "\x7f", "\u202e", "\u0301", "ﬁ", "ß", "İ", "ǅ"),
    *("👩‍🌾", "東京", "…", "a NOT b", "a + b", "a" * 5000, "a " * 5000, '"a ' * 3000, "-a" * 5000),
    *(" OR ".join("abcdefgh" * 700), "é" * 65 + " x", "x " + "-" * 70 + "a"),
)  # fmt: skip


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    """A reader of two sheets with the same records: one searched whole, one in chosen fields."""
    sheets = {sheet_of(DEFINITION): RECORDS, sheet_of(CHOSEN, "pages"): RECORDS}
    with asked(store_of(tmp_path_factory.mktemp("search") / "state", sheets)) as found:
        yield found


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode().replace("\x7f", "\\u007f")


@contextmanager
def records_with(titles: Sequence[str]) -> Iterator[Reader]:
    """A reader of records `0`, `1`, ... that have these titles."""
    files = {str(number): f"title = {_quoted(title)}\n" for number, title in enumerate(titles)}
    with tempfile.TemporaryDirectory() as folder:
        with asked(store_of(Path(folder, "state"), {sheet_of(DEFINITION): files})) as reader:
            yield reader


def find(reader: Reader, text: str, sheet: str = "people") -> set[str]:
    """The records that a text finds."""
    match = match_expression(text)
    query = Query(match=match, nothing=match is None, limit=3)
    found = paths(reader, sheet, query)
    assert len(found) == len(set(found)) == reader.total(sheet, query)
    return set(found)


@pytest.mark.parametrize("text", ODD, ids=lambda text: ascii(text[:12]))
def test_no_text_can_make_a_search_fail(reader: Reader, text: str) -> None:
    assert find(reader, text) <= RECORDS.keys()


@settings(max_examples=examples(200), suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.text(max_size=8) | st.sampled_from(ODD), max_size=6).map(" ".join))
def test_no_random_text_can_either(reader: Reader, text: str) -> None:
    assert find(reader, text) <= RECORDS.keys()
    match = match_expression(text)
    assert match is None or reader.search_total(["people", "pages"], match) >= 0


@settings(max_examples=examples(60))
@given(st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=10), min_size=1, max_size=5))
def test_every_word_of_a_text_finds_it(texts: list[str]) -> None:
    words = {word for text in texts for word in text.split() if match_expression(word)}
    with records_with([" ".join(texts)]) as reader:
        assert all(find(reader, word) == {"0"} for word in words)
        assert all(find(reader, f'"{word}" ') == {"0"} for word in words if '"' not in word)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("food", {"access"}),
        ("FOOD", {"access"}),
        ("foods", {"access"}),
        ("accessibility", {"access"}),
        ("organizations", {"access"}),
        ("sharing", {"access"}),
        ("parties", {"party"}),
        ("food party", set()),
        ("food organization", {"access"}),
        ("quick brown", {"party", "split"}),
        ("brown quick", {"party", "split"}),
        ('"quick brown"', {"party"}),
        ('"brown quick"', set()),
        ('"quick brown" fox', {"party"}),
        ('"red apple"', set()),
        ("nandu", {"ñandú", "nfd"}),
        ("ñandú", {"ñandú", "nfd"}),
        ("n\u0303ANDU\u0301", {"ñandú", "nfd"}),
        ("naive CAFE", {"ñandú"}),
        ("grosse", set()),
        ("größe", {"ñandú"}),
        ("istanbul", {"ñandú"}),
        ("東京都の図書館", {"cjk"}),
        ("東京", {"cjk"}),
        ("図書館", set()),
        ("c++", {"code", "ñandú"}),
        ("foo-bar", {"code"}),
        ("bar-foo", set()),
        ("foo bar", {"code"}),
        ("o'neil", {"code"}),
        ("title:x", {"code"}),
        ("homepage", {"nested"}),
        ("deepest inner", {"nested"}),
        ("nul byte", {"odd"}),
        ("mark private", {"odd"}),
        ("1", set()),
        ("", set()),
        ("?!", set()),
        ("food ?!", {"access"}),
    ],
)
def test_what_a_search_finds(reader: Reader, text: str, expected: set[str]) -> None:
    assert find(reader, text) == expected


@pytest.mark.parametrize(
    ("word", "path"),
    [
        ("accessibility", "access"),
        ("organization", "access"),
        ("happily", "party"),
        ("dropped", "party"),
        ("istanbul", "ñandú"),
        ("homepage", "nested"),
    ],
)
def test_the_last_word_finds_from_its_first_letters_on(reader: Reader, word: str, path: str) -> None:
    for length in range(2, len(word) + 1):
        assert path in find(reader, word[:length]), word[:length]
        assert find(reader, f"{word[:length]} {word}") in ({path}, set())


def test_only_the_last_word_is_a_prefix_and_only_outside_quotes(reader: Reader) -> None:
    assert find(reader, "qui brown") == set()
    assert find(reader, "quick bro") == {"party", "split"}
    assert find(reader, '"quick bro"') == set()
    assert find(reader, "food-acc") == set()
    assert find(reader, "foo-ba") == {"code"}


def test_a_prefix_finds_no_words_that_do_not_begin_with_it() -> None:
    with records_with(["agriculture", "agreement", "only one", "only", "polymer", "policy"]) as reader:
        assert find(reader, "agre") == {"1"}
        assert find(reader, "poly") == {"4"}
        assert find(reader, "pol") == {"4", "5"}


def test_nearly_every_prefix_of_every_word_of_a_real_text_finds_it(blog: Path) -> None:
    files = list(read_tree(blog, "published", "posts").values())[-120:]
    words = sorted({word.lower() for file in files for word in re.findall(r"[A-Za-z]{4,16}", file.decode())})
    with records_with(words) as reader:
        step = max(1, len(words) // (400 * examples(1)))
        missed = [
            (word[:length], word)
            for number, word in list(enumerate(words))[::step]
            for length in range(3, len(word) + 1)
            if not _finds(reader, word[:length], str(number))
        ]
    assert len(missed) <= 2, missed


def _finds(reader: Reader, text: str, path: str) -> bool:
    query = Query(match=match_expression(text), limit=1000)
    rows, more = reader.page("people", query)
    return more or any(row.path == path for row in rows)


def test_at_most_sixteen_words_count() -> None:
    with records_with([" ".join(f"w{number}" for number in range(WORDS_MAX))]) as reader:
        words = [f"w{number}" for number in range(WORDS_MAX)]
        assert find(reader, " ".join([*words, "absent"])) == {"0"}
        assert find(reader, " ".join(["absent", *words])) == set()
        assert find(reader, "-".join([*words, "absent"])) == {"0"}


def test_a_word_that_is_too_long_counts_as_far_as_it_is_read() -> None:
    with records_with(["x" * 200, "x" * 63 + "y"]) as reader:
        assert find(reader, "x" * 90) == {"0"}
        assert find(reader, f'"{"x" * 90}"') == {"0"}
        assert find(reader, "x" * 200 + " absent") == set()


def test_a_sheet_may_choose_what_is_searched(reader: Reader) -> None:
    assert find(reader, "quick", "pages") == {"split"}
    assert find(reader, "homepage", "pages") == {"nested"}
    assert find(reader, "apple", "pages") == {"split"}
    assert find(reader, "deepest", "pages") == set()


def hits(reader: Reader, text: str, limit: int = 2) -> list[Hit]:
    """Every hit in both sheets, page by page."""
    match = match_expression(text)
    assert match is not None
    found: list[Hit] = []
    more = True
    while more:
        after = found[-1].row.keys if found else None
        page, more = reader.search(["people", "pages"], match, limit, after)
        found += page
    assert len(found) == reader.search_total(["people", "pages"], match)
    return found


def test_a_search_over_sheets_pages_through_every_hit_once_best_first(reader: Reader) -> None:
    for text in ("quick", "a", "title", "nandu", "the", "x"):
        found = hits(reader, text)
        assert len({(hit.sheet, hit.row.path) for hit in found}) == len(found)
        assert [hit.rank for hit in found] == sorted(hit.rank for hit in found)
        for limit in (1, 3, 50):
            assert hits(reader, text, limit) == found


def test_more_about_a_word_ranks_before_less() -> None:
    texts = ["food and much else that has nothing to do with it at all", "food food food", "else", "other"]
    with records_with(texts) as reader:
        match = match_expression("food")
        assert paths(reader, "people", Query(match=match)) == ["1", "0"]


def test_snippets_mark_the_hits_and_hold_no_other_marks(reader: Reader) -> None:
    (hit,) = [hit for hit in hits(reader, "organization") if hit.sheet == "people"]
    assert f"{HIT_START}organization{HIT_END}" in hit.snippet
    (odd,) = [hit for hit in hits(reader, "mark") if hit.sheet == "people"]
    assert odd.snippet.count(HIT_START) == odd.snippet.count(HIT_END) == 1
    assert FIELD_BREAK not in odd.snippet


@pytest.mark.parametrize("text", ["", "  ", '""', "?!", "\0", "-", "\ue000", '" "'])
def test_a_text_without_words_searches_for_nothing(text: str) -> None:
    assert match_expression(text) is None
