"""Findings as tables in Markdown."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tests.benchmarks.dataset import Dataset
from tests.benchmarks.findings import Findings
from tests.benchmarks.measurements import Sample, Series
from tests.benchmarks.noise import KEY
from tests.benchmarks.parts.latency import SHARES
from tests.benchmarks.rows import GROWTH_MS, GROWTH_TIMES, Judged
from tests.benchmarks.soak import ALLOWED_GROWTH, SUBJECTS

VERDICTS = {True: "met", False: "**missed**"}


def number(value: float) -> str:
    """A number with three digits or so."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"


def shown(sample: Sample, unit: str) -> str:
    """A median with its least and most."""
    return f"{number(sample.median)} {unit} ({number(sample.least)} to {number(sample.most)})".replace(
        " /s", "/s"
    )


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def bars(judged: Sequence[Judged]) -> str:
    """The rows of one dataset with their bars."""
    header = ("figure", "Livesheets", "against", "measured there", "ratio", "bar", "")
    return table(header, (_bar_cells(row) for row in judged))


def _bar_cells(judged: Judged) -> list[str]:
    row = judged.row
    theirs = shown(judged.theirs, row.unit) if judged.theirs else "–"  # noqa: RUF001 (a dash for nothing)
    cells = [row.figure, shown(judged.ours, row.unit), row.against or "itself", theirs]
    return [*cells, judged.relation or "–", row.bar.text, VERDICTS[judged.met]]  # noqa: RUF001


def growth(findings: Findings) -> str:
    """Our own work by the number of records."""
    found = findings.growth()
    sizes = sorted({records for each in found for records in each.own_ms})
    header = ["layout", *(f"{records:,} records" for records in sizes), "bar", ""]
    bar = f"≤ {GROWTH_TIMES:g}x the smallest (or {GROWTH_MS:g} ms more)"
    rows = []
    for each in found:
        cells = [shown(each.own_ms[size], "ms") if size in each.own_ms else "" for size in sizes]
        rows.append([each.layout, *cells, bar, VERDICTS[each.met]])
    return table(header, rows)


def phases(findings: Findings) -> str:
    """Where the time of a one-record reload goes, beside bare git."""
    names = ("fetch", "compare", "build", "swap")
    header = ["repository", "the call", *names, "of all, git"]
    header += ["bare fetch", "bare diff-tree", "plain `git fetch`"]
    bare = ["fetch_ms", "compare_ms", "plain_fetch_ms"]
    rows = []
    for dataset, series in _of_part(findings, "one-change"):
        keys = ["call_ms", *(f"phase_{name}_ms" for name in names), "git_ms", *bare]
        rows.append([title(dataset), *(_median(series, key) for key in keys)])
    return table(header, rows)


def builds(findings: Findings) -> str:
    """What a full build takes beside its own work."""
    header = ["repository", "the build", "its processor time, with the start", "starting the child"]
    header += ["record_list", "its processor time, with the start", "state file"]
    keys = ("build_ms", "build_cpu_ms", "start_ms", "list_ms", "list_cpu_ms")
    rows = []
    for dataset, series in _of_part(findings, "full-build"):
        size = f"{number(Sample.of(series['state_mib']).median)} MiB"
        rows.append([title(dataset), *(_median(series, key) for key in keys), size])
    return table(header, rows)


def rates(findings: Findings) -> str:
    """Requests a second of every server."""
    kinds = {
        "record": "one record",
        "page": "page of 50 that nobody has asked for",
        "page_cached": "page of 50 from the cache",
        "search": "search that nobody has asked for",
        "search_cached": "search from the cache",
        "not_modified": "304 for a page",
    }
    header = ("dataset", "answer", "Livesheets", "bare Tornado", "Datasette", "bytes of ours, with headers")
    rows = []
    for dataset, series in _of_part(findings, "rates"):
        for name, words in kinds.items():
            own = [_rate(series, f"{name}{peer}_per_s") for peer in ("", "_tornado", "_datasette")]
            rows.append([title(dataset), words, *own, number(Sample.of(series[f"{name}_bytes"]).median)])
    return table(header, rows)


def latencies(findings: Findings) -> str:
    """Percentiles over all rounds, with the p99 of each kind of request."""
    header = ["dataset", "state", *(_share(share) for share in SHARES)]
    header += ["p99 of records", "of pages", "of searches", "reloads a round", "each", "failed"]
    rows = []
    for dataset, series in _of_part(findings, "latency"):
        for state in ("idle", "build", "storm"):
            curve = [number(value) for value in series[f"{state}_curve_ms"]]
            kinds = [_median(series, f"{state}_{kind}_p99_ms", "") for kind in ("record", "page", "search")]
            each = _median(series, f"{state}_reload_ms") if f"{state}_reload_ms" in series else ""
            reloads = f"{Sample.of(series[f'{state}_reloads']).median:.0f}"
            failed = f"{sum(series[f'{state}_failed']):.0f}"
            rows.append([title(dataset), state, *curve, *kinds, reloads, each, failed])
    return table(header, rows)


def searches(findings: Findings) -> str:
    """Single searches one after another."""
    header = (
        "dataset",
        "over HTTP",
        "p99",
        "page and total in SQLite",
        "p99",
        "only the page",
        "bare Tornado",
    )
    keys = ("ours_ms", "ours_p99_ms", "sqlite_ms", "sqlite_p99_ms", "page_only_ms", "tornado_ms")
    rows = (
        [title(dataset), *(_median(series, key) for key in keys)]
        for dataset, series in _of_part(findings, "search-latency")
    )
    return table(header, rows)


def noise(findings: Findings) -> str:
    """What other work took of the processors while each part was measured."""
    known = [series[KEY][0] for series in findings.series.values() if KEY in series]
    if not known:
        return "How much other work there was, is not known."
    rows = []
    for dataset in findings.datasets:
        parts = {part: series for (part, of), series in findings.series.items() if of == dataset}
        shares = [f"{part} {series[KEY][0]:.0%}" for part, series in parts.items() if KEY in series]
        rows.append([title(dataset), ", ".join(shares)])
    return table(("dataset", "share of all processors that other work took meanwhile"), rows)


def soak(series: Series) -> str:
    """What a server held after the first reloads of a soak, and at its end."""
    ends = (f"after {series['reloads'][0]:,.0f} reloads", f"after {series['reloads'][-1]:,.0f}")
    header = ("", *ends, "most in between", "bar", "")
    bar = f"≤ {ALLOWED_GROWTH:g}x the first"
    rows = []
    for name, (words, unit) in SUBJECTS.items():
        values = series[name]
        cells = [
            f"{value:,.1f} {unit}" if unit else f"{value:,.0f}"
            for value in (values[0], values[-1], max(values))
        ]
        rows.append([words, *cells, bar, VERDICTS[values[-1] <= ALLOWED_GROWTH * values[0]]])
    return table(header, rows)


def title(dataset: Dataset) -> str:
    """A dataset in words."""
    return f"{dataset.records:,} {dataset.layout}"


def _of_part(findings: Findings, part: str) -> Iterable[tuple[Dataset, Series]]:
    found = ((dataset, findings.series.get((part, dataset))) for dataset in findings.datasets)
    return [(dataset, series) for dataset, series in found if series is not None]


def _median(series: Series, key: str, unit: str = " ms") -> str:
    return number(Sample.of(series[key]).median) + unit


def _rate(series: Series, key: str) -> str:
    return shown(Sample.of(series[key]), "/s") if key in series else ""


def _share(share: float) -> str:
    return "max" if share == 1 else f"p{share * 100:g}"
