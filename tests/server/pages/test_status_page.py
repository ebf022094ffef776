"""The page for people: true, whole without scripts, closed to what is private and to hostile text."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from reload.lane.outcome import OUTCOMES, SUCCESSES
from server.operations.status import public_status
from server.pages.status_page import Page, SheetRow
from tests.server.conftest import Ask, Push
from tests.server.documents import NOW, REFUSED, SERVED, ago, not_ready, refused, reload, stale, status
from tests.server.live_server import BEARER, SHEET, WEBHOOK
from tests.server.payloads import SECRET, basic_authorization

HOSTILE = "<script>alert(1)</script>\"'&<img src=x onerror=alert(2)>\x1b[31m\u202e"
BROKEN = 'slug = "eve"\nname = = "a private word"\n'


class Outline(HTMLParser):
    """What a page is made of."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.inline: dict[str, str] = {}
        self._within = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self._within = tag

    def handle_endtag(self, tag: str) -> None:
        self._within = ""

    def handle_data(self, data: str) -> None:
        if self._within in ("script", "style"):
            self.inline[self._within] = data
        else:
            self.text += f" {data}"

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]

    @property
    def words(self) -> str:
        return " ".join(self.text.split())


def rendered(
    document: dict[str, Any], *, detailed: bool = False, sheets: tuple[SheetRow, ...] = ()
) -> Outline:
    shown = document if detailed else public_status(document)
    return Outline(Page().render(shown, sheets, NOW, detailed=detailed).decode())


async def page_of(ask: Ask, **headers: str) -> tuple[dict[str, str], Outline]:
    reply = await ask("GET", "/", {name.replace("_", "-"): value for name, value in headers.items()})
    assert reply.code == 200, reply
    return dict(reply.headers), Outline(reply.body.decode())


async def reload_status(ask: Ask) -> int:
    return (await ask("POST", WEBHOOK, BEARER, b"")).code


# -- a running server ----------------------------------------------------------------------------------


@pytest.mark.gen_test
async def test_the_page_says_what_is_served_and_leads_into_the_api(ask: Ask, push: Push) -> None:
    commit = push({"people/ada.toml": 'slug = "ada"\nname = "Ada Lovelace"\n'})
    assert await reload_status(ask) == 200
    _, page = await page_of(ask)
    for words in ("The data is current", commit, "main", "fast-forwarded", "Next poll in"):
        assert words in page.words
    links = [link["href"] for link in page.all("a") if str(link["href"]).startswith("/")]
    assert "/api/people" in links
    for link in links:
        assert (await ask("GET", str(link))).code == 200


@pytest.mark.gen_test
async def test_a_refused_commit_is_told_to_all_and_its_reasons_to_who_knows_the_secret(
    ask: Ask, push: Push
) -> None:
    commit = push({"people/eve.toml": BROKEN})
    assert await reload_status(ask) == 500
    _, public = await page_of(ask)
    for words in ("The newest commit is refused", "data-rejected", commit, "Problems 1"):
        assert words in public.words
    for private in ("people/eve.toml", "private word"):
        assert private not in public.text
    _, page = await page_of(ask, **BEARER)
    assert "people/eve.toml:2:" in page.words
    assert commit in page.words
    push({"people/eve.toml": None})
    assert await reload_status(ask) == 200
    _, healed = await page_of(ask, **BEARER)
    assert "The data is current" in healed.words
    assert "What was refused" not in healed.words


@pytest.mark.gen_test
async def test_a_wrong_credential_is_refused_as_everywhere(ask: Ask) -> None:
    for headers in ({"Authorization": "Bearer wrong"}, {"X-CFP-Webhook-Key": "wrong"}):
        reply = await ask("GET", "/", headers)
        assert (reply.code, json.loads(reply.body)["code"]) == (401, "unauthorized")


@pytest.mark.gen_test
async def test_a_browser_is_asked_for_the_secret_as_a_password(ask: Ask, push: Push) -> None:
    push({"people/eve.toml": BROKEN})
    assert await reload_status(ask) == 500
    _, public = await page_of(ask)
    assert "/?details" in [link["href"] for link in public.all("a")]
    for wrong in ({}, {"Authorization": basic_authorization("wrong")}):
        asked = await ask("GET", "/?details", wrong)
        assert (asked.code, asked.headers["WWW-Authenticate"]) == (401, 'Basic realm="Livesheets"')
    reply = await ask("GET", "/?details", {"Authorization": basic_authorization(SECRET)})
    assert reply.code == 200
    assert b"people/eve.toml" in reply.body


@pytest.mark.gen_test
async def test_a_password_opens_no_other_route(ask: Ask) -> None:
    reply = await ask("GET", "/api/_internal/status", {"Authorization": basic_authorization(SECRET)})
    assert reply.code == 401


@pytest.mark.gen_test
async def test_a_credential_of_a_proxy_shows_what_is_public(ask: Ask) -> None:
    _, page = await page_of(ask, Authorization="Basic dXNlcjpwYXNzd29yZA==")
    assert "The data is current" in page.words


