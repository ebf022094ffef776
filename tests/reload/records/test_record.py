"""Record files: markdown split as gitsheets splits it, JSON that keeps what TOML says, text to search."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gitsheets
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reload.errors import Problem
from reload.records.record import FIELD_BREAK, Record, read_record, shape_of, split_front_matter
from tests.gitrepo import GitRepo
from tests.histories import markdown_documents, matches, toml_documents
from tests.reload.engine import examples, new_repository, record_of, sheet_of

MARKDOWN = """
[gitsheet]
path = '${{ slug }}'
root = 'posts'
[gitsheet.format]
type = 'markdown'
body = 'body'
"""
_PIECES = (
    *(
        "+++",
        "+++\n",
        "+++\n",
        "+++ \n",
        "+++\r\n",
        " +++\n",
        "++++\n",
        "+++x\n",
        "---\n",
        "\n",
        "\n",
        "\r\n",
    ),
    *("\r", " ", "\t", "\x0b", "\x0c", "\x1c", "\x85", "\u00a0", "\u2028", "\ufeff", "a = 1\n", 'b = "x"\n'),
    *('body = "B"\n', "bad\n", "[t]\nb = 1\n", 'c = """\n', "# Title\n", "text\n", "日本\n", "## H\n\n"),
)


def json_of(content: str | bytes, definition: str = "") -> str:
    sheet = sheet_of(definition) if definition else sheet_of()
    return record_of(sheet, "ada", content).json


@settings(max_examples=examples(10))
@given(st.lists(st.lists(st.sampled_from(_PIECES), max_size=8).map("".join), min_size=30, max_size=60))
def test_markdown_is_split_as_gitsheets_splits_it(documents: list[str]) -> None:
    sheet = sheet_of(MARKDOWN, "posts")
    with new_repository() as repo:
        repo.write({f"{number}/x.md": document for number, document in enumerate(documents)})
        commit = repo.commit()
        for number, document in enumerate(documents):
            found = read_record(sheet, "x", "0" * 40, document.encode())
            expected = _expected(repo, commit, str(number))
            if isinstance(found, Problem):
                assert expected is None
            else:
                assert matches(orjson.loads(found.json), expected)


def _expected(repo: GitRepo, commit: str, root: str) -> object:
    """The one record below `root` as gitsheets reads it, None where it refuses it."""
    template = "${{ slug }}"
    try:
        (found,) = gitsheets.record_query(str(repo.git_dir), commit, root, template, {}, ".md", "body")
    except gitsheets.GitsheetsError:
        return None
    return found["record"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+++\na = 1\n+++\n\nBody.\n", ("a = 1\n", "Body.", 2)),
        ("+++\n+++\nBody.\n\n", ("", "Body.\n", 2)),
        ("Body only.\n", ("", "Body only.\n", 1)),
        ("+++\na = 1\n", ("", "a = 1\n", 1)),
        ("intro\n+++\na = 1\n+++\nBody.", ("a = 1\n", "Body.", 3)),
        ("+++\r\na = 1\r\n+++\r\nBody.", ("a = 1\r\n", "Body.", 2)),
        ("+++\n\n\na = 1\n+++\n", ("a = 1\n", "", 4)),
    ],
)
def test_front_matter_body_and_the_line_where_it_begins(text: str, expected: tuple[str, str, int]) -> None:
    assert split_front_matter(text) == expected


def test_a_fault_in_front_matter_is_reported_on_its_line_in_the_file() -> None:
    found = read_record(sheet_of(MARKDOWN, "posts"), "x", "0" * 40, b"+++\n\na = 1\nb = \n+++\nBody.\n")
    assert isinstance(found, Problem)
    assert (found.path, found.line, found.column) == ("posts/x.md", 4, 5)


def test_the_body_takes_the_place_of_a_field_of_its_name() -> None:
    content = "+++\nbody = 'from the front'\ntitle = 'T'\n+++\nthe real one\n"
    assert json_of(content, MARKDOWN) == '{"title":"T","body":"the real one"}'


@pytest.mark.parametrize(
    ("toml", "expected"),
    [
        ("2024-01-02", '"2024-01-02"'),
        ("03:04:05", '"03:04:05"'),
        ("03:04:05.12", '"03:04:05.120000"'),
        ("2024-01-02 03:04:05", '"2024-01-02T03:04:05"'),
        ("2024-01-02T03:04:05Z", '"2024-01-02T03:04:05Z"'),
        ("2024-01-02T03:04:05+00:00", '"2024-01-02T03:04:05Z"'),
        ("2024-01-02T03:04:05.5+02:00", '"2024-01-02T03:04:05.500000+02:00"'),
        ("2024-01-02T03:04:05-09:30", '"2024-01-02T03:04:05-09:30"'),
        ("2024-01-02T03:04:05-00:30", '"2024-01-02T03:04:05-00:30"'),
        ("0001-01-01", '"0001-01-01"'),
        ("nan", "null"),
        ("[-inf, inf, 1.0]", "[null,null,1.0]"),
        ("-9223372036854775808", "-9223372036854775808"),
        ("-1e400", "null"),
        ('"\\u0000\\U0001F469 é"', '"\\u0000👩 é"'),
        ("{a.b = {}, c = [{d = 1979-05-27}]}", '{"a":{"b":{}},"c":[{"d":"1979-05-27"}]}'),
    ],
)
def test_json_keeps_the_kind_of_every_value(toml: str, expected: str) -> None:
    assert json_of(f"v = {toml}") == f'{{"v":{expected}}}'


