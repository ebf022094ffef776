"""A client of a running server, for the commands."""

from __future__ import annotations

from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, ProxyHandler, Request, build_opener

import orjson

from server.operations.logs.printable import printable

REQUEST_TIMEOUT_S = 300.0
ANSWER_BYTES_MAX = 32 << 20
# What an answer holds that is one of Livesheets, and that is shown.
_RELOADED = frozenset({"ok", "outcome", "noChanges", "newCommit", "durationMs"})
_STATUS = frozenset({"branch", "served", "remote", "fresh", "rejected", "quarantined", "history", "poll"})


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
        if not _is_web_address(url):
            raise Unreachable(f"{url} is no web address; give one such as http://127.0.0.1:8080")
        self._url = url.rstrip("/")
        self._secret = secret

    def reload(self, request: dict[str, Any]) -> Reply:
        """Call the webhook and wait for the outcome."""
        return self._ours(self._call("POST", "/api/_internal/reload-data", orjson.dumps(request)), _RELOADED)

    def status(self) -> Reply:
        """What is served, how fresh, what was refused."""
        return self._ours(self._call("GET", "/api/_internal/status", None), _STATUS)

    def _ours(self, reply: Reply, names: frozenset[str]) -> Reply:
        """The reply, unless another server answers there."""
        if reply.status == 200 and not names <= reply.document.keys():
            raise Unreachable(f"{self._url} answers, but not as Livesheets does; is that the right address?")
        if reply.document.get("code") == "unauthorized":
            return Reply(reply.status, {**reply.document, "detail": self._why_unauthorized()})
        return reply

    def _why_unauthorized(self) -> str:
        """What a person at a terminal can do; the server's own words speak of headers."""
        if self._secret is None:
            return "the server wants its secret: CFP_DATA_RELOAD_SECRET is not set here"
        return "the server refuses the secret in CFP_DATA_RELOAD_SECRET"

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
        except ValueError:  # its words would quote what cannot be sent, the secret among it
            raise Unreachable(
                f"{self._url} cannot be asked: the address or the secret is not fit to be sent; "
                "does either hold a blank, a line end or a control character?"
            ) from None
        except (HTTPException, OSError) as error:
            reason = getattr(error, "reason", error)
            raise Unreachable(
                f"{self._url} does not answer: {printable(str(reason))}; is the server running there?"
            ) from None


def _is_web_address(text: str) -> bool:
    try:
        url = urlsplit(text)
        _ = url.port  # the first to notice that what follows the colon is no port
    except ValueError:
        return False
    return url.scheme in ("http", "https") and bool(url.hostname)


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return document if isinstance(document, dict) else {}
