"""The page in a real browser: any width, light and dark, with and without scripts, open to everybody."""

from __future__ import annotations

import importlib.resources
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from server.pages.status_page import Page, SheetRow
from tests.browser import Browser, Tab, browser
from tests.end_to_end.waiting import eventually
from tests.server.documents import NOW, not_ready, refused, reload, stale, status
from tests.server.live_server import LiveServer, live_server
from tests.server.pages.test_status_page import HOSTILE

PHONE, DESKTOP = 360, 1280
LONG = "posts/" + "a-very-long-name-" * 12
OUTCOMES = ("fast-forwarded", "in-sync", "data-rejected", "fetch-failed")
HISTORY = [reload(OUTCOMES[number % 4], 3.0 * 2**number, number * 60) for number in range(16)] * 3
LISTED = [{"sheet": "people", "path": "people/eve.toml", "message": "no value", "since": None}]
STATES: dict[str, Callable[[], dict[str, Any]]] = {
    "loading": not_ready,
    "not-ready": lambda: not_ready("fetch-failed"),
    "current": lambda: status(*HISTORY, quarantined=LISTED),
    "refused": lambda: refused("data-rejected", (f"{LONG}.toml", 3, "no value"), (HOSTILE, 0, HOSTILE * 3)),
    "stale": stale,
}


class Gallery(ThreadingHTTPServer):
    """Shows the page in the state that a path names."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), GalleryHandler)
        self.page = Page()

    def url(self, state: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{state}"


class GalleryHandler(BaseHTTPRequestHandler):
    server: Gallery

    def do_GET(self) -> None:
        document = STATES[self.path.strip("/")]()
        rows = [SheetRow(name, "markdown", 1_234_567) for name in ("people", LONG, HOSTILE)]
        page = self.server.page.render(document, rows if document["served"] else [], NOW, detailed=True)
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Security-Policy", self.server.page.policy)
        self.end_headers()
        self.wfile.write(page)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def gallery() -> Iterator[Gallery]:
    with Gallery() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browser(tmp_path_factory.mktemp("browser")) as running:
        yield running


@pytest.fixture
def tab(chromium: Browser) -> Iterator[Tab]:
    opened = chromium.tab()
    yield opened
    opened.close()


def text_of(tab: Tab, selector: str) -> str:
    return str(tab.run(f"document.querySelector({selector!r})?.textContent ?? ''")).strip()


@pytest.mark.parametrize("state", STATES)
def test_nothing_is_cut_off_or_complained_about(gallery: Gallery, tab: Tab, state: str) -> None:
    for dark, width in ((False, PHONE), (True, DESKTOP)):
        tab.look(dark=dark, width=width)
        tab.open(gallery.url(state))
        tab.run("for (const each of document.querySelectorAll('details')) each.open = true")
        assert tab.run("document.documentElement.scrollWidth") <= width
    assert tab.complaints == []
    assert set(tab.requests()) == {gallery.url(state)}


@pytest.mark.parametrize("state", STATES)
def test_the_page_is_accessible_in_light_and_dark(gallery: Gallery, tab: Tab, state: str) -> None:
    pytest.importorskip("axe_core_python", reason="axe-core is not installed")
    axe = importlib.resources.files("axe_core_python").joinpath("axe.min.js").read_text("utf-8")
    for dark in (False, True):
        tab.look(dark=dark)
        tab.open(gallery.url(state))
        tab.run("for (const each of document.querySelectorAll('details')) each.open = true")
        tab.run(f"{axe}; undefined")
        results = tab.run("axe.run()")
        assert "color-contrast" in {rule["id"] for rule in results["passes"]}
        found = results["violations"]
        assert {rule["id"]: [node["html"] for node in rule["nodes"]] for rule in found} == {}


def test_bars_keep_their_place_beside_each_other_on_a_phone(gallery: Gallery, tab: Tab) -> None:
    tab.look(width=PHONE)
    tab.open(gallery.url("current"))
    boxes = tab.run(
        "[...document.querySelectorAll('.plot .bar')].map(e => e.getBoundingClientRect())"
        ".map(box => [box.left, box.right, box.height])"
    )
    assert len(boxes) == 30
    assert all(height > 0 for *_, height in boxes)
    assert all(one[1] <= two[0] for one, two in pairwise(boxes))
    assert 0 < boxes[0][0] < boxes[-1][1] <= PHONE


def test_the_page_is_whole_without_scripts(gallery: Gallery, tab: Tab) -> None:
    tab.look(scripts=False)
    tab.open(gallery.url("current"))
    tab.look()
    assert text_of(tab, "h1") == "The newest commit is served in part"
    assert text_of(tab, "#summary").startswith("Of the last 30 reloads")


def test_dark_and_light_are_different(gallery: Gallery, tab: Tab) -> None:
    grounds = []
    for dark in (False, True):
        tab.look(dark=dark)
        tab.open(gallery.url("current"))
        grounds.append(tab.run("getComputedStyle(document.body).backgroundColor"))
    assert grounds == ["rgb(244, 245, 247)", "rgb(14, 17, 22)"]


def test_an_open_page_keeps_itself_current_and_its_reader_in_place(tmp_path: Path, tab: Tab) -> None:
    with live_server(tmp_path) as server:
        watch(server, tab)
    tab.run(LOOK)
    eventually(
        lambda: not tab.run("document.getElementById('lost').hidden"), "the page says that it lost touch"
    )
    assert tab.run("document.title").startswith("No answer · ")
    assert "868e96" in tab.run("document.querySelector('link[rel=icon]').href")
    tab.run("scrollTo(0, document.body.scrollHeight)")
    assert tab.run("document.getElementById('lost').getBoundingClientRect().top") >= 0


LOOK = "document.dispatchEvent(new Event('visibilitychange'))"


def watch(server: LiveServer, tab: Tab) -> None:
    tab.look()
    tab.open(f"http://127.0.0.1:{server.port}/")
    tab.run("document.getElementById('all-reloads').open = true")
    tab.run("document.querySelector('a[href=\"/api/people\"]').focus()")
    server.work.write({"people/eve.toml": "x = = 1\n"})
    server.work.commit()
    server.work.push(server.remote)
    assert server.call().status == 500
    tab.run(LOOK)
    eventually(lambda: text_of(tab, "h1") == "The newest commit is refused", "the page shows the refusal")
    assert tab.run("document.getElementById('all-reloads').open") is True
    assert tab.run("document.activeElement.getAttribute('href')") == "/api/people"
    assert text_of(tab, "#announcer") == "The newest commit is refused"
    assert tab.run("document.title").startswith("The newest commit is refused")
    assert tab.run("document.getElementById('lost').hidden") is True
    assert tab.complaints == []
