"""What a client accepts, and what it knows already: media types, caches, and headers of any size."""

from __future__ import annotations

import gzip
from collections.abc import Callable

import pytest

from tests.end_to_end.client import Reply
from tests.end_to_end.server_process import ServerProcess

Read = Callable[..., Reply]
JSON_READS = ("/api", "/api/people", "/api/people?facet=tags", "/api/people/p07", "/api/_search?q=food")
IMAGE, PAGE = "/api/_attachments/posts/food/map.png", "/api/_attachments/posts/food/page.html"
BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"
LARGE = "/api/people?limit=50"


@pytest.mark.parametrize(
    "accept",
    [
        "*/*",
        BROWSER,
        "application/json",
        "application/*;q=0.1",
        "",
        "junk",
        "x" * 10_000,
        "text/html, " * 900 + "*/*",
    ],
    ids=range(8),
)
def test_json_goes_to_everybody_who_does_not_rule_it_out(read: Read, accept: str) -> None:
    for path in JSON_READS:
        reply = read(path, Accept=accept)
        assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json; charset=utf-8")


@pytest.mark.parametrize(
    "accept", ["text/html", "application/json;q=0", "*/*;q=0", "a/b," * 2_500], ids=range(4)
)
def test_whoever_rules_json_out_is_told_so(read: Read, accept: str) -> None:
    for path in JSON_READS:
        reply = read(path, Accept=accept)
        reply.problem(406, "not-acceptable")
        assert reply.headers["Vary"] == "Accept"
        assert (reply.headers["ETag"], len(reply.commit or "")) == (None, 40)


def test_what_is_not_acceptable_is_not_answered_by_what_the_client_knows(read: Read) -> None:
    tag = read("/api/people").headers["ETag"]
    for known in (tag, "*"):
        read("/api/people", Accept="text/html", If_None_Match=known).problem(406, "not-acceptable")


def test_an_attachment_is_acceptable_by_its_own_media_type(read: Read) -> None:
    for accept in ("image/png", "image/*", "text/html, */*;q=0.1"):
        assert read(IMAGE, Accept=accept).status == 200
    for accept in ("application/json", "image/png;q=0, */*", "text/html"):
        read(IMAGE, Accept=accept).problem(406, "not-acceptable")
        read("/api/_attachments/posts/food/no.png", Accept=accept).problem(404, "attachment-not-found")
    assert read(PAGE, Accept="text/html").status == 200


@pytest.mark.parametrize("path", JSON_READS)
def test_a_cache_is_told_what_an_answer_depends_on_also_when_nothing_changed(read: Read, path: str) -> None:
    first = read(path)
    assert first.headers["Vary"] == "Accept-Encoding"
    for known in (first.headers["ETag"], "*"):
        assert read(path, If_None_Match=known).headers["Vary"] == "Accept-Encoding"


def test_sixty_kilobytes_of_tags_are_read(read: Read) -> None:
    for path in (*JSON_READS, IMAGE):
        tag = read(path).headers["ETag"]
        others = [f'W/"{number:040x}-1-{number:08x}"' for number in range(1_000)]
        for known in (", ".join([*others, tag]), ", ".join([tag, *others]), f'"{"x" * 60_000}", {tag}'):
            assert len(known) > 56_000
            assert read(path, If_None_Match=known).status == 304
        assert read(path, If_None_Match=", ".join(others)).status == 200
        assert read(path, If_None_Match="x" * 60_000).status == 200


@pytest.mark.parametrize("since", ["junk", "Thu, 01 Jan 2070 00:00:00 GMT", "x" * 5_000, "0"], ids=range(4))
def test_a_date_never_stands_for_a_commit(read: Read, since: str) -> None:
    for path in ("/api/people", IMAGE):
        assert read(path, If_Modified_Since=since).status == 200
        assert read(path, If_Unmodified_Since=since).status == 200


def test_a_range_of_json_is_not_a_thing(read: Read) -> None:
    whole = read("/api/people/p07")
    assert (read("/api/people/p07", Range="bytes=0-9").body, whole.headers["Accept-Ranges"]) == (
        whole.body,
        None,
    )


@pytest.mark.parametrize(
    "encoding", ["gzip," * 3_000, "gzip;q=" + "0" * 9_000, "*;" * 5_000, "\xff" * 99], ids=range(4)
)
def test_no_accepted_encoding_breaks_an_answer(read: Read, encoding: str) -> None:
    reply = read(LARGE, Accept_Encoding=encoding)
    assert reply.status == 200
    packed = reply.headers["Content-Encoding"] == "gzip"
    assert (gzip.decompress(reply.body) if packed else reply.body) == read(LARGE).body


def test_headers_beyond_the_bound_end_the_connection_and_nothing_else(shared: ServerProcess) -> None:
    with shared.client.connection() as kept:
        assert kept.request("GET", "/api/people/p01").status == 200
        request = f"GET /api HTTP/1.1\r\nHost: x\r\nIf-None-Match: {'x' * 70_000}\r\n\r\n"
        assert shared.client.exchange(request.encode()) == b""
        assert kept.request("GET", "/api/people/p01").status == 200
