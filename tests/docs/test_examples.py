"""Every example request in the README and the reference gets the answer that is printed under it."""

from __future__ import annotations

import json
from itertools import pairwise

import pytest

from tests.docs.pages import Block, blocks
from tests.docs.running import EXAMPLE_URL, Demo, run_shell, settled

PAGES = ("README.md", "docs/reference/http.md", "docs/reference/data-format.md")
SHAPE_ONLY = {"docs/reference/http.md": ("/api/_internal/status",)}


def examples() -> list[tuple[Block, Block]]:
    """A shell block that asks the demo, with the JSON block right after it."""
    return [
        (request, answer)
        for name in PAGES
        for request, answer in pairwise(blocks(name))
        if request.language == "sh" and EXAMPLE_URL in request.text and answer.language == "json"
    ]


@pytest.mark.parametrize(("request_block", "answer_block"), examples(), ids=str)
def test_the_printed_answer_is_the_real_one(demo: Demo, request_block: Block, answer_block: Block) -> None:
    script = request_block.text.replace(EXAMPLE_URL, demo.url)
    real = json.loads(run_shell(script, demo.folder, SECRET=demo.secret))
    printed = json.loads(answer_block.text)
    if any(path in script for path in SHAPE_ONLY.get(answer_block.page, ())):
        assert shape(real) == shape(printed)
    else:
        assert settled(real) == settled(printed)


def test_there_are_examples() -> None:
    assert len(examples()) >= 9


def shape(value: object) -> object:
    """The keys of an answer at every depth; of a list only its first element's.

    Which phases a reload had differs from one to the next.
    """
    if isinstance(value, dict):
        return {key: None if key == "phasesMs" else shape(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return None
