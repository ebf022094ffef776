"""kill -9 at any moment of a reload: the next start serves the old or the new commit, whole, by itself."""

from __future__ import annotations

import contextlib
import http.client
import random
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.git_on_path import RELOAD_GATES, GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import people
from tests.end_to_end.served_commit import serves_whole
from tests.end_to_end.server_process import Serve, ServerProcess

SEEDS = range(4)
MANY = 5_001  # so many changed files are built from scratch in a child


@contextlib.contextmanager
def reloading(server: ServerProcess) -> Iterator[None]:
    """A call of the webhook is under way; how it ends does not matter."""

    def call() -> None:
        with contextlib.suppress(OSError, http.client.HTTPException):
            server.client.reload()

    caller = threading.Thread(target=call)
    caller.start()
    yield
    caller.join()


def starts_again(server: ServerProcess, remote: DataRemote, old: str, new: str) -> None:
    """Start it without its remote: it must serve `old` or `new`; with the remote, `new`."""
    remote.vanish()
    server.start()
    commit = server.ready().json["commit"]
    assert commit in (old, new)
    serves_whole(server.client, remote.author.git_dir, commit)
    remote.return_()
    reply = server.client.reload({"commitHash": new})
    assert (reply.status, reply.json["newCommit"]) == (200, new), reply
    serves_whole(server.client, remote.author.git_dir, new)
    assert list(server.repo_path.rglob("*.lock")) == []


def push_revision(remote: DataRemote, revision: int, gate: str = "") -> str:
    """Change every person, and for a gate in a build from scratch a lot more."""
    many = {f"notes/n{number}.toml": f"revision = {revision}\n" for number in range(MANY)}
    return remote.push(people(100, revision=revision) | (many if gate == "tree" else {}))


@pytest.mark.parametrize(
    ("gates", "all_of_it"),
    [(RELOAD_GATES, True), (("after-fetch", "tree"), False)],
    ids=["server-and-git", "server"],
)
def test_a_kill_in_the_midst_of_a_reload_leaves_the_old_or_the_new_commit(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path, gates: tuple[str, ...], all_of_it: bool
) -> None:
    server = serve(tmp_path, remote.path, PATH=git.path)
    server.ready(old := remote.head)
    # The gate that needs many records comes last: all checks after it take longer.
    for revision, gate in enumerate(sorted(gates, key=lambda gate: gate == "tree")):
        new = push_revision(remote, revision, gate)
        with git.gate(gate) as held, reloading(server):
            held.reached()
            server.kill(all_of_it=all_of_it)
        starts_again(server, remote, old, new)
        old = new


def test_a_kill_at_any_moment_of_a_reload_leaves_the_old_or_the_new_commit(
    server: ServerProcess, remote: DataRemote
) -> None:
    old = push_revision(remote, 0)
    duration_s = server.client.reload().json["durationMs"] / 1000
    for seed in SEEDS:
        new = push_revision(remote, seed + 1)
        with reloading(server):
            threading.Event().wait(random.Random(seed).uniform(0, 1.2 * duration_s))
            server.kill(all_of_it=seed % 2 == 0)
        starts_again(server, remote, old, new)
        old = new


def test_a_kill_during_the_first_start_is_made_good_by_the_next(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path
) -> None:
    gates = ("before-fetch", "blobs", "before-commit")
    with git.gate(gates[0]) as held:
        server = serve(tmp_path, remote.path, PATH=git.path)
        held.reached()
        server.kill(all_of_it=True)
    for gate in gates[1:]:
        with git.gate(gate) as held:
            server.start()
            held.reached()
            server.kill(all_of_it=True)
    server.start()
    server.ready(remote.head)
    serves_whole(server.client, remote.path, remote.head)
