"""A newcomer whose files do not fit is told which file, and what to do: by check, the API and the page."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve, run_command
from tests.gitrepo import GitRepo, run_git

DEFINITION = ".gitsheets/people.toml"
LAYOUTS = {
    "other-ending": (
        {
            DEFINITION: "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n",
            "people/x.yaml": "",
            "people/y.json": "",
        },
        f"{DEFINITION}:3: warning: no file fits: people/ holds x.yaml, y.json, only .toml is read",
    ),
    "misspelt-root": (
        {DEFINITION: "[gitsheet]\nroot = 'peple'\npath = '${{ slug }}'\n", "people/jane.toml": ""},
        f"{DEFINITION}:2: warning: no file fits: gitsheet.root 'peple/' is not in the commit:"
        " did you mean 'people/'?",
    ),
    "one-level-deeper": (
        {DEFINITION: "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n", "people/a/jane.toml": ""},
        f"{DEFINITION}:3: warning: no file fits: a/jane.toml lies 2 levels below people/, the template"
        " '${{ slug }}' puts records 1 level below it",
    ),
    "mustache": (
        {DEFINITION: "[gitsheet]\nroot = 'people'\npath = '{{ slug }}'\n", "people/jane.toml": ""},
        f"{DEFINITION}:3: warning: gitsheet.path '{{{{ slug }}}}' names no field:"
        " did you mean '${{ slug }}'?",
    ),
    "yaml-front-matter": (
        {
            ".gitsheets/posts.toml": "[gitsheet]\nroot = 'posts'\npath = '${{ slug }}'\n"
            "[gitsheet.format]\ntype = 'markdown'\nbody = 'body'\n",
            "posts/one.md": "---\ntitle: One\n---\nWords.\n",
            "posts/two.md": "+++\ntitle = 'Two'\n+++\n---\nWords\n---\n",
        },
        "posts/one.md:1: warning: begins with YAML front matter",
    ),
    "yaml-front-matter-of-another-form": (
        {
            ".gitsheets/posts.toml": "[gitsheet]\nroot = 'posts'\npath = '${{ slug }}'\n"
            "[gitsheet.format]\ntype = 'markdown'\nbody = 'body'\n",
            "posts/one.md": "---\n# a comment\n\ntitle: One\n...\nWords.\n",
        },
        "posts/one.md:1: warning: begins with YAML front matter",
    ),
    "unknown-key": (
        {
            DEFINITION: "[gitsheet]\npath = '${{ slug }}'\n[livesheets]\nserch = ['name']\n",
            "jane.toml": "name = 'Jane'\n",
        },
        f"{DEFINITION}:4: warning: livesheets.serch is not known: did you mean 'search'?",
    ),
    "index-of-no-field": (
        {
            DEFINITION: "[gitsheet]\npath = '${{ slug }}'\n[livesheets]\nindex = ['nmae']\n",
            "jane.toml": "name = 'Jane'\n",
        },
        f"{DEFINITION}:4: warning: livesheets.index: no record has a field 'nmae'",
    ),
    "yaml-definition": (
        {".gitsheets/people.yaml": "path: '${{ slug }}'\n", "people/jane.toml": ""},
        ".gitsheets/people.yaml: warning: is not read: name it .gitsheets/people.toml",
    ),
    "no-definition": (
        {"people/jane.toml": ""},
        'people holds 1 .toml file: call it .gitsheets/people.toml and root = "people"',
    ),
    "reserved-name": (
        {".gitsheets/_search.toml": "[gitsheet]\npath = '${{ slug }}'\n", "people/jane.toml": ""},
        ".gitsheets/_search.toml: warning: is not served: names that begin with _ belong to the API;"
        " rename it",
    ),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_check_names_the_file_and_the_remedy(tmp_path: Path, layout: str) -> None:
    files, expected = LAYOUTS[layout]
    repo = GitRepo.create(tmp_path / "data")
    repo.write(files)
    repo.commit("first")
    plain, strict = run_command("check", str(repo.path)), run_command("check", str(repo.path), "--strict")
    assert expected in plain.stdout
    has_sheet = any(name.endswith(".toml") and name.startswith(".gitsheets/p") for name in files)
    assert plain.returncode == (0 if has_sheet else 1), plain.stdout
    assert strict.returncode == 1


def test_check_tells_of_a_definition_that_is_not_committed(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "data")
    repo.write({"people/jane.toml": ""})
    repo.commit("first")
    (repo.path / ".gitsheets").mkdir()
    (repo.path / DEFINITION).write_text("[gitsheet]\npath = '${{ slug }}'\n")
    checked = run_command("check", str(repo.path))
    assert f"{DEFINITION}: warning: not committed, so the server does not see it" in checked.stdout
    assert checked.returncode == 1


def test_check_tells_of_records_that_are_not_committed(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "data")
    repo.write({DEFINITION: "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n", "people/jane.toml": ""})
    repo.commit("first")
    run_git(repo.path, "reset", "--hard", "--quiet")
    for number in range(25):
        (repo.path / "people" / f"p{number:02}.toml").touch()
    (repo.path / "people" / "notes.txt").touch()
    checked = run_command("check", str(repo.path))
    assert "people/p00.toml: warning: not committed, so the server does not see it" in checked.stdout
    assert "warning: 5 more files not committed" in checked.stdout
    assert "notes.txt" not in checked.stdout
    assert (checked.returncode, run_command("check", str(repo.path), "--strict").returncode) == (0, 1)


def test_check_tells_of_a_definition_that_was_edited_and_not_committed(tmp_path: Path) -> None:
    repo = GitRepo.create(tmp_path / "data")
    definition = "[gitsheet]\npath = '${{ slug }}'\n"
    repo.write({DEFINITION: definition, "jane.toml": ""})
    repo.commit("first")
    run_git(repo.path, "reset", "--hard", "--quiet")
    (repo.path / DEFINITION).write_text(f"# edited\n{definition}")
    checked = run_command("check", str(repo.path), "--strict")
    assert f"{DEFINITION}: warning: not committed, so the server does not see it" in checked.stdout
    assert checked.returncode == 1


def test_a_server_of_empty_sheets_says_why_until_they_are_filled(serve: Serve, tmp_path: Path) -> None:
    remote = DataRemote(tmp_path / "host", LAYOUTS["misspelt-root"][0])
    server = serve(tmp_path / "server", remote.path)
    server.ready(remote.head)
    (note,) = server.client.get("/api").json["meta"]["notes"]
    assert "did you mean 'people/'?" in note
    assert b"did you mean &#x27;people/&#x27;?" in server.client.get("/").body
    remote.push({"peple/jane.toml": ""})
    assert server.client.reload().status == 200
    assert "notes" not in server.client.get("/api").json["meta"]
    remote.push({"peple/jane.toml": None})
    assert server.client.reload().status == 200
    assert server.client.get("/api").json["meta"]["notes"] == [note]


def test_a_sheet_with_a_reserved_name_is_not_listed(serve: Serve, tmp_path: Path) -> None:
    remote = DataRemote(tmp_path / "host", LAYOUTS["reserved-name"][0])
    server = serve(tmp_path / "server", remote.path)
    server.ready(remote.head)
    answer = server.client.get("/api").json
    assert answer["data"] == []
    assert any("belong to the API" in note for note in answer["meta"]["notes"])
