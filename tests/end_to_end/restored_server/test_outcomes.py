"""The webhook's outcomes on real remotes: each says the truth, and no failure changes what is read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.end_to_end.client import Client, Reply
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import DEFINITIONS, people, person
from tests.end_to_end.server_process import Serve, ServerProcess
from tests.gitrepo import GitRepo, run_git


class Reader:
    """Somebody who reads all along: sees one commit, or says so."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen = self._look()

    def _look(self) -> list[tuple[int, str | None, str | None, bytes]]:
        replies = [self._client.get(path) for path in ("/api", "/api/people?sort=-age", "/api/people/p07")]
        replies.append(self._client.get("/api/_search?q=food"))
        return [(reply.status, reply.commit, reply.headers["ETag"], reply.body) for reply in replies]

    def sees_the_same(self) -> None:
        """Reads answer as they did, with the same commit and ETag."""
        assert self._look() == self._seen


def refused(reply: Reply, status: int, code: str, served: str) -> dict[str, Any]:
    """The problem of a reload that changed nothing."""
    document = reply.problem(status, code)
    assert document["outcome"] == code
    assert document["oldCommit"] == served
    assert document["durationMs"] >= 0
    assert "ok" not in document
    return document


def in_sync(reply: Reply, served: str, outcome: str = "in-sync") -> None:
    """The answer says that there is nothing to do."""
    assert reply.status == 200, reply
    document = reply.json
    assert document.pop("durationMs") >= 0
    expected = {"ok": True, "outcome": outcome, "noChanges": True, "oldCommit": served, "newCommit": served}
    assert document == expected


def forwarded(reply: Reply, old: str, new: str) -> dict[str, Any]:
    """The answer says that the served commit went from `old` to `new`."""
    assert reply.status == 200, reply
    document: dict[str, Any] = reply.json
    expected = {"ok": True, "outcome": "fast-forwarded", "noChanges": False, "rebuilt": True}
    assert document.items() >= (expected | {"oldCommit": old, "newCommit": new}).items(), document
    assert document["problems"] == []
    assert document["durationMs"] >= 0
    assert document["phasesMs"].keys() >= {"fetch", "build", "swap"}
    return document


def test_a_push_is_readable_in_the_very_next_request(client: Client, remote: DataRemote) -> None:
    old, before = remote.head, client.get("/api/people/p07")
    new = remote.push(
        {
            "people/p07.toml": person(7, name="Renamed"),
            "people/new.toml": person(99, slug="new"),
            "people/p01.toml": None,
            "events/2024/harvest.toml": None,
        }
    )
    document = forwarded(client.reload({"branch": "main", "commitHash": new}), old, new)
    assert document["changes"] == {
        "events": {"added": 0, "modified": 0, "removed": 1},
        "people": {"added": 1, "modified": 1, "removed": 1},
    }
    after = client.get("/api/people/p07")
    assert (after.commit, after.data["record"]["name"]) == (new, "Renamed")
    assert after.headers["ETag"] != before.headers["ETag"]
    assert client.get("/api/people/new").status == 200
    client.get("/api/people/p01").problem(404, "record-not-found")
    assert client.get("/api/_search?q=Renamed").json["meta"]["total"] == 1
    assert client.get("/api/people").json["meta"]["total"] == 60


def test_nothing_new_is_told_as_nothing_new(client: Client, remote: DataRemote) -> None:
    reader = Reader(client)
    in_sync(client.reload(), remote.head)
    reader.sees_the_same()


def test_a_commit_that_is_served_already_costs_no_fetch(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path
) -> None:
    old = remote.head
    new = remote.push({"people/p07.toml": person(7, name="Renamed")})
    server = serve(tmp_path, remote.path, PATH=git.path)
    server.ready(new)
    in_sync(server.client.reload(), new)
    fetches = git.calls("fetch")
    remote.vanish()
    for commit in (new, old, new[:7], old[:4].upper()):
        in_sync(server.client.reload({"commitHash": commit}), new)
    assert git.calls("fetch") == fetches


