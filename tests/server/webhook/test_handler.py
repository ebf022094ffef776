"""A direct call of the webhook: who may, what may be asked, and what is answered to everything else."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from server.auth.keyring import key_id
from tests.server.live_server import BEARER, WEBHOOK, LiveServer, Reply, eventually, live_server
from tests.server.payloads import PREVIOUS, SECRET


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[LiveServer]:
    """One server for all tests of this file; what they push stays."""
    with live_server(tmp_path_factory.mktemp("webhook"), CFP_DATA_RELOAD_SECRET_PREVIOUS=PREVIOUS) as started:
        yield started


def refused(reply: Reply, status: int, code: str) -> None:
    """The answer is a problem document of this code."""
    assert (reply.status, reply.document["code"]) == (status, code)
    assert reply.headers["Content-Type"] == "application/problem+json"
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert "Server" not in reply.headers


def test_without_a_credential_nothing_happens_and_one_line_says_so(server: LiveServer) -> None:
    before = server.reloads
    reply = server.ask(headers={"X-Request-Id": "nobody"}, body=b"{}", peer="198.51.100.20")
    refused(reply, 401, "unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    assert server.reloads == before
    assert server.log("request.finished", request_id="nobody") == []
    assert server.metric('livesheets_attempts_refused_total{reason="none",status="401"}') > 0


def test_every_wrong_credential_gets_the_same_bytes(server: LiveServer) -> None:
    answers = set()
    for token in ("x" * len(SECRET), "x", SECRET[:-1], SECRET + "x", "\xe9" * 40, "a b"):
        for headers in ({"Authorization": f"Bearer {token}"}, {"X-CFP-Webhook-Key": token}):
            reply = server.ask(headers=headers | {"X-Request-Id": "same"})
            shown = [pair for pair in reply.headers.items() if pair[0] != "Date"]
            answers.add((reply.status, str(shown), reply.body))
    reply = server.ask(headers={"X-Request-Id": "same"})
    shown = [pair for pair in reply.headers.items() if pair[0] != "Date"]
    assert answers == {(401, str(shown), reply.body)}


@pytest.mark.parametrize("path", ["/api/_internal/status", "/api/_internal/reloads/1", WEBHOOK])
def test_every_internal_route_asks_for_the_secret(server: LiveServer, path: str) -> None:
    method = "POST" if path == WEBHOOK else "GET"
    refused(server.ask(method, path), 401, "unauthorized")
    refused(server.ask(method, path, {"Authorization": "Bearer x"}), 401, "unauthorized")
    refused(server.ask(method, f"{path}?token={SECRET}", BEARER), 401, "unauthorized")


def test_a_secret_in_the_address_is_refused_and_logged_without_its_value(server: LiveServer) -> None:
    refused(
        server.ask(path=f"{WEBHOOK}?secret={SECRET}", headers={"X-Request-Id": "misused"}),
        401,
        "unauthorized",
    )
    line = server.logged("credential.misplaced", request_id="misused")
    assert (line["where"], line["values"], line["level"]) == ("query", {"secret": "***"}, "warning")
    assert SECRET not in json.dumps(server.log("credential.misplaced"))


def test_a_secret_in_the_body_is_refused_and_logged_without_its_value(server: LiveServer) -> None:
    body = json.dumps({"token": SECRET}).encode()
    refused(server.ask(headers=BEARER | {"X-Request-Id": "in-the-body"}, body=body), 401, "unauthorized")
    line = server.logged("credential.misplaced", request_id="in-the-body")
    assert (line["where"], line["values"]) == ("body", {"token": "***"})


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"])
def test_only_post_is_allowed_whatever_overrides_it(server: LiveServer, method: str) -> None:
    before = server.reloads
    reply = server.ask(
        method, headers=BEARER | {"X-HTTP-Method-Override": "POST", "Origin": "https://a.example"}
    )
    assert (reply.status, reply.headers["Allow"]) == (405, "POST")
    assert "Access-Control-Allow-Origin" not in reply.headers
    assert server.reloads == before


def test_a_form_in_a_browser_can_do_nothing(server: LiveServer) -> None:
    form = {
        "Content-Type": "application/x-www-form-urlencoded", "Origin": "https://evil.example",
        "Cookie": f"token={SECRET}", "Sec-Fetch-Site": "cross-site",
    }  # fmt: skip
    refused(server.ask(headers=form, body=b"branch=main"), 401, "unauthorized")


@pytest.mark.parametrize("body", [None, b"", b"  \n", b"{}", b'{"branch": null}', b'{"branch": "main"}'])
def test_a_call_that_asks_for_nothing_special_reloads_the_served_branch(
    server: LiveServer, body: bytes | None
) -> None:
    reply = server.ask(headers=BEARER, body=body)
    assert reply.status == 200
    assert reply.document["ok"] is True
    assert reply.document["newCommit"] == server.served


def test_a_pushed_commit_is_served_when_the_call_returns(server: LiveServer) -> None:
    commit = server.push(bo="Bo")
    reply = server.call(branch="main", commitHash=commit)
    assert (reply.status, reply.document["outcome"], reply.document["newCommit"]) == (
        200,
        "fast-forwarded",
        commit,
    )
    assert server.served == commit


def test_a_commit_that_is_served_already_costs_no_fetch(server: LiveServer) -> None:
    server.call()
    before = server.reloads
    for commit in (server.served, server.served[:4], server.served.upper(), server.work.rev("main~0")[:12]):
        reply = server.call(commitHash=commit)
        assert (reply.status, reply.document["outcome"], reply.document["noChanges"]) == (
            200,
            "in-sync",
            True,
        )
    assert server.reloads == before


@pytest.mark.parametrize(
    "body",
    [
        b"{", b"{} x", b"\xef\xbb\xbf{}", '{"branch": "main"}'.encode("utf-16"), b'{"branch": "\xff"}',
        b"NaN", b'{"branch": NaN}', b"[]", b'"main"', b"null", b"[" * 60_000, b'{"branch": "\\ud800"}',
        b'{"branch": "main", "branch": "main"}', b'{"accept": ' + b"1" * 6_000 + b"}", b"1e400",
        b"payload=%7B%7D",
    ],
    ids=range(16),
)  # fmt: skip
def test_what_is_not_strictly_json_is_refused(server: LiveServer, body: bytes) -> None:
    refused(server.ask(headers=BEARER, body=body), 400, "invalid-request")


@pytest.mark.parametrize(
    ("members", "named"),
    [
        ({"commit": "abcd"}, "commit"),
        ({"Branch": "main"}, "Branch"),
        ({"branch": 7}, "branch"),
        ({"branch": ""}, "branch"),
        ({"branch": ["main"]}, "branch"),
        ({"commitHash": 7}, "commitHash"),
        ({"accept": "rewrite"}, "accept"),
        ({"accept": ["everything"]}, "accept"),
        ({"accept": [{}]}, "accept"),
    ],
)
def test_a_field_that_is_unknown_or_of_another_type_is_named(
    server: LiveServer, members: dict[str, Any], named: str
) -> None:
    reply = server.call(**members)
    refused(reply, 400, "invalid-request")
    assert named in reply.document["detail"]


@pytest.mark.parametrize(
    "commit", ["", "abc", "a" * 65, "HEAD~1", ":/x", "--output=x", "main", "\u0661" * 8, "abcd\n"]
)
def test_what_is_no_commit_id_never_reaches_git(server: LiveServer, commit: str) -> None:
    refused(server.call(commitHash=commit), 400, "invalid-request")


@pytest.mark.parametrize(
    "branch",
    ["other", "-x", "--upload-pack=touch x", "a:b", "*", "../x", "refs/heads/main", "@{-1}", "main\n",
     "\x1b[2J", "x" * 10_000, "Main"],
)  # fmt: skip
def test_another_branch_is_refused_without_asking_git(server: LiveServer, branch: str) -> None:
    before = server.reloads
    reply = server.call(branch=branch)
    refused(reply, 409, "branch-mismatch")
    assert "main" in reply.document["detail"]
    assert server.reloads == before


def test_a_commit_of_another_branch_is_neither_fetched_nor_served(tmp_path: Path) -> None:
    with live_server(tmp_path) as server:
        served = server.served
        server.work.switch("elsewhere", served)
        server.work.write({"people/eve.toml": 'slug = "eve"\n'})
        commit = server.work.commit()
        server.work.push(server.remote)
        refused(server.call(commitHash=commit), 409, "commit-not-on-branch")
        assert server.served == served
        known = ["git", "-C", str(tmp_path / "data.git"), "cat-file", "-e", commit]
        assert subprocess.run(known, capture_output=True).returncode != 0


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, identity"])
def test_a_compressed_body_is_refused(server: LiveServer, encoding: str) -> None:
    headers = BEARER | {"Content-Encoding": encoding}
    refused(server.ask(headers=headers, body=b"\x1f\x8b"), 415, "unsupported-media-type")


def test_a_caller_who_does_not_want_to_wait_can_ask_for_the_outcome_later(server: LiveServer) -> None:
    commit = server.push(cy="Cy")
    body = json.dumps({"commitHash": commit}).encode()
    reply = server.ask(headers=BEARER | {"Prefer": "wait=5, respond-async"}, body=body)
    assert reply.status == 202
    assert reply.document == {"ok": True, "outcome": "accepted", "reloadId": reply.document["reloadId"]}
    assert reply.headers["Preference-Applied"] == "respond-async"
    reload_id = reply.document["reloadId"]
    assert reply.headers["Location"] == f"/api/_internal/reloads/{reload_id}"
    outcome = server.outcome_of(reload_id)
    assert (outcome["ok"], outcome["newCommit"], outcome["reloadId"]) == (True, commit, reload_id)
    line = server.logged("acceptance.ended", reload_id=reload_id)
    assert server.log("reload.swapped", reload_id=line["ran_as"])


def test_a_call_that_does_not_wait_is_read_as_strictly(server: LiveServer) -> None:
    headers = BEARER | {"Prefer": "respond-async"}
    refused(server.ask(headers=headers, body=b'{"branch": "other"}'), 409, "branch-mismatch")
    refused(server.ask(headers=headers, body=b"{"), 400, "invalid-request")


def test_a_reload_that_nobody_knows_is_not_found(server: LiveServer) -> None:
    refused(server.ask("GET", "/api/_internal/reloads/0123456789abcdef", BEARER), 404, "reload-not-found")


def test_a_client_that_goes_away_does_not_take_its_reload_with_it(server: LiveServer) -> None:
    commit = server.push(di="Di")
    with server.connect() as connection:
        head = f"POST {WEBHOOK} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {SECRET}\r\n"
        connection.sendall(head.encode() + b"Content-Length: 0\r\n\r\n")
    eventually(lambda: server.service.branch.journal.history[0].new_commit == commit)
    assert server.served == commit
    assert [line for line in server.lines() if line["level"] == "error"] == []


def test_without_a_secret_the_webhook_is_closed_to_everybody(tmp_path: Path) -> None:
    with live_server(tmp_path, CFP_DATA_RELOAD_SECRET="") as server:
        refused(server.ask(), 401, "unauthorized")
        for headers in (
            BEARER,
            {"Authorization": ""},
            {"X-CFP-Webhook-Key": "x"},
            {"X-Hub-Signature-256": "x"},
        ):
            refused(server.ask(headers=headers), 503, "reload-not-configured")


def test_a_secret_is_rotated_without_a_gap_and_without_a_restart(tmp_path: Path) -> None:
    new, old = tmp_path / "new", tmp_path / "old"
    new.write_text(SECRET)
    old.write_text(PREVIOUS)
    files = {"CFP_DATA_RELOAD_SECRET_FILE": str(new), "CFP_DATA_RELOAD_SECRET_PREVIOUS_FILE": str(old)}
    with live_server(tmp_path, CFP_DATA_RELOAD_SECRET="", **files) as server:
        for secret in (SECRET, PREVIOUS, PREVIOUS):
            reply = server.ask(headers={"X-CFP-Webhook-Key": secret, "X-Request-Id": secret[:12]})
            assert reply.status == 200
            assert server.logged("request.finished", request_id=secret[:12])["keys"] == key_id(
                secret.encode()
            )
        used = 'livesheets_credentials_used_total{key="%s",scheme="shared"}'
        assert server.metric(used % key_id(PREVIOUS.encode())) == 2
        shown = {entry["id"]: entry["uses"] for entry in server.service.app.authenticator.keys_document()}
        assert shown == {key_id(SECRET.encode()): 1, key_id(PREVIOUS.encode()): 2}
        old.unlink()
        refused(server.ask(headers={"X-CFP-Webhook-Key": PREVIOUS}), 401, "unauthorized")
        assert server.ask(headers=BEARER).status == 200