@settings(max_examples=examples(100))
@given(toml_documents() | st.sampled_from([b"v = 1e308\n", b"v = -0.0\n", b"v = 5e-324\n"]))
def test_the_shape_is_the_same_for_the_values_and_for_their_json(document: bytes) -> None:
    record = record_of(sheet_of(), "ada", document)
    assert sorted(record.shape) == sorted(shape_of(orjson.loads(record.json)))
    assert json.loads(record.json) == orjson.loads(record.json)


def test_the_shape_names_fields_in_tables_and_tells_null_from_numbers() -> None:
    record = record_of(
        sheet_of(), "ada", "s = 'x'\nd = 2024-01-02\nn = 1\nf = nan\nb = true\nl = []\nt.u.v = 1\n"
    )
    assert dict(record.shape) == {
        "s": "string",
        "d": "string",
        "n": "number",
        "f": "null",
        "b": "boolean",
        "l": "array",
        "t": "table",
        "t.u": "table",
        "t.u.v": "number",
    }


def test_only_shapes_of_ordinary_size_are_remembered() -> None:
    small = {"s": "x", "t": {"u": {"v": 1}}}
    assert shape_of(small) is shape_of(dict(small))
    many = {f"k{number}": number for number in range(5_000)}
    deep: dict[str, Any] = {"leaf": 1}
    for _ in range(60):
        deep = {"k" * 20: deep}
    for large in (many, {"t": many}, {"k" * 100_000: 1}, deep):
        assert shape_of(large) is not shape_of(large)
        assert shape_of(large) == shape_of(large)


def test_every_string_can_be_searched_wherever_it_stands() -> None:
    content = "a = 'one'\nb = ['two', ['three', {c = 'four'}]]\nn = 5\nd = 2024-01-02\n[e.f]\ng = 'six'\n"
    words = record_of(sheet_of(), "ada", content).text.replace(FIELD_BREAK, " ").split()
    assert words == ["one", "two", "three", "four", "six"]


def test_chosen_fields_are_searched_in_the_order_of_the_choice() -> None:
    definition = "[gitsheet]\npath = 'x'\n[livesheets]\nsearch = ['b.c', 'a', 'absent', 'n', 'a.b']\n"
    text = record_of(
        sheet_of(definition), "x", "a = 'one'\nn = 3\nd = 'no'\nb = {c = ['two', {d = 'three'}]}"
    ).text
    assert text.replace(FIELD_BREAK, " ").split() == ["two", "three", "one"]


def test_what_marks_fields_and_hits_cannot_come_from_a_record() -> None:
    text = record_of(sheet_of(), "ada", 'a = "x\\u0002y\\u0003z\\uE000w\\u0000v\\u001Fu"\nb = "t"\n').text
    assert text.split() == ["x", "y", "z", "w", "v", "u", FIELD_BREAK, "t"]
    raw = record_of(sheet_of(), "ada", "a = 'x\ue000y'\n").text
    assert FIELD_BREAK not in raw


@settings(max_examples=examples(50))
@given(markdown_documents() | st.binary(max_size=40))
def test_no_file_can_do_more_than_be_a_problem(data: bytes) -> None:
    for definition in (MARKDOWN, "[gitsheet]\npath = '${{ slug }}'\n"):
        found = read_record(sheet_of(definition), "x", "0" * 40, data)
        assert isinstance(found, Record | Problem)


def test_the_oracle_agrees_on_a_whole_folder(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "repository")
    files = {"a": "+++\nn = 1\n+++\nBody\n", "ñandú": "no front\n", "x.y": "+++\n[t]\nd = 2024-01-02\n+++\n"}
    repo.write({f"posts/{name}.md": content for name, content in files.items()})
    commit = repo.commit()
    sheet = sheet_of(MARKDOWN, "posts")
    query = (str(repo.git_dir), commit, "posts", "${{ slug }}", {}, ".md", "body")
    found = {each["path"]: each["record"] for each in gitsheets.record_query(*query)}
    assert found.keys() == files.keys()
    for name, content in files.items():
        assert matches(orjson.loads(record_of(sheet, name, content).json), found[name])
