"""Commits that are announced before the remote shows them, and callers who do not wait."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.end_to_end.client import SECRET, Client
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve, ServerProcess
from tests.end_to_end.waiting import eventually

RENAMED = {"people/p01.toml": person(1, name="Renamed")}


def accepted(client: Client, request: object = None) -> str:
    """The id of a reload whose caller does not wait."""
    reply = client.reload(request, Prefer="respond-async")
    assert reply.status == 202, reply
    reload_id: str = reply.json["reloadId"]
    assert reply.json == {"ok": True, "outcome": "accepted", "reloadId": reload_id}
    return reload_id


def test_a_hook_that_runs_ahead_of_its_refs_is_believed(
    server: ServerProcess, remote: DataRemote, git: GitOnPath
) -> None:
    announced = remote.commit(RENAMED)
    with ThreadPoolExecutor(1) as caller, git.gate("after-fetch") as gate:
        call = caller.submit(server.client.reload, {"commitHash": announced})
        gate.reached()  # this fetch saw nothing new
        remote.author.push(remote.path)
        gate.open()
        assert call.result().json["newCommit"] == announced


def test_a_commit_that_does_not_come_is_shown_and_served_by_itself_when_it_does(
    server: ServerProcess, remote: DataRemote
) -> None:
    old, announced = remote.head, remote.commit(RENAMED)
    server.client.reload({"commitHash": announced}).problem(409, "commit-not-on-branch")
    status = server.client.status()
    assert status["remote"]["announced"]["commit"] == announced
    assert status["remote"]["announced"]["since"].endswith("Z")
    assert server.client.get("/readyz").json == {"ready": True, "fresh": False, "commit": old}
    remote.author.push(remote.path)
    server.ready(announced)
    eventually(lambda: server.client.get("/readyz").json["fresh"], "fresh again")
    assert server.client.status()["remote"]["announced"] is None


def test_a_caller_who_does_not_wait_can_ask_for_the_outcome_later(
    server: ServerProcess, remote: DataRemote, git: GitOnPath
) -> None:
    old, new = remote.head, remote.push(RENAMED)
    with git.gate("after-fetch") as gate:
        reload_id = accepted(server.client, {"commitHash": new})
        gate.reached()
        assert server.client.internal(f"reloads/{reload_id}").json["outcome"] == "running"
        assert server.client.get("/api").commit == old
    eventually(
        lambda: server.client.internal(f"reloads/{reload_id}").json["outcome"] != "running", "it has ended"
    )
    ended = server.client.internal(f"reloads/{reload_id}").json
    assert (ended["ok"], ended["outcome"], ended["newCommit"]) == (True, "fast-forwarded", new)
    server.client.get(f"/api/_internal/reloads/{reload_id}").problem(401, "unauthorized")


def test_a_failure_that_nobody_waited_for_is_told_later(server: ServerProcess, remote: DataRemote) -> None:
    remote.vanish()
    reload_id = accepted(server.client)
    eventually(
        lambda: server.client.internal(f"reloads/{reload_id}").json["outcome"] != "running", "it has ended"
    )
    ended = server.client.internal(f"reloads/{reload_id}").json
    served = server.client.get("/api").commit
    assert (ended["ok"], ended["code"], ended["oldCommit"]) == (False, "fetch-failed", served)


def test_what_cannot_be_asked_for_is_refused_at_once(server: ServerProcess) -> None:
    server.client.reload({"branch": "other"}, Prefer="respond-async").problem(409, "branch-mismatch")
    server.client.reload({"nonsense": 1}, Prefer="respond-async").problem(400, "invalid-request")
    server.client.reload_raw(Prefer="respond-async").problem(401, "unauthorized")
    server.client.reload_raw(Prefer="respond-async", X_CFP_Webhook_Key=SECRET[1:]).problem(
        401, "unauthorized"
    )


def test_a_reload_that_nobody_waits_for_is_finished_before_the_end(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, PATH=git.path)
    server.log.wait_for("reload.swapped")
    new = remote.push(RENAMED)
    with git.gate("after-fetch") as gate:
        accepted(server.client)
        gate.reached()
        server.process.terminate()
        server.log.wait_for("server.stopping")
    server.ended(0)
    assert server.log.of("reload.swapped", new_commit=new)
