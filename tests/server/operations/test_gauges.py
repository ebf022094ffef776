"""The numbers of how things stand are those of the data, whatever its folders are called."""

from __future__ import annotations

import json
import re

import pytest

from reload.errors import PROBLEMS_MAX
from tests.server.conftest import Ask, Push
from tests.server.live_server import BEARER, WEBHOOK

BAD = "a = = 1\n"
MORE = PROBLEMS_MAX + 20
SHEET = '[gitsheet]\nroot = "{}"\npath = "${{{{ slug }}}}"\n'


pytestmark = pytest.mark.gen_test


async def refused(ask: Ask, push: Push, files: dict[str, str]) -> None:
    """Have a commit with these files refused."""
    push(files)
    reply = await ask("POST", WEBHOOK, BEARER, b"")
    assert json.loads(reply.body)["code"] == "data-rejected"


async def problems(ask: Ask) -> dict[str, float]:
    """How many problems there are by sheet."""
    metrics = (await ask("GET", "/metrics")).body.decode()
    found = dict(re.findall(r'^livesheets_problems\{sheet="(.*)"\} (\S+)$', metrics, re.MULTILINE))
    return {sheet: float(found.get(sheet, 0)) for sheet in ("people", "other", "")}


async def test_problems_count_for_the_sheet_that_reads_the_file(ask: Ask, push: Push) -> None:
    await refused(
        ask,
        push,
        {
            ".gitsheets/people.toml": SHEET.format("data/folks"),
            ".gitsheets/other.toml": SHEET.format("people"),
            "data/folks/ada.toml": BAD,
            **{f"people/p{number:03}.toml": BAD for number in range(MORE)},
        },
    )
    assert await problems(ask) == {"people": 1, "other": MORE, "": 0}


async def test_a_definition_that_cannot_be_read_is_a_problem_of_no_sheet(ask: Ask, push: Push) -> None:
    await refused(ask, push, {".gitsheets/other.toml": BAD, "people/eve.toml": BAD})
    assert await problems(ask) == {"people": 1, "other": 0, "": 1}
