"""The host of a request: exactly one, well-formed, and one that this server answers for."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

from tornado.httputil import HTTPHeaders, HTTPInputError, RequestStartLine

from server.settings.hosts import host_of

# What RFC 3986 lets a host and its port consist of, but for the comma, which joins two headers.
_CHARACTERS: Final = r"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]"
_HOST: Final = re.compile(f"{_CHARACTERS}*")
_SCHEME: Final = re.compile("https?:", re.IGNORECASE)
_URL: Final = re.compile(rf"https?://((?!:){_CHARACTERS}+)((?:[/?].*)?)", re.IGNORECASE)


def in_origin_form(line: RequestStartLine, headers: HTTPHeaders) -> RequestStartLine:
    """The request line with a path for its target, also where that is a whole URL.

    The host of the URL takes the place of `Host` then (RFC 9112, section 3.2.2), so that there are never
    two to choose from. Raises HTTPInputError, which ends the connection with 400, where either is malformed.
    """
    if line.path.startswith("/") or not _SCHEME.match(line.path):
        return line
    require_host(line.version, headers)
    url = _URL.fullmatch(line.path)
    if url is None:
        raise HTTPInputError("Malformed request target")
    headers["Host"] = url[1]
    return line._replace(path=url[2] if url[2].startswith("/") else f"/{url[2]}")


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
