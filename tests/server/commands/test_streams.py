"""Whatever standard streams the caller has closed, a command works, and nothing takes their numbers."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.end_to_end.client import Client
from tests.end_to_end.server_process import EXIT_DEADLINE_S, PROJECT, command, environment
from tests.end_to_end.waiting import eventually
from tests.gitrepo import GitRepo
from tests.ports import free_port

CLOSED = ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"]


@pytest.fixture
def repo(tmp_git: Callable[..., GitRepo]) -> GitRepo:
    """A data repository that can be served."""
    made = tmp_git()
    made.write({".gitsheets/people.toml": '[gitsheet]\nroot = "people"\npath = "${{ slug }}"\n'})
    made.write({"people/jane.toml": 'slug = "jane"\n'})
    made.commit()
    return made


def start(closed: str, *arguments: str, **settings: str | None) -> subprocess.Popen[bytes]:
    """A command whose caller has closed some of its streams."""
    return subprocess.Popen(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command(*arguments)],
        cwd=PROJECT,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


@pytest.mark.parametrize("closed", CLOSED)
def test_a_command_works_with_closed_streams(closed: str, repo: GitRepo) -> None:
    process = start(closed, "check", str(repo.path))
    output, errors = process.communicate(timeout=EXIT_DEADLINE_S)
    assert (process.returncode, errors) == (0, b"")
    assert (b"can be served" in output) == (">&-" not in closed.split())


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_command_that_fails_says_so_by_its_status_alone(closed: str) -> None:
    process = start(closed, "status", "--url", f"http://127.0.0.1:{free_port()}")
    _, errors = process.communicate(timeout=EXIT_DEADLINE_S)
    assert process.returncode == 1
    assert b"Traceback" not in errors


def test_help_without_anybody_to_read_it_succeeds() -> None:
    process = start(">&-", "--help")
    assert process.communicate(timeout=EXIT_DEADLINE_S) == (b"", b"")
    assert process.returncode == 0


def test_no_socket_and_no_file_of_a_server_gets_the_number_of_a_closed_stream(
    repo: GitRepo, tmp_path: Path
) -> None:
    port = free_port()
    data = repo.bare_clone(tmp_path / "data.git")
    arguments = ("serve", "--port", str(port))
    process = start(CLOSED[-1], *arguments, CFP_DATA_REPO_PATH=str(data), PORT=None)
    try:
        eventually(lambda: _is_ready(port), "the server is ready")
        standard = {os.readlink(f"/proc/{process.pid}/fd/{number}") for number in range(3)}
        assert standard == {os.devnull}
        process.send_signal(signal.SIGTERM)
        assert process.wait(EXIT_DEADLINE_S) == 0
    finally:
        process.kill()
        process.communicate()


def _is_ready(port: int) -> bool:
    try:
        return Client(port).get("/readyz").status == 200
    except ConnectionError:
        return False
