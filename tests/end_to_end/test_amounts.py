"""However large records are and however much is asked for, answers have bounds and others their turn."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import Callable, Iterator
from urllib.parse import quote

import pytest

from reload.snapshot.query.page_size import PAGE_CHARACTERS_MAX
from tests.end_to_end.client import Reply
from tests.end_to_end.readers import Crowd
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import ServerProcess, servers
from tests.end_to_end.test_paging import follow

Read = Callable[..., Reply]
LARGE, CHARACTERS = 20, 1_000_000
DEEP = 60
SHEET = '[gitsheet]\nroot = "{0}"\npath = "${{{{ slug }}}}"\n[livesheets]\nsearch = ["word"]\nindex = ["n"]\n'


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[ServerProcess]:
    """A server of records as large and as deep as any may be, and of many small ones."""
    folder = tmp_path_factory.mktemp("large")
    files: dict[str, str] = {
        f".gitsheets/{name}.toml": SHEET.format(name) for name in ("large", "small", "deep")
    }
    for number in range(LARGE):
        text = f"{number:02}" + "x" * CHARACTERS
        files[f"large/l{number:02}.toml"] = f'n = {number % 3}\nword = "common"\ntext = "{text}"\n'
    files |= {f"small/s{n:04}.toml": f'n = {n}\nword = "common {"w" * (n % 9)}"\n' for n in range(3_000)}
    files["deep/one.toml"] = f"n = 1\nv = {'[' * DEEP}1{']' * DEEP}\n"
    remote = DataRemote(folder / "origin", files)
    with servers() as start:
        server = start(folder, remote.path)
        server.ready(remote.head)
        yield server


@pytest.mark.parametrize(
    "query", ["", "sort=-n", "n__gte=1", "q=common", "q=common&sort=n", "sort=n&fields=n"]
)
def test_pages_of_large_records_end_early_and_neither_skip_nor_repeat(
    large: ServerProcess, query: str
) -> None:
    pages = follow(large.client.get, f"/api/large?{query}&limit=1000".replace("?&", "?"))
    paths = [item["path"] for page in pages for item in page.data]
    assert len(pages) > 1
    assert len(set(paths)) == len(paths) == pages[0].json["meta"]["total"]
    assert all(len(page.body) < PAGE_CHARACTERS_MAX + CHARACTERS for page in pages)
    if "sort=-n" in query:
        assert [item["record"]["n"] for page in pages for item in page.data] == sorted(
            (number % 3 for number in range(LARGE)), reverse=True
        )


def test_a_search_for_large_records_ends_its_pages_early_too(large: ServerProcess) -> None:
    pages = follow(large.client.get, "/api/_search?q=common&sheet=large&limit=1000")
    found = [item["path"] for page in pages for item in page.data]
    assert len(pages) > 1
    assert sorted(found) == [f"l{number:02}" for number in range(LARGE)]
    every = follow(large.client.get, "/api/_search?q=common&limit=1000")
    assert len([item for page in every for item in page.data]) == LARGE + 3_000
    assert all(len(page.body) < PAGE_CHARACTERS_MAX + CHARACTERS for page in (*pages, *every))


def test_what_is_too_long_for_a_cursor_or_a_facet_is_refused_by_name(large: ServerProcess) -> None:
    for query, named in (("sort=text", "sort"), ("facet=text", "facet")):
        problem = large.client.get(f"/api/large?{query}").problem(400, "invalid-query")
        assert problem["parameter"] == named
        assert len(problem["detail"]) < 200
    assert large.client.get("/api/large?sort=text&n=0&limit=1000&fields=n").status == 200


def test_a_record_as_deep_as_any_is_served_everywhere(large: ServerProcess) -> None:
    record = large.client.get("/api/deep/one").data["record"]
    for path in ("/api/deep", "/api/deep?fields=v", "/api/deep?v__exists=true", "/api/deep?v__contains=1"):
        assert large.client.get(path).status == 200
    value, depth = record["v"], 0
    while isinstance(value, list):
        value, depth = value[0], depth + 1
    assert (value, depth) == (1, DEEP)


# What a search costs most: as many words and beginnings as there may be, and what every record has.
COSTLY = (
    *("c*", "c", "com", "common", " ".join(f"w{'w' * n}" for n in range(16)), "a* " * 600, "OR " * 600),
    *(
        " ".join(chr(97 + n % 26) for n in range(999)),
        "NEAR(common common, 999999)",
        '"common ' * 200,
        "w" * 2_000,
    ),
)


@pytest.mark.parametrize("text", COSTLY, ids=range(len(COSTLY)))
def test_no_search_costs_more_than_its_bounds(large: ServerProcess, text: str) -> None:
    for path in ("/api/_search?limit=1000&q=", "/api/small?limit=1000&facet=word&sort=-n&q="):
        assert large.client.get(path + quote(text)).status == 200


def test_a_search_text_beyond_its_bound_is_refused(large: ServerProcess) -> None:
    for text in ("w" * 2_001, "a OR " * 5_000, "a* " * 3_000):
        for path in ("/api/_search?q=", "/api/small?q="):
            problem = large.client.get(path + quote(text)).problem(400, "invalid-query")
            assert problem["parameter"] == "q"
    assert large.client.exchange(f"GET /api/_search?q={'w' * 1_000_000} HTTP/1.1\r\n\r\n".encode()) == b""


@pytest.mark.gen_test
async def test_others_read_on_while_much_is_asked_for(large: ServerProcess) -> None:
    costly = "/api/small?word__contains=w&n__gte={turn}&facet=word&facet=n&sort=-word&limit=1000"
    asking = Crowd(large.client.port, (costly,), 6)
    reading = Crowd(large.client.port, ("/api/small/s0007", "/api/deep/one"), 4)

    def enough() -> bool:
        return all(
            crowd.seen and min(map(len, crowd.seen)) >= turns for crowd, turns in ((asking, 3), (reading, 25))
        )

    asking.enough = reading.enough = enough

    await asyncio.gather(asking.read(), reading.read())
    assert {seen.status for crowd in (asking, reading) for each in crowd.seen for seen in each} == {200}


def test_large_answers_are_compressed_alike_whoever_asks_and_however_often(large: ServerProcess) -> None:
    for path in ("/api/large/l07", "/api/large?limit=3", "/api/small?limit=1000", "/api/small?limit=150"):
        plain = large.client.get(path)
        for _ in range(2):
            packed = large.client.get(path, Accept_Encoding="gzip")
            assert packed.headers["Content-Encoding"] == "gzip"
            assert packed.headers["ETag"] == plain.headers["ETag"]
            assert gzip.decompress(packed.body) == plain.body
        head = large.client.head(path, Accept_Encoding="gzip")
        assert (head.headers["Content-Length"], head.body) == (str(len(packed.body)), b"")
