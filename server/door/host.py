"""The Host header of a request: one, and a name. What a proxy could read another way is refused.

Tornado looks at it where it makes a request object; reads are answered without one.
"""

from __future__ import annotations

import re
from typing import Final

from tornado.httputil import HTTPHeaders, HTTPInputError

# What RFC 3986 lets a host and its port consist of, but for the comma, which joins two headers.
_HOST: Final = re.compile(r"[A-Za-z0-9._~%!$&'()*+;=:\[\]-]*")


def require_host(version: str, headers: HTTPHeaders) -> None:
    """Raise HTTPInputError, which ends the connection with 400, without exactly one well-formed Host."""
    host = headers.get("Host")
    if host is None:
        if version != "HTTP/1.0":  # which did not have it
            raise HTTPInputError("Missing Host header")
    elif not _HOST.fullmatch(host):
        raise HTTPInputError("Malformed or repeated Host header")
