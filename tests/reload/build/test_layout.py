"""A sheet without records says why, and a file that was meant to define a sheet is named."""

from __future__ import annotations

from pathlib import Path

import pytest

from reload.build.layout import empty_sheet, list_layout, template_hint, unread_definitions
from reload.records.sheet import Sheet, read_sheet
from reload.repository.repository import Repository
from reload.snapshot.state_file import StateFile
from tests.reload.engine import build, everything, move, new_repository, opened


def sheet(path: str = "${{ slug }}", root: str = "people") -> Sheet:
    found = read_sheet("people", f"[gitsheet]\npath = '{path}'\nroot = '{root}'\n".encode())
    assert isinstance(found, Sheet)
    return found


@pytest.mark.parametrize(
    ("files", "message"),
    [
        (["x.yaml", "y.json"], "no file fits: people/ holds x.yaml, y.json, only .toml is read"),
        (
            ["a/b.toml"],
            "no file fits: a/b.toml lies 2 levels below people/, the template '${{ slug }}' puts records"
            " 1 level below it",
        ),
        (
            ["a.yaml", "b.yaml", "c.yaml", "d.yaml", "e.yaml"],
            "no file fits: people/ holds a.yaml, b.yaml, c.yaml and 2 more, only .toml is read",
        ),
    ],
)
def test_an_empty_sheet_says_why_no_file_fits(files: list[str], message: str) -> None:
    assert empty_sheet(sheet(), files, []) == message


def test_a_misspelt_root_is_told_with_the_folder_that_was_meant() -> None:
    told = empty_sheet(sheet(root="peple"), [], ["people", "posts", "people/staff"])
    assert told == "no file fits: gitsheet.root 'peple/' is not in the commit: did you mean 'people/'?"
    told = empty_sheet(sheet(root="peple"), [], ["zebra"])
    assert told == "no file fits: gitsheet.root 'peple/' is not in the commit"


def test_files_outside_the_folder_of_the_template_are_told() -> None:
    told = empty_sheet(sheet("staff/${{ slug }}"), ["guests/jane.toml", "guests/joe.toml"], [])
    assert told == (
        "no file fits: guests/jane.toml, guests/joe.toml lie outside the folder 'staff' that the template"
        " 'staff/${{ slug }}' names"
    )


def test_a_sheet_at_the_top_of_an_empty_commit_is_told() -> None:
    assert empty_sheet(sheet(root="."), [], []) == "no file fits: the commit holds no other file"


@pytest.mark.parametrize(
    ("source", "meant"),
    [
        ("{{ slug }}", "${{ slug }}"),
        ("${ slug }", "${{ slug }}"),
        ("{slug}", "${{ slug }}"),
        ("<slug>", "${{ slug }}"),
        ("people/:slug", "people/${{ slug }}"),
        ("{{ year }}/{{ slug }}", "${{ year }}/${{ slug }}"),
    ],
)
def test_a_template_of_another_kind_is_told_with_what_was_meant(source: str, meant: str) -> None:
    assert template_hint(source) == f"gitsheet.path {source!r} names no field: did you mean {meant!r}?"


@pytest.mark.parametrize("source", ["${{ slug }}", "${{ year }}/${{ slug }}", "settings", "a/b"])
def test_a_template_that_may_be_meant_as_it_is_gets_no_hint(source: str) -> None:
    assert template_hint(source) is None


def test_files_that_were_meant_to_define_sheets_are_named() -> None:
    paths = [
        ".gitsheets/people.yaml",
        ".gitsheets/posts.TOML",
        ".gitsheets/events.toml",
        ".gitsheets/more/tags.toml",
        ".gitsheets/README.md",
        "people/x.yaml",
    ]
    assert list(unread_definitions(paths)) == [
        (".gitsheets/people.yaml", "is not read: name it .gitsheets/people.toml"),
        (".gitsheets/posts.TOML", "is not read: name it .gitsheets/posts.toml"),
        (
            ".gitsheets/more/tags.toml",
            "is not read: a sheet is defined directly in .gitsheets/, not in a folder of it",
        ),
    ]


PEOPLE = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"
INDEXED = f"{PEOPLE}[livesheets]\nindex = ['age']\nserch = ['name']\n"
STEPS: list[dict[str, str | None]] = [
    {".gitsheets/people.toml": PEOPLE, "people/a.toml": "age = 1\n"},
    {".gitsheets/people.toml": INDEXED},
    {"people/a.toml": "name = 'no age'\n"},
    {"people/b.toml": "age = 2\n", "README.md": "x"},
    {"people/a.toml": None, "people/b.toml": None, "people/c.yaml": ""},
    {".gitsheets/people.toml": None, "staff/a.toml": ""},
    {".gitsheets/people.yaml": PEOPLE},
    {".gitsheets/people.yaml": None, ".gitsheets/people.toml": PEOPLE.replace("people'", "staff'")},
]


def test_what_is_listed_is_the_same_from_scratch_and_by_difference(tmp_path: Path) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        commits = []
        for step in STEPS:
            repo.write(step)
            commits.append(repo.commit())
        fresh = [everything(build(repository, commit, tmp_path / "fresh")) for commit in commits]
        listed = [each["tables"]["livesheets_problems"] for each in fresh]
        assert [bool(each) for each in listed] == [False, True, True, True, True, True, True, False]
        moved = build(repository, commits[0], tmp_path / "moved")
        state_file = StateFile.open(moved)
        for number in (*range(1, len(STEPS)), *reversed(range(len(STEPS)))):
            move(repository, state_file, commits[number])
            assert everything(moved) == fresh[number], number
        state_file.close()


def test_where_nothing_is_odd_a_reload_asks_git_for_no_list_of_files(tmp_path: Path) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        repo.write(STEPS[0])
        first = repo.commit()
        state_file = StateFile.open(build(repository, first, tmp_path / "state"))
        repo.write({"people/a.toml": "age = 2\n"})
        second = repo.commit()
        list_layout(_NoTree(repository), state_file, second, ["people/a.toml"])  # type: ignore[arg-type]
        state_file.close()


class _NoTree:
    """A repository that must not be asked for files."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
