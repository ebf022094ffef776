"""Sheet definitions, and which record a file belongs to."""

from __future__ import annotations

import pytest

from reload.errors import Problem
from reload.records.sheet import FIELD_NAME, Place, Sheet, read_sheet, sheet_name
from tests.reload.engine import sheet_of

FLAT = "[gitsheet]\npath = '${{ slug }}'\nroot = 'people'\n"
MARKDOWN = "[gitsheet.format]\ntype = 'markdown'\nbody = 'text'\n"
RECURSIVE = "[gitsheet]\npath = '${{ path/** }}'\nroot = 'notes'\n"


def test_a_definition_says_all_about_a_sheet() -> None:
    sheet = sheet_of(
        "[gitsheet]\npath = '${{ team }}/${{ slug }}'\nroot = './a//b/'\nunknown = 1\n"
        "[gitsheet.schema]\ntype = 'object'\n[gitsheet.format]\ntype = 'mdx'\nbody = 'text'\ntitle = 'name'\n"
        "[livesheets]\nsearch = ['title', 'links.home']\nindex = ['n', 'n', 'größe']\n",
        "pages",
    )
    assert (sheet.name, sheet.root, sheet.path) == ("pages", "a/b", "${{ team }}/${{ slug }}")
    assert (sheet.format, sheet.extension, sheet.body, sheet.title) == ("mdx", ".mdx", "text", "name")
    assert (sheet.search, sheet.index) == (("title", "links.home"), ("n", "größe"))
    assert sheet.schema == {"type": "object"}
    assert sheet.file_of("x/y") == "a/b/x/y.mdx"


def test_what_a_definition_leaves_out_has_its_default() -> None:
    sheet = sheet_of("[gitsheet]\npath = '${{ slug }}'\n")
    assert (sheet.root, sheet.prefix, sheet.format, sheet.body, sheet.title) == ("", "", "toml", None, None)
    assert (sheet.search, sheet.index, sheet.schema) == (None, (), None)


@pytest.mark.parametrize(
    ("definition", "line", "column", "message"),
    [
        ("", 1, 1, "the table [gitsheet] is missing"),
        ("gitsheet = 1\n", 1, 1, "the table [gitsheet] is missing"),
        ("# note\n\n[gitsheet]\nroot = 'x'\n", 3, 1, "gitsheet.path must be a non-empty string"),
        ("[gitsheet]\npath = ''\n", 1, 1, "gitsheet.path must be a non-empty string"),
        ("[gitsheet]\npath = 3\n", 1, 1, "gitsheet.path must be a non-empty string"),
        ("[gitsheet]\npath = '${{ a'\n", 1, 1, "is not closed"),
        (FLAT + "schema = 3\n", 1, 1, "gitsheet.schema must be a table"),
        (FLAT + "format = 3\n", 1, 1, "gitsheet.format must be a table"),
        (FLAT + "format.type = 'csv'\n", 1, 1, "known: toml, markdown, mdx"),
        (FLAT + "format.type = 'markdown'\n", 1, 1, "format.body must name the field"),
        (FLAT + "format.body = 'text'\n", 1, 1, "belongs to markdown and mdx sheets only"),
        (FLAT.replace("'people'", "3"), 1, 1, "gitsheet.root must be a string"),
        (FLAT.replace("people", "../people"), 1, 1, "leads out of the repository"),
        (FLAT + "[livesheets]\nsearch = 'title'\n", 1, 1, "livesheets.search must be a list"),
        (FLAT + "[livesheets]\nindex = ['a..b']\n", 1, 1, "livesheets.index must be a list"),
        (FLAT + '[livesheets]\nindex = ["a\\n"]\n', 1, 1, "livesheets.index must be a list"),
        ("livesheets = 3\n" + FLAT, 2, 1, "livesheets must be a table"),
        ("[gitsheet]\npath = \n", 2, 8, "a value is missing after ="),
        ("[gitsheet]\npath = 'a'\npath = 'b'\n", 3, 1, "duplicate key"),
    ],
)
def test_a_definition_that_is_none_is_a_problem_with_its_place(
    definition: str, line: int, column: int, message: str
) -> None:
    found = read_sheet("people", definition.encode())
    assert isinstance(found, Problem)
    assert (found.path, found.line, found.column) == (".gitsheets/people.toml", line, column), found
    assert message in found.message


