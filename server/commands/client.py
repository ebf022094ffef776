"""A running server, asked from the command line."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import orjson

REQUEST_TIMEOUT_S = 300.0
ANSWER_BYTES_MAX = 32 << 20


class Unreachable(Exception):
    """The server gave no answer; the message says what to look at."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: HTTP status and the JSON document in it, empty where it was none."""

    status: int
    document: dict[str, Any]


class _NoRedirects(HTTPRedirectHandler):
    """Keeps the secret from wherever an answer points: a redirect is an answer like any other."""

    def redirect_request(self, *_: object) -> None:
        return None


class Client:
    """Calls the internal routes of one server with its secret."""

    def __init__(self, url: str, secret: bytes | None) -> None:
        if not url.startswith(("http://", "https://")):
            raise Unreachable(f"{url} is no web address; give one such as http://127.0.0.1:8080")
        self._url = url.rstrip("/")
        self._secret = secret

    def reload(self, request: dict[str, Any]) -> Reply:
        """Call the webhook and wait for the outcome."""
        return self._call("POST", "/api/_internal/reload-data", orjson.dumps(request))

    def status(self) -> Reply:
        """What is served, how fresh, what was refused."""
        return self._call("GET", "/api/_internal/status", None)

    def _call(self, method: str, path: str, body: bytes | None) -> Reply:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        if self._secret is not None:
            headers["Authorization"] = f"Bearer {self._secret.decode('latin-1')}"
        request = Request(self._url + path, data=body, method=method, headers=headers)
        # A proxy for the outside world must not see the secret of a server nearby.
        opener = build_opener(ProxyHandler({}), _NoRedirects)
        try:
            with opener.open(request, timeout=REQUEST_TIMEOUT_S) as answer:
                return Reply(answer.status, _document(answer.read(ANSWER_BYTES_MAX)))
        except HTTPError as error:
            with error:
                return Reply(error.code, _document(error.read(ANSWER_BYTES_MAX)))
        except (URLError, HTTPException, OSError, ValueError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"{self._url} does not answer: {reason}; is the server running there?"
            ) from None


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
