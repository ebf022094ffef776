"""Sheets whose records have one field with values of any kind, or of several."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from hypothesis import strategies as st

from reload.records.record import Record, shape_of
from reload.snapshot.query.reader import Reader
from reload.snapshot.state_file import StateFile
from tests.reload.engine import asked, sheet_of

ABSENT = object()
_TEXTS = (
    *("", "a", "A", "ab", "abc", "b,c", "1", "1.0", "true", "é", "名", "2024-01-02", "[1]", "%"),
    *("a\0b", "null"),
)
_NUMBERS = (0, 1, -1, 2, 1.0, 0.1, -0.0, 1e300, 2**53 + 1, 2**63 - 1, -(2**63), 5e-324, 123456.789)
texts = st.sampled_from(_TEXTS) | st.text(st.characters(exclude_categories=("Cs",)), max_size=3)
numbers = st.sampled_from(_NUMBERS) | st.floats(allow_nan=False, allow_infinity=False)
_scalars = texts | numbers | st.booleans() | st.none()
_arrays = st.lists(_scalars | st.lists(_scalars, max_size=2) | st.just({"x": 1}), max_size=3)
_values = {
    "texts": texts,
    "numbers": numbers,
    "booleans": st.booleans(),
    "arrays": _arrays,
    "tables": st.just({}) | st.just({"x": 1}) | st.just({"x": "a"}),
    "nothing": st.none(),
}
# Columns of one kind, as most are, and of several.
columns = st.lists(st.sampled_from(sorted(_values)), min_size=1, max_size=3).flatmap(
    lambda kinds: st.lists(
        st.just(ABSENT) | st.one_of([_values[kind] for kind in kinds]), min_size=1, max_size=8
    )
)


@contextmanager
def reader_of(tables: Sequence[dict[str, Any]], index: Sequence[str] = ()) -> Iterator[Reader]:
    """A reader of a sheet with these records, whose paths are `0`, `1` and so on."""
    definition = f"[gitsheet]\npath = '${{{{ slug }}}}'\n[livesheets]\nindex = {list(index)}\n"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "state")
        state_file = StateFile.create(path)
        state_file.add_sheet(sheet_of(definition))
        state_file.load(
            "people",
            (
                Record(str(number), "0" * 40, orjson.dumps(table).decode(), "", shape_of(table))
                for number, table in enumerate(tables)
            ),
        )
        state_file.index_sheet("people")
        state_file.finish()
        state_file.close()
        with asked(path) as reader:
            yield reader


def tables_of(column: Sequence[Any]) -> list[dict[str, Any]]:
    """Records that have these values in their field `v`."""
    return [{} if value is ABSENT else {"v": value} for value in column]
