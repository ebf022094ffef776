"""The Host header of a request: one, a name that no proxy could read another way, and one of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tornado.httputil import HTTPHeaders, HTTPInputError

from server.environment.hosts import host_of

# What RFC 3986 lets a host and its port consist of, but for the comma, which joins two headers.
_HOST: Final = re.compile(r"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]*")


def require_host(version: str, headers: HTTPHeaders) -> None:
    """Raise HTTPInputError, which ends the connection with 400, without exactly one well-formed Host.

    Tornado looks at it where it makes a request object; this is for reads, which are answered without one.
    """
    host = headers.get("Host")
    if host is None:
        if version != "HTTP/1.0":  # which did not have it
            raise HTTPInputError("Missing Host header")
    elif not _HOST.fullmatch(host):
        raise HTTPInputError("Malformed or repeated Host header")


class AllowedHosts:
    """The hosts that are answered for, as `host_of` gives them; without any, all are.

    Against pages that have their own name point at the server (DNS rebinding).
    """

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def allow(self, header: str | None) -> bool:
        """Whether a request with this `Host` is meant for this server."""
        if not self._names or header in self._names:
            return True
        return header is not None and host_of(header) in self._names
