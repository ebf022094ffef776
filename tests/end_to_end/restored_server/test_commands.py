"""The commands as a person runs them: what they print, and the exit codes that scripts rely on."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest
from typer.testing import CliRunner

from server.cli import app
from tests.end_to_end.client import SECRET
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import ServerProcess, run_command
from tests.ports import free_port

Done = subprocess.CompletedProcess[str]
FAILED, USAGE, IN_USE, BAD_CONFIGURATION = 1, 2, 75, 78
COMMANDS = ("serve", "demo", "reload", "status", "check", "doctor")


def at_once(*runs: Callable[[], Done]) -> list[Done]:
    """What commands print that do not need each other."""
    with ThreadPoolExecutor() as pool:
        return list(pool.map(lambda run: run(), runs))


def ask(server: ServerProcess, *arguments: str, secret: str = SECRET) -> Done:
    """A command that talks to a running server."""
    url = f"http://127.0.0.1:{server.client.port}"
    return run_command(*arguments, "--url", url, CFP_DATA_RELOAD_SECRET=secret)


def test_the_installed_command_tells_every_command() -> None:
    installed = Path(sys.executable).with_name("livesheets")
    if not installed.exists():
        pytest.skip(f"{installed} is missing; install the project with pip")
    done = subprocess.run([installed, "--help"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0
    for name in COMMANDS:
        assert re.search(rf"^\W*{name}\b", done.stdout, re.MULTILINE), name


def test_every_command_has_help_of_its_own() -> None:
    for command in COMMANDS:  # in this process, to be quick
        done = CliRunner().invoke(app, [command, "--help"])
        assert done.exit_code == 0
        assert command in done.output


def test_what_is_no_command_is_a_usage_error() -> None:
    for done in at_once(partial(run_command, "nonsense"), partial(run_command, "serve", "--port", "many")):
        assert done.returncode == USAGE
        assert done.stderr


FAULTY: dict[str, str | None] = {
    "CFP_DATA_REPO_PATH": None,
    "CFP_DATA_BRANSH": "main",
    "CFP_DATA_RELOAD_SECRET": "hunter2-too-short",
    "CFP_DATA_POLL_INTERVAL": "often",
    "CFP_DATA_INVALID": "ignore",
    "CFP_DATA_REMOTE": "https://user:canary-password@example.org/data.git",
    "CFP_GIT_TIMEOUT": "0",
    "PORT": "70000",
}


def test_all_faults_of_a_configuration_are_told_at_once_without_secrets() -> None:
    for done in at_once(*(partial(run_command, command, **FAULTY) for command in ("serve", "doctor"))):
        told = done.stdout + done.stderr
        assert done.returncode == BAD_CONFIGURATION
        for name in FAULTY:
            assert name in told, name
        assert "CFP_DATA_BRANCH" in told  # the nearest known name
        assert "hunter2" not in told
        assert "canary-password" not in told
        assert "Traceback" not in told


def test_a_secret_that_protects_nothing_is_refused(tmp_path: Path) -> None:
    serve = partial(run_command, "serve", "--port", "0", CFP_DATA_REPO_PATH=str(tmp_path / "data.git"))
    for done in at_once(*(partial(serve, CFP_DATA_RELOAD_SECRET=secret) for secret in ("", "x" * 31))):
        assert done.returncode == BAD_CONFIGURATION
        assert "CFP_DATA_RELOAD_SECRET" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_second_server_on_the_same_data_is_told_who_has_it(
    server: ServerProcess, remote: DataRemote
) -> None:
    done = run_command("serve", "--port", "0", **server.settings)
    assert done.returncode == IN_USE
    assert f"pid {server.process.pid}" in done.stderr
    assert server.client.get("/api").commit == remote.head


def test_a_port_that_is_taken_is_told(tmp_path: Path, remote: DataRemote) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        settings = {"CFP_DATA_REPO_PATH": str(tmp_path / "data.git"), "CFP_DATA_REMOTE": str(remote.path)}
        done = run_command("serve", "--port", port, **settings)
    assert done.returncode == FAILED
    assert port in done.stderr
    assert "Traceback" not in done.stderr


def test_reload_prints_the_outcome_and_succeeds_only_if_the_data_is_current(
    server: ServerProcess, remote: DataRemote
) -> None:
    new = remote.push({"people/p01.toml": person(1, name="Renamed"), "people/p02.toml": None})
    done = ask(server, "reload", "--commit", new)
    assert done.returncode == 0, done.stderr
    assert "fast-forwarded" in done.stdout
    assert new in done.stdout
    assert "people" in done.stdout
    assert server.client.get("/api").commit == new

    bad = remote.push({"people/p01.toml": "name = = 1\n"})
    done = ask(server, "reload")
    assert done.returncode == FAILED
    assert "data-rejected" in done.stderr
    assert "people/p01.toml:1" in done.stderr

    assert ask(server, "reload", "--commit", bad).returncode == FAILED
    remote.vanish()
    done = ask(server, "reload")
    assert done.returncode == FAILED
    assert "fetch-failed" in done.stderr


def test_reload_takes_an_operators_consent(server: ServerProcess, remote: DataRemote) -> None:
    rewritten = remote.rewrite(None, {".gitsheets/people.toml": '[gitsheet]\npath = "${{ slug }}"\n'})
    assert ask(server, "reload").returncode == FAILED
    done = ask(server, "reload", "--accept-rewrite", "--accept-deletions")
    assert done.returncode == 0, done.stderr
    assert server.client.get("/api").commit == rewritten


def test_a_wrong_secret_or_no_server_is_a_failure(server: ServerProcess) -> None:
    wrong = "w" * 40
    url = f"http://127.0.0.1:{free_port()}"
    *refused, done = at_once(
        partial(ask, server, "reload", secret=wrong),
        partial(ask, server, "status", secret=wrong),
        partial(run_command, "reload", "--url", url, CFP_DATA_RELOAD_SECRET=SECRET),
    )
    for each in refused:
        assert each.returncode == FAILED
        assert "unauthorized" in each.stderr
        assert wrong not in each.stdout + each.stderr
    assert done.returncode == FAILED
    assert url in done.stderr
    assert "Traceback" not in done.stderr


def test_status_tells_people_and_programs_and_fails_where_data_is_not_fresh(
    server: ServerProcess, remote: DataRemote
) -> None:
    done = ask(server, "status", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document.keys() == server.client.status().keys()
    assert document["served"]["commit"] == remote.head
    good = remote.head
    remote.push({"people/p01.toml": "name = = 1\n"})
    server.client.reload()
    done = ask(server, "status")
    assert done.returncode == FAILED
    assert good[:12] in done.stdout
    assert "people/p01.toml:1" in done.stdout


def test_check_passes_what_the_server_would_serve(remote: DataRemote) -> None:
    done = run_command("check", str(remote.author.path))
    assert (done.returncode, done.stderr) == (0, "")
    assert "people" in done.stdout
    before = remote.head
    remote.push({"people/p01.toml": None, "people/new.toml": person(2, slug="new")})
    done = run_command("check", str(remote.path), "--ref", "main", "--base", before)
    assert done.returncode == 0, done.stdout
    assert "1 added" in done.stdout
    assert "1 removed" in done.stdout


def test_check_names_every_file_and_line_that_the_server_would_refuse(remote: DataRemote) -> None:
    good = remote.head
    remote.push(
        {
            "people/p01.toml": 'slug = "p01"\nname = = 1\n',
            "posts/food.md": "+++\n\nx = \n+++\n",
            ".gitsheets/notes.toml": "[gitsheet]\nroot = 'notes'\n",
        }
    )
    done, earlier = at_once(
        partial(run_command, "check", str(remote.path)),
        partial(run_command, "check", str(remote.path), "--ref", good),
    )
    assert (done.returncode, earlier.returncode) == (FAILED, 0)
    found = re.findall(r"^(\S+):(\d+): \S", done.stdout, re.MULTILINE)
    assert {("people/p01.toml", "2"), ("posts/food.md", "3"), (".gitsheets/notes.toml", "1")} == set(found)


def test_check_of_what_is_no_repository_fails_plainly(tmp_path: Path, remote: DataRemote) -> None:
    for done in at_once(
        partial(run_command, "check", str(tmp_path)),
        partial(run_command, "check", str(remote.path), "--ref", "nothing"),
    ):
        assert done.returncode == FAILED
        assert done.stderr
        assert "Traceback" not in done.stderr


def test_doctor_finds_nothing_wrong_with_a_good_set_up(
    server: ServerProcess, remote: DataRemote, tmp_path: Path
) -> None:
    settings = {"CFP_DATA_REPO_PATH": str(tmp_path / "data.git"), "CFP_DATA_REMOTE": str(remote.path)}
    before, done = at_once(
        partial(run_command, "doctor", CFP_DATA_RELOAD_SECRET=SECRET, **settings),
        partial(run_command, "doctor", **server.settings),
    )
    assert before.returncode == 0, before.stdout
    assert remote.head[:12] in before.stdout
    assert done.returncode == 0, done.stdout
    assert str(server.process.pid) in done.stdout
    assert SECRET not in before.stdout + before.stderr + done.stdout + done.stderr


def test_doctor_says_what_is_wrong_and_how_to_mend_it(tmp_path: Path) -> None:
    settings = {
        "CFP_DATA_REPO_PATH": str(tmp_path / "data.git"),
        "CFP_DATA_REMOTE": str(tmp_path / "nowhere.git"),
    }
    done = run_command("doctor", **settings)
    assert done.returncode == FAILED
    assert "CFP_DATA_REMOTE" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
