"""A forge's delivery that comes again: it costs nothing, before a restart and after it."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.end_to_end.client import RELOAD_PATH, Reply
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve, ServerProcess
from tests.server.payloads import SECRETS, Headers, senders

SENDERS = senders(time.time)


def deliver(server: ServerProcess, request: tuple[Headers, bytes]) -> Reply:
    headers, body = request
    return server.client.request("POST", RELOAD_PATH, body, headers)


def ended(server: ServerProcess, reply: Reply) -> str:
    """The outcome of what was accepted."""
    assert reply.status == 202, reply
    reload_id = reply.json["reloadId"]
    return str(server.log.wait_for("acceptance.ended", reload_id=reload_id)["outcome"])


@pytest.mark.parametrize(("rewrite", "outcome"), [("refuse", "rewound"), ("follow", "rewritten")])
def test_a_push_that_moves_the_branch_back_is_noticed_and_followed_where_that_is_wanted(
    serve: Serve, remote: DataRemote, tmp_path: Path, rewrite: str, outcome: str
) -> None:
    old = remote.head
    new = remote.push({"people/p01.toml": person(1, name="Published by mistake")})
    server = serve(tmp_path, remote.path, CFP_DATA_REWRITE=rewrite, **SECRETS)
    server.log.wait_for("reload.swapped", new_commit=new)
    remote.point_at(old)
    github = SENDERS["github"]
    delivery = github.request(github.push("refs/heads/main", old), "back")
    assert ended(server, deliver(server, delivery)) == outcome
    follows = rewrite == "follow"
    expected = {"ready": True, "fresh": follows, "commit": old if follows else new}
    assert server.client.get("/readyz").json == expected


def test_a_replay_fetches_nothing_not_even_after_a_restart(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, PATH=git.path, **SECRETS)
    server.log.wait_for("reload.swapped")
    pushed = remote.push({"people/p01.toml": person(1, name="Renamed")})
    deliveries = {
        name: sender.request(sender.push("refs/heads/main", pushed), f"delivery-{name}")
        for name, sender in SENDERS.items()
    }
    outcomes = [ended(server, deliver(server, request)) for request in deliveries.values()]
    assert outcomes == ["fast-forwarded"] + ["in-sync"] * (len(deliveries) - 1)
    fetches = git.calls("fetch")
    for request in deliveries.values():
        assert deliver(server, request).json == {"ok": True, "outcome": "duplicate"}
    assert git.calls("fetch") == fetches
    server.stop()
    server.start()
    server.log.wait_for("reload.unchanged", trigger="startup")
    fetches = git.calls("fetch")
    for request in deliveries.values():
        assert ended(server, deliver(server, request)) == "in-sync"
    assert git.calls("fetch") == fetches
    assert server.client.get("/api").commit == pushed
