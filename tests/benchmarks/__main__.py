"""`python -m tests.benchmarks`: measure what is missing, show the table, write the page."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markdown import Markdown
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tests.benchmarks import plots, tables
from tests.benchmarks.bench import Bench, Plan, Show
from tests.benchmarks.conditions import conditions
from tests.benchmarks.dataset import FOLDER_RECORDS, Dataset
from tests.benchmarks.findings import Findings
from tests.benchmarks.measurements import Series
from tests.benchmarks.noise import listened_to
from tests.benchmarks.page import write_page
from tests.benchmarks.process import PROJECT
from tests.benchmarks.results import Results
from tests.benchmarks.rows import PARTS, ROWS, Row
from tests.benchmarks.soak import soak as run_soak

SMOKE = Plan(rounds=1, warm_up_rounds=0, closed_s=0.2, open_s=0.6, calls=10)
SMOKE_RECORDS = 500
LARGE_RECORDS = 1_000_000
LARGE_PARTS = ("one-change",)
PAGE_FOLDER = PROJECT / "docs" / "explanation"

# Wide enough for the tables where the output goes into a file.
console = Console(highlight=False, width=None if sys.stdout.isatty() else 150)
app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    records: Annotated[str, typer.Option(help="Sizes of the repositories.")] = "10000,100000",
    large: Annotated[bool, typer.Option("--large", help="Also our own work at 1,000,000 records.")] = False,
    rounds: Annotated[int, typer.Option(help="How often everything is measured.", min=1)] = 5,
    only: Annotated[list[str] | None, typer.Option(help="A row by its key; repeatable.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Measure again what was measured.")] = False,
    smoke: Annotated[bool, typer.Option("--smoke", help="500 records, one round: does it work?")] = False,
    soak: Annotated[int, typer.Option(help="Only this many reloads in a row; at least 100.")] = 0,
    cache: Annotated[Path, typer.Option(help="Where repositories and finished parts are kept.")] = Path(
        ".bench"
    ),
) -> None:
    """Measure Livesheets beside its peers and floors, and write docs/explanation/benchmarks.md."""
    plan = SMOKE if smoke else Plan(rounds=rounds)
    results, soaks = Results(cache, plan), Results(cache, Plan())
    if fresh:
        results.forget()
    with _shown() as (progress, show):
        bench = Bench(cache, plan, show)
        if soak:
            soaks.put("soak", run_soak(bench, max(soak, 100)))
        sizes = [SMOKE_RECORDS] if smoke else [int(size) for size in records.split(",")]
        wanted = [] if soak else _wanted(sizes, large, _rows(only))
        findings = Findings(_rows(only))
        _measure(bench, results, wanted, findings, progress)
    if soak:  # the page is written from what was measured before
        findings = _known(results, sizes, large)
    _report(findings, soaks.get("soak"), cache / "page" if smoke else PAGE_FOLDER, plan, whole=only is None)


def _rows(only: list[str] | None) -> tuple[Row, ...]:
    known = {row.key: row for row in ROWS}
    for key in only or ():
        if key not in known:
            raise typer.BadParameter(f"no row {key!r}; there are {', '.join(known)}", param_hint="--only")
    return tuple(known[key] for key in only) if only else ROWS


def _wanted(sizes: list[int], large: bool, rows: tuple[Row, ...]) -> list[tuple[str, Dataset]]:
    """The parts that the rows need, at every size; what fits into one folder is hardly nested."""
    needed = {row.part for row in rows}
    wanted = [
        (name, Dataset(size, layout))
        for size in sizes
        for name, part in PARTS.items()
        for layout in part.layouts
        if name in needed and (layout == "flat" or size > FOLDER_RECORDS or name == "one-change")
    ]
    if large:
        wanted += [
            (name, Dataset(LARGE_RECORDS, layout)) for name in LARGE_PARTS for layout in PARTS[name].layouts
        ]
    return wanted


def _measure(
    bench: Bench, results: Results, wanted: list[tuple[str, Dataset]], findings: Findings, progress: Progress
) -> None:
    whole = progress.add_task("all parts", total=len(wanted))
    for name, dataset in wanted:
        key = f"{name}-{dataset.name}"
        series = results.get(key)
        if series is None:
            begun = time.monotonic()
            progress.update(whole, description=f"{name}, {tables.title(dataset)}")
            noise: Series = {}
            with listened_to(noise):
                series = PARTS[name].measure(bench, dataset)
            series |= noise
            results.put(key, series)
            progress.console.print(f"{name}, {tables.title(dataset)}: {time.monotonic() - begun:.0f} s")
        findings.series[name, dataset] = series
        progress.advance(whole)


def _known(results: Results, sizes: list[int], large: bool) -> Findings:
    """What has been measured already."""
    findings = Findings()
    for name, dataset in _wanted(sizes, large, ROWS):
        series = results.get(f"{name}-{dataset.name}")
        if series is not None:
            findings.series[name, dataset] = series
    return findings


def _report(findings: Findings, soak: Series | None, folder: Path, plan: Plan, *, whole: bool) -> None:
    for dataset in findings.datasets:
        console.print(Markdown(f"## {tables.title(dataset)}\n\n{tables.bars(findings.judged(dataset))}"))
    if findings.growth():
        console.print(Markdown(f"## our own work\n\n{tables.growth(findings)}"))
    if soak is not None:
        console.print(Markdown(f"## soak\n\n{tables.soak(soak)}"))
    if not whole or not findings.series:
        console.print("The page was not written: it takes all rows.")
        return
    path = write_page(folder, findings, soak, conditions(plan))
    console.print(f"Written: {path}", soft_wrap=True)
    if not plots.available():
        console.print("Without plots: matplotlib is not installed (pip install '.[bench]').")


@contextlib.contextmanager
def _shown() -> Iterator[tuple[Progress, Show]]:
    """A progress bar, and what tells it how far a step is."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console) as progress:
        step = progress.add_task("", total=1)

        def show(what: str, done: int, total: int) -> None:
            progress.update(step, description=what, completed=done, total=total)

        yield progress, show


if __name__ == "__main__":
    app()
