"""One demo for all examples that only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.docs.running import Demo, running_demo


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[Demo]:
    """A running demo, shared: nobody may change its data."""
    with running_demo(tmp_path_factory.mktemp("documentation") / "demo-data") as running:
        yield running
