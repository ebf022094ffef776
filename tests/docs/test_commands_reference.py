"""`docs/reference/commands.md` lists every command, option and exit code that there is, and no other."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from server.cli import app
from server.commands.exits import BAD_CONFIGURATION, FAILED, IN_USE, USAGE
from tests.docs.pages import codes, headings, page, rows, section

TEXT = page("docs/reference/commands.md")
# Typer carries its own copy of click, whose types cannot be imported.
GROUP: Any = typer.main.get_command(app)
COMMANDS: dict[str, Any] = GROUP.commands


def names_of(command: Any) -> set[str]:
    """What a person may write after a command, without the negative forms of switches."""
    return {
        str(each.metavar).strip("[]") if each.param_type_name == "argument" else each.opts[0]
        for each in command.params
    }


def documented(heading: str) -> set[str]:
    return {name for row in rows(section(TEXT, heading)) for name in codes(row[0])}


def test_every_command_has_its_heading_and_no_heading_is_left_over() -> None:
    written = [heading for heading in headings(TEXT) if heading.startswith("`livesheets ")]
    assert sorted(written) == sorted(f"`livesheets {name}`" for name in COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_of_a_command_has_its_row_and_no_row_is_left_over(name: str) -> None:
    assert documented(f"`livesheets {name}`") == names_of(COMMANDS[name])


def test_the_options_of_livesheets_itself_are_listed() -> None:
    before_commands = TEXT.partition("\n## ")[0]
    listed = {name for row in rows(before_commands) for name in codes(row[0]) if name.startswith("--")}
    assert listed == names_of(GROUP) | {"--help"}


def test_every_exit_code_has_its_row() -> None:
    before_commands = TEXT.partition("\n## ")[0]
    listed = [int(row[0]) for row in rows(before_commands) if row[0].isdigit()]
    assert listed == [0, FAILED, USAGE, IN_USE, BAD_CONFIGURATION]