@pytest.mark.gen_test
async def test_the_policy_allows_what_is_in_the_page_and_nothing_else(ask: Ask) -> None:
    headers, page = await page_of(ask)
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == "'none'"
    for kind in ("script", "style"):
        digest = hashlib.sha256(page.inline[kind].encode()).digest()
        assert policy[f"{kind}-src"] == f"'sha256-{base64.b64encode(digest).decode()}'"
        assert len(page.all(kind)) == 1
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert policy["form-action"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cache-Control"] == "no-store"
    for _, attributes in page.tags:
        assert not [name for name in attributes if name.startswith("on") or name == "style"]
        target = str(attributes.get("href") or attributes.get("src") or "/")
        assert target.startswith(("/", "#", "data:image/svg+xml,")), target


@pytest.mark.gen_test
async def test_head_answers_without_a_body(ask: Ask) -> None:
    reply = await ask("HEAD", "/")
    assert (reply.code, reply.body) == (200, b"")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"


@pytest.mark.gen_test
async def test_hostile_names_of_sheets_and_files_are_shown_as_text(ask: Ask, push: Push) -> None:
    name = "<img src=x onerror=alert(1)>&\"'"
    broken = f"<script>{'y' * 20}.toml"
    push(
        {f".gitsheets/{name}.toml": SHEET, f".gitsheets/{broken}": "[gitsheet]\nx = = 1\n"},
        "<script>alert(3)</script>",
    )
    assert await reload_status(ask) == 500
    _, page = await page_of(ask, **BEARER)
    assert f".gitsheets/{broken}" in page.text
    push({f".gitsheets/{broken}": None})
    assert await reload_status(ask) == 200
    _, served = await page_of(ask)
    assert name in served.text
    for each in (page, served):
        assert not each.all("img")
        assert len(each.all("script")) == 1


# -- every state ---------------------------------------------------------------------------------------


def test_a_server_that_loads_says_so() -> None:
    page = rendered(not_ready())
    assert "The data is being loaded" in page.words
    assert "No reload yet" in page.words


def test_a_server_that_cannot_load_says_why_and_what_to_do() -> None:
    page = rendered(not_ready("fetch-failed"))
    for words in ("Nothing is served yet", "cannot be reached", "livesheets doctor", "fetch-failed"):
        assert words in page.words


def test_a_remote_that_is_away_is_told_without_its_address() -> None:
    document = stale("fetch-failed")
    assert "no route" not in rendered(document).words
    assert "Last error: no route" in rendered(document, detailed=True).words


def test_every_time_is_told_in_words_and_exactly() -> None:
    page = rendered(status(reload()))
    for words in ("3 days ago", "2024-05-03 12:00:00 UTC", "1 hour ago", "12 seconds ago", "in 48 seconds"):
        assert words in page.words
    assert {"datetime": "2024-05-03T12:00:00+00:00"} in page.all("time")


def test_quarantined_records_are_counted_for_all_and_named_to_who_knows_the_secret() -> None:
    listed = [{"sheet": "people", "path": "people/eve.toml", "message": "no value", "since": None}]
    document = status(quarantined=listed)
    public, detailed = rendered(document), rendered(document, detailed=True)
    assert "In quarantine: 1" in public.words
    assert "eve" not in public.words
    assert "people/eve.toml no value" in detailed.words


def test_the_history_is_a_plot_with_words_and_a_table() -> None:
    reloads = [reload("fast-forwarded", 84), reload("data-rejected", 500, error="a private text")]
    page = rendered(status(*reloads))
    assert "Of the last 2 reloads, 1 served a new commit, 1 refused a commit." in page.words
    assert [svg for svg in page.all("svg") if svg.get("role") == "img" and svg.get("aria-labelledby")]
    assert len([group for group in page.all("g") if group["class"] in ("changed", "refused")]) == 2
    assert "fast-forwarded 84 ms poll 3f9ae0c1d2b4 fetch 63 ms, compare 21 ms" in page.words
    assert "a private text" not in page.words
    assert "a private text" in rendered(status(*reloads), detailed=True).words


@pytest.mark.parametrize("outcome", OUTCOMES)
def test_every_outcome_is_seen(outcome: str) -> None:
    page = rendered(status(reload(outcome)) if outcome in SUCCESSES else stale(outcome))
    assert f"{outcome} 30 ms poll" in page.words


def test_nothing_hostile_becomes_markup() -> None:
    document = refused("data-rejected", (f"people/{HOSTILE}.toml", 3, HOSTILE))
    document["branch"] = document["remote"]["lastError"] = document["history"][0]["error"] = HOSTILE
    document["quarantined"] = [{"sheet": HOSTILE, "path": HOSTILE, "message": HOSTILE, "since": ago(60)}]
    page = rendered(document, detailed=True, sheets=(SheetRow(HOSTILE, "toml", 7),))
    assert page.text.count("<script>alert(1)</script>") >= 7
    assert len(page.all("script")) == 1
    assert "\x1b" not in page.text
    assert "\u202e" not in page.text
    assert not page.all("img")
    assert not [tag for tag, attributes in page.tags if "onerror" in attributes]
    (link,) = [link for link in page.all("a") if str(link["href"]).startswith("/api/")]
    assert re.fullmatch(r"/api/[A-Za-z0-9%._~-]+", str(link["href"]))


def test_commits_are_shown_in_full() -> None:
    page = rendered(refused())
    assert SERVED in page.words
    assert REFUSED in page.words


def test_the_templates_are_part_of_what_is_installed() -> None:
    folder = Path(__file__).parents[3]
    assert '"pages/templates/*"' in (folder / "setup.py").read_text()
