"""`docs/reference/data-format.md` shows what the reader of records does, and states the real limits."""

from __future__ import annotations

import json

import pytest

from reload.build.manifest import DEFINITIONS_MAX
from reload.errors import PROBLEMS_MAX
from reload.records.record import KINDS, read_record
from reload.records.sheet import EXTENSIONS, Sheet, read_sheet
from reload.records.template import TemplateError, parse_template
from reload.records.toml import DOCUMENT_BYTES_MAX, NESTING_DEPTH_MAX
from tests.docs.pages import Block, blocks, codes, page, rows, section

NAME = "docs/reference/data-format.md"
TEXT = page(NAME)
BLOB = "0" * 40


def worked_examples() -> list[tuple[Block, Block, Block]]:
    """Definition, record and answer, one after the other."""
    found = blocks(NAME)
    return [
        (definition, record, answer)
        for definition, record, answer in zip(found, found[1:], found[2:], strict=False)
        if (definition.language, answer.language) == ("toml", "json")
    ]


def sheet_of(definition: str) -> Sheet:
    sheet = read_sheet("example", definition.encode())
    assert isinstance(sheet, Sheet), sheet
    return sheet


@pytest.mark.parametrize(("definition", "record", "answer"), worked_examples(), ids=str)
def test_a_shown_record_becomes_the_shown_answer(definition: Block, record: Block, answer: Block) -> None:
    read = read_record(sheet_of(definition.text), "2024/example", BLOB, record.text.encode())
    assert json.loads(read.json) == json.loads(answer.text)
    assert list(json.loads(read.json)) == list(json.loads(answer.text))


def test_both_formats_have_a_worked_example() -> None:
    assert {record.language for _, record, _ in worked_examples()} == {"toml", "markdown"}


def test_the_definition_with_every_key_is_a_sheet() -> None:
    complete = next(block for block in blocks(NAME) if "[livesheets]" in block.text)
    sheet = sheet_of(complete.text)
    assert (sheet.root, sheet.search, sheet.index) == ("people", ("name", "bio"), ("joinedAt",))
    assert all(name in complete.text for name in EXTENSIONS)


@pytest.mark.parametrize("row", list(rows(section(TEXT, "Which files are records"))), ids=str)
def test_every_template_shown_is_one(row: list[str]) -> None:
    template, *_ = codes(row[0])
    parse_template(template)


def test_the_date_buckets_named_are_those_that_are_known() -> None:
    with pytest.raises(TemplateError) as refused:
        parse_template("${{ date: nonsense }}")
    known = str(refused.value).rpartition("known: ")[2].split(", ")
    bucket = next(row for row in rows(TEXT) if "date:" in row[0])
    assert codes(bucket[1]) == known


def test_the_limits_are_the_real_ones() -> None:
    limits = {row[0]: row[1] for row in rows(section(TEXT, "Limits"))}
    assert f"({DOCUMENT_BYTES_MAX} bytes)" in limits["a record or definition"]
    assert limits["nesting"] == f"{NESTING_DEPTH_MAX} levels"
    assert limits["sheets in a commit"] == f"{DEFINITIONS_MAX:,}"
    assert limits["problems listed for a commit"] == str(PROBLEMS_MAX)


def test_every_kind_of_value_has_its_row() -> None:
    kinds = [row[0] for row in rows(section(TEXT, "What can be asked")) if len(row) == 4]
    assert set(kinds) == {*KINDS.values(), "null"}
