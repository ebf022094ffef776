"""What is counted and logged of a request is bounded, whatever a caller sends."""

from __future__ import annotations

import asyncio
import io
import json
import re

import pytest

from server.http.access_log import OTHER_METHOD
from tests.server.conftest import Ask
from tests.server.live_server import BEARER

# One of each way to an answer: a read, a path without a read, a page, a call that the door refuses, one
# that it does not, no route at all.
ROUTES = ("/api", "/api/_nothing", "/", "/api/_internal/status", "/api/_internal/reload-data", "/nowhere")
METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"}


pytestmark = pytest.mark.gen_test


async def metrics(ask: Ask) -> str:
    """What Prometheus is given."""
    return (await ask("GET", "/metrics")).body.decode()


@pytest.mark.parametrize("path", ROUTES)
async def test_no_caller_makes_a_metric_of_its_own(ask: Ask, path: str) -> None:
    for method in ("FOO1", "foo2", "get", "X" * 60_000):
        await ask(method, path)
        await ask(method, path, BEARER)
    counted = set(re.findall(r'method="([^"]*)"', await metrics(ask)))
    assert counted <= METHODS | {OTHER_METHOD}
    assert OTHER_METHOD in counted


async def test_a_method_without_a_name_is_logged_without_one(ask: Ask, log_lines: io.StringIO) -> None:
    for number, path in enumerate(ROUTES):
        await ask("Y" * 60_000, path, {"X-Request-Id": f"nameless-{number}"} | BEARER)
    while log_lines.getvalue().count("request.finished") < len(ROUTES):
        await asyncio.sleep(0.01)
    lines = [json.loads(line) for line in log_lines.getvalue().splitlines()]
    methods = {line["request_id"]: line["method"] for line in lines if line["event"] == "request.finished"}
    assert methods == {f"nameless-{number}": OTHER_METHOD for number in range(len(ROUTES))}


@pytest.mark.parametrize("method", sorted(METHODS))
async def test_every_method_that_has_a_name_is_counted_by_it(ask: Ask, method: str) -> None:
    labels = f'livesheets_http_requests_total{{method="{method}",route="/healthz",status='
    await ask(method, "/healthz")
    counted = [line for line in (await metrics(ask)).splitlines() if line.startswith(labels)]
    assert [line.rpartition(" ")[2] for line in counted] == ["1.0"]
