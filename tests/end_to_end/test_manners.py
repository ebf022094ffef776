"""HTTP manners that every route shares: HEAD, methods, caching, compression, origins, request ids."""

from __future__ import annotations

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import RELOAD_PATH, SECRET, Client, Reply
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import Serve, ServerProcess

Read = Callable[..., Reply]
READS = (
    "/api",
    "/api/people",
    "/api/people?q=porto&facet=tags",
    "/api/people/p07",
    "/api/_search?q=food",
    "/api/_attachments/posts/food/map.png",
)
MISSING = ("/api/nothing", "/api/people/nobody", "/api/_attachments/posts/nothing.png", "/api/people?limit=x")
PUBLIC = ("/", "/healthz", "/readyz", "/metrics")
INTERNAL = ("/api/_internal/status", "/api/_internal/reloads/unknown")
CREDENTIAL = {"Authorization": f"Bearer {SECRET}"}
# What may differ between two answers to the same question.
_OWN = {"x-request-id", "date"}


def comparable(reply: Reply) -> dict[str, str]:
    return {name.lower(): value for name, value in reply.headers.items() if name.lower() not in _OWN}


@pytest.mark.parametrize("path", [*READS, *MISSING, "/", "/healthz", "/readyz", *INTERNAL, "/nowhere"])
def test_head_answers_as_get_does_without_a_body(shared: ServerProcess, path: str) -> None:
    for headers in ({}, CREDENTIAL, {"Accept-Encoding": "gzip"}):
        get = shared.client.request("GET", path, headers=headers)
        head = shared.client.request("HEAD", path, headers=headers)
        assert (head.status, head.body) == (get.status, b"")
        # A problem holds its request's id, and the status counts how often a key was used.
        differing = {"content-length"} if get.status >= 400 or path in INTERNAL else set()
        expected, found = comparable(get), comparable(head)
        assert found.keys() == expected.keys()
        assert {name for name in found if found[name] != expected[name]} <= differing


@pytest.mark.parametrize("path", [*READS, *MISSING, "/", "/healthz", "/readyz", *INTERNAL, "/nowhere"])
def test_a_whole_url_is_answered_as_its_path_is(shared: ServerProcess, path: str) -> None:
    by_path = shared.client.request("GET", path, headers=CREDENTIAL)
    for before in ("http://localhost", "HTTPS://records.example.org:8443"):
        reply = shared.client.request("GET", before + path, headers=CREDENTIAL)
        assert reply.status == by_path.status
        assert reply.headers["ETag"] == by_path.headers["ETag"]
        assert reply.headers["Content-Type"] == by_path.headers["Content-Type"]


def test_a_whole_url_without_a_path_is_the_page(shared: ServerProcess) -> None:
    for url in ("http://localhost", "http://localhost?x=y"):
        assert shared.client.get(url).headers["Content-Type"] == "text/html; charset=utf-8"


def test_head_of_metrics_has_no_body(shared: ServerProcess) -> None:
    head = shared.client.head("/metrics")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
@pytest.mark.parametrize("path", [*READS, *PUBLIC, "/api/_internal/status"])
def test_a_method_that_a_route_lacks_is_refused_with_those_it_has(
    shared: ServerProcess, path: str, method: str
) -> None:
    reply = shared.client.request(method, path, b"{}", CREDENTIAL)
    reply.problem(405, "method-not-allowed")
    allowed = {name.strip() for name in reply.headers["Allow"].split(",")}
    assert {"GET", "HEAD"} <= allowed
    assert method not in allowed


@pytest.mark.parametrize("method", ["BREW", "CONNECT", "TRACE", "get"])
def test_an_unknown_method_is_refused(shared: ServerProcess, method: str) -> None:
    for path in ("/api/people", "/healthz", RELOAD_PATH):
        request = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
        received = shared.client.exchange(request.encode())
        assert received.split(b" ", 2)[1] in (b"400", b"405"), received


