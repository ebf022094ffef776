"""The id of each request, in its answer and in each of its log lines."""

from __future__ import annotations

import itertools
import re
import secrets

from tornado.httputil import HTTPHeaders

_PLAIN = re.compile(r"[A-Za-z0-9._-]{1,64}")


class RequestIds:
    """Gives ids that no other request of this process has."""

    def __init__(self) -> None:
        self._prefix = secrets.token_hex(4)
        self._numbers = itertools.count(1)

    def of(self, headers: HTTPHeaders) -> str:
        """The id that the client or a proxy gave, if it is a plain one, otherwise a new one."""
        offered = headers.get("X-Request-Id")
        if offered is not None and _PLAIN.fullmatch(offered):
            return offered
        return f"{self._prefix}-{next(self._numbers):x}"
