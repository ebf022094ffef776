"""`docs/reference/settings.md` says what `server/settings/variables.py` says."""

from __future__ import annotations

import re
from pathlib import Path

from server.settings.variables import VARIABLES, Variable

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "settings.md"


def row_of(variable: Variable) -> str:
    default = variable.when_unset or f"`{variable.default}`"
    secret = "yes" if variable.secret else ""
    return f"| `{variable.name}` | {default} | {variable.meaning} | {secret} |"


def test_every_variable_has_its_row_and_no_row_is_left_over() -> None:
    rows = [line for line in PAGE.read_text().splitlines() if re.match(r"\| `[A-Z]", line)]
    assert rows == [row_of(variable) for variable in VARIABLES]


def test_every_variable_that_the_page_mentions_exists() -> None:
    mentioned = set(re.findall(r"\b(?:CFP_[A-Z_]+[A-Z]|HOST|PORT)\b", PAGE.read_text()))
    prefixes = {"CFP_DATA", "CFP_GITHUB", "CFP_GITLAB", "CFP_GITEA", "CFP_BITBUCKET", "CFP_AZURE"}
    assert mentioned - prefixes <= {name for variable in VARIABLES for name in variable.names}


def test_the_page_states_the_lengths_that_are_enforced() -> None:
    lengths = {variable.characters_min for variable in VARIABLES if variable.secret}
    stated = set(map(int, re.findall(r"at least (\d+)(?: characters|, because)", PAGE.read_text())))
    assert lengths == stated
