"""Texts are compared as people compare them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reload.snapshot.folding import KEY_CHARACTERS_MAX, fold, sort_key

_texts = st.text(st.characters(exclude_categories=("Cs",)))


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("Äpfel", "apfel"),
        ("Straße", "STRASSE"),
        ("Łódź", "lodz"),
        ("\uff21\uff22\uff23", "abc"),
        ("Ærø", "aero"),
        ("É", "e"),
    ],
)
def test_case_accents_and_variants_of_a_letter_do_not_matter(text: str, same: str) -> None:
    assert fold(text) == fold(same)


@given(_texts)
def test_a_folded_text_stays_as_it_is(text: str) -> None:
    assert fold(fold(text)) == fold(text)


@given(st.integers(0), st.integers(0), st.text("abc ", max_size=3))
def test_numbers_in_a_text_are_ordered_by_their_size(one: int, other: int, before: str) -> None:
    assert (sort_key(f"{before}{one}") < sort_key(f"{before}{other}")) == (one < other)


@given(_texts)
def test_a_key_is_no_longer_than_a_cursor_and_an_index_can_take(text: str) -> None:
    assert len(sort_key(text)) <= 20 * KEY_CHARACTERS_MAX
