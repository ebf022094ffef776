"""`docs/reference/http.md` lists every route, error code, parameter and operator, and no other."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from reload.snapshot.query.page_size import PAGE_CHARACTERS_MAX
from reload.snapshot.query.query import (
    FACET_VALUES_DEFAULT,
    FACET_VALUES_MAX,
    LIMIT_DEFAULT,
    LIMIT_MAX,
    OPERATORS,
)
from reload.snapshot.query.reader import QUERY_DEADLINE_S
from reload.snapshot.query.search import WORD_CHARACTERS_MAX, WORDS_MAX
from server.api.filters import GROUP_DEPTH_MAX, GROUP_TERMS_MAX, RESERVED
from server.api.openapi.document import FIELDS_MAX, SHEET_FIELDS_MAX, SHEETS_MAX
from server.api.openapi.record_types import (
    READ_BYTES_MAX,
    SCHEMA_BYTES_TOTAL_MAX,
    SHEET_TYPED_FIELDS_MAX,
    TYPED_FIELDS_MAX,
)
from server.api.openapi.schemas import BYTES_MAX as SCHEMA_BYTES_MAX
from server.api.parameters import PARAMETERS_MAX
from server.api.read_delegate import COMPRESSED_BYTES_MIN
from server.api.reads import READ_ROUTES
from server.http.errors import CODES
from server.http.handler import Handler
from server.main import HEADER_BYTES_MAX  # imports every handler
from tests.docs.pages import codes, headings, page, rows, section
from tests.docs.running import Demo

TEXT = page("docs/reference/http.md")


def routed(base: type[Handler]) -> Iterator[type[Handler]]:
    """The handlers that have a route."""
    for each in base.__subclasses__():
        yield from ([each] if each.route != Handler.route else [])
        yield from routed(each)


HANDLERS = set(routed(Handler))
HEADING = re.compile(r"`(GET|POST) (/[^`]*)`")
DOCUMENTED = {found[2]: found[1] for heading in headings(TEXT) if (found := HEADING.fullmatch(heading))}


def test_every_route_has_its_heading_and_no_heading_is_left_over() -> None:
    assert set(DOCUMENTED) == {*READ_ROUTES, *(handler.route for handler in HANDLERS)}


def test_the_overview_names_every_route() -> None:
    overview = TEXT.partition("\n## ")[0]
    assert {code for row in rows(overview) for code in codes(row[0])} == {
        f"{method} {path}" for path, method in DOCUMENTED.items()
    }


@pytest.mark.parametrize("path", DOCUMENTED)
def test_another_method_than_the_documented_one_is_refused(demo: Demo, path: str) -> None:
    filled = path.format(sheet="people", path="aisha-begum", name="x", reloadId="x")
    other = "POST" if DOCUMENTED[path] == "GET" else "GET"
    status, problem = demo.call(filled, other, b"" if other == "POST" else None)
    assert (status, problem["code"]) == (405, "method-not-allowed")


def test_every_error_code_has_its_row_with_its_status() -> None:
    listed = {codes(row[0])[0]: int(row[1]) for row in rows(section(TEXT, "Errors"))}
    assert listed == {code: status for code, (status, _) in CODES.items()}


def test_every_operator_has_its_row() -> None:
    table = TEXT.partition("**Operators.**")[2].partition("\n\nA value")[0]
    assert [code for row in rows(table) for code in codes(row[0])] == list(OPERATORS)


def test_the_parameters_of_lists_are_the_ones_that_are_listed(demo: Demo) -> None:
    table = section(TEXT, "`GET /api/{sheet}`").partition("**Search text.**")[0]
    plain = [code for row in rows(table) for code in codes(row[0]) if "{" not in code]
    assert set(plain) - {"path", "facet=createdAt:year", ":month"} == RESERVED
    detail = demo.call("/api/people?nonsense=1")[1]["detail"]
    assert set(detail.rpartition("those are ")[2].split(", ")) == RESERVED


def test_the_parameters_of_a_search_are_the_ones_that_are_listed(demo: Demo) -> None:
    table = section(TEXT, "`GET /api/_search`")
    listed = [code for row in rows(table) for code in codes(row[0])]
    _, problem = demo.call("/api/_search?q=x&nonsense=1")
    assert sorted(problem["detail"].rpartition("known are ")[2].split(", ")) == sorted(listed)


def test_the_fields_of_a_reload_are_the_ones_that_are_listed(demo: Demo) -> None:
    table = section(TEXT, "`POST /api/_internal/reload-data`").partition("The answers with 200")[0]
    listed = [codes(row[0])[0] for row in rows(table)]
    _, problem = demo.call("/api/_internal/reload-data", "POST", b'{"nonsense": 1}')
    assert problem["detail"].rpartition("known are ")[2].split(", ") == listed


def test_the_limits_stated_are_the_real_ones() -> None:
    for statement in (
        f"0 to {LIMIT_MAX}; default {LIMIT_DEFAULT}",
        f"1 to {FACET_VALUES_MAX}, the most frequent ones; default {FACET_VALUES_DEFAULT}",
        f"at most {GROUP_DEPTH_MAX} deep, with at most {GROUP_TERMS_MAX} terms",
        f"most {WORDS_MAX} words of {WORD_CHARACTERS_MAX} characters",
        f"most {PARAMETERS_MAX} parameters",
        f"most {PAGE_CHARACTERS_MAX // 1_000_000} million characters together",
        f"more than {QUERY_DEADLINE_S:g} seconds",
        f"body is {COMPRESSED_BYTES_MIN:,} bytes or more",
        f"have at most {HEADER_BYTES_MAX >> 10} KiB",
        f"{SHEET_FIELDS_MAX} fields of a sheet, {FIELDS_MAX} together, {SHEETS_MAX} sheets",
        f"at most {SHEET_TYPED_FIELDS_MAX} of a sheet and\n  {TYPED_FIELDS_MAX} together",
        f"at most {READ_BYTES_MAX >> 20} MiB as JSON",
        f"larger than {SCHEMA_BYTES_MAX >> 10} KiB",
        f"at most {SCHEMA_BYTES_TOTAL_MAX >> 10} KiB",
    ):
        assert statement in TEXT, statement


# What every HTTP answer may have; its meaning is not ours.
TRANSPORT_HEADERS = {"Date", "Content-Length", "Content-Type", "Content-Encoding", "Connection", "Server"}


def headers_of(demo: Demo, path: str, method: str = "GET", **headers: str) -> set[str]:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        with urlopen(Request(demo.url + path, method=method, headers=fields)) as answer:
            return set(answer.headers)
    except HTTPError as error:
        with error:
            return set(error.headers)


def test_every_header_of_an_answer_is_listed(demo: Demo) -> None:
    secret = f"Bearer {demo.secret}"
    webhook = "/api/_internal/reload-data"
    file = "/api/_attachments/events/2021/01-20-listening-trees/agenda.txt"
    seen = headers_of(demo, "/api/people?limit=3")
    seen |= headers_of(demo, "/api/people", "OPTIONS", Origin="https://example.org")
    seen |= headers_of(demo, "/api/people", "DELETE")
    seen |= headers_of(demo, "/")
    seen |= headers_of(demo, file, Range="bytes=0-9")
    seen |= headers_of(demo, webhook, "POST")
    seen |= headers_of(demo, webhook, "POST", Authorization=secret, Prefer="respond-async")
    table = section(TEXT, "Headers and rules for all answers")
    listed = {code.partition(":")[0].lower() for row in rows(table) for code in codes(" ".join(row))}
    assert {name for name in seen - TRANSPORT_HEADERS if name.lower() not in listed} == set()
