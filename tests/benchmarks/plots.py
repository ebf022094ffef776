"""Findings as plots, where matplotlib is installed."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.benchmarks.findings import Findings
from tests.benchmarks.measurements import Sample, Series
from tests.benchmarks.parts.latency import SHARES

OURS, FLOOR, PEER, BAR = "#1f6f8b", "#b8c4cc", "#d98e48", "#b03a2e"
Draw = Callable[[Any, Any], None]


def available() -> bool:
    """Whether plots can be drawn."""
    return importlib.util.find_spec("matplotlib") is not None


def draw(findings: Findings, soak: Series | None, folder: Path) -> list[str]:
    """Write every plot that there are numbers for as SVG; the names of the files."""
    folder.mkdir(parents=True, exist_ok=True)
    series, main = findings.series, findings.main
    wanted: list[tuple[str, tuple[float, float], bool, Draw]] = [
        ("growth", (7, 3.6), any(part == "one-change" for part, _ in series), _growth(findings)),
        ("rates", (7, 3.6), ("rates", main) in series, _rates(series.get(("rates", main), {}))),
        ("latency", (7, 3.6), ("latency", main) in series, _latency(series.get(("latency", main), {}))),
        ("soak", (7, 5), soak is not None, _soak(soak or {})),
    ]
    for name, size, known, plot in wanted:
        if known:
            _write(folder / f"{name}.svg", size, plot)
    return [name for name, _, known, _ in wanted if known]


def _write(path: Path, size: tuple[float, float], plot: Draw) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    # The same numbers give the same file, so that a change of the file is a change of the numbers.
    settings: Any = {"svg.hashsalt": "livesheets", "svg.fonttype": "none", "font.size": 9, "axes.grid": True}
    with mpl.rc_context(settings | {"grid.alpha": 0.3, "axes.axisbelow": True}):
        figure = pyplot.figure(figsize=size, layout="constrained")
        plot(figure, pyplot)
        for axes in figure.axes:
            axes.spines[["top", "right"]].set_visible(False)
        figure.savefig(path, metadata={"Date": None, "Creator": None})
        pyplot.close(figure)


def _growth(findings: Findings) -> Draw:
    def plot(figure: Any, pyplot: Any) -> None:
        axes = figure.subplots(1, 2, sharey=True)
        for ax, layout in zip(axes, ("flat", "nested"), strict=True):
            measured = [
                (dataset.records, findings.series["one-change", dataset])
                for dataset in findings.datasets
                if dataset.layout == layout and ("one-change", dataset) in findings.series
            ]
            sizes = [records for records, _ in measured]
            for key, words, colour in (
                ("call_ms", "webhook call to visible", OURS),
                ("floor_ms", "bare git", FLOOR),
                ("own_ms", "our own work", PEER),
            ):
                samples = [Sample.of(series[key]) for _, series in measured]
                medians = [sample.median for sample in samples]
                errors = [
                    [sample.median - sample.least for sample in samples],
                    [sample.most - sample.median for sample in samples],
                ]
                ax.errorbar(sizes, medians, errors, label=words, color=colour, marker="o", capsize=3)
            ax.set(xscale="log", yscale="log", xlabel="records", title=f"{layout} repository")
        axes[0].set_ylabel("milliseconds, one changed record")
        axes[0].legend(frameon=False)

    return plot


def _rates(series: Series) -> Draw:
    kinds = {
        "record": "one record",
        "page": "page, new",
        "page_cached": "page, cached",
        "search": "search, new",
        "search_cached": "search, cached",
        "not_modified": "304",
    }
    peers = {"": ("Livesheets", OURS), "_tornado": ("bare Tornado", FLOOR), "_datasette": ("Datasette", PEER)}

    def plot(figure: Any, pyplot: Any) -> None:
        ax = figure.subplots()
        for offset, (peer, (words, colour)) in enumerate(peers.items()):
            known = [
                (at, f"{kind}{peer}_per_s")
                for at, kind in enumerate(kinds)
                if f"{kind}{peer}_per_s" in series
            ]
            samples = [Sample.of(series[key]) for _, key in known]
            medians = [sample.median for sample in samples]
            errors = [
                [sample.median - sample.least for sample in samples],
                [sample.most - sample.median for sample in samples],
            ]
            places = [at + (offset - 1) * 0.27 for at, _ in known]
            bars = ax.bar(places, medians, 0.25, yerr=errors, label=words, color=colour, capsize=2)
            ax.bar_label(bars, labels=[f"{median:,.0f}" for median in medians], fontsize=7, padding=2)
        ax.set_xticks(range(len(kinds)), list(kinds.values()))
        ax.set_ylabel("requests a second")
        ax.legend(frameon=False)

    return plot


def _latency(series: Series) -> Draw:
    states = {
        "idle": ("idle", FLOOR),
        "build": ("during full builds", OURS),
        "storm": ("storm of reloads", PEER),
    }

    def plot(figure: Any, pyplot: Any) -> None:
        ax = figure.subplots()
        for state, (words, colour) in states.items():
            ax.plot(range(len(SHARES)), series[f"{state}_curve_ms"], label=words, color=colour, marker="o")
        labels = ["max" if share == 1 else f"p{share * 100:g}" for share in SHARES]
        ax.set_xticks(range(len(SHARES)), labels)
        ax.set(yscale="log", ylabel="milliseconds from when a request was due")
        ax.legend(frameon=False)

    return plot


def _soak(series: Series) -> Draw:
    shown = {
        "rss": "memory, MiB",
        "files": "open files",
        "threads": "threads",
        "children": "child processes",
        "wal": "write-ahead log, MiB",
        "state": "state file, MiB",
    }

    def plot(figure: Any, pyplot: Any) -> None:
        for ax, (name, words) in zip(figure.subplots(2, 3, sharex=True).flat, shown.items(), strict=True):
            ax.plot(series["reloads"], series[name], color=OURS)
            ax.axhline(1.1 * series[name][0], color=BAR, linewidth=0.8, linestyle="--")
            ax.set(title=words, ylim=(0, 1.25 * max(*series[name], 1)))
        figure.supxlabel("reloads; the dashed line is the bar")

    return plot
