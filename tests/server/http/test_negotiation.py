"""`Accept` and `Accept-Encoding` are read as RFC 9110 says, whatever is sent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.http.negotiation import takes, takes_gzip

JSON = "application/json"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"


@pytest.mark.parametrize(
    "accept",
    [
        *(None, "*/*", JSON, "application/*", "APPLICATION/JSON", BROWSER, "text/html, */*;q=0.001"),
        *("application/json;q=0.5", "application/json; charset=utf-8", "application/json ;v=2 ; q=1"),
        *("*/*;q=0, application/json", "application/*;q=0, application/json;q=0.1", "text/*;q=0, */*"),
        *("application/json;q=0, application/json", 'text/html;x="a,b;q=0", application/json'),
        *('application/json;x=";q=0"', "application/json;q=nonsense", ", ,application/json,"),
    ],
)
def test_json_is_taken_by_whoever_does_not_rule_it_out(accept: str | None) -> None:
    assert takes(accept, JSON)


@pytest.mark.parametrize("accept", ["", " ", ",", "junk", "a b/c d", '"', "text", "/", "x" * 9_000, ";q=0"])
def test_a_header_without_any_media_range_says_nothing(accept: str) -> None:
    assert takes(accept, JSON)


@pytest.mark.parametrize(
    "accept",
    [
        *("text/html", "nothing/known", "application/xml", "application/jsonp", "application/problem+json"),
        *("application/json;q=0", "application/json;q=0.000", "application/json ; Q=0.0", "*/*;q=0"),
        *("application/json;q=0, */*", "application/*;q=0, */*", "application/json;q=0, application/*"),
        *("junk, text/html", 'text/html;x="application/json, */*"', "text/*, image/*;q=0.5"),
    ],
)
def test_json_is_not_forced_on_whoever_rules_it_out(accept: str) -> None:
    assert not takes(accept, JSON)


@pytest.mark.parametrize(("accept", "taken"), [("image/*", True), ("image/png", True), (JSON, False)])
def test_another_media_type_is_judged_alike(accept: str, taken: bool) -> None:
    assert takes(accept, "image/png") == taken


@given(st.text('a/*;,=q01."\\ ', max_size=60), st.sampled_from([JSON, "image/png"]))
def test_no_header_breaks_the_reading_and_remembering_changes_nothing(accept: str, media: str) -> None:
    padded = accept + "," * 1_000  # too long to be remembered
    assert takes(accept, media) == takes(accept, media)
    if accept.count('"') == 0:
        assert takes(padded, media) == takes(accept, media)


@pytest.mark.parametrize(
    "taken",
    [
        *("gzip", "deflate, gzip;q=0.5", "br, *;q=0.1", "GZIP", "gzip ; q=1.0", "*", "br,gzip,*;q=0"),
        *("*;q=0, gzip", "gzip;q=0.001", "identity;q=0, *;q=0.5", "gzip;q=0,gzip", "br;q=0, *"),
    ],
)
def test_gzip_is_sent_to_whoever_takes_it(taken: str) -> None:
    assert takes_gzip(taken)


@pytest.mark.parametrize(
    "refused",
    [
        *("identity", "gzip;q=0", "br", "", "gzip;q=0.000", "x-gzipped", "gzip" * 99, "*;q=0", "gzip;q=0,*"),
        *("gzip;q=0, *", "gzip;q=0.0,*;q=0.5", "*, GZIP;Q=0", "*;q=1,br, gzip ;q=0"),
    ],
)
def test_gzip_is_not_sent_to_others(refused: str) -> None:
    assert not takes_gzip(refused)
