"""What operators look at: liveness, readiness, metrics and status agree with what happened."""

from __future__ import annotations

import re
import signal
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.end_to_end.client import SECRET, Client
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import PEOPLE, person
from tests.end_to_end.server_process import ServerProcess
from tests.gitrepo import run_git

_RFC_3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def moment(text: str) -> datetime:
    assert _RFC_3339.fullmatch(text), text
    return datetime.fromisoformat(text)


def test_liveness_is_a_plain_yes(shared: ServerProcess) -> None:
    reply = shared.client.get("/healthz")
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    assert reply.commit is None


def test_readiness_names_the_commit_and_is_never_cached(server: ServerProcess, remote: DataRemote) -> None:
    reply = server.ready(remote.head)
    assert reply.json == {"ready": True, "fresh": True, "commit": remote.head}
    assert "no-store" in reply.headers["Cache-Control"]


def test_a_remote_that_is_ahead_of_what_is_served_is_not_fresh(client: Client, remote: DataRemote) -> None:
    assert client.get("/readyz").json["fresh"]
    remote.push({"people/p07.toml": "broken = = 1"})
    client.reload()
    assert client.get("/readyz").json["fresh"] is False
    assert client.status()["fresh"] is False
    assert client.metrics()["livesheets_fresh"] == 0
    remote.push({"people/p07.toml": person(7)})
    client.reload()
    assert client.get("/readyz").json["fresh"] is True
    assert client.metrics()["livesheets_fresh"] == 1


def test_the_status_needs_the_credential(shared: ServerProcess) -> None:
    for path in ("/api/_internal/status", "/api/_internal/reloads/anything"):
        shared.client.get(path).problem(401, "unauthorized")
        shared.client.get(path, Authorization="Bearer wrong").problem(401, "unauthorized")
    reply = shared.client.get("/api/_internal/status", X_CFP_Webhook_Key=SECRET)
    assert (reply.status, reply.headers["Cache-Control"]) == (200, "no-store")


def test_the_status_tells_everything(client: Client, remote: DataRemote) -> None:
    old = remote.head
    new = remote.push({"people/p07.toml": None})
    asked = datetime.now(UTC)
    client.reload()
    bad = remote.push({"people/p01.toml": "x = \n"})
    client.reload()
    status = client.status()
    assert status.keys() >= {
        *("branch", "served", "remote", "fresh", "rejected", "quarantined", "lastReload", "history", "poll")
    }
    assert status["branch"] == "main"
    served = status["served"]
    assert served.keys() == {"commit", "committedAt", "servedAt", "records"}
    assert served["commit"] == new
    assert served["records"] == {"events": 2, "notes": 2, "people": PEOPLE - 1, "posts": 2}
    committed = run_git(remote.path, "show", "-s", "--format=%ct", new)
    assert moment(served["committedAt"]).timestamp() == int(committed)
    assert moment(served["servedAt"]) >= asked.replace(microsecond=0)
    assert status["remote"].keys() >= {"commit", "lastReachedAt", "lastError", "announced"}
    assert status["remote"]["commit"] == bad
    assert moment(status["remote"]["lastReachedAt"]) >= asked.replace(microsecond=0)
    assert status["remote"]["announced"] is None
    assert status["fresh"] is False
    rejected = status["rejected"]
    assert rejected.keys() >= {"commit", "at", "code", "problems"}
    assert (rejected["commit"], rejected["code"]) == (bad, "data-rejected")
    assert rejected["problems"][0].keys() >= {"path", "line", "column", "message"}
    assert status["quarantined"] == []
    assert status["poll"] == {"intervalSeconds": 0, "nextAt": None, "consecutiveFailures": 1}
    assert status["lastReload"] == status["history"][0]
    check_history(status["history"], [(new, new, "data-rejected"), (old, new, "fast-forwarded")])


def check_history(history: list[dict[str, Any]], newest: list[tuple[str, str, str]]) -> None:
    """The newest reloads came by webhook and ended so: old commit, new commit, outcome."""
    members = {"id", "trigger", "outcome", "oldCommit", "newCommit", "startedAt", "durationMs", "phasesMs"}
    for entry, expected in zip(history, newest, strict=False):
        assert entry.keys() >= members
        assert (entry["oldCommit"], entry["newCommit"], entry["outcome"]) == expected
        assert entry["trigger"] == "webhook"
        moment(entry["startedAt"])
        assert entry["durationMs"] >= sum(entry["phasesMs"].values()) * 0.99
    assert history[-1]["trigger"] == "startup"
    assert len({entry["id"] for entry in history}) == len(history)


