"""An authenticator for fuzzing: no request has a secret, so each must be refused."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders

from server.http.errors import ApiError
from tests.server.bare_authenticator import BareAuthenticator, Request, bare_authenticator

_kept: list[BareAuthenticator] = []


def authenticate(headers: HTTPHeaders, body: bytes) -> None:
    """Send a request, which must be refused."""
    if not _kept:
        _kept.append(bare_authenticator())
    at = _kept[0].authenticator
    try:
        caller = at.receive(Request(headers), "request-1")  # type: ignore[arg-type]
        caller.feed(body)
        at.confirm(caller)
    except ApiError as error:
        if error.status >= 500:
            raise
        return
    raise AssertionError(f"a request without a secret was accepted: {dict(headers)}")
