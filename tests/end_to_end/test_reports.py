"""People are told of refused commits and recoveries by a server that runs, whoever listens."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Iterator
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from server.auth.keyring import STANDARD, Key
from server.auth.signatures import standard_signature
from server.settings.secret import Secret
from tests.end_to_end.client import SECRET
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve
from tests.end_to_end.waiting import eventually
from tests.reload.hosts import SilentHost

NOTIFY_SECRET = "another-secret-for-reports-0123456789abcdef"
PATH = "/hooks/canary-in-the-path"


class Listener(ThreadingHTTPServer):
    """Takes whatever is posted."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), ListenerHandler)
        self.posts: list[tuple[str, dict[str, str], bytes]] = []

    def bodies(self, path: str) -> list[bytes]:
        return [body for at, _, body in self.posts if at == path]


class ListenerHandler(BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.headers["Content-Encoding"] == "gzip":
            body = gzip.decompress(body)
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.posts.append((self.path, headers, body))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_a_refused_commit_and_its_recovery_are_reported_once(
    serve: Serve, remote: DataRemote, tmp_path: Path, listener: Listener
) -> None:
    url = f"http://127.0.0.1:{listener.server_port}{PATH}"
    server = serve(tmp_path, remote.path, CFP_NOTIFY_URL=url, CFP_NOTIFY_SECRET=NOTIFY_SECRET)
    server.ready(remote.head)
    bad = remote.push({"people/p01.toml": "name = = 1\n"})
    for _ in range(3):
        assert server.client.reload().status == 500
    good = remote.push({"people/p01.toml": person(1)})
    assert server.client.reload().status == 200
    eventually(lambda: len(listener.posts) >= 2, "both reports have arrived")
    refused, recovered = (document(post) for post in listener.posts)
    assert (refused["type"], refused["data"]["commit"]) == ("commit.refused", bad)
    assert refused["data"]["problems"][0]["path"] == "people/p01.toml"
    assert (recovered["type"], recovered["data"]["servedCommit"]) == ("data.recovered", good)
    server.log.wait_for("notification.sent", type="data.recovered", host="127.0.0.1")
    assert server.client.metrics()['livesheets_notifications_total{result="sent",type="commit.refused"}'] == 1
    server.stop()
    assert len(listener.posts) == 2
    for secret in ("canary-in-the-path", NOTIFY_SECRET):
        assert secret not in str(server.log.lines)


def document(post: tuple[str, dict[str, str], bytes]) -> dict[str, Any]:
    """The document in a report, which must be signed."""
    path, headers, body = post
    assert path == PATH
    key = Key(STANDARD, "CFP_NOTIFY_SECRET", Secret(NOTIFY_SECRET.encode()))
    signed = (headers["webhook-id"], headers["webhook-timestamp"], headers["webhook-signature"])
    proof = standard_signature(*signed, [key], float(headers["webhook-timestamp"]))
    proof.feed(body)
    assert proof.proven_by() == key
    found: dict[str, Any] = json.loads(body)
    return found


def test_a_receiver_that_hangs_holds_up_neither_reloads_nor_the_end(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    with SilentHost() as host:
        url = host.url.replace("git://", "http://")
        server = serve(tmp_path, remote.path, CFP_NOTIFY_URL=url)
        server.ready(remote.head)
        remote.push({"people/p01.toml": "name = = 1\n"})
        assert server.client.reload().status == 500
        assert host.called.wait(30)
        good = remote.push({"people/p01.toml": person(1)})
        assert server.client.reload().json["newCommit"] == good
        server.stop()
    assert server.log.of("notification.failed") + server.log.of("notification.dropped")


def test_sentry_is_told_where_its_package_is_installed(
    serve: Serve, remote: DataRemote, tmp_path: Path, listener: Listener
) -> None:
    pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed")
    dsn = f"http://canarykey@127.0.0.1:{listener.server_port}/7"
    server = serve(tmp_path, remote.path, SENTRY_DSN=dsn)
    server.ready(remote.head)
    bad = remote.push({"people/p01.toml": "name = = 1\n"})
    assert server.client.reload().status == 500
    assert server.client.get("/nowhere").status == 404
    sent = partial(listener.bodies, "/api/7/envelope/")
    eventually(lambda: any(b"message" in body for body in sent()), "Sentry is told")
    server.stop()
    (envelope,) = [body for body in sent() if b"message" in body]
    lines = [json.loads(line) for line in envelope.splitlines()]
    event = next(line for line in lines if "message" in line)
    assert bad[:12] in event["message"]
    assert (event["level"], event["tags"]["outcome"]) == ("error", "data-rejected")
    assert "request" not in event
    assert "breadcrumbs" not in event or not event["breadcrumbs"].get("values")
    assert SECRET not in envelope.decode()
    assert "canarykey" not in str(server.log.lines)


def test_a_broken_sentry_address_is_told_and_changes_nothing(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    pytest.importorskip("sentry_sdk", reason="sentry-sdk is not installed")
    server = serve(tmp_path, remote.path, SENTRY_DSN="https://no-key-canary.example.org/1")
    server.ready(remote.head)
    line = server.log.wait_for("sentry.refused")
    assert "canary" not in str(line)
