"""Every link inside the documentation leads somewhere, and every page can be found from the index."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs.pages import DOCS, ROOT, anchors, links, pages

# `make bench` writes it; before that nothing is there to link to.
GENERATED = DOCS / "explanation" / "benchmarks.md"


def is_outside(target: str) -> bool:
    return target.startswith(("https://", "http://", "mailto:"))


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    text = path.read_text("utf-8")
    for target in links(text):
        if is_outside(target):
            continue
        file, _, anchor = target.partition("#")
        there = (path.parent / file).resolve() if file else path
        if there == GENERATED and not there.exists():
            continue
        assert there.exists(), f"{path.relative_to(ROOT)} links to {target}, which does not exist"
        assert there.is_relative_to(ROOT), f"{target} leads out of the project"
        if anchor:
            assert anchor in anchors(there.read_text("utf-8")), f"{target}: no such heading"


@pytest.mark.parametrize("path", pages(), ids=lambda path: str(path.relative_to(ROOT)))
def test_links_that_lead_outside_are_encrypted(path: Path) -> None:
    assert not [target for target in links(path.read_text("utf-8")) if target.startswith("http://")]


def test_the_index_links_to_every_page_below_docs() -> None:
    index = DOCS / "README.md"
    linked = {
        (DOCS / target).resolve() for target in links(index.read_text("utf-8")) if not is_outside(target)
    }
    assert {path for path in DOCS.rglob("*.md") if path != index} <= linked


def test_the_readme_links_to_every_part_of_the_documentation() -> None:
    linked = {target.partition("#")[0] for target in links((ROOT / "README.md").read_text("utf-8"))}
    parts = {path.parent.relative_to(ROOT).as_posix() for path in DOCS.rglob("*.md")}
    assert parts <= {str(Path(target).parent) for target in linked}
