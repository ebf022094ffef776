"""`docs/how-to/when-a-commit-is-refused.md` covers every outcome and reason, with the real status."""

from __future__ import annotations

import re

from reload import repository
from reload.outcome import OUTCOMES, SUCCESSES
from server.errors import CODES
from tests.docs.pages import codes, headings, page, rows, section

TEXT = page("docs/how-to/when-a-commit-is-refused.md")
OVERVIEW = {codes(row[0])[0]: row for row in rows(TEXT.partition("\n## ")[0])}


def test_every_outcome_has_its_row_and_no_row_is_left_over() -> None:
    assert set(OVERVIEW) == set(OUTCOMES)


def test_every_outcome_has_a_section() -> None:
    assert {code for heading in headings(TEXT) for code in codes(heading)} == set(OUTCOMES)


def test_the_status_is_the_one_that_is_answered() -> None:
    for outcome, row in OVERVIEW.items():
        assert int(row[1]) == (200 if outcome in SUCCESSES else CODES[outcome][0]), outcome


def test_every_reason_of_a_failed_fetch_is_explained() -> None:
    explained = {codes(row[0])[0] for row in rows(section(TEXT, "`fetch-failed`"))}
    assert explained == {reason for _, reason in repository._REASONS} | {"timeout", "unreachable"}


def test_the_reference_names_the_same_reasons() -> None:
    row = next(row for row in rows(page("docs/reference/http.md")) if row[0] == "`reason`")
    assert set(codes(row[2])) == {reason for _, reason in repository._REASONS} | {"timeout", "unreachable"}


def test_the_page_says_when_deletions_are_held() -> None:
    from reload.build import HELD_SHEET_RECORDS_MIN

    held = section(TEXT, "`deletions-held`")
    assert re.search(rf"\b{HELD_SHEET_RECORDS_MIN} or more records", held)
