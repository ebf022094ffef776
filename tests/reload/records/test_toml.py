"""What is read as TOML: exactly what gitsheets reads, and nothing that breaks the process."""

from __future__ import annotations

import tomllib
from datetime import date, datetime, time
from pathlib import Path

import gitsheets
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reload.records.record import Record, read_record
from reload.records.toml import DOCUMENT_BYTES_MAX, NESTING_DEPTH_MAX, Unreadable, decode, parse
from tests.histories import matches, toml_documents
from tests.reload.engine import examples, sheet_of

_GLYPHS = str.maketrans("⏎␍␉␀␁␡␋␌∅", "\n\r\t\0\x01\x7f\x0b\x0c\ufeff")
_DIALECT_FILE = Path(__file__).with_name("dialect.txt")
DIALECT = [line.translate(_GLYPHS) for line in _DIALECT_FILE.read_text("utf-8").splitlines()]
# The one difference: gitsheets' Python binding cannot hold such moments in UTC, which are dates all the same.
_BEYOND_PYTHON = ("year 0 is out of range", "year 10000 is out of range")
_PIECES = (
    *("a", "b", '"a"', "'b'", ".", "=", " = ", "\n", "\r\n", "[", "]", "[[", "]]", "{", "}", ",", " ", "\t"),
    *("1", "-1", "0", "1.5", "true", '"x"', "'y'", '"""', "'''", "#", "2024-01-02", "T03:04:05", "Z"),
    *("-09:30", "+01:00", "_", "e", "0x1f", "inf", "nan", "+", "-", "\\", "\\n", "é", "\ufeff", "\x7f", "\0"),
    *("a = 1\n", "[a]\n", "[a.b]\n", "[[a]]\n", "a.b = 1\n", "a.c = 2\n", "b = {a = 1}\n", "1e400", "\r"),
)


def ours(text: str) -> object:
    """The JSON of what we read in a text, None where we refuse it."""
    record = read_record(sheet_of(), "ada", "0" * 40, text.encode())
    return orjson.loads(record.json) if isinstance(record, Record) else None


def theirs(text: str) -> object:
    """What gitsheets reads in a text, None where it refuses it."""
    try:
        return gitsheets.parse_records([text])[0]
    except Exception as error:
        return "beyond" if str(error) in _BEYOND_PYTHON else None


def agree(text: str) -> bool:
    """Whether both read the same, types included, or both refuse."""
    here, there = ours(text), theirs(text)
    return there == "beyond" or matches(here, there)


@pytest.mark.parametrize("text", DIALECT)
def test_every_corner_of_the_dialect_is_read_as_gitsheets_reads_it(text: str) -> None:
    assert agree(text)


@settings(max_examples=examples(1000))
@given(st.lists(st.sampled_from(_PIECES) | st.sampled_from(DIALECT), max_size=10).map("".join))
def test_what_loads_here_loads_in_gitsheets_and_the_other_way_round(text: str) -> None:
    assert agree(text)


@settings(max_examples=examples(100))
@given(toml_documents())
def test_values_are_those_that_gitsheets_reads(document: bytes) -> None:
    assert ours(document.decode()) is not None
    assert agree(document.decode())


def test_dates_and_times_keep_their_kind() -> None:
    found = parse("a = 2024-01-02\nb = 03:04:05\nc = 2024-01-02T03:04:05\nd = 2024-01-02T03:04:05+02:00\n")
    assert [type(value) for value in found.values()] == [date, time, datetime, datetime]
    assert [str(value) for value in found.values()] == [
        "2024-01-02",
        "03:04:05",
        "2024-01-02 03:04:05",
        "2024-01-02 03:04:05+02:00",
    ]


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [
        ("a = 1\nb = \n", 2, 5),
        ("a = 1\n\na = 2\n", 3, 1),
        ("[a]\n[b]\n[a]\n", 3, 2),
        ("a = 2024-13-01\n", 1, 5),
        ("a = 1\rb = 2\n", 1, 7),
        ('title = "x\n', 1, 11),
        ("a = 9223372036854775808\n", 1, 5),
        (f"a = 1\nb = {'9' * 5000}\n", 2, 5),
        ("a = 1\nb = 1e400\n", 2, 5),
        ("a = 1\nb = +-1\n", 2, 6),
        ("ok = 1\nb = 2024-01-02T03:04:05+24:00", 2, 5),
        ("a = 1 # \x7f", 1, 9),
        ("'é' = 'ü' ü\n", 1, 11),
        ("a = '9223372036854775808'\nb = [1, 0xffffffffffffffff]", 2, 9),
        ('a = """\n"""\nb = 1.5e999', 3, 5),
        ("a = 1\nb = 0000-01-01", 2, 5),
        ("\ufeffa = 1", 1, 1),
        ("a" + ".a" * 100 + " = 1", 1, 130),
    ],
)
def test_a_fault_is_reported_with_line_and_column(text: str, line: int, column: int) -> None:
    with pytest.raises(Unreadable) as caught:
        parse(text)
    assert (caught.value.line, caught.value.column) == (line, column), caught.value


