"""A server with every secret set, through calls and failures of every kind: none of them shows anywhere."""

from __future__ import annotations

import contextlib
import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest

from server.settings.variables import VARIABLES
from tests.end_to_end.client import RELOAD_PATH, SECRET
from tests.end_to_end.leaks import Traces
from tests.end_to_end.private_host import PrivateHost
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve, ServerProcess, run_command
from tests.end_to_end.test_reports import Listener, listener  # noqa: F401 (a fixture)
from tests.server.payloads import SECRETS, senders

TOKEN = "glpat-canary-for-the-remote"
CANARIES = SECRETS | {
    "CFP_DATA_RELOAD_SECRET": SECRET,
    "CFP_DATA_RELOAD_SECRET_PREVIOUS": "canary-the-one-before-0123456789abcdef",
    "CFP_DATA_REMOTE_TOKEN": TOKEN,
    "CFP_NOTIFY_SECRET": "canary-of-the-reports-0123456789abcdef",
}
SENDERS = senders(time.time)


@pytest.fixture
def host(remote: DataRemote) -> Iterator[PrivateHost]:
    """A host of `remote` that asks for the token."""
    with PrivateHost(remote.path.parent, "x-access-token", TOKEN) as started:
        yield started


def call_in_every_way(server: ServerProcess, commit: str) -> None:
    """Right and wrong credentials of every scheme, where they belong and where they don't."""
    client = server.client
    for name, sender in SENDERS.items():
        headers, body = sender.request(sender.push("refs/heads/main", commit), f"delivery-{name}")
        assert client.request("POST", RELOAD_PATH, body, headers).status in (200, 202), name
        assert client.request("POST", RELOAD_PATH, body + b" ", headers).status in (202, 401), name
    for secret in CANARIES.values():
        shown = secret.replace(" ", "-")
        for path in (f"{RELOAD_PATH}?token={quote(shown)}", f"{RELOAD_PATH}?x={quote(shown)}"):
            client.request("POST", path)
        client.reload_raw(json.dumps({"secret": secret}).encode(), Authorization=f"Bearer {shown}")
        client.reload_raw(json.dumps({"token": secret}).encode(), Authorization=f"Bearer {SECRET}")
        client.reload_raw(None, X_CFP_Webhook_Key=shown, Cookie=f"key={shown}", User_Agent="x")
        client.get(f"/api/people?token={quote(secret)}")
        client.get("/api/_internal/status", Authorization=f"Basic {shown}")


def test_no_secret_shows_anywhere(
    serve: Serve,
    remote: DataRemote,
    host: PrivateHost,
    listener: Listener,  # noqa: F811
    tmp_path: Path,
) -> None:
    assert set(CANARIES) == {variable.name for variable in VARIABLES if variable.secret}
    port = listener.server_address[1]
    settings = {**CANARIES, "CFP_NOTIFY_URL": f"http://127.0.0.1:{port}/reports", "CFP_LOG_LEVEL": "debug"}
    server = serve(tmp_path / "served", host.url("remote.git"), **settings)
    server.ready(remote.head)
    words = [form for value in CANARIES.values() for form in {value, repr(value)[1:-1], quote(value, "")}]
    traces = Traces(server, words)
    call_in_every_way(server, remote.head)
    traces.look()
    good, bad = remote.head, remote.push({"people/p01.toml": "x = \n"})
    server.client.reload().problem(500, "data-rejected")
    assert server.client.status()["rejected"]["commit"] == bad
    host.mood = "telling"
    server.client.reload().problem(502, "fetch-failed")
    host.mood = "willing"
    for words_of_a_child in traces.environments():  # no fetch runs, which alone has the remote's token
        assert not [word for word in words if word in words_of_a_child]
    server.process.send_signal(signal.SIGHUP)
    server.log.wait_for("server.hung_up")
    traces.look()
    assert server.client.get("/api").commit == good
    healed = remote.push({"people/p01.toml": person(1)})
    assert server.client.reload().json["newCommit"] == healed
    for post in listener.posts:
        assert not [word for word in words if word in repr(post)]
    assert listener.posts
    server.stop()
    traces.look_at_the_end()


def test_no_command_prints_a_secret(
    serve: Serve, remote: DataRemote, host: PrivateHost, tmp_path: Path
) -> None:
    server = serve(tmp_path, host.url("remote.git"), **CANARIES)
    server.ready(remote.head)
    place = {"CFP_DATA_REPO_PATH": str(server.repo_path), "CFP_DATA_REMOTE": host.url("remote.git")}
    url = ("--url", f"http://127.0.0.1:{server.client.port}")
    wrong = {"CFP_DATA_RELOAD_SECRET": "canary-that-is-wrong-0123456789abcdef"}
    for command, given in (
        (("status", *url), {}),
        (("reload", *url), wrong),
        (("doctor",), {}),
        (("check",), {"CFP_DATA_POLL_INTERVAL": SECRET[:20]}),
    ):
        done = run_command(*command, **place, **(CANARIES | given))
        for secret in {*CANARIES.values(), *wrong.values()}:
            assert secret not in done.stdout + done.stderr, (command, done)


def test_a_bad_configuration_is_told_without_any_secret(tmp_path: Path) -> None:
    short = {name: value[:9] for name, value in CANARIES.items()}
    done = run_command("serve", "--port", "0", **short, CFP_DATA_REPO_PATH=str(tmp_path / "data.git"))
    assert done.returncode == 78
    for name, value in short.items():
        assert name in done.stderr + done.stdout
        assert value not in done.stderr + done.stdout
    with contextlib.suppress(FileNotFoundError):
        assert not list((tmp_path / "data.git").iterdir())
