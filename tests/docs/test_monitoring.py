"""The alert rules and the dashboard ask for metrics that exist, with labels and values that they have."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from typing import Any

import promql_parser
import pytest
import yaml

from reload.lane.outcome import OUTCOMES, Trigger
from server.operations.notifications.notify import TYPES
from tests.docs.pages import ROOT, blocks, codes, page, rows
from tests.docs.running import Demo
from tests.server.operations.notifications.test_notify import Scene

FOLDER = ROOT / "docs" / "monitoring"
ALERTS = yaml.safe_load((FOLDER / "alerts.yaml").read_text("utf-8"))
DASHBOARD = json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
RULES = [rule for group in ALERTS["groups"] for rule in group["rules"]]
PANELS = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]

# What Prometheus itself adds to every sample, and what it measures of each target.
ADDED_LABELS = {"job", "instance", "le"}
ADDED_METRICS = {"up": set[str]()}
# metrics.md has a row for each of ours, and test_metrics_reference.py holds it true.
METRICS = {
    codes(row[0])[0]: set(codes(row[2])) for row in rows(page("docs/reference/metrics.md")) if len(row) == 4
} | ADDED_METRICS
VALUES = {
    "outcome": set(OUTCOMES),
    "trigger": {trigger.value for trigger in Trigger},
    "type": set(TYPES),
    "result": {"sent", "failed", "dropped"},
    "phase": {"fetch", "compare", "build", "swap"},
}
GRAFANA_VARIABLES = {"$__rate_interval": "5m", "$instance": ".*", "$job": "livesheets"}


def expressions() -> list[tuple[str, str]]:
    """Every expression with its place."""
    alerts = [(rule["alert"], rule["expr"]) for rule in RULES]
    panels = [(panel["title"], target["expr"]) for panel in PANELS for target in panel["targets"]]
    marks = [(each["name"], each["expr"]) for each in DASHBOARD["annotations"]["list"]]
    return alerts + panels + marks


def parsed(expression: str) -> Any:
    for variable, value in GRAFANA_VARIABLES.items():
        expression = expression.replace(variable, value)
    return promql_parser.parse(expression)


def nodes(tree: Any) -> Iterator[Any]:
    """Every part of an expression."""
    yield tree
    for name in ("lhs", "rhs", "expr", "vector_selector", "args", "param"):
        part = getattr(tree, name, None)
        for each in part if isinstance(part, list) else [part]:
            if each is not None and type(each).__module__.startswith("promql_parser"):
                yield from nodes(each)


def selectors(expression: str) -> list[Any]:
    return [node for node in nodes(parsed(expression)) if isinstance(node, promql_parser.VectorSelector)]


def metric_of(name: str) -> str:
    """The metric that a series belongs to."""
    base = re.sub(r"_(bucket|sum|count)$", "", name)
    return base if base in METRICS else name


@pytest.mark.parametrize(("place", "expression"), expressions())
def test_every_metric_asked_for_exists_with_its_labels(place: str, expression: str) -> None:
    found = selectors(expression)
    assert found, place
    for selector in found:
        name = metric_of(selector.name)
        if name.startswith("process_"):
            continue
        assert name in METRICS, name
        labels = {matcher.name for matcher in selector.matchers.matchers}
        assert labels <= METRICS[name] | ADDED_LABELS, (name, labels)


@pytest.mark.parametrize(("place", "expression"), expressions())
def test_every_grouping_is_by_labels_that_are_there(place: str, expression: str) -> None:
    known = set().union(*(METRICS.get(metric_of(each.name), set()) for each in selectors(expression)))
    for node in nodes(parsed(expression)):
        modifier = getattr(node, "modifier", None)
        for part in (modifier, getattr(modifier, "matching", None)):
            grouped = getattr(part, "labels", None) or []
            assert set(grouped) <= known | ADDED_LABELS, place


@pytest.mark.parametrize(("place", "expression"), expressions())
def test_every_value_asked_for_can_occur(place: str, expression: str) -> None:
    for selector in selectors(expression):
        for matcher in selector.matchers.matchers:
            if matcher.name in VALUES:
                assert set(matcher.value.split("|")) <= VALUES[matcher.name], place


def test_the_walk_through_an_expression_misses_no_metric() -> None:
    for place, expression in expressions():
        written = set(re.findall(r"\b(?:livesheets|process)_[a-z_]+", expression))
        assert {selector.name for selector in selectors(expression)} >= written, place


def test_a_running_server_shows_every_metric_that_must_always_be_there(demo: Demo) -> None:
    text = demo.text("/metrics")
    for _, expression in expressions():
        for selector in selectors(expression):
            if selector.name not in ADDED_METRICS:
                assert f"# TYPE {metric_of(selector.name)} " in text, selector.name


def test_every_refusal_that_waits_for_a_person_is_alerted() -> None:
    rule = next(rule for rule in RULES if rule["alert"] == "LivesheetsCommitRefused")
    (matcher,) = [
        matcher
        for selector in selectors(rule["expr"])
        for matcher in selector.matchers.matchers
        if matcher.name == "outcome"
    ]
    assert set(matcher.value.split("|")) == {
        "data-rejected", "deletions-held", "diverged", "rewound", "branch-missing"
    }  # fmt: skip


def test_every_alert_says_how_bad_it_is_and_what_to_do() -> None:
    assert len({rule["alert"] for rule in RULES}) == len(RULES)
    for rule in RULES:
        assert rule["labels"]["severity"] in ("warning", "critical"), rule
        assert rule["annotations"]["summary"], rule
        assert rule["annotations"]["next_step"].endswith("."), rule


def test_every_panel_has_a_title_a_unit_of_its_own_and_room() -> None:
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert panel["title"]
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_the_dashboard_takes_any_data_source_and_server() -> None:
    names = [variable["name"] for variable in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "job", "instance"]
    for panel in PANELS:
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert "$instance" in target["expr"], panel["title"]


def test_the_report_shown_has_the_members_of_a_real_one() -> None:
    scene = Scene()
    scene.refused()
    (shown,) = (
        json.loads(block.text) for block in blocks("docs/how-to/monitor.md") if block.language == "json"
    )
    assert set(shown) == {"type", "timestamp", "text", "data"}
    assert set(shown["data"]) == set(scene.told[0].data)


def test_prometheus_takes_the_rules() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed; on Debian or Ubuntu: apt-get install prometheus")
    done = subprocess.run(
        [promtool, "check", "rules", FOLDER / "alerts.yaml"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
