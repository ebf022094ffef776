"""Faults in the data, at the engine: what refuses a commit, what is listed, and what is simply served."""

from __future__ import annotations

import orjson
import pytest

from reload.errors import PROBLEMS_MAX, DataRejected
from reload.records.policy import DataPolicy
from reload.records.toml import DOCUMENT_BYTES_MAX, NESTING_DEPTH_MAX
from reload.snapshot.state_file import StateFile
from tests.gitrepo import Content
from tests.reload.engine import opened, rows_of
from tests.reload.policies import (
    DEFAULT,
    FLAT,
    QUARANTINE,
    MakeRepo,
    alike,
    build,
    built,
    listed,
    move,
    problems_of,
    records,
    repo_of,
)

# -- D1 to D5: what cannot be read ---------------------------------------------------------------------


def test_every_unreadable_file_is_named_with_line_and_rule_and_not_only_the_first(tmp_git: MakeRepo) -> None:
    faults = {
        "syntax": ("a = 1\nb = = 2\n", 2),
        "key": ("a = 1\na = 2\n", 2),
        "table": ("[a]\n[b]\n[a]\n", 3),
        "date": ("a = 2024-13-01\n", 1),
        "return": ("a = 1\rb = 2\n", 1),
        "end": ("a = 1\nb =", 2),
        "text": ("a = 1\nb = '''x\n\n", 2),
        "bytes": (b"a = '\xff'\n".decode("latin-1").encode("latin-1"), 1),
    }
    repo = repo_of(tmp_git, {f"people/{name}.toml": data for name, (data, _) in faults.items()})
    found = {problem.path: problem for problem in problems_of(repo)}
    assert {path: p.line for path, p in found.items()} == {
        f"people/{name}.toml": line for name, (_, line) in faults.items()
    }
    assert all(problem.message and problem.column for problem in found.values())
    assert "offset 5" in found["people/bytes.toml"].message


def test_the_first_hundred_problems_are_kept_and_all_are_counted(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {f"people/p{n:03d}.toml": "a = = 1\n" for n in range(PROBLEMS_MAX + 20)})
    with pytest.raises(DataRejected) as caught:
        built(repo)
    assert caught.value.total == PROBLEMS_MAX + 20
    assert [p.path for p in caught.value.problems] == [f"people/p{n:03d}.toml" for n in range(PROBLEMS_MAX)]


@pytest.mark.parametrize(
    "data",
    [
        "a = " + "[" * 20_000 + "]" * 20_000,
        "a = " + "{b = " * 20_000 + "1" + "}" * 20_000,
        ".".join("a" * 100_000) + " = 1",
        "a = " + "9" * 5_000,
        "a = '" + "x" * DOCUMENT_BYTES_MAX + "'",
        f"a = {1 << 63}",
        f"a = {1 << 70}",
        "a = 1e400",
        b"a = '\xed\xa0\x80'",
        b"a = 'x\0y'",
    ],
    ids=["arrays", "tables", "dotted", "digits", "size", "2^63", "2^70", "1e400", "surrogate", "nul"],
)
def test_what_no_parser_should_see_is_refused_or_quarantined(tmp_git: MakeRepo, data: Content) -> None:
    repo = repo_of(tmp_git, {"people/good.toml": "slug = 'good'\n", "people/bad.toml": data})
    (problem,) = problems_of(repo)
    assert problem.path == "people/bad.toml"
    state = built(repo, QUARANTINE)
    assert list(records(state)) == ["good"]
    assert listed(state) == [("quarantined", "people/bad.toml")]


@pytest.mark.parametrize(
    "data",
    [
        "a = " + "[" * NESTING_DEPTH_MAX + "]" * NESTING_DEPTH_MAX,
        f"a = {(1 << 63) - 1}",
        "".join(f"k{n} = 1\n" for n in range(20_000)),
        f"a = [{', '.join('1' * 100_000)}]",
        "a = nan\nb = -inf\nc = -0.0\nd = 1e308",
        "a = 2024-01-02\nb = 03:04:05\nc = 2024-01-02T03:04:05\nd = 2024-01-02T03:04:05+02:00",
        "a = 'x\\u0000y'\nb = \"x\\u0000y\"",
        "a = '\u202eevil\u200b'",
    ],
    ids=["depth", "integer", "keys", "elements", "numbers", "dates", "escaped nul", "direction"],
)
def test_what_is_only_unusual_is_served_and_can_be_read_again(tmp_git: MakeRepo, data: str) -> None:
    repo = repo_of(tmp_git, {"people/odd.toml": data})
    state = built(repo)
    assert orjson.loads(records(state)["odd"])
    before = repo.rev()
    repo.write({"people/odd.toml": None})
    alike(repo, [before, repo.commit()])


