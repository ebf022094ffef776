"""Groups of filters: what is written is what is read."""

from __future__ import annotations

import contextlib
from typing import Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reload.snapshot.query.query import InvalidQuery
from server.api.filters import GROUP_DEPTH_MAX, Term, TermGroup, read_group

_names = st.text("abc_.é- ", min_size=1)
_values = st.text('ab1 ,()"\\é=\n')
_terms: st.SearchStrategy[Term | TermGroup] = st.recursive(
    st.builds(Term, _names, _values),
    lambda inner: st.builds(
        TermGroup, st.sampled_from(("or", "and")), st.lists(inner, min_size=1, max_size=3).map(tuple)
    ),
    max_leaves=10,
)


def written(term: Term | TermGroup) -> str:
    """A term as a person writes it."""
    if isinstance(term, TermGroup):
        return f"{term.operator}={group_text(term)}"
    escaped = term.value.replace("\\", "\\\\").replace('"', '\\"')
    return f'{term.name}="{escaped}"' if set(term.value) & set(',()"') else f"{term.name}={term.value}"


def group_text(group: TermGroup) -> str:
    return f"({','.join(map(written, group.terms))})"


def depth(term: Term | TermGroup) -> int:
    return 1 + max(map(depth, term.terms)) if isinstance(term, TermGroup) else 0


@given(st.sampled_from(("or", "and")), st.lists(_terms, min_size=1, max_size=4).map(tuple))
def test_what_is_written_is_what_is_read(
    operator: Literal["or", "and"], terms: tuple[Term | TermGroup, ...]
) -> None:
    group = TermGroup(operator, terms)
    if depth(group) <= GROUP_DEPTH_MAX:
        assert read_group(operator, group_text(group)) == group
    else:
        with pytest.raises(InvalidQuery, match=f"nested {GROUP_DEPTH_MAX} deep"):
            read_group(operator, group_text(group))


@given(st.text('ab=(),"\\ or', max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with contextlib.suppress(InvalidQuery):
        assert list(read_group("or", text).names)
