"""The webhook's credential: every one that is given must be right, compared in constant time, on bytes."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Sequence

from tornado.httputil import HTTPHeaders

from server.errors import ApiError
from server.secret import Secret

KEY_HEADER = "X-CFP-Webhook-Key"
_BEARER = re.compile(r"bearer ([\x21-\xff]+)", re.IGNORECASE)
_KEY = re.compile(r"[\x21-\xff]+")


def authorize(headers: HTTPHeaders, accepted: Sequence[Secret | None]) -> None:
    """Return where the request proves that it knows a secret; raise ApiError where it does not.

    Without any credential, with a malformed or a wrong one: `unauthorized`, always the same. With a
    credential while no secret is configured: `reload-not-configured`.
    """
    offered = _offered(headers)
    secrets = [secret for secret in accepted if secret is not None]
    if offered and not secrets:
        detail = "no secret is configured for this endpoint; the operator sets CFP_DATA_RELOAD_SECRET"
        raise ApiError("reload-not-configured", detail)
    if not offered or not all(_known(credential, secrets) for credential in offered):
        raise unauthorized()


def unauthorized() -> ApiError:
    """The one answer for every credential that is absent, malformed or wrong."""
    detail = f"send the shared secret as 'Authorization: Bearer <secret>' or in {KEY_HEADER}"
    return ApiError("unauthorized", detail, {"WWW-Authenticate": "Bearer"})


def _offered(headers: HTTPHeaders) -> list[str]:
    """Every credential in the request; a malformed one as an empty text, which no secret equals."""
    bearers = [_BEARER.fullmatch(value) for value in headers.get_list("Authorization")]
    keys = [_KEY.fullmatch(value) for value in headers.get_list(KEY_HEADER)]
    return [found[1] if found else "" for found in bearers] + [found[0] if found else "" for found in keys]


def _known(credential: str, secrets: Sequence[Secret]) -> bool:
    given = _digest(credential.encode("utf-8", "surrogateescape"))
    matches = [hmac.compare_digest(given, _digest(secret.current())) for secret in secrets]
    return bool(credential) and any(matches)


def _digest(value: bytes) -> bytes:
    return hashlib.sha256(value).digest()
