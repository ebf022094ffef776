"""The webhook: authenticated callers ask for a reload and wait; forges announce pushes and do not wait."""

from __future__ import annotations

from typing import Any

import orjson
import structlog
from tornado.httputil import HTTPServerRequest
from tornado.web import stream_request_body

from reload.lane.outcome import Outcome, Trigger
from server.auth.authenticator import is_secret_name
from server.auth.forges import AZURE, Forge, shown
from server.http.access_log import clock
from server.http.errors import ApiError, Refused
from server.http.exchange import HttpContext
from server.http.handler import Handler
from server.webhook.accepted import TooMany
from server.webhook.body import BUSY_RETRY_AFTER_S, Body, too_large
from server.webhook.events import (
    Announcement,
    Payload,
    PayloadFault,
    announcement,
    delivery_id,
    is_from_azure,
    read_event,
)
from server.webhook.outcome_documents import outcome_document, reload_error
from server.webhook.reload_request import ReloadRequest, decode, read_request
from server.webhook.webhook import Webhook

BODY_BYTES_MAX = 64 << 10
# GitHub and GitLab send at most 25 MB. All of it is hashed; a payload of more than FORGE_KEPT_MAX is
# not read, and taken for a push to the served branch, which costs a look at the remote where it was not.
FORGE_BYTES_MAX = 25 << 20
FORGE_KEPT_MAX = 1 << 20
STOPPING_RETRY_AFTER_S = 5
CLIENT_GONE = 499

log = structlog.get_logger()