@pytest.mark.parametrize("path", READS)
def test_what_a_client_knows_is_not_sent_again(read: Read, path: str) -> None:
    first = read(path)
    tag = first.headers["ETag"]
    strong = tag.removeprefix("W/")
    many = ", ".join(f'"other-{number}"' for number in range(1_000))
    for known in (tag, strong, f"W/{strong}", f'"other", {tag}', f"{many}, {tag}", "*"):
        again = read(path, If_None_Match=known)
        assert (again.status, again.body) == (304, b""), known[:50]
        assert (again.headers["ETag"], again.commit) == (tag, first.commit)
        assert again.headers["Content-Type"] is None
    for unknown in ('"other"', "other", "", '"', "W/", many, '"\xe9"', "x" * 20_000, tag[:-5] + '"'):
        assert read(path, If_None_Match=unknown).status == 200, unknown[:50]


@pytest.mark.parametrize("path", MISSING)
def test_an_error_is_never_not_modified(read: Read, path: str) -> None:
    tag = read("/api").headers["ETag"]
    for known in ("*", tag):
        reply = read(path, If_None_Match=known)
        assert reply.status in (400, 404)
        assert reply.headers["ETag"] is None


def test_every_address_has_a_tag_of_its_own_and_every_commit_another(
    client: Client, remote: DataRemote
) -> None:
    before = {path: client.get(path).headers["ETag"] for path in READS}
    assert len(set(before.values())) == len(READS)
    remote.push({"people/p01.toml": person(1, name="Renamed")})
    client.reload()
    after = {path: client.get(path, If_None_Match=before[path]) for path in READS}
    unchanged = {path for path, reply in after.items() if reply.status == 304}
    assert unchanged == {path for path in READS if "_attachments" in path}  # its bytes are the same


def test_an_answer_is_compressed_where_the_client_takes_it(read: Read) -> None:
    path = "/api/people?limit=50"
    plain = read(path)
    assert plain.headers["Content-Encoding"] is None
    for accepted in ("gzip", "deflate, gzip;q=0.5", "br, *;q=0.1", "GZIP"):
        packed = read(path, Accept_Encoding=accepted)
        assert packed.headers["Content-Encoding"] == "gzip", accepted
        assert gzip.decompress(packed.body) == plain.body
        assert len(packed.body) < len(plain.body)
    for refused in ("identity", "gzip;q=0", "br", "", "gzip;q=0.000", "x-gzipped"):
        assert read(path, Accept_Encoding=refused).headers["Content-Encoding"] is None, refused
    for reply in (plain, packed):
        assert "Accept-Encoding" in reply.headers["Vary"]


@pytest.mark.parametrize("path", [*READS, *MISSING, "/readyz", "/healthz"])
def test_any_origin_may_read(read: Read, path: str) -> None:
    for origin in ("https://example.org", "null"):
        reply = read(path, Origin=origin)
        assert reply.headers["Access-Control-Allow-Origin"] == "*"
        assert {"ETag", "Link", "X-Data-Commit"} <= {
            name.strip() for name in reply.headers["Access-Control-Expose-Headers"].split(",")
        }
        assert reply.headers["Access-Control-Allow-Credentials"] is None


def test_a_browser_may_ask_before_it_reads(shared: ServerProcess) -> None:
    asked = {"Origin": "https://example.org", "Access-Control-Request-Method": "GET"}
    reply = shared.client.request("OPTIONS", "/api/people", headers=asked)
    assert (reply.status, reply.body) == (204, b"")
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert "GET" in reply.headers["Access-Control-Allow-Methods"]
    assert "Content-Type" in reply.headers["Access-Control-Allow-Headers"]


@pytest.mark.parametrize("origin", ["https://three.example", "null", "*", "https://one.example.evil.org"])
def test_a_browser_elsewhere_gets_no_leave_to_read(guarded: ServerProcess, origin: str) -> None:
    guarded.ready()
    asked = {"Origin": origin, "Access-Control-Request-Method": "GET"}
    for path in READS:
        reply = guarded.client.request("OPTIONS", path, headers=asked)
        assert reply.headers["Access-Control-Allow-Origin"] is None
    asked["Origin"] = "https://one.example"
    reply = guarded.client.request("OPTIONS", "/api/people", headers=asked)
    assert reply.headers["Access-Control-Allow-Origin"] == "https://one.example"


