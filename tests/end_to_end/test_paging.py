"""Pages follow one another without gaps or repeats, also when the data moves on between two of them."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from tests.end_to_end.client import Client, Reply
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import PEOPLE, person

Read = Callable[..., Reply]
_NEXT = re.compile(r'<([^>]+)>; rel="next"')

QUERIES = ("", "sort=-age", "sort=age,name", "sort=-score", "q=person", "q=porto&sort=-joined", "active=true")


def follow(read: Read, url: str | None) -> list[Reply]:
    """Every page from `url` on, found by the header Link."""
    pages = []
    while url is not None:
        pages.append(read(url))
        link = pages[-1].headers["Link"]
        found = None if link is None else _NEXT.fullmatch(link)
        assert (found is None) == (pages[-1].json["meta"]["nextCursor"] is None)
        url = None if found is None else found[1]
    return pages


@pytest.mark.parametrize("query", QUERIES)
def test_pages_never_skip_or_repeat(read: Read, query: str) -> None:
    whole = [item["path"] for item in read(f"/api/people?{query}&limit=1000".replace("?&", "?")).data]
    pages = follow(read, f"/api/people?{query}&limit=7".replace("?&", "?"))
    assert [item["path"] for page in pages for item in page.data] == whole
    assert {page.json["meta"]["total"] for page in pages} == {len(whole)}
    assert len({page.headers["ETag"] for page in pages}) == len(pages)


def test_pages_of_a_search_never_skip_or_repeat(read: Read) -> None:
    whole = read("/api/_search?q=a&limit=1000")
    pages = follow(read, "/api/_search?q=a&limit=9")
    assert [(item["sheet"], item["path"]) for page in pages for item in page.data] == [
        (item["sheet"], item["path"]) for item in whole.data
    ]
    assert whole.json["meta"]["total"] == len(whole.data) > PEOPLE


def test_the_last_page_leads_nowhere(read: Read) -> None:
    reply = read("/api/people?limit=1000")
    assert reply.json["meta"]["nextCursor"] is None
    assert reply.headers["Link"] is None


@pytest.mark.parametrize(
    "other", ["sort=age", "sort=-joined", "sort=-age&active=true", "q=person&sort=-age", "sort=-age,name"]
)
def test_a_cursor_of_another_question_is_refused(read: Read, other: str) -> None:
    cursor = read("/api/people?sort=-age&limit=5").json["meta"]["nextCursor"]
    assert "cursor" in read(f"/api/people?{other}&cursor={cursor}").problem(400, "invalid-query")["detail"]


def test_a_cursor_of_another_sheet_or_a_changed_one_is_refused(read: Read) -> None:
    cursor = read("/api/people?limit=5").json["meta"]["nextCursor"]
    first = "B" if cursor[0] == "A" else "A"
    for changed in (first + cursor[1:], cursor[:-2], cursor + "AAAA", cursor * 100, "%00", "a" * 5_000):
        read(f"/api/people?cursor={changed}").problem(400, "invalid-query")


def test_paging_goes_on_after_a_reload_and_tells_the_commit(client: Client, remote: DataRemote) -> None:
    first = client.get("/api/people?sort=age&limit=10")
    seen = [item["record"]["age"] for item in first.data]
    remote.push(
        {
            "people/young.toml": person(0, slug="young", age=1),
            "people/old.toml": person(0, slug="old", age=99),
            "people/p12.toml": None,
        }
    )
    new = client.reload().json["newCommit"]
    rest = follow(client.get, _NEXT.fullmatch(first.headers["Link"])[1])  # type: ignore[index]
    assert {page.commit for page in rest} == {page.json["meta"]["commit"] for page in rest} == {new}
    paths = [item["path"] for page in rest for item in page.data]
    ages = [item["record"]["age"] for page in rest for item in page.data]
    assert seen + ages == sorted(seen + ages)
    assert paths[-1] == "old"
    assert not {"young", "p12", *(item["path"] for item in first.data)} & set(paths)
    assert len(paths) == PEOPLE - 10 - 1 + 1