@stream_request_body
class WebhookHandler(Handler):
    """`POST /api/_internal/reload-data`; the caller is known as early as the credential allows."""

    route = "/api/_internal/reload-data"
    body: Body | None = None
    received = False

    def initialize(self, context: HttpContext, webhook: Webhook) -> None:  # type: ignore[override]
        """Take what a call needs."""
        super().initialize(context)
        self.webhook = webhook

    def prepare(self) -> Any:
        """Refuse before a byte of the body is taken, as far as tokens and the shape of signatures tell."""
        if self.request.method != "POST":
            raise ApiError("method-not-allowed", f"{self.request.method} is not allowed here")
        self.caller = self.webhook.authenticator.receive(self.request, self.exchange.request_id)
        bytes_max = BODY_BYTES_MAX if self.caller.forge is None else FORGE_BYTES_MAX
        if _declared_bytes(self.request) > bytes_max:
            raise too_large(bytes_max)
        if self.caller.limited:  # a right signature comes in all the same, if it costs little to look
            bytes_max = min(bytes_max, FORGE_KEPT_MAX)
            if _declared_bytes(self.request) > bytes_max:
                raise self.webhook.authenticator.turned_away(self.caller)
        if not self.caller.unproven:
            self._check_encoding()
        kept_max = min(bytes_max, FORGE_KEPT_MAX)
        self.body = Body(self.caller, bytes_max, kept_max, self.webhook.unproven_bytes)
        # A little more, so that it is this handler which finds the body too large, and says so.
        self.request.connection.set_max_body_size(2 * bytes_max)  # type: ignore[union-attr]

    def data_received(self, chunk: bytes) -> None:
        """Take a piece of the body."""
        assert self.body is not None
        try:
            self.body.feed(chunk)
        except ApiError as error:
            self.send_error(error.status, exc_info=(type(error), error, None))

    async def post(self) -> None:
        """The body is whole: prove what is left to prove, and do what is asked."""
        assert self.body is not None
        self.received = True
        if self.caller.unproven:
            self.webhook.authenticator.confirm(self.caller)
            self._check_encoding()
        self.exchange.log_values["keys"] = ",".join(self.caller.key_ids)
        if self.caller.forge is not None:
            self._deliver(self.caller.forge, self.body)
            return
        try:
            await self._called(self.body)
        except ApiError as error:
            if not isinstance(error, Refused):
                self._add_standing(error)
            raise

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Say so where the connection ends with the answer, since the body was not read."""
        if not self.received:
            self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)

    def on_finish(self) -> None:
        """Let go of the body."""
        if self.body is not None:
            self.body.close()
        super().on_finish()

    def on_connection_close(self) -> None:
        """A client that goes away before its body was whole gets no answer, but its account."""
        super().on_connection_close()
        if not self.received and not self._finished:
            self._finished = True
            self.set_status(CLIENT_GONE, "Client Closed Request")
            self.on_finish()

    def _check_encoding(self) -> None:
        headers = self.request.headers
        if headers.get("Content-Encoding", "identity").lower() != "identity":
            raise ApiError("unsupported-media-type", "send the body as it is, without Content-Encoding")
        kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if self.caller.forge is not None and kind in _FORMS:
            detail = "set the webhook's content type to application/json; this one sends a form"
            raise ApiError("unsupported-media-type", detail)

    # -- a direct call ----------------------------------------------------------------------------

    async def _called(self, body: Body) -> None:
        document = decode(body.content)
        if is_from_azure(document):  # its hooks can send the shared secret in a header of one's own
            self._deliver(AZURE, body)
        else:
            await self._reload(document)

    async def _reload(self, document: dict[str, Any]) -> None:
        asked = self._asked(document)
        if _prefers_no_wait(self.request):
            self.set_header("Preference-Applied", "respond-async")
            self._accept(asked, None)
            return
        outcome = await self._run(asked, pushed=False)
        self.exchange.log_values["reload_id"] = outcome.id
        self.exchange.log_values["outcome"] = outcome.outcome
        # The branch may have become known only now.
        self._check_branch(asked)
        if not outcome.ok:
            raise reload_error(outcome)
        self.write_json(orjson.dumps(outcome_document(outcome)))

    def _asked(self, document: dict[str, Any]) -> ReloadRequest:
        misplaced = [name for name in document if is_secret_name(name)]
        if misplaced:
            raise self.webhook.authenticator.misplaced(self.caller, "body", misplaced)
        asked = read_request(document)
        self._check_branch(asked)
        return asked

    def _check_branch(self, asked: ReloadRequest) -> None:
        served = self.webhook.branch.name
        if asked.branch is not None and served is not None and asked.branch != served:
            detail = f"this server serves the branch {served!r}"
            raise ApiError("branch-mismatch", detail)

    def _add_standing(self, error: ApiError) -> None:
        """Let a problem say what is still served and how long it took; one of a reload says so already."""
        current = self.webhook.branch.snapshot
        took_ms = round((clock() - self.exchange.begun) * 1000, 3)
        old_commit = current.commit if current is not None else None
        standing = {"outcome": error.code, "oldCommit": old_commit, "durationMs": took_ms}
        error.members = standing | error.members

    async def _run(self, asked: ReloadRequest, *, pushed: bool) -> Outcome:
        reload = self.webhook.branch.reloader.reload
        return await reload(Trigger.WEBHOOK, asked.commit, asked.consent, is_tip=pushed)

    # -- a forge's delivery -----------------------------------------------------------------------

    def _deliver(self, forge: Forge, body: Body) -> None:
        deliveries, payload = self.webhook.deliveries, self._payload(forge, body)
        event = forge.event_name(self.request.headers)
        delivery = (forge.name, delivery_id(forge, self.request.headers, payload), body.digest)
        self.exchange.log_values |= {
            "forge": forge.name, "forge_event": event, "delivery": shown(delivery[1]),
        }  # fmt: skip
        if deliveries.applied(delivery):
            self._answer(200, {"ok": True, "outcome": "duplicate"})
            return
        announced = self._announcement(forge, event, payload)
        if announced.ignored:
            self._answer(200, {"ok": True, "outcome": "ignored", "reason": announced.ignored})
        else:
            self._accept(ReloadRequest(commit=announced.commit), delivery)

    def _payload(self, forge: Forge, body: Body) -> Payload | None:
        """The payload, None where it is too large to be read."""
        if not body.whole:
            self.exchange.log_values["unread_bytes"] = body.size
            return None
        try:
            payload = orjson.loads(body.content)
        except orjson.JSONDecodeError as error:
            raise _not_sent_by(forge, error) from None
        if not isinstance(payload, dict):
            raise _not_sent_by(forge, "the payload must be a JSON object")
        return payload

    def _announcement(self, forge: Forge, event: str, payload: Payload | None) -> Announcement:
        if payload is None:
            pushes = forge.may_push(self.request.headers)
            return Announcement("" if pushes else "the payload is large, and its event is not a push")
        try:
            return announcement(read_event(forge, event, payload), self.webhook.branch.name)
        except PayloadFault as error:
            raise _not_sent_by(forge, error) from None

    def _accept(self, asked: ReloadRequest, delivery: tuple[str, str, bytes] | None) -> None:
        webhook = self.webhook
        if self.context.in_flight.stopping:
            retry = {"Retry-After": str(STOPPING_RETRY_AFTER_S)}
            raise ApiError("stopping", "the server finishes its requests and stops", retry)

        def ended(reload_id: str, outcome: Outcome) -> None:
            if outcome.ok and delivery is not None:
                webhook.deliveries.remember(delivery)
            log.info(
                "acceptance.ended",
                reload_id=reload_id,
                ran_as=outcome.id,
                outcome=outcome.outcome,
                forge=delivery[0] if delivery else None,
                delivery=shown(delivery[1]) if delivery else None,
            )

        try:
            reload_id = webhook.accepted.start(lambda: self._run(asked, pushed=delivery is not None), ended)
        except TooMany as error:
            raise ApiError("overloaded", str(error), {"Retry-After": str(BUSY_RETRY_AFTER_S)}) from None
        self.exchange.log_values["reload_id"] = reload_id
        self.set_header("Location", f"/api/_internal/reloads/{reload_id}")
        self._answer(202, {"ok": True, "outcome": "accepted", "reloadId": reload_id})

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        self.exchange.log_values |= {
            name: document[name] for name in ("outcome", "reason") if name in document
        }
        if self.caller.forge is not None:
            self.webhook.authenticator.metrics.delivery(self.caller.forge.name, document["outcome"])
        self.write_json(orjson.dumps(document), status)


_FORMS = frozenset({"application/x-www-form-urlencoded", "multipart/form-data"})


def _not_sent_by(forge: Forge, reason: object) -> ApiError:
    return ApiError("invalid-request", f"a payload that {forge.name} does not send: {reason}")


def _declared_bytes(request: HTTPServerRequest) -> int:
    declared = request.headers.get("Content-Length", "0")
    if not (declared.isascii() and declared.isdigit()):
        return 0  # Tornado refuses it
    return int(declared) if len(declared) < 19 else 1 << 63


def _prefers_no_wait(request: HTTPServerRequest) -> bool:
    preferences = ",".join(request.headers.get_list("Prefer")).split(",")
    return any(each.partition(";")[0].strip().lower() == "respond-async" for each in preferences)
