"""One search after another: over HTTP, the same statements on a bare SQLite connection, and bare Tornado."""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable

import apsw

from reload.snapshot.query.search import match_expression
from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import SHEET, Dataset
from tests.benchmarks.measurements import Recorder, Series, percentile
from tests.benchmarks.process import Caller, serving
from tests.benchmarks.questions import PAGE_RECORDS, Questions, search_url
from tests.benchmarks.stand import Served

ALLOWED_TIMES = 1.3


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Median milliseconds of every round's searches, none of which is asked twice."""
    recorder = Recorder()
    with bench.stand("search-latency", dataset) as stand, stand.served() as served:
        phrases = Questions(dataset).phrases(bench.plan.calls * (bench.plan.rounds + 1))
        size = statistics.median(len(served.caller.get(search_url(phrase))) for phrase in phrases[-20:])
        arguments = ["-m", "tests.benchmarks.peers.constant", "{port}", str(int(size))]
        with serving(arguments, stand.folder / "tornado.log", "/") as (_, port):
            with contextlib.closing(Caller(port)) as tornado, contextlib.closing(Bare(served)) as bare:
                for number in bench.rounds():
                    start = (number + 1) * bench.plan.calls
                    asked = phrases[start : start + bench.plan.calls] or phrases[: bench.plan.calls]
                    _round(recorder if number >= 0 else Recorder(), served, bare, tornado, asked)
    return recorder.series


def _round(recorder: Recorder, served: Served, bare: Bare, tornado: Caller, phrases: list[str]) -> None:
    spent: dict[str, list[float]] = {"ours": [], "sqlite": [], "page_only": [], "tornado": []}
    for number, phrase in enumerate(phrases):
        url, match = search_url(phrase), str(match_expression(phrase))
        work: list[tuple[str, Callable[[], object]]] = [
            ("ours", lambda url=url: served.caller.get(url)),  # type: ignore[misc]
            ("sqlite", lambda match=match: bare.page_with_total(match)),  # type: ignore[misc]
            ("page_only", lambda match=match: bare.page(match)),  # type: ignore[misc]
            ("tornado", lambda: tornado.get("/")),
        ]
        for name, ask in work[number % 4 :] + work[: number % 4]:
            begun = time.perf_counter()
            ask()
            spent[name].append((time.perf_counter() - begun) * 1000)
    sqlite, request = statistics.median(spent["sqlite"]), statistics.median(spent["tornado"])
    recorder.add(
        ours_ms=statistics.median(spent["ours"]),
        ours_p99_ms=percentile(spent["ours"], 0.99),
        sqlite_ms=sqlite,
        sqlite_p99_ms=percentile(spent["sqlite"], 0.99),
        page_only_ms=statistics.median(spent["page_only"]),
        tornado_ms=request,
        allowed_ms=ALLOWED_TIMES * sqlite + request,
    )


class Bare:
    """SQLite without a server: a connection of our own to the state file that is served."""

    def __init__(self, served: Served) -> None:
        self._db = apsw.Connection(str(served.stand.state_file), flags=apsw.SQLITE_OPEN_READONLY)
        row = self._db.execute("SELECT data FROM livesheets_sheets WHERE name = ?", (SHEET,)).get
        table, fts = f'"{row}"', f'"{row}_fts"'
        # By rank and then by path, as the API promises, so that pages never repeat a record.
        self._page = (
            f"SELECT t.path, t.blob, t.record, f.rank FROM {fts} AS f JOIN {table} AS t ON t.id = f.rowid"
            f" WHERE {fts} MATCH ? ORDER BY f.rank, t.path LIMIT {PAGE_RECORDS + 1}"
        )
        self._total = f"SELECT count(*) FROM {fts} WHERE {fts} MATCH ?"

    def page(self, match: str) -> list[tuple[object, ...]]:
        """The best hits."""
        return list(self._db.execute(self._page, (match,)))

    def page_with_total(self, match: str) -> tuple[list[tuple[object, ...]], object]:
        """The best hits and how many there are, which is what the answer over HTTP holds."""
        return self.page(match), self._db.execute(self._total, (match,)).get

    def close(self) -> None:
        """Close the file."""
        self._db.close()
