"""The API reference at `/docs`: one page, its files from this server alone, under a strict policy."""

from __future__ import annotations

import gzip
import hashlib
import re
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse

from server.pages.api_reference import ApiReference
from tests.browser import browser
from tests.end_to_end.waiting import eventually
from tests.server.conftest import Ask
from tests.server.live_server import live_server

# The files of swagger-ui-dist 5.31.0 on npm.
ORIGINALS = {
    "swagger-ui.css": "9e576f8322132c76949da47f9bb53c891373c303ea3a761ff548ffc9de50a98c",
    "swagger-ui-bundle.js": "93b7b0862a80e2786f85b560be7693c2344354ffa7e7e224f850a54349724c31",
}


async def urls_of_files(ask: Ask) -> list[str]:
    """Every URL that the page names, but for the description."""
    page = (await ask("GET", "/docs")).body.decode()
    found = re.findall(r'(?:src|href)="([^"]+)"', page)
    return [url for url in found if url not in ("data:,", "/api/_openapi.json")]


def policy_of(answer: HTTPResponse) -> dict[str, str]:
    parts = answer.headers["Content-Security-Policy"].split("; ")
    return {name: sources for name, _, sources in (part.partition(" ") for part in parts)}


def test_the_viewer_is_what_its_makers_published() -> None:
    files = ApiReference().files
    assert {name: hashlib.sha256(files[name].body).hexdigest() for name in ORIGINALS} == ORIGINALS


@pytest.mark.gen_test
async def test_the_page_allows_nothing_inline_and_nothing_from_elsewhere(ask: Ask) -> None:
    answer = await ask("GET", "/docs")
    assert (answer.code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    policy = policy_of(answer)
    assert policy.pop("img-src") == "data:"
    assert set(policy.values()) == {"'none'", "'self'"}
    assert policy["default-src"] == policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert b"<style" not in answer.body
    assert b"style=" not in answer.body
    assert b"://" not in answer.body
    assert answer.headers["Cache-Control"] == "no-cache"


@pytest.mark.gen_test
async def test_a_file_is_stored_under_a_url_that_changes_with_its_bytes(ask: Ask) -> None:
    urls = await urls_of_files(ask)
    assert len(urls) == 3
    for url in urls:
        answer = await ask("GET", url)
        assert (answer.code, answer.headers["Cache-Control"]) == (
            200,
            "public, max-age=31536000, immutable",
        )
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        for other in (url.partition("?")[0], url[:-1] + "x"):
            assert (await ask("GET", other)).headers["Cache-Control"] == "no-cache"
        known = {"If-None-Match": answer.headers["ETag"]}
        assert (await ask("GET", url, known)).code == 304
        assert (await ask("GET", url, {"If-None-Match": 'W/"other"'})).code == 200


@pytest.mark.gen_test
async def test_a_file_is_compressed_for_those_who_take_that(
    ask: Ask, http_client: AsyncHTTPClient, base_url: str
) -> None:
    for url in await urls_of_files(ask):
        plain, packed = [
            await http_client.fetch(HTTPRequest(base_url + url, headers=headers, decompress_response=False))
            for headers in ({}, {"Accept-Encoding": "gzip"})
        ]
        assert packed.headers["Vary"] == plain.headers["Vary"] == "Accept-Encoding"
        assert "Content-Encoding" not in plain.headers
        assert packed.headers["Content-Encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body


@pytest.mark.gen_test
async def test_no_other_file_is_there(ask: Ask) -> None:
    for name in ("page.html", "docs.html", "swagger-ui.js", "..%2fpage.css", "index.html"):
        assert (await ask("GET", f"/docs/{name}")).code == 404, name


@pytest.mark.gen_test
async def test_the_status_page_leads_to_it(ask: Ask) -> None:
    assert b'<a href="/docs">' in (await ask("GET", "/")).body


def test_a_browser_shows_the_sheets_and_asks_nobody_else(tmp_path: Path) -> None:
    with live_server(tmp_path) as server, browser(tmp_path) as chromium:
        here = f"http://127.0.0.1:{server.port}"
        tab = chromium.tab()
        tab.open(f"{here}/docs")
        eventually(
            lambda: "/api/people" in str(tab.run("document.body.textContent")), "the page shows the sheets"
        )
        assert tab.complaints == []
        others = [url for url in tab.requests() if not url.startswith((f"{here}/", "data:"))]
        assert others == []
