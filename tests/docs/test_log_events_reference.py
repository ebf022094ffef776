"""`docs/reference/log-events.md` lists every event that the source emits, with its keys, and no other."""

from __future__ import annotations

import json

from tests.docs.events import EVENT, events_in
from tests.docs.pages import ROOT, blocks, codes, page, rows

NAME = "docs/reference/log-events.md"
SOURCES = sorted(file for folder in ("reload", "server") for file in (ROOT / folder).rglob("*.py"))
ROWS = {codes(row[0])[0]: row for row in rows(page(NAME))}
EMITTED = events_in(SOURCES)
STANDING_KEYS = {"timestamp", "level", "event"}


def test_every_event_has_its_row_and_no_row_is_left_over() -> None:
    assert sorted(codes(row[0])[0] for row in rows(page(NAME))) == sorted(EMITTED)


def test_every_key_of_an_event_is_listed() -> None:
    missing = {
        event: keys - {*codes(ROWS[event][3]), *STANDING_KEYS}
        for event, keys in EMITTED.items()
        if event in ROWS and "as above" not in ROWS[event][3]
    }
    assert {event: keys for event, keys in missing.items() if keys} == {}


def test_every_key_that_is_listed_occurs_in_the_source() -> None:
    source = "\n".join(file.read_text("utf-8") for file in SOURCES)
    listed = {key for row in ROWS.values() for key in codes(row[3]) if not EVENT.fullmatch(key)}
    assert {key for key in listed - {"exception"} if key not in source} == set()


def test_the_line_shown_has_the_keys_that_are_listed() -> None:
    (shown,) = (json.loads(block.text) for block in blocks(NAME) if block.language == "json")
    assert set(shown) == {*codes(ROWS[shown["event"]][3]), *STANDING_KEYS}


def test_every_level_is_one() -> None:
    assert {row[1] for row in ROWS.values()} <= {"debug", "info", "warning", "error"}
