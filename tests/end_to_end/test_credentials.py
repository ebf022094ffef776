"""Who may ask for a reload: whoever proves to know the secret, by every credential given, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.end_to_end.client import RELOAD_PATH, SECRET, Client, Reply
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve, ServerProcess, run_command

OTHER = "another-secret-of-enough-characters-0123456789ab"
WRONG = (
    "x" * len(SECRET),
    SECRET[:-1] + "x",
    "x" + SECRET[1:],
    SECRET[:-1],
    SECRET + "x",
    SECRET.upper(),
    SECRET[:8],
    "x",
)


def refused(reply: Reply) -> dict[str, object]:
    """What a refused caller can see, apart from what differs between any two requests."""
    document = reply.problem(401, "unauthorized")
    assert reply.headers["WWW-Authenticate"] == "Bearer"
    own = {"X-Request-Id", "Date", "Content-Length"}  # ids are counted, and so become longer
    headers = {name: value for name, value in reply.headers.items() if name not in own}
    return {"headers": headers} | {name: value for name, value in document.items() if name != "requestId"}


def raw_call(client: Client, *headers: bytes) -> bytes:
    """The raw answer to a call with these header lines."""
    lines = [b"POST " + RELOAD_PATH.encode() + b" HTTP/1.1", b"Host: x", b"Content-Length: 0", *headers]
    return client.exchange(b"\r\n".join([*lines, b"Connection: close", b"", b""]))


def test_without_a_credential_nothing_is_done(
    serve: Serve, remote: DataRemote, git: GitOnPath, tmp_path: Path
) -> None:
    server = serve(tmp_path, remote.path, PATH=git.path)
    server.log.wait_for("reload.swapped")
    calls, processes = git.calls("fetch"), sorted(server.others())
    refused(server.client.reload_raw(b"{}", X_Request_Id="stranger"))
    for wrong in WRONG:
        refused(server.client.reload(secret=wrong))
    assert git.calls("fetch") == calls
    assert sorted(server.others()) == processes
    line = server.log.wait_for("attempt.refused", request_id="stranger")
    assert line["status"] == 401
    for wrong in WRONG[:3]:
        assert wrong not in str(server.log.lines)


def test_the_right_secret_is_enough_in_either_header(shared: ServerProcess) -> None:
    for headers in (
        {"Authorization": f"Bearer {SECRET}"},
        {"X_CFP_Webhook_Key": SECRET},
        {"Authorization": f"Bearer {SECRET}", "X_CFP_Webhook_Key": SECRET},
    ):
        assert shared.client.reload_raw(None, **headers).status == 200


def test_every_wrong_credential_is_answered_alike(shared: ServerProcess) -> None:
    client = shared.client
    nothing = refused(client.reload_raw())
    for wrong in WRONG:
        assert refused(client.reload_raw(Authorization=f"Bearer {wrong}")) == nothing
        assert refused(client.reload_raw(X_CFP_Webhook_Key=wrong)) == nothing
    for malformed in ("Bearer", "Bearer ", SECRET, f"Basic {SECRET}", f"Bearer {SECRET} x", "Basic Og=="):
        assert refused(client.reload_raw(Authorization=malformed)) == nothing, malformed
    assert refused(client.reload_raw(X_CFP_Webhook_Key="")) == nothing


@pytest.mark.parametrize("body", [None, b"{}", b"not json", b"x" * 100_000])
def test_a_body_makes_no_difference_to_who_may_ask(shared: ServerProcess, body: bytes | None) -> None:
    refused(shared.client.reload_raw(body, Authorization=f"Bearer {OTHER}"))


@pytest.mark.parametrize("value", ["é" * 48, "ä" + SECRET, "\xff" * 48, SECRET + "\xa0", "秘密" * 20])
def test_a_credential_of_odd_bytes_is_just_wrong(shared: ServerProcess, value: str) -> None:
    raw = value.encode("utf-8", "surrogateescape")
    for line in (b"Authorization: Bearer " + raw, b"X-CFP-Webhook-Key: " + raw):
        assert raw_call(shared.client, line).startswith(b"HTTP/1.1 401 ")


def test_the_schemes_name_may_be_written_in_any_case(shared: ServerProcess) -> None:
    for scheme in ("bearer", "BEARER", "BeArEr"):
        assert shared.client.reload_raw(Authorization=f"{scheme} {SECRET}").status == 200


@pytest.mark.parametrize(
    "value",
    [
        b"Bearer  " + SECRET.encode(),
        b"Bearer\t" + SECRET.encode(),
        b"Bearer " + SECRET.encode() + b",",
        b"Bearer " + SECRET.encode() + b" " + SECRET.encode(),
        b"Bearer=" + SECRET.encode(),
        b"Bearer",
        b"",
    ],
)
def test_a_credential_that_is_written_another_way_is_refused(shared: ServerProcess, value: bytes) -> None:
    assert raw_call(shared.client, b"Authorization: " + value).startswith(b"HTTP/1.1 401 ")


def test_all_credentials_given_must_be_right(shared: ServerProcess) -> None:
    good, bad = SECRET.encode(), OTHER.encode()
    bearer, key = b"Authorization: Bearer ", b"X-CFP-Webhook-Key: "
    for lines in (
        (bearer + good, key + bad),
        (bearer + bad, key + good),
        (bearer + good, bearer + bad),
        (bearer + bad, bearer + good),
        (key + good, key + bad),
        (bearer + good, b"Authorization: Basic Og=="),
        (bearer + good, key),
    ):
        assert raw_call(shared.client, *lines).startswith(b"HTTP/1.1 401 "), lines


def test_a_credential_elsewhere_is_no_credential(shared: ServerProcess) -> None:
    client = shared.client
    for query in (f"?token={SECRET}", f"?secret={SECRET}", f"?access_token={SECRET}"):
        refused(client.request("POST", RELOAD_PATH + query))
    assert shared.log.wait_for("credential.misplaced")["where"] == "query"
    refused(client.reload_raw(f'{{"secret": "{SECRET}"}}'.encode()))
    refused(client.reload({"secret": SECRET}))
    refused(client.reload_raw(Cookie=f"secret={SECRET}"))
    assert SECRET not in str(shared.log.lines)
    assert SECRET.encode() not in b"".join(shared.log.faults)


@pytest.mark.parametrize("header", [b"Authorization: Bearer ", b"X-CFP-Webhook-Key: ", b"X-Anything: "])
@pytest.mark.parametrize("size", [64 << 10, 10 << 20])
def test_an_endless_header_is_cut_off_and_costs_no_memory(
    shared: ServerProcess, header: bytes, size: int
) -> None:
    before = shared.client.metrics()["process_resident_memory_bytes"]
    received = raw_call(shared.client, header + b"x" * size)
    assert received == b"" or received.split(b" ", 2)[1] in (b"400", b"431"), received[:100]
    assert shared.client.get("/healthz").status == 200
    assert shared.client.metrics()["process_resident_memory_bytes"] - before < 8 << 20


def test_without_a_secret_the_door_stays_shut(serve: Serve, remote: DataRemote, tmp_path: Path) -> None:
    server = serve(tmp_path, remote.path, CFP_DATA_RELOAD_SECRET=None)
    server.ready()
    refused(server.client.reload_raw(b"{}"))
    for headers in (
        {"Authorization": f"Bearer {SECRET}"},
        {"X_CFP_Webhook_Key": "x"},
        {"Authorization": "Bearer "},
    ):
        server.client.reload_raw(b"{}", **headers).problem(503, "reload-not-configured")
    refused(server.client.get("/api/_internal/status"))


def test_both_secrets_are_accepted_while_one_is_replaced(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    files = [tmp_path / "new", tmp_path / "old"]
    for file, secret in zip(files, (SECRET, OTHER), strict=True):
        file.write_text(f"{secret}\n")
    server = serve(
        tmp_path,
        remote.path,
        CFP_DATA_RELOAD_SECRET=None,
        CFP_DATA_RELOAD_SECRET_FILE=str(files[0]),
        CFP_DATA_RELOAD_SECRET_PREVIOUS_FILE=str(files[1]),
    )
    server.ready()
    assert server.client.reload(secret=SECRET).status == 200
    assert server.client.reload(secret=OTHER).status == 200
    files[1].write_text("")
    refused(server.client.reload(secret=OTHER))
    assert server.client.reload(secret=SECRET).status == 200
    assert OTHER not in str(server.log.lines)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_the_webhook_is_called_with_post_only(shared: ServerProcess, method: str) -> None:
    for credential in ({}, {"Authorization": f"Bearer {SECRET}"}):
        headers = {"Origin": "https://example.org", "X-HTTP-Method-Override": "POST", **credential}
        before = shared.client.metrics()['livesheets_reload_phase_seconds_count{phase="fetch"}']
        reply = shared.client.request(method, RELOAD_PATH, headers=headers)
        assert (reply.status, reply.headers["Allow"]) == (405, "POST")
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]
        assert shared.client.metrics()['livesheets_reload_phase_seconds_count{phase="fetch"}'] == before


@pytest.mark.parametrize("command", ["reload", "status"])
def test_a_command_without_the_right_secret_names_the_setting(command: str, shared: ServerProcess) -> None:
    url = f"http://127.0.0.1:{shared.client.port}"
    unset = run_command(command, "--url", url)
    assert (
        "the server wants its secret: CFP_DATA_RELOAD_SECRET is not set here" in unset.stdout + unset.stderr
    )
    wrong = run_command(command, "--url", url, CFP_DATA_RELOAD_SECRET=OTHER)
    assert "the server refuses the secret in CFP_DATA_RELOAD_SECRET" in wrong.stdout + wrong.stderr