def test_a_remote_that_is_gone_is_never_a_success_and_heals(client: Client, remote: DataRemote) -> None:
    old, reader = remote.head, Reader(client)
    new = remote.push({"people/p07.toml": person(7, name="Renamed")})
    remote.vanish()
    for _ in range(2):
        reply = client.reload({"commitHash": new})
        document = refused(reply, 502, "fetch-failed", old)
        assert int(reply.headers["Retry-After"]) > 0
        assert document["reason"] == "not-found"
        assert client.get("/readyz").json == {"ready": True, "fresh": False, "commit": old}
        assert client.status()["remote"]["lastError"]
        reader.sees_the_same()
    remote.return_()
    forwarded(client.reload({"commitHash": new}), old, new)
    assert client.get("/readyz").json == {"ready": True, "fresh": True, "commit": new}
    assert client.status()["remote"]["lastError"] is None


def test_an_unreadable_record_is_named_on_every_try_and_a_good_push_heals(
    client: Client, remote: DataRemote
) -> None:
    old, reader = remote.head, Reader(client)
    bad = remote.push(
        {
            "people/p07.toml": 'slug = "p07"\nname = = "broken"\n',
            "people/p08.toml": person(8, name="Renamed"),
            "posts/food.md": "+++\ntitle = 'x'\n\nn = 2024-13-01\n+++\nbody\n",
        }
    )
    for request in (None, {"commitHash": bad}, {"commitHash": bad}):
        document = refused(client.reload(request), 500, "data-rejected", old)
        found = {problem["path"]: problem for problem in document["problems"]}
        assert found.keys() == {"people/p07.toml", "posts/food.md"}
        assert (found["people/p07.toml"]["line"], found["posts/food.md"]["line"]) == (2, 4)
        assert all(problem["message"] and problem["column"] > 0 for problem in found.values())
        reader.sees_the_same()
    rejected = client.status()["rejected"]
    assert (rejected["commit"], rejected["code"]) == (bad, "data-rejected")
    assert {problem["path"] for problem in rejected["problems"]} == found.keys()
    good = remote.push({"people/p07.toml": person(7, name="Mended"), "posts/food.md": None})
    document = forwarded(client.reload({"commitHash": good}), old, good)
    assert document["changes"]["people"] == {"added": 0, "modified": 2, "removed": 0}
    assert client.status()["rejected"] is None


def test_all_problems_are_told_up_to_a_hundred(client: Client, remote: DataRemote) -> None:
    bad = {f"people/bad{number:03}.toml": "x = \n" for number in range(120)}
    remote.push({**bad, ".gitsheets/wrong.toml": "[gitsheet]\nroot = 'x'\n"})
    problems = client.reload().problem(500, "data-rejected")["problems"]
    assert len(problems) == 100


def test_an_unrelated_history_is_refused_until_an_operator_accepts_it(
    client: Client, remote: DataRemote
) -> None:
    old, reader = remote.head, Reader(client)
    other = remote.rewrite(None, DEFINITIONS | people(40, name="Somebody else"))
    for _ in range(2):
        assert refused(client.reload(), 409, "diverged", old)["remoteCommit"] == other
        reader.sees_the_same()
    reply = client.reload({"accept": ["rewrite"]})
    assert reply.status == 200
    assert (reply.json["oldCommit"], reply.json["newCommit"]) == (old, other)
    assert client.get("/api/people/p07").data["record"]["name"] == "Somebody else"
    in_sync(client.reload(), other)


def test_an_accepted_rewrite_keeps_the_old_head(server: ServerProcess, remote: DataRemote) -> None:
    old = remote.head
    remote.rewrite(None, DEFINITIONS | people(40))
    server.client.reload({"accept": ["rewrite"]})
    kept = run_git(server.repo_path, "for-each-ref", "--format=%(objectname)", "refs/livesheets/rewound/")
    assert old in kept.decode().split()


def test_a_diverged_remote_is_refused_and_heals_when_it_continues_what_is_served(
    client: Client, remote: DataRemote
) -> None:
    start = remote.head
    served = remote.push({"people/p07.toml": person(7, name="Ours")})
    forwarded(client.reload(), start, served)
    reader = Reader(client)
    other = remote.rewrite(start, {"people/p07.toml": person(7, name="Theirs")})
    for request in (None, {"commitHash": other}):
        assert refused(client.reload(request), 409, "diverged", served)["remoteCommit"] == other
        reader.sees_the_same()
    remote.author.reset(served)
    healed = remote.commit({"people/p07.toml": person(7, name="Healed")})
    remote.author.push(remote.path, force=True)
    forwarded(client.reload(), served, healed)


