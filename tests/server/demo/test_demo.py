"""The demo's folder is whole after every start, and its commands can be pasted anywhere."""

from __future__ import annotations

import json
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from server.demo.demo import (
    BRANCH,
    EDITED_RECORD,
    Demo,
    DemoError,
    demo_settings,
    prepare_demo,
    three_commands,
)
from server.settings.settings import read_settings
from server.settings.variables import VARIABLES
from tests.end_to_end.server_process import run_command
from tests.gitrepo import read_tree, run_git
from tests.server.stub import StubServer

COMMAND_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def new_demo(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Demo:
    """A demo that was just made; tests get copies of it."""
    return prepare_demo(tmp_path_factory.mktemp("new") / "demo")


@pytest.fixture
def demo(new_demo: Demo, tmp_path: Path) -> Demo:
    return prepare_demo(shutil.copytree(new_demo.folder, tmp_path / "it's a demo", symlinks=True))


def head(repository: Path) -> str:
    return run_git(repository, "rev-parse", BRANCH).decode().strip()


def paste(command: str, folder: Path) -> str:
    """What the command prints in a shell that was opened in `folder`."""
    done = subprocess.run(["bash", "-c", command], cwd=folder, capture_output=True, timeout=COMMAND_TIMEOUT_S)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def test_the_demo_has_a_remote_with_a_history_a_clone_and_a_private_secret(demo: Demo) -> None:
    authors = run_git(demo.remote, "log", "--format=%an <%ae>|%cn <%ce>", BRANCH).decode()
    assert set(authors.splitlines()) == {"|".join(["Livesheets demo <demo@example.org>"] * 2)}
    assert 3 <= len(authors.splitlines()) <= 9
    assert run_git(demo.remote, "symbolic-ref", "HEAD").decode().strip() == f"refs/heads/{BRANCH}"
    assert head(demo.workdir) == head(demo.remote)
    assert run_git(demo.workdir, "status", "--porcelain") == b""
    assert not demo.repo_path.exists()
    assert stat.S_IMODE((demo.folder / "secret").stat().st_mode) == 0o600
    assert (demo.folder / "secret").read_text() == f"{demo.secret}\n"
    assert len(demo.secret) >= 32


def test_two_demos_differ_in_nothing_but_the_secret(tmp_path: Path) -> None:
    one, two = prepare_demo(tmp_path / "one"), prepare_demo(tmp_path / "two")
    assert head(one.remote) == head(two.remote)
    assert one.secret != two.secret


def test_nothing_but_the_demos_own_parts_is_left_in_the_folder(demo: Demo) -> None:
    names = {path.name for path in demo.folder.iterdir()}
    assert names == {".gitignore", "remote.git", "workdir", "secret"}


def test_a_whole_demo_is_reused_with_what_was_edited_in_it(demo: Demo) -> None:
    (demo.workdir / "README.md").write_text("mine")
    run_git(demo.workdir, *identity(), "commit", "-q", "-a", "-m", "mine")
    run_git(demo.workdir, "push", "-q", "origin", BRANCH)
    (demo.workdir / "note.txt").write_text("not committed")
    before = head(demo.remote)
    assert prepare_demo(demo.folder) == demo
    assert head(demo.remote) == before
    assert (demo.workdir / "note.txt").exists()


def identity() -> tuple[str, ...]:
    return ("-c", "user.name=Visitor", "-c", "user.email=visitor@example.org")


def without_remote(demo: Demo) -> None:
    shutil.rmtree(demo.remote)


def without_branch(demo: Demo) -> None:
    run_git(demo.remote, "update-ref", "-d", f"refs/heads/{BRANCH}")


def without_objects(demo: Demo) -> None:
    shutil.rmtree(demo.remote / "objects")
    (demo.remote / "objects").mkdir()


def without_workdir(demo: Demo) -> None:
    shutil.rmtree(demo.workdir)


def with_an_empty_workdir(demo: Demo) -> None:
    without_workdir(demo)
    demo.workdir.mkdir()


def with_a_file_for_a_remote(demo: Demo) -> None:
    without_remote(demo)
    demo.remote.write_text("")


def with_a_cut_secret(demo: Demo) -> None:
    (demo.folder / "secret").write_text(demo.secret[:10])


def with_leftovers(demo: Demo) -> None:
    without_remote(demo)
    for name in ("draft", "remote.git.new", "workdir.new"):
        (demo.folder / name / ".git").mkdir(parents=True)
    (demo.folder / "secret").rename(demo.folder / "secret.new")


@pytest.mark.parametrize(
    "damage",
    [
        without_remote,
        without_branch,
        without_objects,
        without_workdir,
        with_an_empty_workdir,
        with_a_file_for_a_remote,
        with_a_cut_secret,
        with_leftovers,
    ],
)
def test_a_half_made_demo_is_made_whole(demo: Demo, damage: Callable[[Demo], None]) -> None:
    commit, tree = head(demo.remote), read_tree(demo.remote, BRANCH)
    damage(demo)
    remade = prepare_demo(demo.folder)
    assert head(remade.remote) == head(remade.workdir) == commit
    assert read_tree(remade.workdir, BRANCH) == tree
    assert len(remade.secret) == len(demo.secret)
    assert (remade.workdir / f"{EDITED_RECORD}.toml").is_file()
    test_nothing_but_the_demos_own_parts_is_left_in_the_folder(remade)


def test_a_new_remote_takes_the_servers_old_clone_with_it(demo: Demo) -> None:
    run_git(demo.folder, "clone", "-q", "--bare", str(demo.remote), str(demo.repo_path))
    (demo.folder / "data.git.state").mkdir()
    without_remote(demo)
    prepare_demo(demo.folder)
    test_nothing_but_the_demos_own_parts_is_left_in_the_folder(demo)


def test_a_secret_that_others_can_read_is_made_private_again(demo: Demo) -> None:
    (demo.folder / "secret").chmod(0o644)
    assert prepare_demo(demo.folder).secret == demo.secret
    assert stat.S_IMODE((demo.folder / "secret").stat().st_mode) == 0o600


def test_a_folder_that_holds_something_else_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / "workdir").mkdir()
    (tmp_path / "workdir" / "thesis.txt").write_text("years of work")
    with pytest.raises(DemoError, match="--dir"):
        prepare_demo(tmp_path)
    assert [path.name for path in tmp_path.rglob("*")] == ["workdir", "thesis.txt"]


