"""The numbers of how things stand are those of the data, whatever its folders are called."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from reload.errors import PROBLEMS_MAX
from tests.server.stand import Stand, stand

BAD = "a = = 1\n"
MORE = PROBLEMS_MAX + 20
SHEET = '[gitsheet]\nroot = "{}"\npath = "${{{{ slug }}}}"\n'


@pytest.fixture
def server(tmp_path: Path, _isolated_git: None) -> Iterator[Stand]:
    """A server with one record, people/ada.toml of the sheet people."""
    with stand(tmp_path) as started:
        yield started


def refused(server: Stand, files: dict[str, str | bytes | None]) -> None:
    """Have a commit with these files refused."""
    server.work.write(files)
    server.work.commit()
    server.work.push(server.remote)
    assert server.call().document["code"] == "data-rejected"


def problems(server: Stand) -> dict[str, float]:
    """How many problems there are by sheet."""
    return {
        sheet: server.metric(f'livesheets_problems{{sheet="{sheet}"}}') for sheet in ("people", "other", "")
    }


def test_problems_count_for_the_sheet_that_reads_the_file(server: Stand) -> None:
    refused(
        server,
        {
            ".gitsheets/people.toml": SHEET.format("data/folks"),
            ".gitsheets/other.toml": SHEET.format("people"),
            "data/folks/ada.toml": BAD,
            **{f"people/p{number:03}.toml": BAD for number in range(MORE)},
        },
    )
    assert problems(server) == {"people": 1, "other": MORE, "": 0}


def test_a_definition_that_cannot_be_read_is_a_problem_of_no_sheet(server: Stand) -> None:
    refused(server, {".gitsheets/other.toml": BAD, "people/eve.toml": BAD})
    assert problems(server) == {"people": 1, "other": 0, "": 1}
