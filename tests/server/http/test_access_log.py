"""What is counted and logged of a request is bounded, whatever a caller sends."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from server.http.access_log import OTHER_METHOD
from tests.server.stand import BEARER, Stand, stand

# One of each way to an answer: a read, a path without a read, a page, a call that the door refuses, one
# that it does not, no route at all.
ROUTES = ("/api", "/api/_nothing", "/", "/api/_internal/status", "/api/_internal/reload-data", "/nowhere")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[Stand]:
    """One server for all tests of this file."""
    with stand(tmp_path_factory.mktemp("accounts")) as started:
        yield started


def counted(server: Stand) -> set[str]:
    """Every method that a metric is labelled with."""
    return set(re.findall(r'method="([^"]*)"', server.ask("GET", "/metrics").body.decode()))


@pytest.mark.parametrize("path", ROUTES)
def test_no_caller_makes_a_metric_of_its_own(server: Stand, path: str) -> None:
    for method in ("FOO1", "foo2", "get", "X" * 60_000):
        server.ask(method, path)
        server.ask(method, path, BEARER)
    assert counted(server) <= METHODS | {OTHER_METHOD}
    assert OTHER_METHOD in counted(server)


def test_a_method_without_a_name_is_logged_without_one(server: Stand) -> None:
    for number, path in enumerate(ROUTES):
        server.ask("Y" * 60_000, path, {"X-Request-Id": f"nameless-{number}"} | BEARER)
        line = server.logged("request.finished", request_id=f"nameless-{number}")
        assert line["method"] == OTHER_METHOD


@pytest.mark.parametrize("method", sorted(METHODS))
def test_every_method_that_has_a_name_is_counted_by_it(server: Stand, method: str) -> None:
    labels = f'livesheets_http_requests_total{{method="{method}",route="/healthz",status='
    statuses = [f'{labels}"{status}"}}' for status in (200, 405)]
    before = sum(map(server.metric, statuses))
    server.ask(method, "/healthz")
    assert sum(map(server.metric, statuses)) == before + 1
