"""Sends notifications to a URL: signed as Standard Webhooks, retried, without blocking."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import hmac
import random
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlsplit
from uuid import uuid4

import orjson
import structlog
from tornado.httpclient import AsyncHTTPClient, HTTPClientError, HTTPRequest

from server.auth.keyring import signing_keys
from server.settings.secret import Secret

QUEUE_MAX: Final = 100
ATTEMPTS_MAX: Final = 6
WAIT_FIRST_S: Final = 1.0
WAIT_FACTOR: Final = 4.0
JITTER: Final = 0.5
REQUEST_TIMEOUT_S: Final = 10.0
ANSWER_BYTES_MAX: Final = 1 << 20
CLOSE_TIMEOUT_S: Final = 2.0
# The receiver's own word that it wants no more of this, as Standard Webhooks has it.
_GONE: Final = 410

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Report:
    """One thing that people should know: `text` for them, `data` for their programs."""

    type: str
    text: str
    data: Mapping[str, Any]
    at: datetime


class Sender:
    """Delivers reports one after another to one URL; lives on the event loop.

    `send` never waits: at most QUEUE_MAX reports do, and the oldest gives way. Each is tried
    ATTEMPTS_MAX times, ever less often, for six minutes or so. `count` is told each report's type
    with `sent`, `failed` or `dropped`; `redact` takes secrets out of what is sent. Redirects are not
    followed: a report goes where the operator said, or nowhere.
    """

    def __init__(
        self,
        url: str,
        secret: Secret | None,
        redact: Callable[[str], str],
        count: Callable[[str, str], None],
        wait_first_s: float = WAIT_FIRST_S,
    ) -> None:
        self._url = url
        self._host = urlsplit(url).hostname or ""
        self._secret = secret
        self._redact = redact
        self._count = count
        self._wait_first_s = wait_first_s
        self._queue: deque[Report] = deque()
        self._worker: asyncio.Task[None] | None = None
        self._closing = asyncio.Event()
        self._client: AsyncHTTPClient | None = None

    def send(self, report: Report) -> None:
        """Deliver a report soon."""
        if self._closing.is_set():
            self._drop(report, "stopping")
            return
        if len(self._queue) >= QUEUE_MAX:
            self._drop(self._queue.popleft(), "full")
        self._queue.append(report)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())

    async def close(self) -> None:
        """Let the attempt that runs end, for CLOSE_TIMEOUT_S at most, and drop the rest."""
        self._closing.set()
        if self._worker is not None:
            await asyncio.wait([self._worker], timeout=CLOSE_TIMEOUT_S)
            self._worker.cancel()
            await asyncio.wait([self._worker])
        while self._queue:
            self._drop(self._queue.popleft(), "stopping")
        if self._client is not None:
            self._client.close()

    async def _work(self) -> None:
        while self._queue and not self._closing.is_set():
            await self._deliver(self._queue.popleft())

    async def _deliver(self, report: Report) -> None:
        message_id = f"msg_{uuid4().hex}"
        body = self._redact(orjson.dumps(_payload(report)).decode()).encode()
        attempt, reason, result = 0, "the server stopped", "failed"
        try:
            for attempt in range(1, ATTEMPTS_MAX + 1):
                reason = await self._attempt(message_id, body)
                if not reason:
                    result = "sent"
                if not reason or reason.startswith(f"HTTP {_GONE}") or await self._told_to_stop(attempt):
                    return
        finally:
            self._count(report.type, result)
            values = {"id": message_id, "type": report.type, "host": self._host, "attempts": attempt}
            if result == "sent":
                log.info("notification.sent", **values)
            else:
                log.error("notification.failed", reason=reason, **values)

    async def _attempt(self, message_id: str, body: bytes) -> str:
        """Why an attempt failed, empty where it did not."""
        if self._client is None:
            self._client = AsyncHTTPClient(force_instance=True, max_body_size=ANSWER_BYTES_MAX)
        headers = {"Content-Type": "application/json", **self._signed(message_id, body)}
        request = HTTPRequest(
            self._url,
            method="POST",
            headers=headers,
            body=body,
            follow_redirects=False,
            connect_timeout=REQUEST_TIMEOUT_S,
            request_timeout=REQUEST_TIMEOUT_S,
            decompress_response=False,
            user_agent="Livesheets",
        )
        try:
            await self._client.fetch(request)
        except HTTPClientError as error:
            return f"HTTP {error.code}"
        except OSError as error:  # its words may quote the URL
            return error.strerror or type(error).__name__
        except Exception as error:  # whatever a receiver does, reloads go on
            return type(error).__name__
        return ""

    def _signed(self, message_id: str, body: bytes) -> dict[str, str]:
        now = int(time.time())
        headers = {"webhook-id": message_id, "webhook-timestamp": str(now)}
        if self._secret is not None:
            keys = signing_keys(self._secret.current())
            headers["webhook-signature"] = " ".join(sign(key, message_id, now, body) for key in keys)
        return headers

    async def _told_to_stop(self, attempt: int) -> bool:
        """Wait before the next attempt; whether there is to be none."""
        if attempt == ATTEMPTS_MAX:
            return True
        wait_s = self._wait_first_s * WAIT_FACTOR ** (attempt - 1) * random.uniform(1 - JITTER, 1 + JITTER)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._closing.wait(), wait_s)
        return self._closing.is_set()

    def _drop(self, report: Report, reason: str) -> None:
        self._count(report.type, "dropped")
        log.warning("notification.dropped", type=report.type, host=self._host, reason=reason)


def sign(key: bytes, message_id: str, timestamp: int, body: bytes) -> str:
    """The signature of a message, as it stands in `webhook-signature`."""
    digest = hmac.digest(key, f"{message_id}.{timestamp}.".encode() + body, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def _payload(report: Report) -> dict[str, Any]:
    return {
        "type": report.type,
        "timestamp": report.at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "text": report.text,
        "data": dict(report.data),
    }