def test_a_remote_that_moved_back_is_refused_every_time(client: Client, remote: DataRemote) -> None:
    start = remote.head
    served = remote.push({"people/p07.toml": person(7, name="Newest")})
    forwarded(client.reload(), start, served)
    reader = Reader(client)
    remote.point_at(start)
    for _ in range(2):
        assert refused(client.reload(), 409, "rewound", served)["remoteCommit"] == start
        reader.sees_the_same()
    remote.point_at(served)
    in_sync(client.reload(), served)


def test_commits_that_only_the_server_has_are_kept_and_told(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    behind = remote.head
    bare = remote.author.bare_clone(tmp_path / "data.git")
    local = GitRepo(remote.author.path)
    ahead = local.commit("only here")
    local.push(bare)
    server = serve(tmp_path, remote.path)
    server.ready(ahead)
    for _ in range(2):
        in_sync(server.client.reload(), ahead, "ahead")
    assert remote.head == behind


def test_a_deleted_branch_is_refused_and_heals_when_it_is_back(client: Client, remote: DataRemote) -> None:
    served, reader = remote.head, Reader(client)
    remote.point_at(None)
    for _ in range(2):
        refused(client.reload(), 409, "branch-missing", served)
        reader.sees_the_same()
    remote.point_at(served)
    in_sync(client.reload(), served)


def test_a_commit_that_is_not_on_the_branch_is_never_served(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path)
    server.ready(served := remote.head)
    client, reader = server.client, Reader(server.client)
    remote.author.switch("other", served)
    other = remote.push({"people/p07.toml": person(7, name="Elsewhere")})
    for commit in (other[:10], "0" * 40):
        refused(client.reload({"commitHash": commit}), 409, "commit-not-on-branch", served)
        reader.sees_the_same()


def test_a_commit_that_removes_most_of_a_sheet_is_held_until_somebody_consents(
    client: Client, remote: DataRemote
) -> None:
    old, reader = remote.head, Reader(client)
    new = remote.push(dict.fromkeys(list(people())[:31]))
    for _ in range(2):
        document = refused(client.reload({"commitHash": new}), 409, "deletions-held", old)
        assert document["deletions"] == {"people": {"removed": 31, "of": 60}}
        reader.sees_the_same()
    forwarded(client.reload({"commitHash": new, "accept": ["deletions"]}), old, new)
    assert client.get("/api/people").json["meta"]["total"] == 29


def test_a_build_that_breaks_is_a_failure_and_the_next_one_works(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    server = serve(tmp_path, remote.path, CFP_DATA_STATE_PATH=str(state))
    server.ready(old := remote.head)
    reader = Reader(server.client)
    many = {f"notes/many/{number}.toml": f"n = {number}\n" for number in range(5_001)}
    new = remote.push(many)
    state.rename(tmp_path / "elsewhere")
    state.write_text("no folder")
    refused(server.client.reload(), 500, "build-failed", old)
    reader.sees_the_same()
    assert remote.head == new
    state.unlink()
    (tmp_path / "elsewhere").rename(state)
    document = forwarded(server.client.reload(), old, new)
    assert document["changes"] == {"notes": {"added": 5_001, "modified": 0, "removed": 0}}


def test_a_server_that_follows_rewrites_and_allows_deletions_keeps_up_with_both(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, CFP_DATA_REWRITE="follow", CFP_DATA_MASS_DELETE="allow")
    server.ready(old := remote.head)
    other = remote.rewrite(None, DEFINITIONS | people(3))
    reply = server.client.reload({"commitHash": other})
    assert (reply.status, reply.json["oldCommit"], reply.json["newCommit"]) == (200, old, other)
    assert server.client.get("/api/people").json["meta"]["total"] == 3
    kept = run_git(server.repo_path, "for-each-ref", "--format=%(objectname)", "refs/livesheets/rewound/")
    assert kept.decode().split() == [old]


def test_without_a_remote_a_reload_reads_the_local_branch(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    old = remote.head
    bare = remote.author.bare_clone(tmp_path / "data.git")
    server = serve(tmp_path, None)
    server.ready(old)
    server.log.wait_for("reload.unchanged", trigger="startup")
    new = remote.commit({"people/p07.toml": person(7, name="Renamed")})
    remote.author.push(bare)
    in_sync(server.client.reload({"commitHash": old}), old)
    reply = server.client.reload()
    assert (reply.status, reply.json["oldCommit"], reply.json["newCommit"]) == (200, old, new)
    assert server.client.get("/api/people/p07").data["record"]["name"] == "Renamed"
