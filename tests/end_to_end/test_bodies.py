"""What a call of the webhook may ask for: its body is read strictly, in bounds, and never reaches git."""

from __future__ import annotations

import gzip
import json

import pytest

from tests.end_to_end.client import RELOAD_PATH, SECRET
from tests.end_to_end.server_process import ServerProcess

BODY_BYTES_MAX = 64 << 10
BEARER = f"Authorization: Bearer {SECRET}".encode()


def head(*headers: bytes, host: bytes = b"Host: x") -> bytes:
    """The beginning of a call with these header lines."""
    first = b"POST " + RELOAD_PATH.encode() + b" HTTP/1.1"
    return b"\r\n".join([first, host, *headers, b"", b""])


def statuses(received: bytes) -> list[bytes]:
    """The status of every answer in what was received."""
    return [part[:3] for part in received.split(b"HTTP/1.1 ")[1:]]


@pytest.mark.parametrize(
    "body", [None, b"", b"  \n", b"{}", b'{"branch": "main"}', b'{"branch": null, "accept": []}']
)
@pytest.mark.parametrize("media", ["application/json", "text/plain", ""])
def test_a_call_may_ask_for_nothing_in_particular(
    shared: ServerProcess, body: bytes | None, media: str
) -> None:
    headers = {"Content_Type": media} if media else {}
    reply = shared.client.reload_raw(body, Authorization=f"Bearer {SECRET}", **headers)
    assert (reply.status, reply.json["outcome"]) == (200, "in-sync")


BROKEN = (
    b"{",
    b'{"branch": "main"',
    b"{} {}",
    b'{"branch": "main"} trailing',
    b"\xef\xbb\xbf{}",
    '{"branch": "main"}'.encode("utf-16"),
    b'{"branch": "\xff\xfe"}',
    b'{"branch": NaN}',
    b'{"branch": Infinity}',
    b'{"branch": "\\ud800"}',
    b'{"branch": "main", "branch": "main"}',
    b'{"branch": "a\nb"}',
    b"{'branch': 'main'}",
    b"[" * 60_000,
    b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    b'{"commitHash": ' + b"1" * 6_000 + b"}",
    b"null",
    b"[]",
    b'"main"',
    b"1",
    b"\x00",
)


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
def test_a_body_that_is_no_request_is_refused(shared: ServerProcess, body: bytes) -> None:
    reply = shared.client.reload_raw(body, Authorization=f"Bearer {SECRET}")
    problem = reply.problem(400, "invalid-request")
    assert problem["oldCommit"] == shared.client.get("/api").commit
    assert problem["durationMs"] >= 0


@pytest.mark.parametrize(
    ("request_", "named"),
    [
        ({"comitHash": "a" * 40}, "comitHash"),
        ({"ref": "refs/heads/main"}, "ref"),
        ({"branch": 1}, "branch"),
        ({"branch": ["main"]}, "branch"),
        ({"commitHash": 1234}, "commitHash"),
        ({"commitHash": True}, "commitHash"),
        ({"accept": "rewrite"}, "accept"),
        ({"accept": ["everything"]}, "accept"),
        ({"accept": [1]}, "accept"),
        ({"accept": [["rewrite"]]}, "accept"),
        ({"accept": None}, "accept"),
    ],
)
def test_a_field_that_is_not_understood_is_refused_by_name(
    shared: ServerProcess, request_: object, named: str
) -> None:
    problem = shared.client.reload(request_).problem(400, "invalid-request")
    assert named in problem["detail"]


@pytest.mark.parametrize(
    "branch",
    [
        *(
            "other",
            "-x",
            "--upload-pack=touch /tmp/x",
            "a:b",
            "*",
            "../x",
            "refs/heads/main",
            "@{-1}",
            "main\n",
        ),
        *("main\x1b[31m", "x" * 10_000, " main", "MAIN", "HEAD", "main~1", "ma\x00in"),
    ],
    ids=range(16),
)
def test_another_branch_is_told_from_the_served_one(shared: ServerProcess, branch: str) -> None:
    problem = shared.client.reload({"branch": branch}).problem(409, "branch-mismatch")
    assert problem["outcome"] == "branch-mismatch"
    commit = shared.client.get("/api").commit
    assert problem["oldCommit"] == commit
    assert problem["durationMs"] >= 0


@pytest.mark.parametrize(
    "commit",
    [
        *("HEAD", "HEAD~1", "main", ":/x", "--output=x", "-1", "", "abc", "g" * 40, "a" * 65, "a" * 128),
        *("0x" + "a" * 38, "a" * 39 + "\n", " " + "a" * 40, "٣٤٥٦", "a" * 20_000),
    ],
    ids=range(16),
)
def test_what_is_no_commit_id_is_refused(shared: ServerProcess, commit: str) -> None:
    problem = shared.client.reload({"commitHash": commit}).problem(400, "invalid-request")
    assert "commitHash" in problem["detail"]


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "GZIP", "gzip, identity"])
def test_a_compressed_body_is_refused(shared: ServerProcess, encoding: str) -> None:
    for body in (gzip.compress(b"{}"), gzip.compress(bytes(30 << 20))):
        reply = shared.client.reload_raw(body, Authorization=f"Bearer {SECRET}", Content_Encoding=encoding)
        reply.problem(415, "unsupported-media-type")


def test_a_body_beyond_the_bound_is_refused(shared: ServerProcess) -> None:
    fits = json.dumps({"branch": "main"}).encode().ljust(BODY_BYTES_MAX)
    assert shared.client.reload_raw(fits, Authorization=f"Bearer {SECRET}").status == 200
    before = shared.client.metrics()["process_resident_memory_bytes"]
    reply = shared.client.reload_raw(fits + b" ", Authorization=f"Bearer {SECRET}")
    reply.problem(413, "payload-too-large")
    chunk = b"%x\r\n%s\r\n" % (BODY_BYTES_MAX, b" " * BODY_BYTES_MAX)
    received = shared.client.exchange(head(BEARER, b"Transfer-Encoding: chunked") + chunk * 40)
    assert statuses(received) in ([b"413"], []), received[:100]
    assert shared.client.metrics()["process_resident_memory_bytes"] - before < 4 << 20


@pytest.mark.parametrize("promised", [5 << 30, 2 << 20, BODY_BYTES_MAX + 1])
def test_a_stranger_is_refused_before_a_byte_of_the_body_is_read(
    shared: ServerProcess, promised: int
) -> None:
    received = shared.client.exchange(head(b"Content-Length: %d" % promised))
    assert statuses(received) == [b"401"]


def test_a_strangers_bytes_are_not_kept(shared: ServerProcess) -> None:
    before = shared.client.metrics()["process_resident_memory_bytes"]
    for _ in range(5):
        received = shared.client.exchange(head(b"Content-Length: 900000") + b"x" * 900_000)
        assert statuses(received) in ([b"401"], []), received[:100]
    assert shared.client.metrics()["process_resident_memory_bytes"] - before < 4 << 20