@pytest.mark.parametrize(
    ("path", "name"),
    [
        (".gitsheets/people.toml", "people"),
        (".gitsheets/höhe.x.toml", "höhe.x"),
        (".gitsheets/a/b.toml", None),
        (".gitsheets/.toml", None),
        (".gitsheets/people.md", None),
        ("x/.gitsheets/people.toml", None),
        ("gitsheets/people.toml", None),
    ],
)
def test_only_files_directly_below_the_folder_define_sheets(path: str, name: str | None) -> None:
    assert sheet_name(path) == name


def place(sheet: Sheet, file: str, *others: str) -> Place | None:
    return sheet.place(file, {file, *others}.__contains__)


@pytest.mark.parametrize(
    ("definition", "file", "expected"),
    [
        (FLAT, "ada.toml", Place("ada")),
        (FLAT, "ada.v1.toml", Place("ada.v1")),
        (FLAT, ".toml", Place("")),
        (FLAT, "ada.txt", None),
        (FLAT, "ada/photo.png", Place("ada", "photo.png")),
        (FLAT, "ada/x/y.toml", Place("ada", "x/y.toml")),
        (FLAT + MARKDOWN, "ada.md", Place("ada")),
        (FLAT + MARKDOWN, "ada.toml", None),
        (FLAT.replace("${{", "${{ team }}/${{"), "a/b.toml", Place("a/b")),
        (FLAT.replace("${{", "${{ team }}/${{"), "a.toml", None),
        (FLAT.replace("${{", "${{ team }}/${{"), "a/b/c.toml", Place("a/b", "c.toml")),
        (FLAT.replace("${{", "core/${{"), "core/b.toml", Place("core/b")),
        (FLAT.replace("${{", "core/${{"), "other/b.toml", None),
        (FLAT.replace("${{", "core/${{"), "other/b/c.png", None),
    ],
)
def test_the_depth_of_a_template_tells_records_from_attachments(
    definition: str, file: str, expected: Place | None
) -> None:
    assert place(sheet_of(definition), file) == expected


@pytest.mark.parametrize(
    ("file", "others", "expected"),
    [
        ("a.toml", (), Place("a")),
        ("a/b/c.toml", (), Place("a/b/c")),
        ("a/b.toml", ("a.toml",), Place("a", "b.toml")),
        ("a/b/c.png", ("a/b.toml",), Place("a/b", "c.png")),
        ("a/b/c.png", ("a.toml", "a/b.toml"), Place("a", "b/c.png")),
        ("a/b.png", ("a/b.toml",), Place(None, "a/b.png")),
        ("a.png", (), Place(None, "a.png")),
    ],
)
def test_in_a_recursive_sheet_the_shallowest_record_owns_what_lies_below(
    file: str, others: tuple[str, ...], expected: Place
) -> None:
    assert place(sheet_of(RECURSIVE), file, *others) == expected


@pytest.mark.parametrize("path", ["${{ slug }}", "${{ path/** }}"])
def test_a_definition_is_unknown_attachment(path: str) -> None:
    sheet = sheet_of(f"[gitsheet]\npath = '{path}'\n")
    assert place(sheet, ".gitsheets/people.toml", ".gitsheets.toml") is None
    assert place(sheet, "x/.gitsheets/people.toml", "x.toml") == Place("x", ".gitsheets/people.toml")


def test_equal_definitions_are_equal_sheets_though_schemas_are_not_hashable() -> None:
    definition = FLAT + "[gitsheet.schema]\ntype = 'object'\n"
    assert sheet_of(definition) == sheet_of(definition)
    assert hash(sheet_of(definition)) == hash(sheet_of(definition))
    assert sheet_of(definition) != sheet_of(definition + "# changed\n")


@pytest.mark.parametrize("name", ["a", "a.b", "größe", "a b", "it's", "a-b/c", "$", "a__in", "名"])
def test_field_names_that_can_be_asked_for(name: str) -> None:
    assert FIELD_NAME.match(name)


@pytest.mark.parametrize("name", ["", ".", "a.", ".a", "a..b", 'a"b', "a\\b", "a[0]", "a\n", "a\x00"])
def test_field_names_that_would_need_escapes_in_sql_cannot_be_asked_for(name: str) -> None:
    assert not FIELD_NAME.match(name)
