"""Attachments: their bytes and nothing else of the repository."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.end_to_end.client import Reply
from tests.end_to_end.sample import CSV, IMAGE
from tests.end_to_end.server_process import ServerProcess

Read = Callable[..., Reply]
URL = "/api/_attachments/posts/food/map.png"


@pytest.mark.parametrize(
    ("file", "media", "body"),
    [
        ("posts/food/map.png", "image/png", IMAGE),
        ("posts/food/visitors.csv", "text/csv; charset=utf-8", CSV.encode()),
        ("events/2024/harvest/menu.txt", "text/plain; charset=utf-8", b"Pumpkin soup\n"),
    ],
)
def test_an_attachment_has_its_bytes_and_media_type(read: Read, file: str, media: str, body: bytes) -> None:
    reply = read(f"/api/_attachments/{file}")
    assert (reply.status, reply.headers["Content-Type"], reply.body) == (200, media, body)
    assert reply.headers["Content-Length"] == str(len(body))
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    assert len(reply.commit or "") == 40


def test_every_address_in_a_record_leads_to_its_attachment(read: Read) -> None:
    for record in ("posts/food", "events/2024/harvest"):
        attachments = read(f"/api/{record}").data["attachments"]
        assert attachments
        for each in attachments:
            assert len(read(each["url"]).body) == each["size"]


def test_a_page_among_the_attachments_cannot_run_on_this_origin(read: Read) -> None:
    reply = read("/api/_attachments/posts/food/page.html")
    assert reply.status == 200
    assert reply.headers["Content-Disposition"].startswith("attachment")
    assert "sandbox" in reply.headers["Content-Security-Policy"]


def test_an_attachment_that_is_known_is_not_sent_again(read: Read) -> None:
    first = read(URL)
    tag = first.headers["ETag"]
    assert not tag.startswith("W/")
    for known in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        again = read(URL, If_None_Match=known)
        assert (again.status, again.body, again.headers["ETag"]) == (304, b"", tag), known
        assert again.commit == first.commit
    assert read(URL, If_None_Match='"other"').status == 200


@pytest.mark.parametrize(
    ("asked", "first", "last"),
    [
        ("bytes=0-9", 0, 9),
        ("bytes=1000-", 1000, 1023),
        ("bytes=-24", 1000, 1023),
        ("bytes=5-5", 5, 5),
        ("bytes=0-99999", 0, 1023),
        ("bytes=-99999", 0, 1023),
    ],
)
def test_a_range_is_that_part_of_the_bytes(read: Read, asked: str, first: int, last: int) -> None:
    reply = read(URL, Range=asked)
    assert (reply.status, reply.body) == (206, IMAGE[first : last + 1])
    assert reply.headers["Content-Range"] == f"bytes {first}-{last}/{len(IMAGE)}"
    assert reply.headers["Content-Length"] == str(last - first + 1)
    assert reply.headers["ETag"] == read(URL).headers["ETag"]


@pytest.mark.parametrize("asked", ["bytes=1024-", "bytes=99999-100000", "bytes=-0"])
def test_a_range_outside_of_the_bytes_cannot_be_satisfied(read: Read, asked: str) -> None:
    reply = read(URL, Range=asked)
    reply.problem(416, "range-not-satisfiable")
    assert reply.headers["Content-Range"] == f"bytes */{len(IMAGE)}"


@pytest.mark.parametrize(
    "asked",
    [
        *("lines=0-9", "bytes=a-b", "bytes=", "bytes=-", "0-9", "bytes=9-0", "bytes=0-1,5-6", "bytes=٣-٤"),
        f"bytes={'9' * 5_000}-",
    ],
    ids=range(9),
)
def test_a_range_that_is_none_is_ignored(shared: ServerProcess, asked: str) -> None:
    reply = shared.client.get(URL, Range=asked.encode().decode("latin-1"))
    assert (reply.status, reply.body) == (200, IMAGE)


@pytest.mark.parametrize("asked", ["bytes=0-9", "bytes=-24", "bytes=1024-"])
def test_a_range_means_nothing_without_a_body(shared: ServerProcess, asked: str) -> None:
    reply = shared.client.head(URL, Range=asked)
    assert (reply.status, reply.body, reply.headers["Content-Length"]) == (200, b"", str(len(IMAGE)))
    assert reply.headers["Content-Range"] is None
    assert reply.headers["Accept-Ranges"] == "bytes"


def test_a_range_holds_only_for_the_version_that_the_client_knows(read: Read) -> None:
    tag = read(URL).headers["ETag"]
    assert read(URL, Range="bytes=0-9", If_Range=tag).status == 206
    assert read(URL, Range="bytes=0-9", If_Range='"other"').status == 200


@pytest.mark.parametrize(
    "path",
    [
        "posts/food.md",
        "posts/food",
        "posts/food/",
        "posts/garden.md",
        "posts/food/nothing.png",
        "people/p07.toml",
        "people/p07",
        "notes/start.toml",
        "events/2024/harvest.toml",
        "posts/../people/p07.toml",
        "posts/food/../food.md",
        "posts/food/../../.gitsheets/posts.toml",
        "posts/food/..%2f..%2f.gitsheets%2fposts.toml",
        "posts/..%2f..%2f..%2fetc%2fpasswd",
        "posts/%2e%2e/.gitsheets/posts.toml",
        "posts//etc/passwd",
        "posts/food//map.png",
        "posts/food/./map.png",
        "posts/food/map.png%00",
        "posts/food/map.png%00.html",
        "posts/food/MAP.png",
        "posts/food/%ff",
        "posts/.gitsheets/posts.toml",
        ".gitsheets/posts.toml",
        "nothing/food/map.png",
        "posts",
        "posts/",
        "",
    ],
)
def test_nothing_but_attachments_is_served(read: Read, path: str) -> None:
    reply = read(f"/api/_attachments/{path}")
    assert reply.status in (400, 404)
    reply.problem(reply.status, reply.json["code"])
    assert b"gitsheet]" not in reply.body
