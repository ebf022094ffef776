"""The table: what each row compares, the bar that it has to clear, and whether it did."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from tests.benchmarks.bench import Bench
from tests.benchmarks.dataset import Dataset, Layout
from tests.benchmarks.measurements import Sample, Series
from tests.benchmarks.parts import (
    door,
    fair_use,
    full_build,
    latency,
    many_changes,
    memory,
    one_change,
    rates,
    search_latency,
    warm_start,
)

FLAT: tuple[Layout, ...] = ("flat",)
BOTH: tuple[Layout, ...] = ("flat", "nested")


@dataclass(frozen=True, slots=True)
class Part:
    """What is measured together, and in which layouts; only git feels how folders are laid out."""

    measure: Callable[[Bench, Dataset], Series]
    layouts: tuple[Layout, ...]


PARTS: Mapping[str, Part] = {
    "one-change": Part(one_change.measure, BOTH),
    "many-changes": Part(many_changes.measure, BOTH),
    "full-build": Part(full_build.measure, BOTH),
    "warm-start": Part(warm_start.measure, FLAT),
    "latency": Part(latency.measure, BOTH),
    "door": Part(door.measure, FLAT),
    "fair-use": Part(fair_use.measure, FLAT),
    "rates": Part(rates.measure, FLAT),
    "search-latency": Part(search_latency.measure, FLAT),
    "memory": Part(memory.measure, FLAT),
}
GROWTH_TIMES = 1.25
GROWTH_MS = 1.0


@dataclass(frozen=True, slots=True)
class Bar:
    """What is asked of a row; `allows` takes ours and theirs, `relation` says how they compare."""

    text: str
    allows: Callable[[float, float], bool]
    relation: Callable[[float, float], str]


def at_most_times(limit: float) -> Bar:
    """Ours may be `limit` times theirs."""
    return Bar(f"≤ {limit:g}x", lambda ours, theirs: ours <= limit * theirs, _times)


def at_least_times(limit: float) -> Bar:
    """Ours must be `limit` times theirs."""
    return Bar(f"≥ {limit:g}x", lambda ours, theirs: ours >= limit * theirs, _times)


def at_most_more(limit: float, unit: str) -> Bar:
    """Ours may be theirs and `limit` more."""
    return Bar(
        f"≤ {limit:g} {unit} more",
        lambda ours, theirs: ours <= theirs + limit,
        lambda ours, theirs: f"{ours - theirs:+.1f} {unit}",
    )


def at_most(limit: float, unit: str) -> Bar:
    """Ours may be `limit`."""
    return Bar(f"≤ {limit:g} {unit}", lambda ours, _: ours <= limit, lambda ours, _: "")


def _times(ours: float, theirs: float) -> str:
    return f"{ours / theirs:.2f}x" if theirs else "endless"


@dataclass(frozen=True, slots=True)
class Row:
    """One row: two series of a part, ours and theirs, and the bar; `failed` counts what must not happen."""

    key: str
    figure: str
    against: str
    unit: str
    part: str
    ours: str
    theirs: str | None
    bar: Bar
    failed: str | None = None


@dataclass(frozen=True, slots=True)
class Judged:
    """A row with what was measured on a dataset."""

    row: Row
    dataset: Dataset
    ours: Sample
    theirs: Sample | None
    relation: str
    met: bool


DOOR = Row(
    "door", "the same under 1,000 wrong calls a second and 1,000 slow connections", "idle p99", "ms",
    "door", "flood_p99_ms", "idle_p99_ms", at_most_times(2), "flood_failed",
)  # fmt: skip
ROWS = (
    Row(
        "one-change",
        "webhook call to visible, one changed record",
        "bare `git fetch` + `git diff-tree` of the same push",
        "ms",
        "one-change",
        "call_ms",
        "floor_ms",
        at_most_times(1.15),
    ),
    Row(
        "own-work",
        "of that, our own work beyond git",
        "",
        "ms",
        "one-change",
        "own_ms",
        None,
        at_most(10, "ms"),
    ),
    Row(
        "many-changes",
        "reload of 1,000 changed records",
        "the same floor, reading and parsing them",
        "ms",
        "many-changes",
        "call_ms",
        "floor_ms",
        at_most_times(2),
    ),
    Row(
        "full-build",
        "full build, cold (child start apart)",
        "`gitsheets.record_list`, which only reads and parses",
        "ms",
        "full-build",
        "build_ms",
        "list_ms",
        at_most_times(1),
    ),
    Row(
        "warm-start",
        "warm start, unchanged data, to ready",
        "a Python process that imports the same modules",
        "ms",
        "warm-start",
        "ready_ms",
        "imports_ms",
        at_most_times(1.5),
    ),
    Row(
        "latency-build",
        "read latency p99 at 300 requests/s during full builds",
        "idle p99",
        "ms",
        "latency",
        "build_p99_ms",
        "idle_p99_ms",
        at_most_times(1.5),
        "build_failed",
    ),
    Row(
        "latency-storm",
        "the same during a storm of small reloads",
        "idle p99",
        "ms",
        "latency",
        "storm_p99_ms",
        "idle_p99_ms",
        at_most_times(1.5),
        "storm_failed",
    ),
    DOOR,
    Row(
        "fair-questions",
        "a reader's search while another address asks long questions over 40 connections, p99",
        "idle p99",
        "ms",
        "fair-use",
        "attack_p99_ms",
        "idle_p99_ms",
        at_most_times(3),
        "attack_failed",
    ),
    Row(
        "fair-attachments",
        "memory more than at the start after 2,000 requests a round for attachments of 1 kB to 512 MiB",
        "",
        "MiB",
        "fair-use",
        "grown_mib",
        None,
        at_most(64, "MiB"),
    ),
    Row(
        "record",
        "`GET` one record",
        "Tornado answering constant bytes of the same size",
        "/s",
        "rates",
        "record_per_s",
        "record_tornado_per_s",
        at_least_times(0.85),
    ),
    Row(
        "page",
        "page of 50 that somebody has asked for at this commit",
        "Datasette on the same rows",
        "/s",
        "rates",
        "page_cached_per_s",
        "page_datasette_per_s",
        at_least_times(8),
    ),
    Row(
        "page-first",
        "page of 50 that nobody has asked for",
        "Datasette on the same rows",
        "/s",
        "rates",
        "page_per_s",
        "page_datasette_per_s",
        at_least_times(8),
    ),
    Row(
        "search",
        "search that somebody has asked for at this commit",
        "Datasette on the same rows",
        "/s",
        "rates",
        "search_cached_per_s",
        "search_datasette_per_s",
        at_least_times(8),
    ),
    Row(
        "search-first",
        "search that nobody has asked for",
        "Datasette on the same rows",
        "/s",
        "rates",
        "search_per_s",
        "search_datasette_per_s",
        at_least_times(8),
    ),
    Row(
        "not-modified",
        "304 for a page of 50",
        "Datasette answering that page, since it has no 304",
        "/s",
        "rates",
        "not_modified_per_s",
        "page_datasette_per_s",
        at_least_times(8),
    ),
    Row(
        "search-latency",
        "search latency",
        "1.3 times the bare SQLite statements + one bare Tornado request",
        "ms",
        "search-latency",
        "ours_ms",
        "allowed_ms",
        at_most_times(1),
    ),
    Row(
        "memory",
        "memory of the server process, settled (resident)",
        "the same server with one record",
        "MiB",
        "memory",
        "rss_mib",
        "empty_rss_mib",
        at_most_more(100, "MiB"),
    ),
)


def judge(row: Row, dataset: Dataset, series: Series) -> Judged:
    """Whether the medians clear the row's bar."""
    ours = Sample.of(series[row.ours])
    theirs = Sample.of(series[row.theirs]) if row.theirs else None
    reference = theirs.median if theirs else 0.0
    met = row.bar.allows(ours.median, reference) and not (row.failed and any(series[row.failed]))
    return Judged(row, dataset, ours, theirs, row.bar.relation(ours.median, reference), met)


@dataclass(frozen=True, slots=True)
class Growth:
    """Our own work by the number of records, in one layout."""

    layout: Layout
    own_ms: Mapping[int, Sample]

    @property
    def met(self) -> bool:
        """Whether the largest costs what the smallest costs, within GROWTH_TIMES and GROWTH_MS."""
        least, most = self.own_ms[min(self.own_ms)], self.own_ms[max(self.own_ms)]
        return most.median <= max(GROWTH_TIMES * least.median, least.median + GROWTH_MS)