# -- D8: definitions ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "definition",
    ["[gitsheet\n", "", "[gitsheet]\nroot = 'people'\n", "[gitsheet]\npath = '${{ a }}'\nroot = '../x'\n"],
    ids=["syntax", "empty", "pathless", "outside"],
)
@pytest.mark.parametrize("policy", [DEFAULT, QUARANTINE], ids=["reject", "quarantine"])
def test_an_unreadable_definition_refuses_the_commit_under_every_policy(
    tmp_git: MakeRepo, definition: str, policy: DataPolicy
) -> None:
    repo = repo_of(tmp_git, {"people/ada.toml": ""}, definition)
    (problem,) = problems_of(repo, policy)
    assert (problem.path, problem.line) == (".gitsheets/people.toml", 1)


def test_a_definition_that_is_a_link_is_never_followed(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {})
    repo.write({".gitsheets/other.toml": "people.toml"}, mode="120000")
    repo.commit()
    (problem,) = problems_of(repo)
    assert problem.path == ".gitsheets/other.toml"
    assert "symbolic link" in problem.message


@pytest.mark.parametrize(
    "expression",
    ["(() => { for (;;) {} })()", "'x'.repeat(1e9)", "process.exit(1)", "slug.toLowerCase()"],
)
def test_an_expression_in_a_template_is_never_evaluated(tmp_git: MakeRepo, expression: str) -> None:
    definition = f"[gitsheet]\nroot = 'people'\npath = \"${{{{ {expression} }}}}\"\n"
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'Ada'\n"}, definition)
    state = built(repo)
    assert list(records(state)) == ["ada"]
    assert not listed(state)


def test_two_sheets_may_share_a_root(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {".gitsheets/staff.toml": FLAT, "people/ada.toml": "slug = 'ada'\n"})
    state = built(repo)
    assert records(state, "people") == records(state, "staff") == {"ada": '{"slug":"ada"}'}


def test_a_deleted_definition_counts_as_the_deletion_of_its_records(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'ada'\n", "people/bo.toml": "slug = 'bo'\n"})
    first = repo.rev()
    repo.write({".gitsheets/people.toml": None})
    second = repo.commit()
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, first, repo.path / "state"))
        changes = move(repository, state_file, second, DEFAULT)
        assert (changes["people"].removed, state_file.sheets) == (2, {})
        state_file.close()


# -- D10, D11: entries and names -------------------------------------------------------------------------


def test_links_and_submodules_are_never_followed(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'ada'\n", "people/ada/photo.txt": "x"})
    first = repo.rev()
    repo.write({"people/link.toml": "/etc/passwd", "people/ada/link.txt": "/etc/passwd"}, mode="120000")
    repo.write({"people/module.toml": first}, mode="160000")
    repo.write({"people/run.toml": "slug = 'run'\n"}, mode="100755")
    second = repo.commit()
    assert [problem.path for problem in problems_of(repo)] == ["people/link.toml", "people/module.toml"]
    assert all("unsupported entry" in problem.message for problem in problems_of(repo))
    state = alike(repo, [first, second], QUARANTINE)
    assert sorted(records(state)) == ["ada", "run"]
    attached = [name for (name,) in rows_of(state, "SELECT name FROM livesheets_attachments")]
    assert attached == ["photo.txt"]
    assert ("unsupported", "people/ada/link.txt") in listed(state)


def test_any_name_that_git_stores_is_read_as_it_is(tmp_git: MakeRepo) -> None:
    names = [
        "a\nb",
        "esc\x1b[31m",
        'quo"te',
        "-dash",
        "dot.",
        "space ",
        "CON",
        "n" * 200,
        "\u202egpj",
        "a\\b",
        "*?[",
    ]
    repo = repo_of(tmp_git, {f"people/{name}.toml": "x = 1\n" for name in names})
    first = repo.rev()
    assert sorted(records(built(repo))) == sorted(names)
    repo.write({f"people/{name}.toml": "x = = 1\n" for name in names})
    second = repo.commit()
    repo.write({f"people/{name}.toml": None for name in names[::2]})
    state = alike(repo, [first, second, repo.commit()], QUARANTINE)
    assert sorted(records(state)) == sorted(names[1::2])
    assert [problem.path for problem in problems_of(repo)] == sorted(f"people/{n}.toml" for n in names[1::2])
