"""What a commit's tree holds: sheets, their files, and every problem in one order."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reload.build.findings import TooLargeData
from reload.build.manifest import SHEETS_MAX, Problems, read_entries, read_manifest, with_sizes
from reload.errors import PROBLEMS_MAX, Problem
from tests.gitrepo import GitRepo
from tests.reload.engine import opened

NewRepo = Callable[..., GitRepo]
PEOPLE = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"


@given(
    st.lists(
        st.builds(Problem, st.text("ab", max_size=2), st.integers(0, 3), st.just(1), st.sampled_from("xy"))
    )
)
def test_problems_are_kept_in_one_order_however_they_are_found(found: list[Problem]) -> None:
    problems = Problems()
    for problem in found:
        problems.add(problem)
    distinct = sorted(set(found), key=lambda each: (each.path, each.line, each.column, each.message))
    assert (problems.kept, problems.total) == (distinct, len(distinct))


def test_the_first_hundred_problems_are_kept_and_the_others_counted() -> None:
    problems = Problems()
    for number in reversed(range(PROBLEMS_MAX + 50)):
        problems.add(Problem(f"{number:03}", 0, 0, "x"))
    assert [each.path for each in problems.kept] == [f"{number:03}" for number in range(PROBLEMS_MAX)]
    assert problems.total == PROBLEMS_MAX + 50


def test_problems_are_counted_by_sheet_and_very_many_sheets_together() -> None:
    problems = Problems()
    for number in range(SHEETS_MAX + 50):
        for each in "xy":
            problems.add(Problem(f"{number:04}", 0, 0, each), f"sheet-{number}")
    assert problems.total == 2 * (SHEETS_MAX + 50)
    assert problems.counts["sheet-7"] == 2
    assert problems.counts[""] == 100
    assert len(problems.counts) == SHEETS_MAX + 1


def test_files_are_sorted_into_the_sheets_that_claim_them(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write({".gitsheets/people.toml": PEOPLE, ".gitsheets/again.toml": PEOPLE, "README.md": "x"})
    repo.write({"people/ada.toml": "n = 1\n", "people/ada/photo.png": b"12345", "people/notes.txt": "x"})
    commit = repo.commit()
    problems = Problems()
    with opened(repo.git_dir) as repository:
        manifest = read_manifest(repository, commit, 100, problems)
        assert list(manifest.sheets) == ["again", "people"]
        for contents in manifest.contents.values():
            assert [path for path, _ in contents.records] == ["ada"]
            (attachment,) = with_sizes(repository, contents.attachments)
            assert (attachment.record, attachment.name, attachment.size) == ("ada", "photo.png", 5)
    assert problems.kept == []


def test_a_commit_with_more_files_than_allowed_is_refused(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write({f"f{number}": "x" for number in range(10)})
    commit = repo.commit()
    with opened(repo.git_dir) as repository:
        assert len(read_entries(repository, commit, 10)) == 10
        with pytest.raises(TooLargeData, match="more than 9 files"):
            read_entries(repository, commit, 9)


def test_a_tree_that_names_one_folder_many_times_is_refused_without_being_listed(
    tmp_git: NewRepo, tmp_path: Path
) -> None:
    repo = tmp_git()
    oid = repo.git("hash-object", "-w", "--stdin", stdin=b"n = 1\n")
    kind, mode = "blob", "100644"
    for _ in range(8):  # ten files in ten folders in ten folders: 10^8 of them
        lines = "".join(f"{mode} {kind} {oid}\tn{number}\n" for number in range(10))
        oid, kind, mode = repo.git("mktree", stdin=lines.encode()), "tree", "040000"
    commit = repo.git("-c", "user.name=T", "-c", "user.email=t@example.org", "commit-tree", "-m", "bomb", oid)
    with opened(repo.git_dir) as repository:
        with pytest.raises(TooLargeData, match="more than 300000 files"):
            read_entries(repository, commit, 300_000)
