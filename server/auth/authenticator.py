"""Authentication: a caller must prove, with each credential that it offers, that it knows a secret."""

from __future__ import annotations

import math
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl

import structlog
from prometheus_client import CollectorRegistry
from tornado.httputil import HTTPServerRequest

from server.auth.attempts import Attempts
from server.auth.credentials import KEY_HEADER, Credentials, password_proofs, read_credentials, shared_proofs
from server.auth.forges import Forge
from server.auth.keyring import Key, Keyring, keys_of
from server.auth.metrics import CallerMetrics
from server.auth.signatures import Malformed, Proof
from server.http.errors import ApiError, Refused
from server.http.peers import Peers
from server.http.refusals import Refusals
from server.http.slow_clients import Later
from server.settings.settings import Settings

QUERY_FIELDS_MAX: Final = 100
_SECRET_NAME: Final = re.compile(
    r"(?:.*[_.-])?(?:access|api|auth|private|webhook)?[_.-]?"
    r"(?:tokens?|secrets?|password|passwd|passphrase|bearer|authorization|credentials?|key|apikey)",
    re.IGNORECASE,
)

log = structlog.get_logger()


@dataclass(slots=True)
class Caller:
    """Who calls: nothing is proven by the signatures in `unproven` before the body is whole."""

    peer: str
    request_id: str
    path: str
    forge: Forge | None = None
    unproven: tuple[Proof, ...] = ()
    keys: tuple[Key, ...] = ()
    key_ids: tuple[str, ...] = ()
    limited: bool = False  # too many failed attempts came from this peer

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the raw body."""
        for proof in self.unproven:
            proof.feed(chunk)


class Authenticator:
    """Tells who calls. `now` gives seconds since 1970, for signed time stamps."""

    def __init__(
        self,
        keys: Keyring,
        peers: Peers,
        attempts: Attempts,
        refusals: Refusals,
        metrics: CallerMetrics,
        now: Callable[[], float],
    ) -> None:
        self._keys = keys
        self._peers = peers
        self.metrics = metrics
        self._attempts = attempts
        self._refusals = refusals
        self._now = now

    def admit(self, request: HTTPServerRequest, request_id: str, *, as_password: bool = False) -> Caller:
        """The caller of an internal route, who must give the shared secret; raises Refused.

        With `as_password` it may be the password of HTTP Basic, for which a browser is asked.
        """
        caller = self._caller(request, request_id)
        read = password_proofs if as_password else shared_proofs
        try:
            return self._enter(caller, lambda: Credentials(tuple(read(request.headers, self._keys))))
        except Refused as refused:
            if as_password and refused.code == "unauthorized":
                refused.headers["WWW-Authenticate"] = 'Basic realm="Livesheets"'
            raise

    def receive(self, request: HTTPServerRequest, request_id: str) -> Caller:
        """The caller of the webhook, who may also be a forge; raises Refused.

        Where signatures are still `unproven`, feed the body to the caller and then `confirm` it; let
        that cost little where the caller is `limited`.
        """
        caller = self._caller(request, request_id)
        return self._enter(caller, lambda: read_credentials(request.headers, self._keys, self._now))

    def confirm(self, caller: Caller) -> None:
        """Return where the signatures of the body are right; raise Refused otherwise."""
        caller.keys += self._proven(caller, caller.unproven)
        caller.unproven = ()
        self._welcome(caller)

    def turned_away(self, caller: Caller) -> Refused:
        """The answer to a limited caller whose body is not going to be read."""
        return self._too_many(caller, "limited", self._attempts.wait_s(caller.peer))

    def misplaced(self, caller: Caller, where: str, names: list[str]) -> Refused:
        """The answer for a secret in a place that is logged and cached on its way; warns the operator."""
        shown = dict.fromkeys((name[:80] for name in names[:10]), "***")
        log.warning(
            "credential.misplaced", request_id=caller.request_id, peer=caller.peer, where=where, values=shown
        )
        return self._refusal(caller, "misplaced")

    def keys_document(self) -> list[dict[str, Any]]:
        """For the status: which keys are accepted, and when each was last used."""
        return self._keys.document()

    def close(self) -> None:
        """Log the refusals that still wait for their second to end."""
        self._refusals.flush()

    def _caller(self, request: HTTPServerRequest, request_id: str) -> Caller:
        peer = self._peers.of(str(request.remote_ip), request.headers)
        caller = Caller(peer, request_id, request.path)
        names = secret_names(request.query)
        if names:
            raise self.misplaced(caller, "query", names)
        return caller

    def _enter(self, caller: Caller, read: Callable[[], Credentials]) -> Caller:
        try:
            offered = read()
        except Malformed as error:
            self._refuse_unconfigured()
            raise self._refusal(caller, "malformed", str(error)) from None
        if not offered.proofs:
            raise self._refusal(caller, "none")
        self._refuse_unconfigured()
        at_once = tuple(proof for proof in offered.proofs if not proof.needs_body)
        caller.keys = self._proven(caller, at_once)
        caller.forge = offered.forge
        caller.unproven = tuple(proof for proof in offered.proofs if proof.needs_body)
        if not caller.unproven:
            self._welcome(caller)
        else:
            caller.limited = self._attempts.wait_s(caller.peer) > 0
        return caller

    def _refuse_unconfigured(self) -> None:
        if self._keys.empty:
            detail = "no secret is configured for this endpoint; the operator sets CFP_DATA_RELOAD_SECRET"
            raise ApiError("reload-not-configured", detail)

    def _proven(self, caller: Caller, proofs: tuple[Proof, ...]) -> tuple[Key, ...]:
        keys = [proof.proven_by() for proof in proofs]
        known = tuple(key for key in keys if key is not None)
        if len(known) < len(keys):
            unset = any(proof.keyless for proof in proofs)
            raise self._refusal(caller, "unset" if unset else "wrong")
        return known

    def _welcome(self, caller: Caller) -> None:
        caller.key_ids = tuple(dict.fromkeys(self._keys.used(key) for key in caller.keys))

    def _refusal(self, caller: Caller, reason: str, because: str = "") -> Refused:
        wait_s = self._attempts.failed(caller.peer)
        if wait_s:
            return self._too_many(caller, reason, wait_s)
        self._note(caller, reason, 401, because)
        return unauthorized()

    def _too_many(self, caller: Caller, reason: str, wait_s: float) -> Refused:
        self._note(caller, reason, 429)
        detail = "too many failed attempts came from this address; wait, or call with the right credential"
        return Refused("too-many-attempts", detail, {"Retry-After": str(math.ceil(wait_s))})

    def _note(self, caller: Caller, reason: str, status: int, because: str = "") -> None:
        self.metrics.attempt_refused(reason, status)
        values = {"status": status, "request_id": caller.request_id, "path": caller.path}
        self._refusals.note(caller.peer, because or reason, **values)


def unauthorized() -> Refused:
    """The one answer for every credential that is absent, malformed or wrong."""
    detail = f"send the shared secret as 'Authorization: Bearer <secret>' or in {KEY_HEADER}"
    return Refused("unauthorized", detail, {"WWW-Authenticate": "Bearer"})


def secret_names(query: str) -> list[str]:
    """The names in a query string that secrets go by."""
    if not query:
        return []
    try:
        pairs = parse_qsl(query, keep_blank_values=True, max_num_fields=QUERY_FIELDS_MAX)
    except ValueError:
        return []
    return [name for name, _ in pairs if is_secret_name(name)]


def is_secret_name(name: str) -> bool:
    """Whether a field of this name is likely to hold a secret."""
    return len(name) <= 80 and _SECRET_NAME.fullmatch(name) is not None


def make_authenticator(
    settings: Settings, peers: Peers, registry: CollectorRegistry, later: Later
) -> Authenticator:
    """The authenticator of a server with these settings; `later` is the event loop's `call_later`."""
    metrics = CallerMetrics(registry)
    keys = Keyring(keys_of(settings), metrics.credential_used, lambda: datetime.now(UTC))
    attempts = Attempts(settings.failed_attempts_max, time.monotonic)
    return Authenticator(keys, peers, attempts, Refusals(later), metrics, time.time)
