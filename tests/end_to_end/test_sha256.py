"""A repository that names its objects by SHA-256 is served as any other."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve, ServerProcess, run_command
from tests.gitrepo import init_bare, run_git
from tests.server.payloads import SECRETS, senders


@pytest.fixture
def sha256(tmp_path: Path) -> DataRemote:
    """A remote with the sample data, whose ids have 64 digits."""
    return DataRemote(tmp_path / "sha256", object_format="sha256")


@pytest.fixture
def long(serve: Serve, sha256: DataRemote, tmp_path: Path) -> ServerProcess:
    """A server that serves it."""
    server = serve(tmp_path, sha256.path, **SECRETS)
    server.ready(sha256.head)
    return server


def test_records_searches_and_attachments_are_answered_with_the_long_ids(
    long: ServerProcess, sha256: DataRemote
) -> None:
    reply = long.client.get("/api/people/p07")
    assert reply.commit == sha256.head
    assert len(sha256.head) == len(reply.data["blob"]) == 64
    assert len(long.client.get("/api/people?q=p07").data) == 1
    picture = long.client.get("/api/_attachments/posts/food/map.png")
    blob = run_git(sha256.path, "rev-parse", "main:posts/food/map.png").decode().strip()
    assert (picture.status, picture.headers["ETag"]) == (200, f'"{blob}"')


def test_a_push_is_served_when_the_webhook_names_its_commit(long: ServerProcess, sha256: DataRemote) -> None:
    old = sha256.head
    new = sha256.push({"people/p01.toml": person(1, name="Renamed"), "people/p02.toml": None})
    reply = long.client.reload({"branch": "main", "commitHash": new})
    assert (reply.json["outcome"], reply.json["oldCommit"], reply.json["newCommit"]) == (
        "fast-forwarded",
        old,
        new,
    )
    assert reply.json["changes"] == {"people": {"added": 0, "modified": 1, "removed": 1}}
    for known in (new[:4], new[:40], new, old):
        assert long.client.reload({"commitHash": known}).json["outcome"] == "in-sync"
    long.client.reload({"commitHash": "0" * 64}).problem(409, "commit-not-on-branch")


@pytest.mark.parametrize("name", ["github", "gitlab", "bitbucket", "azure", "standard"])
def test_a_push_is_served_when_a_forge_tells_of_it(
    long: ServerProcess, sha256: DataRemote, name: str
) -> None:
    new = sha256.push({"people/p01.toml": person(1, name=name)})
    sender = senders(time.time)[name]
    headers, body = sender.request(sender.push("refs/heads/main", new), "delivery")
    reply = long.client.request("POST", "/api/_internal/reload-data", body, headers)
    assert reply.json["outcome"] == "accepted"
    long.ready(new)


def test_a_restart_serves_from_the_state_file_and_a_lost_clone_is_made_again(
    long: ServerProcess, sha256: DataRemote
) -> None:
    long.stop()
    long.start()
    long.ready(sha256.head)
    assert not long.log.of("state.unfit")
    long.stop()
    shutil.rmtree(long.repo_path)
    long.start()
    long.ready(sha256.head)


def test_rewritten_history_and_the_first_push_to_an_empty_remote_are_as_ever(
    serve: Serve, tmp_path: Path
) -> None:
    remote = DataRemote(tmp_path / "empty", None, object_format="sha256")
    server = serve(tmp_path, remote.path)
    first = remote.push({".gitsheets/notes.toml": '[gitsheet]\npath = "n/${{ name }}"\n', "n/a.toml": ""})
    server.ready(first)
    remote.rewrite(None, {"n/a.toml": "x = 1\n"})
    assert server.client.reload().problem(409, "diverged")["oldCommit"] == first
    assert server.client.reload({"accept": ["rewrite"]}).json["newCommit"] == remote.head


@pytest.mark.parametrize("formats", [("sha1", "sha256"), ("sha256", "sha1")])
def test_a_remote_that_was_made_anew_with_the_other_hash_is_followed_with_consent(
    serve: Serve, tmp_path: Path, formats: tuple[str, str]
) -> None:
    before, after = formats
    remote = DataRemote(tmp_path / "before", object_format=before)
    server = serve(tmp_path, remote.path)
    server.ready(remote.head)
    old = remote.head
    anew = DataRemote(tmp_path / "anew", object_format=after)
    shutil.rmtree(remote.path)
    shutil.copytree(anew.path, remote.path)
    problem = server.client.reload().problem(409, "diverged")
    assert problem["oldCommit"] == old
    assert "names its objects by another hash" in problem["detail"]
    assert server.client.get("/api/people/p07").commit == old
    assert server.client.reload({"accept": ["rewrite"]}).json["newCommit"] == anew.head
    assert server.client.get("/api/people/p07").commit == anew.head
    later = anew.push({"people/p01.toml": person(1, name="Later")})
    run_git(remote.path, "fetch", "-q", str(anew.path), "+refs/heads/main:refs/heads/main")
    assert server.client.reload().json["newCommit"] == later


def test_check_and_doctor_take_it_and_a_local_repository_is_served(
    serve: Serve, sha256: DataRemote, tmp_path: Path
) -> None:
    assert run_command("check", str(sha256.path)).returncode == 0
    path = init_bare(tmp_path / "data.git", object_format="sha256")
    run_git(path, "fetch", "-q", str(sha256.path), "+refs/heads/main:refs/heads/main")
    doctor = run_command("doctor", CFP_DATA_REPO_PATH=str(path), CFP_DATA_REMOTE=str(sha256.path))
    assert doctor.stdout.count(f"at {sha256.head[:12]}") == 2  # the repository and the remote
    server = serve(tmp_path, None)
    server.ready(sha256.head)
    described = server.client.get("/api/_openapi.json").json
    assert "{64}" in json.dumps(described["components"])
