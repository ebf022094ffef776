"""Places to run engines on, made once and copied for each test."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.reload.harness import Engine, Place


@pytest.fixture(scope="session")
def _served_place(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Place:
    place = Place.made(tmp_path_factory.mktemp("served") / "place")

    async def serve() -> None:
        async with Engine(place) as engine:
            assert (await engine.reload()).outcome == "fast-forwarded"

    asyncio.run(serve())
    return place


@pytest.fixture
def place(_served_place: Place, tmp_path: Path) -> Place:
    """A place whose remote has been served before: an engine on it starts warm, with no build."""
    return _served_place.copied(tmp_path / "place")


@pytest.fixture
def new_place(tmp_path: Path) -> Place:
    """A place whose remote has never been fetched from."""
    return Place.made(tmp_path / "place")
