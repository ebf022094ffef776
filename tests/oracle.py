"""The oracle: what gitsheets reads at a commit, and whether our JSON says the same."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from datetime import UTC, date, datetime, time
from pathlib import Path

import gitsheets

from tests.gitrepo import read_tree

EXTENSIONS = {"toml": ".toml", "markdown": ".md", "mdx": ".mdx"}

_FOLDER = ".gitsheets/"
_EPOCH = date(1970, 1, 1)
_CLOCK = r"\d\d:\d\d:\d\d(?:\.\d{1,6})?"
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_TIME = re.compile(_CLOCK, re.ASCII)
_DATETIME = re.compile(rf"\d{{4}}-\d\d-\d\dT{_CLOCK}(?:Z|(?!\+00:00)[+-]\d\d:\d\d)?", re.ASCII)


def oracle(git_dir: Path, commit: str) -> dict[str, dict[str, object]]:
    """Every sheet at `commit` as gitsheets reads it: `{sheet: {record path: value}}`.

    Raises what gitsheets or tomllib raise where a definition or record can't be read.
    """
    return {
        name: _records(git_dir, commit, definition)
        for name, definition in definitions(git_dir, commit).items()
    }


def definitions(git_dir: Path, commit: str) -> dict[str, dict[str, object]]:
    """The parsed definition of every sheet at `commit`, by the sheet's name."""
    files = read_tree(git_dir, commit, _FOLDER)
    names = {path: path.removeprefix(_FOLDER).removesuffix(".toml") for path in files}
    return {
        name: tomllib.loads(files[path].decode())
        for path, name in names.items()
        if path.endswith(".toml") and name and "/" not in name
    }


def _records(git_dir: Path, commit: str, definition: Mapping[str, object]) -> dict[str, object]:
    sheet = definition["gitsheet"]
    assert isinstance(sheet, dict)
    form = sheet.get("format", {})
    found = gitsheets.record_query(
        str(git_dir),
        commit,
        sheet.get("root", "."),
        sheet["path"],
        {},
        EXTENSIONS[form.get("type", "toml")],
        form.get("body"),
        form.get("title"),
    )
    return {entry["path"]: entry["record"] for entry in found}


def as_oracle(value: object) -> object:
    """A value from tomllib as gitsheets gives it: every kind of date is an aware UTC datetime.

    A local date is its midnight, a local time is on 1970-01-01, both as if in UTC; fractions of a
    second are cut to milliseconds.
    """
    if isinstance(value, dict):
        return {key: as_oracle(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_oracle(item) for item in value]
    if isinstance(value, date | time):
        return _instant(value)
    return value


def _instant(value: date | time) -> datetime:
    if isinstance(value, time):
        value = datetime.combine(_EPOCH, value)
    elif not isinstance(value, datetime):
        value = datetime.combine(value, time())
    value = value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    return value.replace(microsecond=value.microsecond // 1000 * 1000)


def matches(ours: object, theirs: object) -> bool:
    """Whether `ours`, decoded from our JSON, says what `theirs`, from the oracle, says.

    The types must agree too: 1 is neither 1.0 nor true. A date must be text in one of our forms;
    nan and infinities must be null.
    """
    if isinstance(theirs, datetime):
        return isinstance(ours, str) and _instant_of_json(ours) == theirs
    if isinstance(theirs, float) and not math.isfinite(theirs):
        return ours is None
    if type(ours) is not type(theirs):
        return False
    if isinstance(theirs, dict) and isinstance(ours, dict):
        return ours.keys() == theirs.keys() and all(
            matches(ours[key], value) for key, value in theirs.items()
        )
    if isinstance(theirs, list) and isinstance(ours, list):
        return len(ours) == len(theirs) and all(map(matches, ours, theirs))
    return ours == theirs


def _instant_of_json(text: str) -> datetime | None:
    """The instant that a date in our JSON stands for, None where `text` is in none of the forms."""
    for form, kind in ((_DATE, date), (_TIME, time), (_DATETIME, datetime)):
        if form.fullmatch(text):
            return _instant(kind.fromisoformat(text))
    return None