@pytest.mark.parametrize("path", [RELOAD_PATH, *INTERNAL, "/api/_internal/unknown"])
@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
def test_no_internal_route_is_open_to_a_browser(shared: ServerProcess, path: str, method: str) -> None:
    headers = {"Origin": "https://example.org", "Access-Control-Request-Method": "POST", **CREDENTIAL}
    reply = shared.client.request(method, path, headers=headers)
    assert not [name for name in reply.headers if name.lower().startswith("access-control-")]


@pytest.fixture(scope="module")
def guarded(shared: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that only two origins may read from."""
    server = ServerProcess(
        tmp_path_factory.mktemp("guarded"),
        shared.repo_path,
        CFP_CORS_ORIGINS="https://one.example https://two.example:8443",
    )
    try:
        yield server.start()
    finally:
        server.clean_up()


@pytest.mark.parametrize("path", [*READS, *MISSING, "/readyz"])
def test_only_the_configured_origins_may_read(guarded: ServerProcess, path: str) -> None:
    guarded.ready()
    for origin in ("https://one.example", "https://two.example:8443"):
        reply = guarded.client.get(path, Origin=origin)
        assert reply.headers["Access-Control-Allow-Origin"] == origin
        assert "Origin" in reply.headers["Vary"]
    for origin in (
        "https://three.example",
        "http://one.example",
        "https://one.example.evil.org",
        "null",
        "*",
    ):
        reply = guarded.client.get(path, Origin=origin)
        assert reply.headers["Access-Control-Allow-Origin"] is None
        assert "Origin" in reply.headers["Vary"]


def test_a_request_keeps_the_id_it_came_with(shared: ServerProcess) -> None:
    for number, path in enumerate([*READS, *MISSING, *PUBLIC, *INTERNAL, RELOAD_PATH, "/nowhere"]):
        given = f"caller-{number}.x_Y"
        reply = shared.client.get(path, X_Request_Id=given)
        assert reply.headers["X-Request-Id"] == given
        if reply.status >= 400:
            assert reply.json["requestId"] == given
        if reply.status != 401:  # who is refused is logged in bulk
            line = shared.log.wait_for("request.finished", request_id=given)
            assert (line["status"], line["method"]) == (reply.status, "GET")


def test_every_request_gets_an_id_of_its_own(read: Read) -> None:
    ids = [read(path).headers["X-Request-Id"] for path in (*READS, *MISSING, *PUBLIC, *INTERNAL)]
    assert all(ids)
    assert len(set(ids)) == len(ids)


HOSTILE_IDS = ("", "x" * 65, "a b", "a\tb", "<script>", "a,b", "ünï", "a;b", "../x", '"', "%0d%0a")


@pytest.mark.parametrize("given", HOSTILE_IDS, ids=range(len(HOSTILE_IDS)))
def test_a_hostile_request_id_is_replaced(read: Read, given: str) -> None:
    for path in ("/api/people/p07", "/healthz"):
        own = read(path, X_Request_Id=given.encode().decode("latin-1")).headers["X-Request-Id"]
        assert own
        assert own != given


@pytest.mark.parametrize("path", [*READS, *MISSING, *PUBLIC, *INTERNAL, "/nowhere", RELOAD_PATH])
def test_no_answer_shows_a_version_or_a_place(read: Read, path: str) -> None:
    reply = read(path)
    assert reply.headers["Server"] is None
    assert reply.headers["X-Content-Type-Options"] == "nosniff"
    for told in (b"Traceback", b"/site-packages/", b".py", b"tornado", b"/tmp", b"data.git"):
        assert told not in reply.body or path == "/metrics"


ODD_LINES = (
    b"GET /api/people/%0a%0dx%1b%5b31m HTTP/1.1",
    "GET /api/people/\u2028x HTTP/1.1".encode(),
    b"GET /nowhere\x1b[1m HTTP/1.1",
    b"GET /api/people?q=%0a%1b HTTP/1.1",
    b"GET /api/people HTTP/1.1\r\nX-Request-Id: \x1b[31mred",
    b"GET /api/people HTTP/1.1\r\nUser-Agent: a\x1b]0;b\x07",
)


@pytest.mark.parametrize("line", ODD_LINES, ids=range(len(ODD_LINES)))
def test_control_characters_in_a_request_never_reach_a_log_line_unescaped(
    shared: ServerProcess, line: bytes
) -> None:
    received = shared.client.exchange(line + b"\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert received.split(b" ", 2)[1] in (b"200", b"400", b"404"), received
    assert shared.client.get("/healthz", X_Request_Id="after-odd-lines").status == 200
    shared.log.wait_for("request.finished", request_id="after-odd-lines")
    assert not shared.log.faults


def test_requests_that_come_at_once_are_answered_in_their_order(shared: ServerProcess) -> None:
    paths = ("/api/people/p01", "/api/_search?q=food", "/healthz", "/api/people?facet=tags", "/api/nothing")
    one = "GET {} HTTP/1.1\r\nHost: x\r\n"
    sent = "\r\n".join([*map(one.format, paths), one.format("/api/people/p02") + "Connection: close\r\n\r\n"])
    received = shared.client.exchange(sent.encode())
    bodies = [part.partition(b"\r\n\r\n")[2] for part in received.split(b"HTTP/1.1 ")[1:]]
    expected = [shared.client.get(path).body for path in (*paths[:-1], "/api/people/p02")]
    assert bodies[:4] + bodies[5:] == expected
    assert b"sheet-not-found" in bodies[4]


def test_a_body_that_a_read_does_not_need_leaves_the_connection_in_step(shared: ServerProcess) -> None:
    with shared.client.connection() as kept:
        for method, path, status in (("GET", "/api/people/p01", 200), ("POST", "/api/people", 405)):
            assert kept.request(method, path, b"GET /healthz HTTP/1.1\r\n\r\n" * 50).status == status
            assert kept.request("GET", "/api/people/p02").data["path"] == "p02"


def test_an_old_client_is_answered_and_let_go(shared: ServerProcess) -> None:
    received = shared.client.exchange(b"GET /api/people/p01 HTTP/1.0\r\n\r\n")
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(shared.client.get("/api/people/p01").body)


def test_the_line_of_a_request_says_who_asked_and_how_much_was_sent(shared: ServerProcess) -> None:
    for number, (method, path) in enumerate((("GET", "/api/people"), ("GET", "/readyz"), ("HEAD", "/api"))):
        name = f"who-asked-{number}"
        headers = {"X-Request-Id": name, "User-Agent": "tests/1"}
        reply = shared.client.request(method, path, headers=headers)
        line = shared.log.wait_for("request.finished", request_id=name)
        assert (line["peer"], line["agent"], line["bytes"]) == ("127.0.0.1", "tests/1", len(reply.body))


def test_who_asked_can_be_left_out_of_the_log(serve: Serve, remote: DataRemote, served_folder: Path) -> None:
    server = serve(served_folder, remote.path, CFP_LOG_PEERS="off")
    server.client.get("/readyz", X_Request_Id="anonymous")
    line = server.log.wait_for("request.finished", request_id="anonymous")
    assert not {"peer", "agent"} & line.keys()
    assert line["bytes"] > 0


@pytest.mark.parametrize(
    "path", ["/api", "/api/people?limit=1", "/api/people/p07", "/api/_search?q=x", "/nothing"]
)
def test_an_answer_ends_with_a_newline_so_that_a_prompt_follows_on_its_own_line(
    read: Read, path: str
) -> None:
    body = read(path).body
    assert body.endswith(b"\n")
    assert body.count(b"\n") == 1