def test_a_demo_can_be_moved(demo: Demo, tmp_path: Path) -> None:
    moved = prepare_demo(demo.folder.rename(tmp_path / "elsewhere"))
    origin = run_git(moved.workdir, "remote", "get-url", "origin").decode().strip()
    assert origin == str(tmp_path / "elsewhere" / "remote.git")


def test_the_users_git_configuration_and_variables_do_not_matter(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "gitconfig").write_text("[commit]\n\tgpgsign = true\n[broken\n")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "gitconfig"))
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "nowhere"))
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Somebody Else")
    assert prepare_demo(tmp_path / "demo").workdir.is_dir()


def test_the_folders_content_is_ignored_by_a_surrounding_repository(tmp_path: Path) -> None:
    run_git(tmp_path, "init", "-q")
    prepare_demo(tmp_path / "demo-data")
    assert run_git(tmp_path, "status", "--porcelain", "-uall") == b""


def test_no_secret_is_shown_by_the_commands_or_a_repr(demo: Demo) -> None:
    shown = "\n".join(three_commands(demo, "http://localhost:8080"))
    assert demo.secret not in shown + repr(demo)


def test_the_reading_commands_ask_for_a_list_and_a_search(
    demo: Demo, stub: StubServer, tmp_path: Path
) -> None:
    listing, search, _ = three_commands(demo, f"{stub.url}/")
    paste(listing, tmp_path)
    paste(search, tmp_path)
    assert [request[:2] for request in stub.requests] == [
        ("GET", "/api/people?limit=3"),
        ("GET", "/api/_search?q=food+access"),
    ]


def test_the_editing_command_pushes_announces_and_shows_a_real_change_every_time(
    demo: Demo, stub: StubServer, tmp_path: Path
) -> None:
    edit = three_commands(demo, stub.url)[2]
    for _ in range(2):
        before, tree = head(demo.remote), read_tree(demo.remote, BRANCH)
        printed = paste(edit, tmp_path)
        after, changed = head(demo.remote), read_tree(demo.remote, BRANCH)
        assert run_git(demo.remote, "rev-parse", f"{after}^").decode().strip() == before
        assert {path for path in tree if tree[path] != changed[path]} == {f"{EDITED_RECORD}.toml"}
        webhook, shown = stub.requests[-2:]
        assert webhook[:3] == ("POST", "/api/_internal/reload-data", f"Bearer {demo.secret}")
        assert json.loads(webhook[3]) == {"branch": BRANCH, "commitHash": after}
        assert shown[:2] == ("GET", f"/api/{EDITED_RECORD}")
        assert printed.splitlines()[-1] == json.dumps({"asked": f"/api/{EDITED_RECORD}"})
    assert run_git(demo.workdir, "status", "--porcelain") == b""


def test_no_setting_of_the_operator_counts_in_the_demo_but_those_of_the_log(tmp_path: Path) -> None:
    demo = Demo(tmp_path, tmp_path / "remote.git", tmp_path / "workdir", tmp_path / "data.git", "0" * 48)
    operators = {name: "nonsense" for variable in VARIABLES for name in variable.names}
    logs = {"CFP_LOG_LEVEL": "debug", "CFP_LOG_FORMAT": "json", "CFP_LOG_PEERS": "off"}
    found = demo_settings(demo, operators | {"CFP_DATA_NONSENSE": "x", "PATH": "/bin"} | logs, 8081)
    settings = read_settings(found)
    assert (settings.port, settings.host, settings.log_level) == (8081, "127.0.0.1", "debug")
    assert (settings.repo_path, settings.remote) == (demo.repo_path, str(demo.remote))
    assert (settings.sentry_dsn, settings.warnings, found["PATH"]) == (None, (), "/bin")


def test_a_place_where_no_demo_can_be_made_is_told_plainly(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine")
    done = run_command("demo", "--port", "0", "--dir", str(file))
    assert (done.returncode, done.stdout) == (1, "")
    assert str(file) in done.stderr
    assert "--dir" in done.stderr
    assert "Traceback" not in done.stderr
