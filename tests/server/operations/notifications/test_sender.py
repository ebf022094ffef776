"""How a report reaches a receiver: over real HTTP, signed, retried, bounded, and without a secret in it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest
import structlog
from tornado.httpserver import HTTPServer
from tornado.httputil import HTTPServerRequest
from tornado.web import Application, RequestHandler

from server.auth.keyring import STANDARD, Key
from server.auth.signatures import standard_signature
from server.operations.notifications.notify import REFUSED
from server.operations.notifications.sender import ATTEMPTS_MAX, QUEUE_MAX, Report, Sender
from server.settings.secret import Secret

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PLAIN_SECRET = "0123456789abcdef0123456789abcdef"
DEADLINE_S = 30
NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)

pytestmark = [pytest.mark.usefixtures("http_server"), pytest.mark.gen_test]


@dataclass
class Receiver:
    """A server that takes reports and answers with these statuses, 200 when there are no more."""

    port: int
    statuses: list[int] = field(default_factory=list)
    requests: list[HTTPServerRequest] = field(default_factory=list)
    hold: asyncio.Event | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook/t0ken-in-the-path"

    def documents(self) -> list[dict[str, object]]:
        return [json.loads(request.body) for request in self.requests]


class Hook(RequestHandler):
    def initialize(self, receiver: Receiver) -> None:
        self.receiver = receiver

    async def post(self) -> None:
        self.receiver.requests.append(self.request)
        if self.receiver.hold is not None:
            await self.receiver.hold.wait()
        status = self.receiver.statuses.pop(0) if self.receiver.statuses else 200
        self.set_status(status)
        if status in (301, 307):
            self.set_header("Location", "/elsewhere")


@pytest.fixture
def receiver(http_port: int) -> Receiver:
    return Receiver(http_port)


@pytest.fixture
def app(receiver: Receiver) -> Application:
    return Application([(r"/.*", Hook, {"receiver": receiver})], log_function=lambda _: None)


async def eventually(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not condition():
            await asyncio.sleep(0.002)


def report(text: str = "Livesheets: something happened", kind: str = REFUSED) -> Report:
    return Report(kind, text, {"branch": "main"}, NOW)


@dataclass
class Counts:
    """What a sender counted."""

    seen: Counter[tuple[str, str]] = field(default_factory=Counter)

    def __call__(self, kind: str, result: str) -> None:
        self.seen[kind, result] += 1

    def of(self, result: str) -> int:
        return sum(count for (_, found), count in self.seen.items() if found == result)


def sender(url: str, counts: Counts, secret: str | None = SECRET) -> Sender:
    key = None if secret is None else Secret(secret.encode())
    return Sender(url, key, lambda text: text.replace("hidden", "***"), counts, wait_first_s=0.001)


@pytest.fixture
def lines() -> Iterator[list[dict[str, object]]]:
    with structlog.testing.capture_logs() as captured:
        yield captured


@pytest.mark.parametrize("secret", [SECRET, PLAIN_SECRET])
async def test_a_report_is_signed_as_standard_webhooks_describes(receiver: Receiver, secret: str) -> None:
    counts = Counts()
    sending = sender(receiver.url, counts, secret)
    sending.send(report())
    await eventually(lambda: counts.of("sent"))
    await sending.close()
    request = receiver.requests[0]
    headers = request.headers
    key = Key(STANDARD, "CFP_NOTIFY_SECRET", Secret(secret.encode()))
    proof = standard_signature(
        headers["webhook-id"],
        headers["webhook-timestamp"],
        headers["webhook-signature"],
        [key],
        float(headers["webhook-timestamp"]),
    )
    proof.feed(request.body)
    assert proof.proven_by() == key
    assert headers["Content-Type"] == "application/json"
    assert receiver.documents() == [
        {
            "type": "commit.refused",
            "timestamp": "2024-05-06T07:08:09Z",
            "text": "Livesheets: something happened",
            "data": {"branch": "main"},
        }
    ]


async def test_without_a_secret_a_report_is_sent_unsigned(receiver: Receiver) -> None:
    counts = Counts()
    sending = sender(receiver.url, counts, None)
    sending.send(report())
    await eventually(lambda: counts.of("sent"))
    await sending.close()
    assert "webhook-signature" not in receiver.requests[0].headers


async def test_a_report_is_tried_again_with_the_same_id_until_it_is_taken(
    receiver: Receiver, lines: list[dict[str, object]]
) -> None:
    counts = Counts()
    receiver.statuses = [503, 500, 429]
    sending = sender(receiver.url, counts)
    sending.send(report())
    await eventually(lambda: counts.of("sent"))
    await sending.close()
    assert len({request.headers["webhook-id"] for request in receiver.requests}) == 1
    assert len(receiver.requests) == 4
    assert [(line["event"], line["attempts"]) for line in lines] == [("notification.sent", 4)]


async def test_a_report_that_nobody_takes_is_given_up_and_logged_without_its_address(
    receiver: Receiver, lines: list[dict[str, object]]
) -> None:
    counts = Counts()
    receiver.statuses = [500] * 100
    sending = sender(receiver.url, counts)
    sending.send(report())
    await eventually(lambda: counts.of("failed"))
    await sending.close()
    assert len(receiver.requests) == ATTEMPTS_MAX
    assert [line["event"] for line in lines] == ["notification.failed"]
    assert lines[0]["reason"] == "HTTP 500"
    assert "t0ken" not in str(lines)


async def test_a_receiver_that_is_not_there_fails_in_words_without_its_address(
    http_server: HTTPServer, receiver: Receiver, lines: list[dict[str, object]]
) -> None:
    counts = Counts()
    http_server.stop()
    sending = sender(receiver.url, counts)
    sending.send(report())
    await eventually(lambda: counts.of("failed"))
    await sending.close()
    assert lines[0]["reason"] == "Connection refused"
    assert "t0ken" not in str(lines)


@pytest.mark.parametrize("status", [301, 307])
async def test_a_redirect_is_not_followed(receiver: Receiver, status: int) -> None:
    counts = Counts()
    receiver.statuses = [status] * ATTEMPTS_MAX
    sending = sender(receiver.url, counts)
    sending.send(report())
    await eventually(lambda: counts.of("failed"))
    await sending.close()
    assert {request.path for request in receiver.requests} == {"/hook/t0ken-in-the-path"}


async def test_a_receiver_that_is_gone_for_good_is_not_asked_again(receiver: Receiver) -> None:
    counts = Counts()
    receiver.statuses = [410]
    sending = sender(receiver.url, counts)
    sending.send(report())
    await eventually(lambda: counts.of("failed"))
    await sending.close()
    assert len(receiver.requests) == 1


async def test_sending_never_waits_and_the_oldest_reports_give_way(receiver: Receiver) -> None:
    counts = Counts()
    receiver.hold = asyncio.Event()
    sending = sender(receiver.url, counts)
    sending.send(report("first"))
    await eventually(lambda: receiver.requests)
    for number in range(QUEUE_MAX + 5):
        sending.send(report(f"number {number}"))
    assert counts.of("dropped") == 5
    receiver.hold.set()
    await eventually(lambda: counts.of("sent") == QUEUE_MAX + 1)
    await sending.close()
    texts = [document["text"] for document in receiver.documents()]
    assert texts == ["first", *(f"number {number}" for number in range(5, QUEUE_MAX + 5))]


async def test_closing_drops_what_waits_and_says_so(
    receiver: Receiver, lines: list[dict[str, object]]
) -> None:
    counts = Counts()
    receiver.statuses = [500] * 100
    sending = Sender(receiver.url, None, str, counts, wait_first_s=3600)
    sending.send(report("in retry"))
    sending.send(report("in the queue"))
    await eventually(lambda: receiver.requests)
    await sending.close()
    sending.send(report("too late"))
    assert (counts.of("failed"), counts.of("dropped"), counts.of("sent")) == (1, 2, 0)
    assert [line["event"] for line in lines] == ["notification.failed", *["notification.dropped"] * 2]


async def test_secrets_are_taken_out_of_what_is_sent(receiver: Receiver) -> None:
    counts = Counts()
    sending = sender(receiver.url, counts)
    sending.send(report("a hidden thing"))
    await eventually(lambda: counts.of("sent"))
    await sending.close()
    assert receiver.documents()[0]["text"] == "a *** thing"
