"""Whatever is logged becomes plain values of limited size."""

from __future__ import annotations

from datetime import date
from enum import Enum
from pathlib import Path
from typing import Any

import orjson

from server.operations.logs.redaction import Redactor
from server.operations.logs.values import Portable


def portable(**event: Any) -> dict[str, Any]:
    return dict(Portable(Redactor(), one_line=False)(None, "info", event))


def test_text_that_is_not_valid_unicode_is_logged_escaped() -> None:
    assert portable(name="a\udcffb", raw=b"a\xffb") == {"name": "a\\udcffb", "raw": "a\\xffb"}


def test_values_of_any_kind_are_logged() -> None:
    class Colour(Enum):
        RED = "red"

    class Broken:
        def __str__(self) -> str:
            raise RuntimeError("no text")

    assert portable(
        path=Path("/srv"),
        day=date(2024, 1, 2),
        colour=Colour.RED,
        large=2**70,
        huge=10**5000,
        nothing=None,
        ratio=0.5,
        error=ValueError("bad"),
        pair=(1, {"a"}),
        table={1: True},
        broken=Broken(),
    ) == {
        "path": "/srv",
        "day": "2024-01-02",
        "colour": "red",
        "large": str(2**70),
        "huge": "<int that cannot be shown>",
        "nothing": None,
        "ratio": 0.5,
        "error": "ValueError: bad",
        "pair": [1, ["a"]],
        "table": {"1": True},
        "broken": "<Broken that cannot be shown>",
    }


def test_a_value_of_any_size_makes_a_line_of_limited_size() -> None:
    deep: list[Any] = []
    for _ in range(500):
        deep = [deep]
    event = portable(text="a" * 2**20 + "END", many=["x"] * 10**5, deep=deep)
    assert len(orjson.dumps(event)) < 30_000
    assert event["text"].endswith("END")


def test_time_level_and_name_come_first() -> None:
    event = portable(commit="c0ffee", event="reload.swapped", level="info", timestamp="now")
    assert list(event) == ["timestamp", "level", "event", "commit"]
