"""`docs/reference/metrics.md` lists every metric with its type and labels, and no other."""

from __future__ import annotations

import ast
import re

from prometheus_client.parser import text_string_to_metric_families

from reload.lane.outcome import Trigger
from tests.docs.pages import ROOT, codes, page, rows, section
from tests.docs.running import Demo

TEXT = page("docs/reference/metrics.md")
ALL_ROWS = [row for row in rows(TEXT) if len(row) == 4]
ROWS = {codes(row[0])[0]: row for row in ALL_ROWS}
# Labels that belong to the format, not to the metric.
FORMAT_LABELS = {"le", "quantile"}


def declared() -> set[str]:
    """Every name of a metric in the source, counters with the ending that they are shown with."""
    names: set[str] = set()
    for file in sorted((ROOT / "server").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.Constant) and re.fullmatch(r"livesheets_[a-z_]+", str(node.value)):
                names.add(str(node.value))
    return names


def test_every_metric_in_the_source_has_its_row_and_no_row_is_left_over() -> None:
    listed = {name.removesuffix("_total") if row[1] == "counter" else name for name, row in ROWS.items()}
    assert listed == {name.removesuffix("_total") for name in declared()}
    assert len(ALL_ROWS) == len(ROWS), "a metric has two rows"


def test_a_running_server_shows_the_types_and_labels_that_are_listed(demo: Demo) -> None:
    demo.call("/api")
    families = text_string_to_metric_families(demo.text("/metrics"))
    for family in families:
        if not family.name.startswith("livesheets_") or family.name.endswith("_created"):
            continue
        _, kind, labels, _ = ROWS[f"{family.name}_total" if family.type == "counter" else family.name]
        assert family.type == kind, family.name
        shown = {label for sample in family.samples for label in sample.labels} - FORMAT_LABELS
        assert shown <= set(codes(labels)), family.name
        if family.samples:
            assert shown == set(codes(labels)), family.name


def test_every_trigger_is_listed() -> None:
    line = next(line for line in TEXT.splitlines() if line.startswith("- `trigger`"))
    assert set(codes(line)) == {"trigger", *Trigger}


def test_the_expressions_ask_for_metrics_that_exist() -> None:
    asked = set(re.findall(r"livesheets_\w+", section(TEXT, "What to watch")))
    assert {re.sub(r"_(sum|count|bucket)$", "", name) for name in asked} <= set(ROWS)
