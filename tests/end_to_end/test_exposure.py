"""What strangers are shown: no version, no place on the disk, nobody's address, no trace of a failure."""

from __future__ import annotations

from pathlib import Path

import apsw
import pytest
import tornado

from tests.end_to_end.client import RELOAD_PATH, SECRET
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve, ServerProcess
from tests.end_to_end.test_smuggling import BEARER, HOST, statuses

CREDENTIAL = {"Authorization": f"Bearer {SECRET}"}
PROBES = (
    *("/.git/config", "/.env", "/.well-known/security.txt", "/robots.txt", "/favicon.ico", "/static/x"),
    *(
        "/docs/x",
        "/docs/..%2fpage.html",
        "/debug",
        "/debug/pprof",
        "/status",
        "/admin",
        "/server-status",
        "/actuator/env",
        "/openapi.json",
    ),
    *("/api/_internal", "/api/_internal/", "/api/_internal/nothing", "/api/_internal/reload-data/"),
    *("/api/_internal/status/..", "/api/_internal/reloads/", "/api/_internal/reloads/%00"),
    *("/api/..%2f..%2fetc%2fpasswd", "/api/people/..%2f..%2fHEAD", "/api/_attachments/people/../HEAD"),
    *("//", "/%00", "/%ff", "/api//people", "/api/people/%c0%ae", "/x" * 4_000),
)
WORDS = (
    b"traceback", b"tornado", b"python", b"apsw", b"sqlite", b"git version", b"site-packages", b".py\"",
    b"test@example.org", apsw.sqlite_lib_version().encode(), tornado.version.encode() + b"/",
)  # fmt: skip


def shows_nothing(server: ServerProcess, where: str, answer: bytes) -> None:
    """Neither head nor body of an answer tells what runs here, or where."""
    told = (*WORDS, str(server.repo_path.parent).lower().encode())
    assert [word for word in told if word in answer.lower()] == [], (where, answer)
    assert b"\r\nserver:" not in answer.lower(), where


def raw(server: ServerProcess, method: str, path: str, **headers: str) -> bytes:
    """The answer to a request, head and body."""
    lines = [f"{method} {path} HTTP/1.1", "Host: x", *(f"{k}: {v}" for k, v in headers.items())]
    return server.client.exchange("\r\n".join([*lines, "Connection: close", "", ""]).encode())


@pytest.mark.parametrize("path", PROBES, ids=range(len(PROBES)))
def test_a_probe_finds_nothing_and_learns_nothing(shared: ServerProcess, path: str) -> None:
    for method in ("GET", "HEAD", "POST", "OPTIONS", "TRACE"):
        for headers in ({}, CREDENTIAL):
            answer = raw(shared, method, path, **headers)
            assert statuses(answer)[0] in (b"204", b"400", b"401", b"404", b"405"), (method, path, answer)
            shows_nothing(shared, path, answer)


@pytest.mark.parametrize(
    "sent",
    [
        b"NONSENSE\r\n\r\n",
        b"GET /api HTTP/1.1\r\n\r\n",
        b"POST " + RELOAD_PATH.encode() + b" HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000000\r\n\r\n",
        b"POST " + RELOAD_PATH.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n" + BEARER
        + b"\r\nContent-Length: 70000\r\n\r\n",
        b"POST " + RELOAD_PATH.encode() + b" HTTP/1.1\r\n" + HOST + b"\r\n" + BEARER
        + b"\r\nContent-Length: 1\r\nConnection: close\r\n\r\n{",
        b"GET /api/people?limit=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
    ids=range(6),
)  # fmt: skip
def test_a_refusal_of_any_kind_shows_nothing(shared: ServerProcess, sent: bytes) -> None:
    answer = shared.client.exchange(sent)
    assert statuses(answer)[0].startswith(b"4"), answer
    shows_nothing(shared, str(sent[:40]), answer)


def test_no_method_override_and_no_forwarded_address_opens_a_door(shared: ServerProcess) -> None:
    headers = {
        "X-Forwarded-For": "127.0.0.1", "X-Real-IP": "127.0.0.1", "Forwarded": "for=127.0.0.1",
        "X-HTTP-Method-Override": "GET", "X-Original-URL": "/healthz", "X-Rewrite-URL": "/healthz",
    }  # fmt: skip
    for path in ("/api/_internal/status", RELOAD_PATH):
        assert statuses(raw(shared, "POST" if path == RELOAD_PATH else "GET", path, **headers)) == [b"401"]


def test_metrics_name_no_place_and_nobody(shared: ServerProcess) -> None:
    shows_nothing(shared, "/metrics", raw(shared, "GET", "/metrics"))


def test_a_server_that_cannot_start_serving_tells_strangers_no_place(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    remote.vanish()
    server = serve(tmp_path, remote.path)
    failed = server.log.wait_for("reload.failed")
    assert str(tmp_path) in failed["error"]
    for path in ("/", "/readyz", "/api", "/api/people", "/metrics", "/healthz"):
        shows_nothing(server, path, raw(server, "GET", path))
    assert str(tmp_path) in str(server.client.status())  # but those who have the secret
