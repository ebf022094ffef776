"""Requests a second: records, pages, searches and 304, beside bare Tornado and Datasette on the same rows."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import apsw

from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import SHEET, Dataset
from tests.benchmarks.load import Load
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.process import get, serving
from tests.benchmarks.questions import (
    PAGE_RECORDS,
    Questions,
    datasette_page_url,
    datasette_record_url,
    datasette_search_url,
    search_url,
)
from tests.benchmarks.stand import Served, Stand

_WARM_UP_S = 1.0
URLS = 6_000
PAGES = 600
ASKED_BEFORE = 50


@dataclass(frozen=True, slots=True)
class Target:
    """A server that is asked for URLs in turn; each round goes on with others."""

    port: int
    urls: list[str]

    def written(self, folder: Path, number: int, rounds: int) -> Path:
        """A file for `Load` that begins where the round before is thought to have ended."""
        start = number * len(self.urls) // rounds
        path = folder / "urls.txt"
        path.write_text("\n".join([*self.urls[start:], *self.urls[:start]]))
        return path


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Requests a second of every server and kind of answer, and the bytes of each answer."""
    recorder, load = Recorder(), Load()
    with contextlib.ExitStack() as stack:
        stand = stack.enter_context(bench.stand("rates", dataset))
        served = stack.enter_context(stand.served())
        targets = _ours(served, dataset)
        targets |= stack.enter_context(_constants(stand, targets))
        targets |= stack.enter_context(_datasette(stand, dataset))
        for number in bench.rounds():
            names = list(targets)
            for name in names[::-1] if number % 2 else names:
                target = targets[name]
                file = target.written(stand.folder, max(number, 0), bench.plan.rounds)
                rate = load.rate(target.port, file, bench.plan.closed_s if number >= 0 else _WARM_UP_S)
                if rate.failed:
                    raise RuntimeError(f"{name}: {rate.failed} requests failed, among {target.urls[:3]}")
                if number >= 0:
                    recorder.add(**{f"{name}_per_s": rate.per_s, f"{name}_bytes": rate.answer_bytes})
    return recorder.series


def _ours(served: Served, dataset: Dataset) -> dict[str, Target]:
    questions = Questions(dataset)
    pages = questions.pages(served.caller, PAGES)
    searches = [search_url(phrase) for phrase in questions.phrases(URLS)]
    known = [f"{url}\t{get(served.port, url)[1]['ETag']}" for url in pages[:ASKED_BEFORE]]
    urls = {
        "record": questions.records(URLS),
        "page": pages,
        "page_cached": pages[:ASKED_BEFORE],
        "search": searches,
        "search_cached": searches[:ASKED_BEFORE],
        "not_modified": known,
    }
    return {name: Target(served.port, asked) for name, asked in urls.items()}


@contextlib.contextmanager
def _constants(stand: Stand, ours: dict[str, Target]) -> Iterator[dict[str, Target]]:
    """Bare Tornado, a process for every size of answer that ours has."""
    with contextlib.ExitStack() as stack:
        found = {}
        for name in ("record", "page", "search"):
            bodies = [get(ours[name].port, url)[2] for url in ours[name].urls[:100]]
            size = sum(map(len, bodies)) // len(bodies)
            arguments = ["-m", "tests.benchmarks.peers.constant", "{port}", str(size)]
            _, port = stack.enter_context(serving(arguments, stand.folder / "tornado.log", "/"))
            found[f"{name}_tornado"] = Target(port, [urlsplit(url).path for url in ours[name].urls])
        yield found


@contextlib.contextmanager
def _datasette(stand: Stand, dataset: Dataset) -> Iterator[dict[str, Target]]:
    """Datasette on a copy of the state file, told that it never changes."""
    copy = stand.folder / "data.db"
    with contextlib.closing(apsw.Connection(str(stand.state_file), flags=apsw.SQLITE_OPEN_READONLY)) as db:
        db.execute("VACUUM INTO ?", (str(copy),))
        table = str(db.execute("SELECT data FROM livesheets_sheets WHERE name = ?", (SHEET,)).get)
        ids = [int(row_id) for (row_id,) in db.execute(f'SELECT id FROM "{table}" ORDER BY id')]
    urls = {
        "record": [datasette_record_url(table, row_id) for row_id in ids[:URLS]],
        "page": [datasette_page_url(table, row_id) for row_id in ids[:-PAGE_RECORDS:PAGE_RECORDS]][:PAGES],
        "search": [datasette_search_url(table, phrase) for phrase in Questions(dataset).phrases(URLS)],
    }
    arguments = ["-m", "datasette", "serve", "-i", str(copy.resolve()), "-h", "127.0.0.1", "-p", "{port}"]
    arguments += ["--setting", "suggest_facets", "off", "--setting", "sql_time_limit_ms", "10000"]
    with serving(arguments, stand.folder / "datasette.log", "/-/versions.json") as (_, port):
        yield {f"{name}_datasette": Target(port, asked) for name, asked in urls.items()}
