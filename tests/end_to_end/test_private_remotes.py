"""A private remote over HTTP: its token opens it, is renewed without a restart, and shows nowhere."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.leaks import Traces
from tests.end_to_end.private_host import Mood, PrivateHost
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve, ServerProcess, run_command
from tests.ports import free_port
from tests.reload.hosts import SilentHost

TOKEN = "glpat-canary-0123456789"
RENEWED = "glpat-canary-of-the-next-month"
USERNAME = "deploy"


@pytest.fixture
def host(remote: DataRemote) -> Iterator[PrivateHost]:
    """A host of `remote` that asks for a token."""
    with PrivateHost(remote.path.parent, USERNAME, TOKEN) as started:
        yield started


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    """The file that the operator keeps the token in, right from the start."""
    file = tmp_path / "token"
    file.write_text(TOKEN + "\n")
    return file


def start(serve: Serve, folder: Path, remote: str, token_file: Path, **settings: str) -> ServerProcess:
    return serve(
        folder,
        remote,
        CFP_DATA_REMOTE_USERNAME=USERNAME,
        CFP_DATA_REMOTE_TOKEN_FILE=str(token_file),
        **settings,
    )


def refusal(server: ServerProcess) -> str:
    """Why the remote does not let the server fetch."""
    problem = server.client.reload().problem(502, "fetch-failed")
    return str(problem["reason"])


def test_a_token_opens_a_private_remote_and_is_renewed_without_a_restart(
    serve: Serve, remote: DataRemote, host: PrivateHost, token_file: Path, tmp_path: Path
) -> None:
    server = start(serve, tmp_path, host.url("remote.git"), token_file)
    server.ready(remote.head)
    assert host.wanted in host.offered
    host.token = RENEWED
    commit = remote.push({"people/p01.toml": person(1, name="Renamed")})
    assert refusal(server) == "auth-failed"
    token_file.write_text(RENEWED)
    assert server.client.reload().json["newCommit"] == commit
    assert server.log.wait_for("secret.changed")["file"] == str(token_file)


def test_a_wrong_token_is_told_as_such_and_what_was_served_stays(
    serve: Serve, remote: DataRemote, host: PrivateHost, token_file: Path, tmp_path: Path
) -> None:
    server = start(serve, tmp_path, host.url("remote.git"), token_file)
    server.ready(remote.head)
    token_file.write_text("glpat-that-was-never-right")
    assert refusal(server) == "auth-failed"
    token_file.write_text("glpat-of-two-lines\npassword=another")
    assert refusal(server) == "auth-failed"
    assert server.client.get("/api").commit == remote.head


def test_the_token_shows_nowhere_however_a_fetch_fails(
    serve: Serve, remote: DataRemote, host: PrivateHost, token_file: Path, tmp_path: Path
) -> None:
    server = start(serve, tmp_path / "served", host.url("remote.git"), token_file)
    server.ready(remote.head)
    host.elsewhere = f"http://127.0.0.1:{free_port()}"
    traces = Traces(server, [TOKEN, base64.b64encode(f"{USERNAME}:{TOKEN}".encode()).decode()])
    moods: dict[Mood, str] = {
        "forbidding": "auth-failed", "moving": "redirected", "broken": "host-error", "telling": "host-error",
    }  # fmt: skip
    for mood, reason in moods.items():
        host.mood = mood
        assert refusal(server) == reason
        traces.look()
    host.mood, host.token = "willing", RENEWED
    assert refusal(server) == "auth-failed"
    traces.look()
    server.stop()
    traces.look_at_the_end()


def test_no_other_host_is_sent_the_token(
    serve: Serve, remote: DataRemote, token_file: Path, tmp_path: Path
) -> None:
    with (
        PrivateHost(remote.path.parent, USERNAME, TOKEN) as ours,
        PrivateHost(remote.path.parent, USERNAME, TOKEN) as other,
    ):
        server = start(serve, tmp_path, ours.url("remote.git"), token_file)
        server.ready(remote.head)
        ours.mood, ours.elsewhere = "moving", other.url("").rstrip("/")
        assert refusal(server) == "redirected"
        assert other.offered == []
        configuration = tmp_path / "gitconfig"
        configuration.write_text(f'[url "{other.url("")}"]\n\tinsteadOf = {ours.url("")}\n')
        server.stop()
        server = start(
            serve, tmp_path, ours.url("remote.git"), token_file, GIT_CONFIG_GLOBAL=str(configuration)
        )
        assert refusal(server) == "auth-failed"
        assert other.offered
        assert set(other.offered) == {None}


def test_the_arguments_of_git_never_hold_the_token(
    serve: Serve, remote: DataRemote, token_file: Path, tmp_path: Path
) -> None:
    with SilentHost() as host:
        url = host.url.replace("git://", "http://")
        server = start(serve, tmp_path, url, token_file, CFP_DATA_BRANCH="main")
        assert host.called.wait(30)
        traces = Traces(server, [TOKEN])
        seen = traces.arguments()
        assert [words for words in seen if "git-remote-http" in words]
        assert [words for words in seen if "credential.http://127.0.0.1" in words]
        traces.look()


def test_the_doctor_uses_the_token_and_does_not_show_it(
    remote: DataRemote, host: PrivateHost, token_file: Path, tmp_path: Path
) -> None:
    token_file.chmod(0o600)
    settings = {
        "CFP_DATA_REPO_PATH": str(tmp_path / "data.git"),
        "CFP_DATA_REMOTE": host.url("remote.git"),
        "CFP_DATA_REMOTE_USERNAME": USERNAME,
        "CFP_DATA_REMOTE_TOKEN_FILE": str(token_file),
    }
    done = run_command("doctor", **settings)
    assert (done.returncode, remote.head[:12] in done.stdout) == (0, True), done
    host.token = RENEWED
    refused = run_command("doctor", **settings)
    assert "auth-failed" in refused.stdout
    assert TOKEN not in done.stdout + done.stderr + refused.stdout + refused.stderr
