"""Names that a file system may mix up, and paths that do not match their records: served, and listed."""

from __future__ import annotations

import unicodedata
from typing import Any

import orjson
import pytest

from reload.records.path_rule import PathRule
from reload.snapshot.tables.collisions import folded
from tests.reload.engine import sheet_of
from tests.reload.policies import MakeRepo, alike, built, listing, records, repo_of

_NFD = unicodedata.normalize("NFD", "zoë")


def test_twins_are_served_and_each_is_listed_with_the_other(tmp_git: MakeRepo) -> None:
    names = ["ada", "Ada", "zoë", _NFD, "bo"]
    repo = repo_of(tmp_git, {f"people/{name}.toml": f"slug = '{name}'\n" for name in names})
    state = built(repo)
    assert sorted(records(state)) == sorted(names)
    found = {each.path: each.message for each in listing(state).warnings}
    assert found.keys() == {f"people/{name}.toml" for name in names[:-1]}
    assert "'people/Ada.toml'" in found["people/ada.toml"]
    assert "'people/ada.toml'" in found["people/Ada.toml"]
    assert "zoe\\u0308" in found["people/zoë.toml"]
    assert "zoë" in found[f"people/{_NFD}.toml"]


def test_twins_are_listed_alike_by_difference_as_they_come_and_go(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'ada'\n"})
    commits = [repo.rev()]
    for files in ({"ADA": "x"}, {"Ada": "x"}, {"ada": None}, {"ADA": None}, {"ada": "x"}, {"Ada": None}):
        repo.write({f"people/{name}.toml": text and f"slug = '{name}'\n" for name, text in files.items()})
        commits.append(repo.commit())
    counts = [len(listing(built(repo, commit=commit)).warnings) for commit in commits]
    assert counts == [0, 2, 3, 2, 0, 2, 0]
    alike(repo, commits)


@pytest.mark.parametrize(
    ("text", "key"),
    [
        ("ada", "ada"),
        ("2024/07", "2024/07"),
        ("ADA/Bo", "ada/bo"),
        ("STRASSE", "strasse"),
        ("Straße", "strasse"),
    ],
)
def test_paths_fold_alike_that_a_file_system_may_take_for_one(text: str, key: str) -> None:
    assert folded(text) == key
    assert folded(unicodedata.normalize("NFD", "ZOË")) == folded("zoë") == "zoë"


@pytest.mark.parametrize(
    ("template", "path", "record", "there"),
    [
        ("${{ slug }}", "a", {"slug": "a"}, None),
        ("${{ slug }}", "a", {"slug": "b"}, "b"),
        ("${{slug}}", "a", {"slug": "a", "x": {"slug": "b"}}, None),
        ("${{slug}}", "b", {"slug": "a", "x": {"slug": "b"}}, "a"),
        ("${{ slug }}", "a", {}, None),
        ("${{ slug }}", "7", {"slug": 7}, None),
        ("${{ slug }}", "8", {"slug": 7}, "7"),
        ("${{ slug }}", "a", {"slug": True}, None),
        ("${{ slug }}", "a", {"slug": 1.5}, None),
        ("${{ slug }}", "a", {"slug": ["b"]}, None),
        ("${{ a.b }}", "x", {"a": {"b": "y"}}, "y"),
        ("${{ a-b }}", "x", {"a-b": "y"}, "y"),
        ("${{ slug.toLowerCase() }}", "x", {"slug": "y"}, None),
        ("${{ slug || 'x' }}", "x", {"slug": "y"}, None),
        ("${{ year }}/${{ slug }}", "2024/a", {"year": 2024, "slug": "a"}, None),
        ("${{ year }}/${{ slug }}", "2024/a", {"year": 2023, "slug": "a"}, "2023/a"),
        ("${{ at: YYYY/MM }}/${{ slug }}", "2024/05/a", {"at": "2020-01-01", "slug": "b"}, "2024/05/b"),
        ("by-${{ a }}-${{ b }}/${{ c }}", "by-1-2/x", {"a": 1, "b": 3, "c": "x"}, "by-1-3/x"),
        ("${{ path/** }}", "a/b/c", {"path": "a/b/c"}, None),
        ("${{ path/** }}", "a/b/c", {"path": "a/b"}, "a/b"),
        ("top/${{ path/** }}", "top/a", {"path": "b"}, "top/b"),
        ("${{ `${a}/${b}` }}/${{ c }}", "x/y", {"c": "z"}, "x/z"),
    ],
)
def test_a_path_that_plain_field_references_contradict_is_told_with_the_right_one(
    template: str, path: str, record: dict[str, Any], there: str | None
) -> None:
    sheet = sheet_of(f"[gitsheet]\nroot = 'r'\npath = {orjson.dumps(template).decode()}\n")
    found = PathRule(sheet).mismatch(path, orjson.dumps(record).decode())
    if there is None:
        assert found is None
    else:
        assert found is not None
        assert f"'r/{there}.toml'" in found


def test_two_files_that_belong_at_one_path_are_served_where_they_lie_and_listed(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {"people/a.toml": "slug = 'b'\n", "people/b.toml": "slug = 'b'\n"})
    before = repo.rev()
    state = built(repo)
    assert sorted(records(state)) == ["a", "b"]
    (found,) = listing(state).warnings
    assert (found.kind, found.path) == ("path", "people/a.toml")
    assert "'people/b.toml'" in found.message
    repo.write({"people/a.toml": "slug = 'a'\n"})
    alike(repo, [before, repo.commit()])
