"""Signals at any moment, and logs that nobody takes: what was begun is done or undone, and nobody waits."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from tests.end_to_end.client import SECRET, Client
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import (
    EXIT_DEADLINE_S,
    PROJECT,
    Serve,
    ServerProcess,
    command,
    environment,
)
from tests.end_to_end.test_crashes import push_revision, starts_again
from tests.end_to_end.waiting import DEADLINE_S, eventually
from tests.ports import free_port

ANOTHER = "another-secret-for-tests-of-48-characters-012345"


def build_child(server: ServerProcess) -> int:
    """The process that builds from scratch."""
    for pid in server.others():
        with contextlib.suppress(OSError):  # it has ended
            if b"reload.build.child" in Path(f"/proc/{pid}/cmdline").read_bytes():
                return pid
    raise AssertionError("nothing is built from scratch")


@pytest.mark.parametrize("gate", ["difference", "tree"])
def test_a_stop_in_the_midst_of_a_build_leaves_the_old_or_the_new_commit(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path, gate: str
) -> None:
    """At `tree` a child builds from scratch, and hears no signal, as in native code that holds its lock."""
    server = serve(tmp_path, remote.path, PATH=git.path)
    server.ready(old := remote.head)
    server.log.wait_for("reload.swapped")
    new = push_revision(remote, 1, gate)
    with git.gate(gate) as held:
        server.process.send_signal(signal.SIGHUP)
        held.reached()
        if gate == "tree":
            os.kill(build_child(server), signal.SIGSTOP)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(DEADLINE_S) == 0
    server.ended(0)
    starts_again(server, remote, old, new)


def test_hanging_up_reads_secrets_again_and_withdraws_what_was_rotated_out(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    now, before = tmp_path / "secret", tmp_path / "secret-before"
    now.write_text(SECRET)
    before.write_text("x" * 48)
    server = serve(
        tmp_path,
        remote.path,
        CFP_DATA_RELOAD_SECRET=None,
        CFP_DATA_RELOAD_SECRET_FILE=str(now),
        CFP_DATA_RELOAD_SECRET_PREVIOUS_FILE=str(before),
    )
    server.ready(remote.head)
    before.write_text(SECRET)
    now.write_text(ANOTHER)
    server.process.send_signal(signal.SIGHUP)
    for file in (now, before):
        server.log.wait_for("secret.changed", file=str(file))
    assert server.client.reload(secret=ANOTHER).status == 200
    assert server.client.reload(secret=SECRET).status == 200
    assert server.client.reload(secret="x" * 48).status == 401
    before.unlink()
    now.write_text("short")
    server.process.send_signal(signal.SIGHUP)
    for file in (now, before):
        server.log.wait_for("secret.refused", file=str(file))
    assert server.client.reload(secret=SECRET).status == 401
    assert server.client.reload(secret=ANOTHER).status == 200, "the last good one stays"


def test_what_is_odd_about_the_settings_is_a_line_of_the_log(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, CFP_REMOTE="x")
    assert "CFP_REMOTE" in server.log.wait_for("settings.warned")["warning"]
    server.stop()


@contextmanager
def full_disk() -> Iterator[IO[bytes]]:
    """A log whose disk is full."""
    with open("/dev/full", "wb", buffering=0) as stream:
        yield stream


@contextmanager
def stuck_pipe() -> Iterator[IO[bytes]]:
    """A log that somebody collects who has stopped to read."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with open(reading, "rb", buffering=0), open(writing, "wb", buffering=0) as stream:
        while stream.write(b"x" * 4096) is not None:
            pass
        os.set_blocking(writing, True)
        yield stream


@pytest.mark.parametrize("log", [full_disk, stuck_pipe])
def test_a_log_that_takes_nothing_holds_up_neither_requests_nor_reloads_nor_the_end(
    remote: DataRemote, tmp_path: Path, log: object
) -> None:
    port = free_port()
    server = ServerProcess(tmp_path, remote.path)
    with log() as stream:  # type: ignore[operator]
        arguments = command("serve", "--port", str(port))
        process = subprocess.Popen(
            arguments, cwd=PROJECT, env=environment(server.settings), stdin=subprocess.DEVNULL, stderr=stream
        )
        try:
            client = Client(port)
            eventually(lambda: serves(client, remote.head), "it serves")
            new = remote.push({"people/p01.toml": person(1, name="Renamed")})
            assert client.reload().json["newCommit"] == new
            if log is full_disk:
                assert dropped(client) > 0
            process.terminate()
            assert process.wait(EXIT_DEADLINE_S) == 0
        finally:
            process.kill()
            process.wait()


def serves(client: Client, commit: str) -> bool:
    try:
        return client.get("/readyz").json.get("commit") == commit
    except OSError:
        return False


def dropped(client: Client) -> float:
    """How many lines of the log are lost."""
    lines = client.get("/metrics").body.decode().splitlines()
    return next(float(line.split()[1]) for line in lines if line.startswith("livesheets_log_lines_dropped"))
