"""Passages with the hits marked are those that the state file's own full-text search would mark."""

from __future__ import annotations

from collections.abc import Iterator

import apsw
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reload.records.record import HIT_END, HIT_START
from reload.snapshot.query.reader import QueryTooSlow
from reload.snapshot.query.search import match_expression
from reload.snapshot.query.snippets import SNIPPET_WORDS, Snippets
from reload.snapshot.tables.format import TOKENIZER
from tests.reload.engine import examples

_WORDS = ("food", "access", "accessibility", "garden", "in", "the", "Größe", "東京", "x\ny", "a" * 70)
_texts = st.lists(st.sampled_from(_WORDS), max_size=60).map(" ".join)


@pytest.fixture
def snippets() -> Iterator[Snippets]:
    """What marks hits."""
    made = Snippets()
    yield made
    made.close()


def proceed() -> None:
    """Nothing is late."""


@settings(max_examples=examples(30))
@given(
    st.lists(_texts, max_size=5), st.sampled_from(("food", "acc", "garden the", '"in the"', "grosse größe"))
)
def test_each_passage_is_the_one_that_fts5_marks_among_all_texts(texts: list[str], asked: str) -> None:
    match = match_expression(asked) or ""
    db = apsw.Connection(":memory:")
    db.execute(f'CREATE VIRTUAL TABLE everything USING fts5(text, tokenize="{TOKENIZER}")')
    db.executemany("INSERT INTO everything VALUES (?)", [(text,) for text in [*texts, *texts, "food"]])
    select = f"SELECT rowid, snippet(everything, 0, ?, ?, '…', {SNIPPET_WORDS}) FROM everything(?)"
    marked = dict(db.execute(select, (HIT_START, HIT_END, match)))
    db.close()
    made = Snippets()
    found = made.of(match, iter(texts), proceed)
    made.close()
    assert found == [marked.get(number, "") for number in range(1, len(texts) + 1)]


def test_any_number_of_texts_keep_their_order(snippets: Snippets) -> None:
    for number in (0, 1, 50, 51, 120):
        found = snippets.of("food", (f"food {each}" for each in range(number)), proceed)
        assert found == [f"{HIT_START}food{HIT_END} {each}" for each in range(number)]


def test_what_is_late_is_given_up_and_leaves_nothing_behind(snippets: Snippets) -> None:
    def refuse() -> None:
        raise QueryTooSlow("late")

    with pytest.raises(QueryTooSlow):
        snippets.of("food", iter(["food"]), refuse)
    assert snippets.of("food", iter(["no", "food"]), proceed) == ["", f"{HIT_START}food{HIT_END}"]
