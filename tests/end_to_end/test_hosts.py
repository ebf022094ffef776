"""A server that was told its names answers to no other: whatever the route, the method or the credential."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.end_to_end.client import RELOAD_PATH, SECRET, Reply
from tests.end_to_end.server_process import ServerProcess, run_command
from tests.end_to_end.test_manners import INTERNAL, MISSING, READS

ROUTES = (*READS, *MISSING, *INTERNAL, "/api/_openapi.json", "/", "/metrics", "/nowhere", RELOAD_PATH)
CREDENTIAL = {"Authorization": f"Bearer {SECRET}"}
STRANGERS = ("evil.example", "records.example.org.evil.example", "127.0.0.1", "", "[::2]", "a" * 5_000)


@pytest.fixture(scope="module")
def named(shared: ServerProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    """A server that answers to two names."""
    folder = tmp_path_factory.mktemp("named")
    server = ServerProcess(folder, shared.repo_path, CFP_ALLOWED_HOSTS="records.example.org, ::1")
    try:
        server.start().ready()
        yield server
    finally:
        server.clean_up()


def ask(server: ServerProcess, path: str, host: str, method: str = "GET") -> Reply:
    return server.client.request(
        method, path, headers={"Host": host, "Origin": "https://a.example", **CREDENTIAL}
    )


@pytest.mark.parametrize("path", ROUTES)
def test_another_host_is_refused_before_anything_is_looked_at(named: ServerProcess, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS", "DELETE"):
        reply = ask(named, path, "evil.example", method)
        reply.problem(421, "misdirected-request")
        assert reply.commit is None
        assert not [name for name in reply.headers if name.lower().startswith("access-control-")]
    assert ask(named, path, "evil.example", "HEAD").status == 421
    assert ask(named, path, "records.example.org").status != 421


@pytest.mark.parametrize("host", STRANGERS, ids=range(len(STRANGERS)))
def test_no_spelling_gets_a_stranger_in(named: ServerProcess, host: str) -> None:
    for path in ("/api/people", RELOAD_PATH, "/metrics"):
        assert ask(named, path, host).status == 421


@pytest.mark.parametrize(
    "host", ["records.example.org", "Records.Example.ORG:8080", "records.example.org.", "[0::1]:80"]
)
def test_every_spelling_of_its_names_is_answered(named: ServerProcess, host: str) -> None:
    for path in ("/api/people", "/metrics", "/api/_internal/status"):
        assert ask(named, path, host).status == 200


@pytest.mark.parametrize("path", ROUTES)
def test_of_a_whole_url_its_own_host_counts(named: ServerProcess, path: str) -> None:
    for method in ("GET", "POST", "OPTIONS"):
        stranger = ask(named, f"http://evil.example{path}", "records.example.org", method)
        stranger.problem(421, "misdirected-request")
    assert ask(named, f"http://records.example.org:81{path}", "evil.example").status != 421


def test_a_probe_may_come_by_a_whole_url(named: ServerProcess) -> None:
    assert ask(named, "http://10.0.0.7:8080/healthz", "10.0.0.7:8080").status == 200
    assert ask(named, "http://evil.example/healthz/../api", "records.example.org").status == 421


def test_probes_are_answered_by_any_name(named: ServerProcess) -> None:
    for path in ("/healthz", "/readyz", "/readyz?x"):
        assert ask(named, path, "10.0.0.7:8080").status == 200
    for path in ("/healthz/", "/healthz/../api", "//healthz", "/HEALTHZ"):
        assert ask(named, path, "10.0.0.7:8080").status == 421


def test_a_stranger_reloads_nothing_and_sends_no_body(named: ServerProcess) -> None:
    before = len(named.client.get("/api/_internal/status", Host="[::1]", **CREDENTIAL).json["history"])
    head = f"POST {RELOAD_PATH} HTTP/1.1\r\nHost: evil.example\r\nAuthorization: Bearer {SECRET}\r\n"
    for body in ("Content-Length: 0\r\n\r\n", "Content-Length: 60000\r\n\r\n", "Content-Length: 9\r\n\r\nx"):
        received = named.client.exchange((head + body).encode())
        assert received.startswith(b"HTTP/1.1 421 ")
        assert received.count(b"HTTP/1.1") == 1
    after = named.client.get("/api/_internal/status", Host="[::1]", **CREDENTIAL)
    assert len(after.json["history"]) == before


def test_a_request_without_a_host_or_with_two_is_refused(named: ServerProcess) -> None:
    for hosts in ("", "Host: records.example.org\r\nHost: evil.example\r\n"):
        for path in ("/api/people", "/metrics"):
            received = named.client.exchange(f"GET {path} HTTP/1.0\r\n{hosts}\r\n".encode())
            assert received.split(b" ", 2)[1] in (b"421", b"400"), received


def test_a_host_that_cannot_be_one_is_refused_at_the_start(shared: ServerProcess) -> None:
    finished = run_command(
        "serve", CFP_DATA_REPO_PATH=str(shared.repo_path), CFP_ALLOWED_HOSTS="records.example.org, http://x"
    )
    assert finished.returncode == 78
    assert (
        "CFP_ALLOWED_HOSTS has something else than a host as its entry 2" in finished.stderr + finished.stdout
    )


def test_without_the_setting_any_name_will_do(shared: ServerProcess) -> None:
    assert ask(shared, "/api/people", "whatever.example").status == 200
