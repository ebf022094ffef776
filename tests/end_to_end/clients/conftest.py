"""The demo, its description, and what a client must find in it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.running import Demo, running_demo


@pytest.fixture(scope="package")
def demo(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[Demo]:
    """A running demo; nobody changes its data."""
    with running_demo(tmp_path_factory.mktemp("clients") / "demo-data") as running:
        yield running


@pytest.fixture
def description(demo: Demo, tmp_path: Path) -> Path:
    """A file with the description of the demo."""
    path = tmp_path / "openapi.json"
    path.write_text(demo.text("/api/_openapi.json"))
    return path


@pytest.fixture
def expected(demo: Demo) -> dict[str, Any]:
    """What the programs print, asked for without a client."""

    def ask(path: str) -> Any:
        return json.loads(demo.text(path))["data"]

    one = ask("/api/projects/food-access-map")["record"]
    titles = [item["record"]["title"] for item in ask("/api/projects?sort=title&limit=1000")]
    assert len(titles) > 40  # several pages
    return {
        "titles": titles,
        "stage": "live",
        "website": True,
        "members": [name.upper() for name in one["members"]],
        "cost": one["monthlyCost"] * 12,
        "sheets": [hit["sheet"] for hit in ask("/api/_search?q=food+access&limit=5")],
        "refusal": "record-not-found",
    }
