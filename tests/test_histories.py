"""The test tooling itself: repositories hold what was written, and the oracle reads it."""

from __future__ import annotations

import math
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.conftest import BLOG_BRANCH
from tests.gitrepo import init_bare
from tests.histories import (
    GitRepo,
    Tree,
    as_oracle,
    histories,
    matches,
    oracle,
    read_tree,
    repositories,
    run_git,
    toml_documents,
)

NewRepo = Callable[..., GitRepo]
FLAT = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"


@contextmanager
def scratch_repo() -> Iterator[GitRepo]:
    """A repository for one example, where a fixture would be shared by all of them."""
    with tempfile.TemporaryDirectory() as folder:
        yield GitRepo.create(Path(folder))


def names_git_sees(tree: Tree) -> set[str]:
    """The paths of a tree that no other path of it needs as a folder."""
    return {path for path in tree if not any(other.startswith(f"{path}/") for other in tree)}


@settings(max_examples=25)
@given(histories(max_commits=4, invalid=True))
def test_every_commit_of_a_history_holds_exactly_its_tree(history: list[Tree]) -> None:
    with scratch_repo() as repo:
        commits = repo.commit_all(history)
        assert [read_tree(repo.git_dir, commit) for commit in commits] == history


@settings(max_examples=25)
@given(histories(max_commits=4))
def test_writing_differences_makes_the_same_trees_as_committing_them_whole(
    history: list[Tree],
) -> None:
    with scratch_repo() as repo:
        before: Tree = {}
        for tree in history:
            repo.write(dict.fromkeys(before.keys() - tree.keys()) | tree)
            assert read_tree(repo.git_dir, repo.commit()) == tree
            before = tree


@given(histories(invalid=True))
def test_no_tree_needs_a_path_as_file_and_folder(history: list[Tree]) -> None:
    assert all(names_git_sees(tree) == tree.keys() for tree in history)


@given(repositories())
def test_every_single_tree_declares_a_sheet(tree: Tree) -> None:
    assert any(path.startswith(".gitsheets/") for path in tree)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(repositories())
def test_gitsheets_reads_every_valid_repository(tree: Tree) -> None:
    with scratch_repo() as repo:
        (commit,) = repo.commit_all([tree])
        sheets = {path[11:-5] for path in tree if path.startswith(".gitsheets/")}
        assert oracle(repo.git_dir, commit).keys() == sheets


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(("ada", "bo", "ñandú", "v1.0")), toml_documents()))
def test_the_oracle_reads_toml_as_tomllib_does(documents: dict[str, bytes]) -> None:
    with scratch_repo() as repo:
        repo.write({f"people/{name}.toml": data for name, data in documents.items()})
        repo.write({".gitsheets/people.toml": FLAT})
        found = oracle(repo.git_dir, repo.commit())["people"]
    expected = {n: in_json(tomllib.loads(data.decode())) for n, data in documents.items()}
    assert matches(expected, found)


def in_json(value: object) -> object:
    """A value from tomllib as a client reads it from our JSON."""
    if isinstance(value, dict):
        return {key: in_json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [in_json(item) for item in value]
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return None if isinstance(value, float) and not math.isfinite(value) else value


@pytest.mark.parametrize(
    ("ours", "toml"),
    [
        ("2024-01-02", "2024-01-02"),
        ("03:04:05.120000", "03:04:05.12"),
        ("2024-01-02T03:04:05", "2024-01-02 03:04:05"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("2024-01-02T03:04:05.999999+02:00", "2024-01-02T03:04:05.9999999+02:00"),
        (None, "nan"),
        (None, "-inf"),
        ({"a": [1, 2.0, True, "x"]}, '{a = [1, 2.0, true, "x"]}'),
    ],
)
def test_what_our_json_says_of_a_toml_value_matches(ours: object, toml: str) -> None:
    assert matches(ours, as_oracle(tomllib.loads(f"a = {toml}")["a"]))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (1, 1.0),
        (1, True),
        ("1", 1),
        (None, 1.0),
        ([1], [1, 2]),
        ({"a": 1}, {"a": 1, "b": 2}),
        ("20240102", datetime(2024, 1, 2, tzinfo=UTC)),
        ("2024-01-03", datetime(2024, 1, 2, tzinfo=UTC)),
        ("2024-01-02T00:00:00-01:00", datetime(2024, 1, 2, tzinfo=UTC)),
        ("2024-01-02T00:00:00+00:00", datetime(2024, 1, 2, tzinfo=UTC)),
        ("soon", datetime(2024, 1, 2, tzinfo=UTC)),
    ],
)
def test_other_values_and_other_types_do_not_match(ours: object, theirs: object) -> None:
    assert not matches(ours, theirs)


def test_a_file_takes_the_place_of_a_folder_and_the_other_way_round(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write({"a/b": "1", 'odd "name"\n\\': b"2", "gone/x": "3", "gone/y": "4"})
    first = repo.commit()
    repo.write({"a": "5", "gone": None})
    repo.write({'odd "name"\n\\/c': b"6"})
    second = repo.commit()
    assert read_tree(repo.git_dir, first).keys() == {"a/b", 'odd "name"\n\\', "gone/x", "gone/y"}
    assert read_tree(repo.git_dir, second) == {"a": b"5", 'odd "name"\n\\/c': b"6"}


def test_modes_and_merges_are_as_asked(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write({"file": "x"})
    base = repo.commit()
    repo.switch("side", base)
    repo.write({"link": "/etc/passwd"}, mode="120000")
    repo.write({"sub": base}, mode="160000")
    side = repo.commit("Ünïcode message", date=5)
    repo.switch("main", base)
    merged = repo.commit(merge=[side])
    assert repo.git("rev-parse", f"{merged}^1", f"{merged}^2").split() == [base, side]
    assert repo.git("ls-tree", "--format=%(objectmode) %(path)", side).splitlines() == [
        "100644 file",
        "120000 link",
        "160000 sub",
    ]
    assert repo.git("log", "-1", "--format=%ct %s", side) == "5 Ünïcode message"


def test_the_same_calls_make_the_same_commits(tmp_git: NewRepo) -> None:
    ids = []
    for name in ("one", "two"):
        repo = tmp_git(name, "trunk")
        repo.write({"a": "1"})
        ids.append((repo.commit(), repo.commit("again"), repo.rev("trunk")))
    assert ids[0] == ids[1]
    assert ids[0][1] == ids[0][2]


def test_pushes_reach_the_remote_and_rewrites_need_force(tmp_git: NewRepo, tmp_path: Path) -> None:
    repo = tmp_git()
    first, second = repo.commit(), repo.commit()
    remote = init_bare(tmp_path / "remote.git")
    repo.push(remote)
    clone = repo.bare_clone(tmp_path / "clone.git")
    repo.reset(first)
    with pytest.raises(AssertionError, match="rejected"):
        repo.push(remote)
    assert run_git(remote, "rev-parse", "main").decode().strip() == second
    repo.push(remote, force=True)
    assert run_git(remote, "rev-parse", "main").decode().strip() == first
    assert run_git(clone, "rev-parse", "main").decode().strip() == second


def test_checkout_shows_the_newest_commit_in_the_working_tree(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write({"people/ada.toml": "a = 1\n"})
    repo.commit()
    assert (repo.checkout() / "people/ada.toml").read_text() == "a = 1\n"


def test_the_oracle_reads_the_blog(blog: Path) -> None:
    sheets = oracle(blog, BLOG_BRANCH)
    assert sheets.keys() == {"posts", "inside-rust"}
    assert sum(map(len, sheets.values())) == 686
