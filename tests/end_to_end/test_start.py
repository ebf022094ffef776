"""The start of a server: it serves what it has, says what it lacks, and becomes whole by itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.client import Client
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import SAMPLE, person
from tests.end_to_end.server_process import Serve, ServerProcess, run_command
from tests.end_to_end.waiting import eventually
from tests.gitrepo import GitRepo, init_bare, run_git

READS = ("/api", "/api/people", "/api/people/p07", "/api/_search?q=x", "/api/_attachments/posts/food/map.png")


def not_ready(server: ServerProcess, reason: str) -> None:
    """Nothing is served yet, everything says so, and /readyz says why."""
    client = server.client

    def look() -> bool:
        problem = client.get("/readyz").problem(503, "not-ready")
        assert (problem["ready"], problem["commit"]) == (False, None)
        return reason in problem["detail"]

    eventually(look, f"/readyz says {reason}")
    for path in READS:
        reply = client.get(path)
        reply.problem(503, "not-ready")
        assert int(reply.headers["Retry-After"]) > 0
        assert (reply.commit, reply.headers["ETag"]) == (None, None)
    assert client.head("/readyz").status == 503
    assert client.get("/healthz").status == 200
    assert client.get("/").status == 200
    assert client.status()["served"] is None
    assert client.metrics()["livesheets_fresh"] == 0


def fresh(client: Client) -> bool:
    reply = client.get("/readyz")
    return reply.status == 200 and reply.json["fresh"] is True


def test_the_first_start_clones_a_bare_repository_with_the_branch_alone(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    run_git(remote.path, "tag", "v1", remote.head)
    run_git(remote.path, "update-ref", "refs/pull/1/head", remote.head)
    server = serve(tmp_path / "deep" / "er", remote.path)
    server.ready(remote.head)
    refs = run_git(server.repo_path, "for-each-ref", "--format=%(refname)").decode().split()
    assert {ref for ref in refs if not ref.startswith("refs/livesheets/")} == {
        "refs/heads/main",
        "refs/remotes/origin/main",
    }
    assert run_git(server.repo_path, "rev-parse", "--is-bare-repository").strip() == b"true"


def test_local_data_is_served_while_the_remote_is_down_and_becomes_fresh_by_itself(
    server: ServerProcess, remote: DataRemote
) -> None:
    old = remote.head
    before = {path: server.client.get(path) for path in READS}
    server.stop()
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    remote.vanish()
    server.start()
    assert server.ready().json == {"ready": True, "fresh": False, "commit": old}
    for path, reply in before.items():
        again = server.client.get(path)
        assert (again.status, again.body, again.headers["ETag"]) == (200, reply.body, reply.headers["ETag"])
    server.log.wait_for("reload.failed", outcome="fetch-failed")
    assert server.client.get("/readyz").json["fresh"] is False
    remote.return_()
    eventually(lambda: fresh(server.client), "fresh again")
    assert server.client.get("/api").commit == new


def test_without_data_and_remote_it_waits_says_why_and_becomes_ready_by_itself(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    remote.vanish()
    server = serve(tmp_path, remote.path)
    not_ready(server, "fetch-failed, not-found")
    assert str(tmp_path) not in server.client.get("/readyz").json["detail"]
    assert str(tmp_path) in server.client.status()["remote"]["lastError"]
    assert server.client.reload().problem(502, "fetch-failed")["oldCommit"] is None
    remote.return_()
    server.ready(remote.head)
    assert fresh(server.client)


def test_an_empty_remote_is_waited_for_and_its_first_push_served(
    serve: Serve, empty_remote: DataRemote, tmp_path: Path
) -> None:
    server = serve(tmp_path, empty_remote.path)
    not_ready(server, "branch-missing")
    first = empty_remote.push(SAMPLE)
    reply = server.client.reload({"commitHash": first, "branch": "main"})
    assert (reply.status, reply.json["newCommit"]) == (200, first)
    swapped = server.log.wait_for("reload.swapped", new_commit=first)  # the call's, or the server's own try
    assert swapped["old_commit"] is None
    assert swapped["changes"]["people"] == [60, 0, 0]
    assert fresh(server.client)
    assert server.client.get("/api/people").status == 200


def test_a_first_commit_that_cannot_be_served_is_told_and_the_next_one_is_served(
    serve: Serve, empty_remote: DataRemote, tmp_path: Path
) -> None:
    empty_remote.push({**SAMPLE, "people/p01.toml": "x = \n"})
    server = serve(tmp_path, empty_remote.path)
    not_ready(server, "data-rejected")
    # Names of files and their contents are for those who have the secret.
    assert "p01" not in server.client.get("/readyz").json["detail"]
    assert server.client.status()["rejected"]["problems"][0]["path"] == "people/p01.toml"
    problem = server.client.reload().problem(500, "data-rejected")
    assert [each["path"] for each in problem["problems"]] == ["people/p01.toml"]
    good = empty_remote.push({"people/p01.toml": person(1)})
    server.ready(good)


def test_a_bad_remote_head_does_not_keep_a_restarted_server_from_its_last_good_commit(
    server: ServerProcess, remote: DataRemote
) -> None:
    good = remote.head
    server.stop()
    bad = remote.push({"people/p01.toml": "x = \n"})
    server.start()
    server.log.wait_for("reload.failed", outcome="data-rejected")
    assert server.ready().json == {"ready": True, "fresh": False, "commit": good}
    assert server.client.status()["rejected"]["commit"] == bad
    healed = remote.push({"people/p01.toml": person(1)})
    server.client.reload()
    assert server.ready(healed).json["fresh"] is True


def test_the_branch_of_the_setting_is_served(serve: Serve, remote: DataRemote, tmp_path: Path) -> None:
    run_git(remote.path, "update-ref", "refs/heads/live/data", remote.head)
    remote.push({"people/p01.toml": None})
    server = serve(tmp_path, remote.path, CFP_DATA_BRANCH="live/data")
    server.ready(run_git(remote.path, "rev-parse", "live/data").decode().strip())
    assert server.client.get("/api").json["meta"]["branch"] == "live/data"
    assert server.client.reload({"branch": "live/data"}).status == 200
    server.client.reload({"branch": "main"}).problem(409, "branch-mismatch")


def test_a_branch_without_sheets_is_served_as_such(
    serve: Serve, empty_remote: DataRemote, tmp_path: Path
) -> None:
    commit = empty_remote.push({"README.md": "nothing here yet\n"})
    server = serve(tmp_path, empty_remote.path)
    server.ready(commit)
    assert server.client.get("/api").data == []
    assert server.client.get("/api/_search?q=nothing").data == []


def test_an_empty_local_repository_without_a_remote_is_waited_for(serve: Serve, tmp_path: Path) -> None:
    init_bare(tmp_path / "data.git")
    server = serve(tmp_path, None)
    not_ready(server, "no commit")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("clone with a working tree", "is a clone with a working tree"),
        ("plain folder", "is no git repository"),
        ("empty folder", "is an empty folder, and no remote is set"),
        ("nothing", "does not exist, and no remote is set"),
    ],
)
def test_a_path_that_can_never_be_served_ends_the_command_and_nothing_is_written(
    tmp_path: Path, kind: str, words: str
) -> None:
    path = tmp_path / "data"
    if kind == "clone with a working tree":
        GitRepo.create(path)
    elif kind != "nothing":
        path.mkdir()
    if kind == "plain folder":
        (path / "notes.txt").touch()
    before = sorted(tmp_path.rglob("*"))
    done = run_command("serve", "--port", "0", CFP_DATA_REPO_PATH=str(path))
    assert done.returncode == 78
    assert words in done.stderr
    assert sorted(tmp_path.rglob("*")) == before


def test_a_port_that_is_taken_is_told_with_the_option_that_names_another(
    server: ServerProcess, remote: DataRemote, tmp_path: Path
) -> None:
    second = run_command(
        *("serve", "--port", str(server.client.port)),
        CFP_DATA_REPO_PATH=str(tmp_path / "second.git"),
        CFP_DATA_REMOTE=str(remote.path),
    )
    assert second.returncode == 1
    assert f"port {server.client.port}" in second.stderr
    assert "choose another with --port" in second.stderr
