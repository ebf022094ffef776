"""`docs/reference/state-file.md` lists the tables of a real state file, and its questions have answers."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest

from tests.docs.pages import Block, blocks, codes, page, rows
from tests.docs.running import Demo

NAME = "docs/reference/state-file.md"
TABLES = {row[0]: row[1] for row in rows(page(NAME))}


@pytest.fixture
def state(demo: Demo) -> Iterator[sqlite3.Connection]:
    file = demo.folder / "data.git.state" / "current.sqlite3"
    with closing(sqlite3.connect(f"file:{file}?mode=ro", uri=True)) as connection:
        yield connection


def columns(state: sqlite3.Connection, table: str) -> list[str]:
    return [name for (name,) in state.execute("SELECT name FROM pragma_table_info(?)", (table,))]


def test_every_table_of_livesheets_itself_has_its_row(state: sqlite3.Connection) -> None:
    tables = {name for (name,) in state.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    own = {name for name in tables if name.startswith("livesheets_")}
    assert {codes(cell)[0] for cell in TABLES if cell.startswith("`livesheets_")} == own


@pytest.mark.parametrize("cell", [cell for cell in TABLES if cell.startswith("`livesheets_")])
def test_the_columns_of_a_table_are_listed(state: sqlite3.Connection, cell: str) -> None:
    (table,) = codes(cell)
    listed = codes(TABLES[cell])
    assert listed[: len(columns(state, table))] == columns(state, table)


def test_the_columns_of_a_sheet_are_listed(state: sqlite3.Connection) -> None:
    assert codes(TABLES["one per sheet, named like it"]) == columns(state, "people")


@pytest.mark.parametrize("question", [b for b in blocks(NAME) if b.language == "sql"], ids=str)
def test_a_question_has_an_answer(state: sqlite3.Connection, question: Block) -> None:
    assert state.execute(question.text).fetchone()