@pytest.mark.parametrize(
    ("data", "line", "column", "offset"),
    [
        (b"\xff", 1, 1, 0),
        (b"a = 1\nb = '\xc3\xa9\x80'\n", 2, 7, 13),
        (b"a = '\xed\xa0\x80'", 1, 6, 5),
        ("a = 'ü'".encode("utf-16"), 1, 1, 0),
    ],
)
def test_text_that_is_not_utf8_names_its_first_bad_byte(
    data: bytes, line: int, column: int, offset: int
) -> None:
    with pytest.raises(Unreadable, match=f"at offset {offset}$") as caught:
        decode(data)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_a_file_may_have_a_mebibyte_and_no_more() -> None:
    whole = b"a = '" + b"x" * (DOCUMENT_BYTES_MAX - 6) + b"'"
    assert parse(decode(whole)).keys() == {"a"}
    with pytest.raises(Unreadable, match="more than the 1048576 allowed"):
        decode(whole + b" ")


def _nested(header: int, dotted: int, opened: int, bracket: str) -> str:
    head = f"[{'.'.join('h' * header)}]\n" if header else ""
    key = ".".join(["k"] * dotted)
    if not opened:
        return f"{head}{key} = 1\n"
    if bracket == "[":
        return f"{head}{key} = {'[' * opened}{']' * opened}\n"
    inner = f"{{{key} = " * opened + "1" + "}" * opened
    return f"{head}{key} = {inner}\n"


@pytest.mark.parametrize(
    ("header", "dotted", "opened", "bracket", "depth"),
    [
        (0, 1, 64, "[", 64),
        (0, 65, 0, "[", 64),
        (64, 1, 0, "[", 64),
        (32, 17, 16, "[", 64),
        (0, 1, 64, "{", 64),
        (0, 2, 31, "{", 63),
        (10, 3, 17, "{", 63),
    ],
)
def test_nesting_counts_headers_keys_and_brackets_together(
    header: int, dotted: int, opened: int, bracket: str, depth: int
) -> None:
    assert depth <= NESTING_DEPTH_MAX
    allowed = _nested(header, dotted, opened, bracket)
    assert repr(parse(allowed)) == repr(tomllib.loads(allowed))
    for more in ((header + 2, dotted, opened), (header, dotted + 2, opened), (header, dotted, opened + 2)):
        with pytest.raises(Unreadable, match="nested deeper than 64 levels"):
            parse(_nested(*more, bracket))


def test_brackets_and_dots_in_text_and_comments_are_no_nesting() -> None:
    text = "[" * 100 + "." * 100 + "{" * 100
    document = f'a = "{text}"\nb = \'{text}\'\nc = """\n{text}\n\\"""" # {text}\nd = \'\'\'\n{text}\'\'\'\n'
    assert parse(document)["a"] == text


_MEBIBYTE = DOCUMENT_BYTES_MAX - 300


@pytest.mark.parametrize(
    "text",
    [
        "a = " + "[" * _MEBIBYTE,
        "a = " + "{a=" * (_MEBIBYTE // 3),
        "a" + ".a" * (_MEBIBYTE // 2) + " = 1",
        "[" + "a." * (_MEBIBYTE // 2) + "a]",
        "a = " + "9" * _MEBIBYTE,
        "a = [" + "1." * 100 + '"""\n' + '\\"""\n' * (_MEBIBYTE // 5) + "\\",
        "a = " + "." * 100 + '"' + '\\"' * (_MEBIBYTE // 2),
        "a = " + "." * 100 + "'''\n" + "''\n" * (_MEBIBYTE // 3),
        "a = " + "." * 100 + "'\n" * (_MEBIBYTE // 2),
        "a = " + "]" * _MEBIBYTE,
        "".join(f"k{number} = 1\n" for number in range(50_000)) + "k0 = 2",
    ],
    ids=lambda text: f"{text[:9]}...{text[-6:]}",
)
def test_hostile_documents_are_refused_in_time_linear_to_their_size(text: str) -> None:
    assert len(text) <= DOCUMENT_BYTES_MAX
    with pytest.raises(Unreadable):
        parse(text)


@settings(max_examples=examples(100))
@given(st.binary(max_size=60))
def test_no_bytes_can_do_more_than_be_refused(data: bytes) -> None:
    found = read_record(sheet_of(), "ada", "0" * 40, data)
    assert isinstance(found, Record) or found.message


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("b = ", "a value is missing after ="),
        ('"a key" = # later', "a value is missing after ="),
        ("b = null", "TOML has no null: leave the key out"),
        ("b = \u201eAda\u201c", "quotes must be straight ones"),
        ('b = "C:\\Users\\ada"', "a backslash begins an escape"),
        ("b = Ada", "string values must be quoted"),
    ],
)
def test_a_newcomers_mistake_is_told_in_words_that_lead_on(line: str, words: str) -> None:
    with pytest.raises(Unreadable, match=words) as caught:
        parse(f"a = 1\n{line}\n")
    assert caught.value.line == 2
