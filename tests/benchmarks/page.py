"""docs/explanation/benchmarks.md, made from what was measured and from prose that stays."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

from tests.benchmarks import plots, tables
from tests.benchmarks.findings import Findings
from tests.benchmarks.measurements import Series

TEMPLATE = Path(__file__).with_name("page.md")
REMARKS = Path(__file__).with_name("remarks.md")
PLOTS = "benchmarks"
NO_REMARK = "No explanation has been written yet: `tests/benchmarks/remarks.md` is the place for it."
_MARK = re.compile(r"^<!-- ([a-z]+)(?: ([a-z]+))? -->$", re.MULTILINE)


def write_page(folder: Path, findings: Findings, soak: Series | None, conditions: Mapping[str, str]) -> Path:
    """Write the page, its plots and the raw numbers; returns where the page is."""
    folder.mkdir(parents=True, exist_ok=True)
    drawn = plots.draw(findings, soak, folder / PLOTS) if plots.available() else []
    made: dict[str, Callable[[], str]] = {
        "bars": lambda: tables.bars(findings.judged(findings.main)),
        "others": lambda: _others(findings),
        "remarks": lambda: _remarks(findings),
        "growth": lambda: tables.growth(findings) if findings.growth() else "Only one size was measured.",
        "phases": lambda: tables.phases(findings),
        "builds": lambda: tables.builds(findings),
        "rates": lambda: tables.rates(findings),
        "latencies": lambda: tables.latencies(findings),
        "noise": lambda: tables.noise(findings),
        "searches": lambda: tables.searches(findings),
        "soak": lambda: tables.soak(soak) if soak else "Not measured in this run.",
        "conditions": lambda: tables.table(("", ""), conditions.items()),
        "dataset": lambda: f"The table is about {tables.title(findings.main)} records.",
    }

    def fill(mark: re.Match[str]) -> str:
        kind, name = mark.groups()
        if kind == "plot":
            return f"![{name}]({PLOTS}/{name}.svg)" if name in drawn else ""
        return made[kind]()

    path = folder / "benchmarks.md"
    path.write_text(_MARK.sub(fill, TEMPLATE.read_text("utf-8")), "utf-8")
    _write_numbers(folder / PLOTS / "measurements.json", findings, soak, conditions)
    return path


def remarks() -> dict[str, str]:
    """What people wrote about rows, by the row's key."""
    found = re.split(r"^## +(\S+) *$", REMARKS.read_text("utf-8"), flags=re.MULTILINE)
    return {key: text.strip() for key, text in zip(found[1::2], found[2::2], strict=True)}


def _remarks(findings: Findings) -> str:
    """Every row that missed its bar or that somebody has written about."""
    written = remarks()
    missed: dict[str, list[str]] = {}
    for judged in findings.missed():
        missed.setdefault(judged.row.key, []).append(tables.title(judged.dataset))
    if not all(growth.met for growth in findings.growth()):
        missed["growth"] = [growth.layout for growth in findings.growth() if not growth.met]
    figures = {row.key: row.figure for row in findings.rows} | {"growth": "our own work at other sizes"}
    parts = []
    for key, figure in figures.items():
        if key in missed:
            where = ", ".join(missed[key])
            parts.append(f"### {_title(figure)}\n\nMissed at: {where}.\n\n{written.get(key, NO_REMARK)}")
        elif key in written:
            parts.append(f"### {_title(figure)}\n\n{written[key]}")
    return "\n\n".join(parts) or "Every bar was met."


def _title(figure: str) -> str:
    plain = figure.replace("`", "")
    return plain[0].upper() + plain[1:]


def _others(findings: Findings) -> str:
    parts = [
        f"### {tables.title(dataset)} records\n\n{tables.bars(findings.judged(dataset))}"
        for dataset in findings.datasets
        if dataset != findings.main
    ]
    return "\n\n".join(parts) or "No other size was measured."


def _write_numbers(
    path: Path, findings: Findings, soak: Series | None, conditions: Mapping[str, str]
) -> None:
    measured = {
        f"{part} {tables.title(dataset)}": series for (part, dataset), series in findings.series.items()
    }
    document = {"conditions": conditions, "measured": measured, "soak": soak}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=1) + "\n")
