"""A forge's delivery: a push is answered at once and then served, everything else is told why not."""

from __future__ import annotations

import asyncio
import json
import socket
import time
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from reload.lane.outcome import Outcome
from server.auth.keyring import key_id
from server.webhook.handler import FORGE_BYTES_MAX, FORGE_KEPT_MAX
from tests.server.live_server import BEARER, WEBHOOK, LiveServer, Reply, eventually, live_server
from tests.server.payloads import ELSEWHERE, NEW, SECRET, SECRETS, ZERO, Headers, Sender, azure_push, senders

SENDERS = senders(time.time)
every_sender = pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[LiveServer]:
    """One server for all tests of this file; what they push stays."""
    with live_server(tmp_path_factory.mktemp("forges"), **SECRETS) as started:
        yield started


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A name that no other test uses: for records and for deliveries."""
    return f"{zlib.crc32(request.node.name.encode()):08x}"


def deliver(server: LiveServer, request: tuple[Headers, bytes]) -> Reply:
    """The answer to a delivery."""
    headers, body = request
    return server.ask(headers=headers, body=body)


def ignored(reply: Reply) -> str:
    """The reason for which a delivery was ignored."""
    assert (reply.status, reply.document["ok"], reply.document["outcome"]) == (200, True, "ignored")
    assert set(reply.document) == {"ok", "outcome", "reason"}
    return str(reply.document["reason"])


@every_sender
def test_a_push_is_accepted_at_once_and_then_served(server: LiveServer, sender: Sender, name: str) -> None:
    accepted = f'livesheets_deliveries_total{{forge="{sender.forge}",outcome="accepted"}}'
    before = server.metric(accepted)
    commit = server.push(**{name: "Ada"})
    reply = deliver(server, sender.request(sender.push("refs/heads/main", commit), name))
    assert reply.status == 202
    reload_id = reply.document["reloadId"]
    assert reply.document == {"ok": True, "outcome": "accepted", "reloadId": reload_id}
    outcome = server.outcome_of(reload_id)
    assert (outcome["ok"], outcome["outcome"], outcome["newCommit"]) == (True, "fast-forwarded", commit)
    assert server.served == commit
    after = server.metric(accepted)
    assert after == before + 1
    line = server.logged("request.finished", reload_id=reload_id)
    assert (line["forge"], line["delivery"], line["outcome"]) == (sender.forge, name, "accepted")
    assert line["keys"] in {key_id(secret.encode()) for secret in SECRETS.values()}
    assert server.logged("acceptance.ended", reload_id=reload_id)["delivery"] == name


@every_sender
def test_a_delivery_that_was_applied_is_not_applied_again(
    server: LiveServer, sender: Sender, name: str
) -> None:
    commit = server.push(**{name: "Ada"})
    request = sender.request(sender.push("refs/heads/main", commit), name)
    server.outcome_of(deliver(server, request).document["reloadId"])
    server.logged("acceptance.ended", delivery=name)
    before = server.reloads
    for _ in range(3):
        reply = deliver(server, request)
        assert (reply.status, reply.document) == (200, {"ok": True, "outcome": "duplicate"})
    assert server.reloads == before


@every_sender
def test_a_delivery_that_failed_is_applied_when_it_comes_again(
    server: LiveServer, sender: Sender, name: str
) -> None:
    commit = server.push(**{name: "Ada"})
    request = sender.request(sender.push("refs/heads/main", commit), name)
    away = server.remote.with_name("away.git")
    server.remote.rename(away)
    try:
        failed = server.outcome_of(deliver(server, request).document["reloadId"])
    finally:
        away.rename(server.remote)
    assert (failed["ok"], failed["code"], failed["outcome"]) == (False, "fetch-failed", "fetch-failed")
    reply = deliver(server, request)
    assert reply.status == 202
    assert server.outcome_of(reply.document["reloadId"])["newCommit"] == commit


def test_a_replay_under_another_id_costs_no_fetch(server: LiveServer, name: str) -> None:
    github = SENDERS["github"]
    commit = server.push(**{name: "Ada"})
    headers, body = github.request(github.push("refs/heads/main", commit), name)
    server.outcome_of(deliver(server, (headers, body)).document["reloadId"])
    before = server.reloads
    reply = deliver(server, (headers | {"X-GitHub-Delivery": f"{name}-again"}, body))
    assert server.outcome_of(reply.document["reloadId"])["outcome"] == "in-sync"
    assert server.reloads == before


@every_sender
def test_what_is_no_push_to_the_served_branch_is_ignored_and_logged(
    server: LiveServer, sender: Sender, name: str
) -> None:
    before = server.reloads
    for number, (ref, after, reason) in enumerate(
        [
            ("refs/heads/other", NEW, "the push moved another branch"),
            ("refs/tags/main", NEW, "the push moved a tag"),
            ("refs/heads/main", ZERO, "the branch main was deleted; what is served stays"),
            ("refs/heads/main\r\n\x1b[31m\u2028", NEW, "the push moved another branch"),
            ("refs/heads/--upload-pack=x", NEW, "the push moved another branch"),
        ]
    ):
        delivery = f"{name}-{number}"
        assert ignored(deliver(server, sender.request(sender.push(ref, after), delivery))) == reason
        line = server.logged("request.finished", delivery=delivery)
        assert (line["outcome"], line["reason"], line["forge"]) == ("ignored", reason, sender.forge)
    assert server.reloads == before


@pytest.mark.parametrize(
    ("forge", "event", "reason"),
    [
        ("github", "ping", "ping"),
        ("bitbucket-data-center", "diagnostics:ping", "ping"),
        ("github", "issues", "the event 'issues' is not a push"),
        ("gitea", "release", "the event 'release' is not a push"),
        ("gitlab", "Tag Push Hook", "the push moved a tag"),
        ("gitlab", "Pipeline Hook", "the event 'Pipeline Hook' is not a push"),
        ("bitbucket", "pullrequest:created", "the event 'pullrequest:created' is not a push"),
    ],
)
def test_pings_and_other_events_are_ignored(server: LiveServer, forge: str, event: str, reason: str) -> None:
    payload = {"zen": "Practicality beats purity.", "hook_id": 1, "action": "opened"}
    assert ignored(deliver(server, SENDERS[forge].request(payload, "1", event))) == reason


@pytest.mark.parametrize("forge", [forge for forge in SENDERS if forge not in ("gitlab", "azure")])
def test_a_delivery_whose_body_was_changed_is_refused(server: LiveServer, forge: str) -> None:
    sender = SENDERS[forge]
    headers, body = sender.request(sender.push("refs/heads/main", NEW), "1")
    rewritten = json.dumps(json.loads(body), indent=1).encode()
    for changed in (body + b" ", body[:-1], body.replace(b"main", b"mine"), rewritten, b""):
        assert deliver(server, (headers, changed)).status == 401


def test_a_form_is_refused_with_what_to_set_but_only_to_those_who_signed_it(server: LiveServer) -> None:
    github = SENDERS["github"]
    payload = json.dumps(github.push("refs/heads/main", NEW))
    headers, body = github.request(urlencode({"payload": payload}).encode(), "1")
    headers["Content-Type"] = "application/x-www-form-urlencoded"
    reply = deliver(server, (headers, body))
    assert (reply.status, reply.document["code"]) == (415, "unsupported-media-type")
    assert "application/json" in reply.document["detail"]
    assert deliver(server, (headers, body + b"x")).status == 401
    compressed = SENDERS["gitea"].request(b"\x1f\x8b", "1")
    assert deliver(server, (compressed[0] | {"Content-Encoding": "gzip"}, compressed[1])).status == 415


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b"null", b"\xff", b"{}", b'{"ref": 7}', b"[" * 5_000, b'{"ref": "refs/heads/main"}'],
)
def test_a_signed_payload_that_is_none_is_refused(server: LiveServer, body: bytes) -> None:
    reply = deliver(server, SENDERS["github"].request(body, "1"))
    assert (reply.status, reply.document["code"]) == (400, "invalid-request")


def test_no_address_in_a_payload_is_ever_called(server: LiveServer, name: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as trap:
        address = f"http://127.0.0.1:{trap.getsockname()[1]}/never"
        for number, sender in enumerate(SENDERS.values()):
            commit = server.push(**{f"{name}-{number}": "Ada"})
            payload = json.dumps(sender.push("refs/heads/main", commit)).replace(ELSEWHERE, address)
            payload = payload.replace("git://127.0.0.1:9/never", "ext::sh -c 'touch never'")
            reply = deliver(server, sender.request(payload.encode(), f"{name}-{number}"))
            assert server.outcome_of(reply.document["reloadId"])["newCommit"] == commit
        trap.setblocking(False)
        with pytest.raises(BlockingIOError):
            trap.accept()


@pytest.mark.parametrize("forge", ["github", "gitlab", "standard"])
def test_a_push_whose_payload_is_too_large_to_be_read_is_served_all_the_same(
    server: LiveServer, forge: str, name: str
) -> None:
    sender = SENDERS[forge]
    commit = server.push(**{name: "Ada"})
    payload: dict[str, Any] = sender.push("refs/heads/main", commit) | {"filler": "x" * (2 * FORGE_KEPT_MAX)}
    reply = deliver(server, sender.request(payload, name))
    assert reply.status == 202
    assert server.outcome_of(reply.document["reloadId"])["newCommit"] == commit
    assert server.logged("request.finished", delivery=name)["unread_bytes"] > 2 * FORGE_KEPT_MAX
    if forge == "github":
        assert "not a push" in ignored(deliver(server, sender.request(payload, f"{name}-issues", "issues")))
    eventually(lambda: server.service.app.routes.webhook.unproven_bytes.held == 0)


def test_a_payload_that_no_forge_would_send_for_its_size_is_refused_before_it_is_read(
    server: LiveServer,
) -> None:
    headers, _ = SENDERS["github"].request(b"{}", "1")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\n{lines}Content-Length: {FORGE_BYTES_MAX + 1}\r\n\r\n"
    answer = server.exchange(head.encode())
    assert answer.startswith(b"HTTP/1.1 413 ")
    assert answer.count(b"HTTP/1.1 ") == 1


def test_a_forge_that_only_knows_the_shared_secret_is_understood_too(server: LiveServer, name: str) -> None:
    commit = server.push(**{name: "Ada"})
    gitea = SENDERS["gitea"]
    body = json.dumps(gitea.push("refs/heads/main", commit)).encode()
    reply = server.ask(headers=BEARER | gitea.headers(name), body=body)
    assert reply.status == 202
    assert server.outcome_of(reply.document["reloadId"])["newCommit"] == commit


def test_names_in_headers_and_payloads_cannot_break_the_log(server: LiveServer, name: str) -> None:
    github = SENDERS["github"]
    headers, body = github.request({"ref": "\x1b]0;x\x07"}, name)
    headers |= {"X-GitHub-Event": "\x9b31m\xe2\x80\xa8", "X-GitHub-Delivery": f"{name}\xe9"}
    assert "not a push" in ignored(deliver(server, (headers, body)))
    line = server.logged("request.finished", delivery=f"{name}\\xe9")
    assert line["forge_event"] == "\\x9b31m\\xe2\\x80\\xa8"
    assert json.dumps(line, ensure_ascii=False).isascii()


def test_while_an_accepted_reload_runs_its_address_says_so(server: LiveServer) -> None:
    gate, done = asyncio.Event(), server.service.branch.journal.history[0]

    async def start() -> str:
        async def wait() -> Outcome:
            await gate.wait()
            return done

        return server.service.app.routes.webhook.accepted.start(wait, lambda reload_id, outcome: None)

    async def release() -> None:
        gate.set()

    reload_id = server.on_loop(start())
    path = f"/api/_internal/reloads/{reload_id}"
    try:
        reply = server.ask("GET", path, BEARER)
        assert (reply.status, reply.document) == (200, {"outcome": "running", "reloadId": reload_id})
    finally:
        server.on_loop(release())
    assert server.outcome_of(reload_id)["reloadId"] == reload_id


def test_a_server_that_stops_first_ends_what_it_accepted(tmp_path: Path) -> None:
    with live_server(tmp_path, **SECRETS) as server:
        commit = server.push(bo="Bo")
        github = SENDERS["github"]
        assert deliver(server, github.request(github.push("refs/heads/main", commit), "1")).status == 202
    (ended,) = server.log("acceptance.ended")
    assert ended["outcome"] == "fast-forwarded"
    # The module's own server, which goes on, may tell of those whom it refused a second ago.
    ours = [line["event"] for line in server.lines() if line["event"] != "attempt.refused"]
    assert ours[-1] == "server.stopped"


def test_many_deliveries_at_once_share_reloads(server: LiveServer, name: str) -> None:
    github = SENDERS["github"]
    commit = server.push(**{name: "Ada"})
    before = server.service.branch.journal.history[0].id
    replies = [
        deliver(server, github.request(github.push("refs/heads/main", commit), f"{name}-{number}"))
        for number in range(20)
    ]
    for reply in replies:
        assert server.outcome_of(reply.document["reloadId"])["newCommit"] == commit
    ran = [outcome.id for outcome in server.service.branch.journal.history]
    assert ran.index(before) < 10
    eventually(lambda: server.service.app.context.in_flight.count == 0)


def test_a_hook_of_azure_may_send_the_shared_secret_in_a_header_of_its_own(
    server: LiveServer, name: str
) -> None:
    commit = server.push(**{name: "Ada"})
    _, body = SENDERS["azure"].request(azure_push("refs/heads/main", commit), name)
    reply = deliver(server, ({"X-CFP-Webhook-Key": SECRET, "Content-Type": "application/json"}, body))
    assert reply.status == 202
    assert server.outcome_of(reply.document["reloadId"])["newCommit"] == commit
