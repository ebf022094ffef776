"""A door for fuzzing: nobody who comes knows a secret, so nobody may come in."""

from __future__ import annotations

from tornado.httputil import HTTPHeaders

from server.http.errors import ApiError
from tests.server.entrance import Entrance, Request, entrance

_kept: list[Entrance] = []


def knock(headers: HTTPHeaders, body: bytes) -> None:
    """Be refused, or told what is wrong with the request."""
    if not _kept:
        _kept.append(entrance())
    at = _kept[0].authenticator
    try:
        caller = at.receive(Request(headers), "request-1")  # type: ignore[arg-type]
        caller.feed(body)
        at.confirm(caller)
    except ApiError as error:
        if error.status >= 500:
            raise
        return
    raise AssertionError(f"somebody without a secret came in: {dict(headers)}")
