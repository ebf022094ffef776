"""`livesheets serve FOLDER`: a user's own folder, without settings, and without a change to it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.server_process import ServerProcess, run_command
from tests.end_to_end.waiting import eventually
from tests.gitrepo import run_git

DEFINITION = '[gitsheet]\nroot = "people"\npath = "${{ slug }}"\n'
IDENTITY = ("-c", "user.name=Test", "-c", "user.email=test@example.org")

Start = Callable[..., ServerProcess]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a sheet of one record; no repository."""
    made = tmp_path / "my data"
    write(made, ".gitsheets/people.toml", DEFINITION)
    write(made, "people/ada.toml", 'name = "Ada"\n')
    return made


@pytest.fixture
def clone(folder: Path) -> Path:
    """The same folder as a repository with one commit."""
    run_git(folder, "init", "-q", "--template=", "-b", "trunk")
    commit(folder)
    return folder


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(folder, *options)` serves a folder on a free port; it must stop cleanly in the end."""
    started = []

    def serve(folder: Path, *options: str, **settings: str) -> ServerProcess:
        unset = {"CFP_DATA_REPO_PATH": None, "CFP_DATA_RELOAD_SECRET": None}
        server = ServerProcess(tmp_path, None, XDG_CACHE_HOME=str(tmp_path / "cache"), **unset, **settings)
        started.append(server)
        return server.start("serve", str(folder), "--port", "0", *options)

    yield serve
    for server in started:
        server.clean_up()


def write(folder: Path, name: str, text: str) -> None:
    (folder / name).parent.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text)


def commit(folder: Path, *options: str) -> str:
    run_git(folder, "add", "--all")
    run_git(folder, *IDENTITY, "commit", "-q", "-m", "data", *options)
    return run_git(folder, "rev-parse", "HEAD").decode().strip()


def names(server: ServerProcess) -> list[str]:
    return [item["record"]["name"] for item in server.client.get("/api/people").data]


def told_until(server: ServerProcess, words: str) -> str:
    """What the server has printed since it was last looked at, up to a line with these words."""
    assert server.process.stdout is not None
    told = ""
    while words not in told:
        line = server.process.stdout.readline().decode()
        assert line, f"the server ended without {words!r}: {told}"
        told += line
    return told


def files(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every file below a folder, with its time and its bytes."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file())
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in found}


def test_what_is_committed_is_served_without_a_setting(start: Start, clone: Path) -> None:
    write(clone, "people/draft.toml", 'name = "Not committed"\n')
    server = start(clone)
    server.ready(run_git(clone, "rev-parse", "HEAD").decode().strip())
    assert names(server) == ["Ada"]
    assert server.client.get("/api").json["meta"]["branch"] == "trunk"


def test_a_new_commit_is_served_by_itself(start: Start, clone: Path) -> None:
    server = start(clone)
    server.ready()
    write(clone, "people/bob.toml", 'name = "Bob"\n')
    server.ready(commit(clone))
    assert names(server) == ["Ada", "Bob"]


def test_an_amended_commit_is_followed(start: Start, clone: Path) -> None:
    server = start(clone)
    server.ready()
    write(clone, "people/ada.toml", 'name = "Ada Lovelace"\n')
    server.ready(commit(clone, "--amend"))
    assert names(server) == ["Ada Lovelace"]


def test_the_users_folder_is_not_written_to(start: Start, clone: Path) -> None:
    before = files(clone)
    for options in ((), ("--uncommitted",)):
        server = start(clone, *options)
        server.ready()
        server.stop()
    assert files(clone) == before


def test_a_folder_of_a_repository_and_a_linked_working_tree_are_served(
    start: Start, clone: Path, tmp_path: Path
) -> None:
    linked = tmp_path / "linked"
    run_git(clone, "worktree", "add", "-q", "-b", "other", str(linked))
    write(linked, "people/eve.toml", 'name = "Eve"\n')
    head = commit(linked)
    start(clone / "people").ready(run_git(clone, "rev-parse", "trunk").decode().strip())
    server = start(linked)
    server.ready(head)
    assert names(server) == ["Ada", "Eve"]


def test_files_are_served_as_they_are_where_that_is_asked_for(start: Start, clone: Path) -> None:
    write(clone, ".gitignore", "people/secret.toml\n")
    write(clone, "people/secret.toml", 'name = "Secret"\n')
    write(clone, "people/draft.toml", 'name = "Draft"\n')
    server = start(clone, "--uncommitted")
    server.ready()
    assert names(server) == ["Ada", "Draft"]
    write(clone, "people/bob.toml", 'name = "Bob"\n')
    eventually(lambda: names(server) == ["Ada", "Bob", "Draft"], "the new file is served")
    (clone / "people" / "draft.toml").unlink()
    eventually(lambda: names(server) == ["Ada", "Bob"], "the removed file is not served")


def test_files_are_served_without_a_repository(start: Start, folder: Path) -> None:
    server = start(folder, "--uncommitted")
    server.ready()
    assert names(server) == ["Ada"]
    assert not (folder / ".git").exists()


def test_a_file_that_breaks_leaves_the_version_before_and_is_named(start: Start, folder: Path) -> None:
    server = start(folder, "--uncommitted")
    server.ready()
    write(folder, "people/ada.toml", "name = \n")
    write(folder, "people/bob.toml", 'name = "Bob"\n')
    assert "  people/ada.toml:1:8: " in told_until(server, "ada.toml:1")
    assert names(server) == ["Ada", "Bob"]
    write(folder, "people/ada.toml", 'name = "Ada"\n')
    assert "ada.toml" not in told_until(server, "All is as it should be again.\n")


def test_the_user_is_told_where_what_and_what_is_wrong(folder: Path, start: Start) -> None:
    write(folder, ".gitsheets/places.toml", DEFINITION.replace("people", "plases"))
    server = start(folder, "--uncommitted")
    told = told_until(server, "places.toml:2:1")
    assert f"http://127.0.0.1:{server.client.port}/docs" in told
    assert f"{folder} as they are, COMMITTED OR NOT" in told
    assert "people: 1 record\n" in told
    assert f"curl -s 'http://127.0.0.1:{server.client.port}/api/people?limit=3'" in told


def test_a_second_start_serves_from_what_the_first_kept(start: Start, clone: Path) -> None:
    start(clone).ready()
    again = start(clone, "--uncommitted")  # a cache of its own, so both run
    again.ready()
    again.stop()
    again.start("serve", str(clone), "--port", "0", "--uncommitted")
    again.ready()
    assert not again.log.of("state.unfit")


def test_two_servers_of_one_folder_are_told_of_each_other(start: Start, clone: Path, tmp_path: Path) -> None:
    server = start(clone)
    second = run_command("serve", str(clone), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert second.returncode == 75
    assert str(server.process.pid) in second.stderr


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("none", "does not exist"),
        ("my data/people/ada.toml", "is no folder"),
        ("my data", "is no git repository: make it one with `git init`"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_remedy(
    folder: Path, tmp_path: Path, name: str, words: str
) -> None:
    done = run_command("serve", str(tmp_path / name), XDG_CACHE_HOME=str(tmp_path / "cache"))
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert not (tmp_path / "cache").exists()


def test_a_branch_without_commit_a_detached_head_and_a_bare_repository_with_files_are_refused(
    clone: Path, tmp_path: Path
) -> None:
    empty, bare = tmp_path / "empty", tmp_path / "bare.git"
    run_git(tmp_path, "init", "-q", "--template=", str(empty))
    run_git(tmp_path, "clone", "-q", "--bare", "--template=", str(clone), str(bare))
    run_git(clone, "checkout", "-q", "--detach")
    for arguments, words in (
        ((str(empty),), "has no commit yet: commit your files"),
        ((str(clone),), "no branch is checked out"),
        ((str(bare), "--uncommitted"), "is a bare repository, which has no files"),
    ):
        done = run_command("serve", *arguments)
        assert done.returncode == 2
        assert words in done.stderr


def test_a_folder_beside_a_repository_of_the_settings_is_refused(clone: Path, tmp_path: Path) -> None:
    done = run_command("serve", str(clone), CFP_DATA_REPO_PATH=str(tmp_path / "data.git"))
    assert done.returncode == 2
    assert "CFP_DATA_REPO_PATH also says what is served: unset it" in done.stderr
    assert run_command("serve", "--uncommitted").returncode == 2
