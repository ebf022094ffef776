"""Random contents of record files: TOML of every kind of value, and markdown around it."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime, time, timedelta, timezone

from hypothesis import strategies as st

_KEYS = ("slug", "title", "body", "tags", "createdAt", "links", "n", "größe", "a b", "名")
# Of each kind one, and what tends to go wrong: precision, signs, offsets, quotes, escapes.
_SAMPLES: tuple[object, ...] = (
    True,
    0,
    -(2**63),
    2**53 + 1,
    -0.0,
    1.0,
    0.1,
    1e300,
    math.nan,
    math.inf,
    "",
    'say "hi" \\ back\nnext\tline',
    "food access in the ñandú quarter",
    "👩‍🌾 + \u202e",
    date(2024, 2, 29),
    time(3, 4, 5, 123456),
    datetime(1969, 12, 31, 23, 59, 59, 999999),  # noqa: DTZ001 - a TOML local datetime
    datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC),
    datetime(2024, 1, 2, 3, 4, 5, 120000, timezone(timedelta(hours=-9, minutes=-30))),
    [],
    ["food", "access"],
    [1, "two", [3.0], {"four": date(2024, 4, 4)}],
    {},
    {"home": "https://example.org", "inner": {"deep": 1}},
)

_texts = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
_scalars = st.sampled_from(_SAMPLES) | _texts | st.integers(-(2**63), 2**63 - 1) | st.floats(width=64)
_values = st.recursive(
    _scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_texts, inner, max_size=3),
    max_leaves=4,
)
_tables = st.dictionaries(st.sampled_from(_KEYS) | _texts, _values, max_size=4)
_PARAGRAPHS = (
    "",
    "Food access, block by block.",
    "# A title\n\nA body.\n\n\nWith a gap.",
    "\n\nblank lines around\n\n",
    "  indented\n+++ not a delimiter",
    "日本語と ñandú.",
)


def toml_documents() -> st.SearchStrategy[bytes]:
    """Readable TOML files of a few keys, with inline tables or, for tables, also headers."""
    return _tables.map(_document)


def markdown_documents() -> st.SearchStrategy[bytes]:
    """Readable markdown records: front matter between `+++`, then a body; some without either."""
    bodies = st.sampled_from(_PARAGRAPHS)
    fronts = _tables.map(lambda table: f"+++\n{_document(table).decode()}+++\n")
    endings = st.sampled_from(("", "\n"))
    return st.tuples(fronts | st.just(""), st.sampled_from(("", "\n")), bodies, endings).map(
        lambda parts: "".join(parts).encode()
    )


def _document(table: dict[str, object]) -> bytes:
    lines = [f"{_string(k)} = {_inline(v)}\n" for k, v in table.items() if not _has_header(v)]
    for key, value in table.items():
        if _has_header(value) and isinstance(value, dict):
            inner = "".join(f"{_string(k)} = {_inline(v)}\n" for k, v in value.items())
            lines.append(f"\n[{_string(key)}]\n{inner}")
    return "".join(lines).encode()


def _has_header(value: object) -> bool:
    """Whether a table is written under a header: every other size, so that both forms occur."""
    return isinstance(value, dict) and len(value) % 2 == 0


def _inline(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _string(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, date | time):
        return value.isoformat()
    if isinstance(value, list):
        return f"[{', '.join(map(_inline, value))}]"
    if isinstance(value, dict):
        return f"{{{', '.join(f'{_string(k)} = {_inline(v)}' for k, v in value.items())}}}"
    return str(value)


def _string(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
