"""Records against their sheet's JSON Schema: nothing is fetched, nothing burns time, nothing is missed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from reload.records.policy import DataPolicy
from tests.gitrepo import GitRepo
from tests.reload.engine import opened
from tests.reload.policies import (
    DEFAULT,
    ENFORCE,
    FLAT,
    OFF,
    QUARANTINE_ENFORCE,
    build,
    listed,
    listing,
    records,
    rejection,
    violations_of,
)

SCHEMA = """
[gitsheet.schema]
required = ["slug", "email"]
additionalProperties = false
[gitsheet.schema.properties]
slug = { type = "string" }
email = { type = "string", format = "email" }
born = { type = "string", format = "date" }
kind = { enum = ["person", "team"] }
links = { type = "array", items = { type = "object", properties = { url = { type = "string" } } } }
"""
GOOD = 'slug = "ada"\nemail = "ada@example.org"\nborn = 1815-12-10\nkind = "person"\n'


@pytest.fixture
def repo(tmp_git: Callable[..., GitRepo]) -> GitRepo:
    """A sheet with a schema, and a record that keeps it."""
    made = tmp_git()
    made.write({".gitsheets/people.toml": FLAT + SCHEMA, "people/ada.toml": GOOD})
    made.commit()
    return made


def _serve(repo: GitRepo, policy: DataPolicy = DEFAULT) -> Path:
    with opened(repo.git_dir) as repository:
        return build(repository, repo.rev(), repo.path / "state", policy)


# -- what each policy does ----------------------------------------------------------------------------


def test_a_record_that_keeps_its_schema_is_served_without_a_word(repo: GitRepo) -> None:
    for policy in (OFF, DEFAULT, ENFORCE):
        state = _serve(repo, policy)
        assert list(records(state)) == ["ada"]
        assert not listed(state)


@pytest.mark.parametrize(
    ("change", "line", "message"),
    [
        ('email = "nobody"', 2, '/email: "nobody" is not a "email"'),
        ("email = 7", 2, '/email: 7 is not of type "string"'),
        ('kind = "robot"', 4, "/kind: "),
        ('[[links]]\nurl = "x"\n[[links]]\nurl = 1', 5, '/links/1/url: 1 is not of type "string"'),
        ("unknown = 1", 0, "unknown"),
        ("born = 2024-01-02T03:04:05Z", 3, "/born: "),
        ("born = 03:04:05", 3, '/born: "03:04:05" is not a "date"'),
    ],
)
def test_a_violation_is_listed_with_file_line_and_pointer_and_the_record_is_served(
    repo: GitRepo, change: str, line: int, message: str
) -> None:
    key = change.split(" ", 1)[0]
    kept = [each for each in GOOD.splitlines() if not each.startswith(f"{key} ")]
    if len(kept) < 4:
        kept.insert(line - 1, change)
    else:
        kept.append(change)
    repo.write({"people/ada.toml": "\n".join(kept) + "\n"})
    repo.commit()
    state = _serve(repo)
    (found,) = listing(state).warnings
    assert (found.kind, found.path, found.line) == ("schema", "people/ada.toml", line)
    assert found.message.startswith("breaks the schema: ")
    assert message in found.message
    assert list(records(state)) == ["ada"]
    assert not listed(_serve(repo, OFF))


def test_where_schemas_are_enforced_every_violation_refuses_the_commit(repo: GitRepo) -> None:
    repo.write({"people/ada.toml": 'slug = 1\nemail = "nobody"\nunknown = 1\n', "people/bo.toml": ""})
    commit = repo.commit()
    with opened(repo.git_dir) as repository:
        problems = rejection(repository, commit, repo.path / "state", ENFORCE)
    assert [(problem.path, problem.line) for problem in problems] == [
        ("people/ada.toml", 0),
        ("people/ada.toml", 1),
        ("people/ada.toml", 2),
        ("people/bo.toml", 0),
        ("people/bo.toml", 0),
    ]


def test_an_enforced_schema_in_quarantine_serves_the_version_that_kept_it(repo: GitRepo) -> None:
    good = records(_serve(repo))
    repo.write({"people/ada.toml": 'slug = 1\nemail = "nobody"\n'})
    repo.commit()
    state = _serve(repo, QUARANTINE_ENFORCE)
    assert records(state) == good
    assert "and 1 more" in listing(state).quarantined[0].message


def test_a_markdown_record_is_validated_with_its_body_and_located_in_its_front_matter(
    tmp_git: Callable[..., GitRepo],
) -> None:
    repo = tmp_git()
    form = "[gitsheet.format]\ntype = 'markdown'\nbody = 'body'\n"
    schema = "[gitsheet.schema.properties]\nn = {type = 'string'}\nbody = {maxLength = 3}\n"
    repo.write({".gitsheets/people.toml": FLAT + form + schema})
    repo.write({"people/ada.md": "\n+++\nslug = 'ada'\nn = 1\n+++\n\nn = 7 is no field here\n"})
    repo.commit()
    found = listing(_serve(repo)).warnings
    assert [(each.line, each.column) for each in found] == [(0, 0), (4, 1)]


@pytest.mark.parametrize(
    ("draft", "valid"),
    [
        (None, False),
        ("https://json-schema.org/draft/2020-12/schema", False),
        ("http://json-schema.org/draft-07/schema#", True),
    ],
)
def test_the_schema_says_which_draft_it_is_and_the_default_is_the_newest(
    draft: str | None, valid: bool
) -> None:
    """`dependentRequired` is not known before 2019-09."""
    schema: dict[str, Any] = {"dependentRequired": {"a": ["b"]}}
    if draft is not None:
        schema["$schema"] = draft
    assert bool(violations_of(schema, {"a": 1})) is not valid