def test_the_outcome_of_a_reload_can_be_asked_for_later(client: Client, remote: DataRemote) -> None:
    new = remote.push({"people/p07.toml": None})
    client.reload()
    remote.push({"people/p01.toml": "x = \n"})
    client.reload()
    failed, succeeded = client.status()["history"][:2]
    good = client.internal(f"reloads/{succeeded['id']}").json
    assert (good["ok"], good["outcome"], good["newCommit"]) == (True, "fast-forwarded", new)
    bad = client.internal(f"reloads/{failed['id']}").json
    assert (bad["ok"], bad["outcome"], bad["oldCommit"]) == (False, "data-rejected", new)
    assert bad["problems"][0]["path"] == "people/p01.toml"
    client.internal("reloads/unknown").problem(404, "reload-not-found")


METRICS = (
    "livesheets_served_commit_timestamp_seconds",
    "livesheets_remote_last_reached_timestamp_seconds",
    "livesheets_fresh",
    "livesheets_event_loop_lag_seconds",
)


def test_metrics_count_what_happened(server: ServerProcess, remote: DataRemote) -> None:
    client = server.client
    before = client.metrics()
    new = remote.push({"people/p07.toml": None})
    client.reload()
    remote.push({"people/p01.toml": "x = \n", "posts/food.md": "+++\nx = \n+++\n"})
    client.reload()
    client.reload()
    client.get("/api/people/p02")
    client.get("/api/people/nobody")
    after = client.metrics()

    def more(name: str) -> float:
        return after.get(name, 0) - before.get(name, 0)

    assert more('livesheets_reloads_total{outcome="fast-forwarded",trigger="webhook"}') == 1
    assert more('livesheets_reloads_total{outcome="data-rejected",trigger="webhook"}') == 2
    assert more('livesheets_reload_phase_seconds_count{phase="fetch"}') == 3
    route = 'method="GET",route="/api/{sheet}/{path}"'
    assert more(f'livesheets_http_requests_total{{{route},status="200"}}') == 1
    assert more(f'livesheets_http_requests_total{{{route},status="404"}}') == 1
    assert more('livesheets_http_request_seconds_count{route="/api/{sheet}/{path}"}') == 2
    assert after['livesheets_records{sheet="people"}'] == PEOPLE - 1
    assert after[f'livesheets_served_commit_info{{commit="{new}"}}'] == 1
    assert len([name for name in after if name.startswith("livesheets_served_commit_info")]) == 1
    assert after['livesheets_problems{sheet="people"}'] == 1
    assert after['livesheets_problems{sheet="posts"}'] == 1
    assert set(METRICS) <= after.keys()


def test_every_reload_leaves_one_log_line_that_says_the_same_as_its_answer(
    server: ServerProcess, remote: DataRemote
) -> None:
    old = remote.head
    new = remote.push({"people/p07.toml": None})
    server.client.reload(X_Request_Id="the-caller")
    line = server.log.wait_for("reload.swapped", new_commit=new)
    assert (line["trigger"], line["outcome"], line["old_commit"]) == ("webhook", "fast-forwarded", old)
    assert line["phases_ms"].keys() >= {"fetch", "build", "swap"}
    request = server.log.wait_for("request.finished", request_id="the-caller")
    assert request["reload_id"] == line["reload_id"]
    bad = remote.push({"people/p01.toml": "x = \n"})
    server.client.reload()
    failed = server.log.wait_for("reload.failed", old_commit=new)
    assert (failed["outcome"], failed["level"]) == ("data-rejected", "error")
    assert failed["refused_commit"] == bad
    assert "livesheets check" in failed["next_step"]
    assert "new_commit" not in failed
    assert "people/p01.toml:1" in failed["problems"][0]


def test_the_page_shows_what_is_public(client: Client, remote: DataRemote) -> None:
    remote.push({"people/p01.toml": 'secretive = = "text of a broken record"\n'})
    client.reload()
    reply = client.get("/")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe-inline" not in policy or "script" not in policy
    page = reply.body.decode()
    assert client.status()["served"]["commit"] in page
    assert "people" in page
    assert "secretive" not in page


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/", "/api/_internal/status"])
def test_looking_costs_no_git(shared: ServerProcess, path: str) -> None:
    before = len(shared.others())
    for _ in range(3):
        shared.client.get(path, Authorization=f"Bearer {SECRET}")
    assert len(shared.others()) == before


def test_hanging_up_asks_for_a_reload(server: ServerProcess, remote: DataRemote) -> None:
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    server.process.send_signal(signal.SIGHUP)
    server.ready(new)
    assert server.running
