"""`docs/how-to/when-a-commit-is-refused.md` covers every outcome and reason, with the real status."""

from __future__ import annotations

import ast
import re

from reload.lane.outcome import OUTCOMES, SUCCESSES
from reload.repository import fetch_failure
from server.http.errors import CODES
from tests.docs.pages import ROOT, codes, headings, page, rows, section

TEXT = page("docs/how-to/when-a-commit-is-refused.md")
OVERVIEW = {codes(row[0])[0]: row for row in rows(TEXT.partition("\n## ")[0])}


def test_every_outcome_has_its_row_and_no_row_is_left_over() -> None:
    assert set(OVERVIEW) == set(OUTCOMES)


def test_every_outcome_has_a_section() -> None:
    assert {code for heading in headings(TEXT) for code in codes(heading)} == set(OUTCOMES)


def test_the_status_is_the_one_that_is_answered() -> None:
    for outcome, row in OVERVIEW.items():
        assert int(row[1]) == (200 if outcome in SUCCESSES else CODES[outcome][0]), outcome


def reasons() -> set[str]:
    """Every reason that a failed fetch may have: what git's words mean, and what is given in the source."""
    found = {reason for _, reason in fetch_failure._REASONS} | {fetch_failure.UNREACHABLE}
    for file in sorted((ROOT / "reload").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "FetchFailed":
                found |= {arg.value for arg in node.args[1:] if isinstance(arg, ast.Constant)}
    return found - {fetch_failure.OBJECT_FORMAT}  # such a remote is cloned again, or its history refused


def test_every_reason_of_a_failed_fetch_is_explained() -> None:
    assert {codes(row[0])[0] for row in rows(section(TEXT, "`fetch-failed`"))} == reasons()


def test_the_reference_names_the_same_reasons() -> None:
    row = next(row for row in rows(page("docs/reference/http.md")) if row[0] == "`reason`")
    assert set(codes(row[2])) == reasons()


def test_the_page_says_when_deletions_are_held() -> None:
    from reload.build.deletions import HELD_SHEET_RECORDS_MIN

    held = section(TEXT, "`deletions-held`")
    assert re.search(rf"\b{HELD_SHEET_RECORDS_MIN} or more records", held)
