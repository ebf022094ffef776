"""Whoever knows no secret stays outside and learns nothing; whoever knows one comes in."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from structlog.testing import capture_logs
from tornado.httputil import HTTPHeaders

from server.auth import Caller, Door, Refused, is_secret_name, secret_names
from server.door_metrics import DoorMetrics
from server.errors import ApiError
from server.keyring import Keyring, keys_of
from server.limits import Attempts
from server.peers import Peers
from server.refusals import Refusals
from server.settings import read_settings
from server.variables import KNOWN
from tests.server.payloads import NEW, PREVIOUS, SECRET, SECRETS, senders
from tests.server.test_deliveries import Clock
from tests.server.test_refusals import Later

RIGHTFUL = {
    "github": "GITHUB_WEBHOOK_SECRET",
    "gitea": "GITEA_WEBHOOK_SECRET",
    "forgejo": "GITEA_WEBHOOK_SECRET",
    "gitlab": "GITLAB_WEBHOOK_TOKEN",
    "gitlab-signing": "GITLAB_WEBHOOK_SIGNING_TOKEN",
    "bitbucket": "BITBUCKET_WEBHOOK_SECRET",
    "bitbucket-data-center": "BITBUCKET_WEBHOOK_SECRET",
    "standard": "STANDARD_WEBHOOK_SECRET",
}
NOW = 1_700_000_000
SENDERS = senders(lambda: NOW)
SHARED = {"CFP_DATA_RELOAD_SECRET": SECRET, "CFP_DATA_RELOAD_SECRET_PREVIOUS": PREVIOUS}


@dataclass
class Request:
    """What the door looks at."""

    headers: HTTPHeaders
    query: str = ""
    path: str = "/api/_internal/reload-data"
    remote_ip: str = "192.0.2.1"
    method: str = "POST"


@dataclass
class Entrance:
    """A door, with what a test wants to look at."""

    door: Door
    clock: Clock
    registry: CollectorRegistry = field(default_factory=CollectorRegistry)

    def receive(self, *headers: tuple[str, str], body: bytes = b"", **request: Any) -> Caller:
        """The caller, once the body is whole."""
        given = HTTPHeaders()
        for name, value in headers:
            given.add(name, value.strip(" "))  # as it is read from the wire
        caller = self.door.receive(Request(given, **request), "request-1")  # type: ignore[arg-type]
        caller.feed(body)
        if caller.unproven:
            self.door.confirm(caller)
        return caller

    def refusal(self, *headers: tuple[str, str], **request: Any) -> ApiError:
        """The answer to a caller who must not come in."""
        with pytest.raises(ApiError) as caught:
            self.receive(*headers, **request)
        return caught.value

    def refused(self, reason: str, status: int = 401) -> float:
        """How many were refused for a reason."""
        labels = {"reason": reason, "status": str(status)}
        return self.registry.get_sample_value("livesheets_attempts_refused_total", labels) or 0.0


@pytest.fixture
def entrance() -> Callable[..., Entrance]:
    """Makes a door: `entrance(settings, attempts_max=3)`."""

    def make(environment: dict[str, str] = SHARED | SECRETS, attempts_max: int = 0) -> Entrance:
        registry, clock = CollectorRegistry(), Clock()
        metrics = DoorMetrics(registry)
        keys = Keyring(
            keys_of(read_settings(environment)), metrics.credential_used, lambda: datetime.now(UTC)
        )
        attempts = Attempts(attempts_max, clock)
        door = Door(keys, Peers(), attempts, Refusals(Later()), metrics, lambda: NOW)
        return Entrance(door, clock, registry)

    return make


def bearer(token: str = SECRET, scheme: str = "Bearer") -> tuple[str, str]:
    return ("Authorization", f"{scheme} {token}")


def key(token: str = SECRET) -> tuple[str, str]:
    return ("X-CFP-Webhook-Key", token)


Make = Callable[..., Entrance]


@pytest.mark.parametrize(
    "offered", [[bearer()], [key()], [bearer(PREVIOUS)], [key(PREVIOUS)], [bearer(), key()]]
)
def test_the_secret_and_the_previous_one_open_the_door_in_either_header(entrance: Make, offered: Any) -> None:
    caller = entrance().receive(*offered)
    assert caller.forge is None
    assert len(caller.key_ids) == 1


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_case_of_the_scheme_does_not_matter(entrance: Make, scheme: str) -> None:
    assert entrance().receive(bearer(scheme=scheme))


WRONG = [
    [],
    [bearer("")],
    [bearer("x" * len(SECRET))],
    [bearer(SECRET[:-1])],
    [bearer(SECRET + "x")],
    [bearer(SECRET.upper())],
    [bearer(SECRET + "\xe9")],
    [bearer(f" {SECRET}")],
    [bearer(f"{SECRET} {SECRET}")],
    [("Authorization", SECRET)],
    [("Authorization", f"Bearer\t{SECRET}")],
    [("Authorization", f"Basic {SECRET}")],
    [("Authorization", "Bearer")],
    [("Authorization", "")],
    [key("")],
    [key("wrong")],
    [key(f"{SECRET},{SECRET}")],
    [bearer(), key("wrong")],
    [bearer("wrong"), key()],
    [bearer(), ("Authorization", "Basic eA==")],
    [bearer(), bearer()],
    [bearer(), bearer("wrong")],
    [key(), key()],
    [("Cookie", f"token={SECRET}")],
    [("X-Hub-Signature-256", "sha256=" + "0" * 64)],
    [("X-Hub-Signature-256", SECRET), bearer()],
    [("X-Gitlab-Token", SECRET)],
    [("X-Gitlab-Token", "\xe9" * 20)],
    [("webhook-signature", "v1,x")],
]


@pytest.mark.parametrize("offered", WRONG)
def test_whatever_is_wrong_the_answer_is_the_same(entrance: Make, offered: Any) -> None:
    answer = entrance().refusal(*offered)
    first = entrance().refusal()
    assert isinstance(answer, Refused)
    assert (answer.code, answer.detail, answer.headers) == (first.code, first.detail, first.headers)
    assert (answer.status, answer.headers) == (401, {"WWW-Authenticate": "Bearer"})


@pytest.mark.parametrize("setting", SECRETS)
def test_a_secret_of_a_forge_is_no_bearer_token(entrance: Make, setting: str) -> None:
    made = entrance()
    assert made.refusal(bearer(SECRETS[setting].replace(" ", ""))).status == 401
    assert made.refusal(key(SECRETS[setting].replace(" ", ""))).status == 401


@pytest.mark.parametrize("name", SENDERS)
def test_a_delivery_that_a_forge_signed_comes_in(entrance: Make, name: str) -> None:
    made = entrance()
    headers, body = SENDERS[name].request(SENDERS[name].push("refs/heads/main", NEW), "1")
    caller = made.receive(*headers.items(), body=body)
    assert caller.forge is not None
    assert caller.forge.name == SENDERS[name].forge
    # The body is what was signed; a token alone vouches for any body.
    if name != "gitlab":
        assert made.refusal(*headers.items(), body=body + b" ").status == 401
        assert made.refused("wrong") == 1


@pytest.mark.parametrize("name", SENDERS)
def test_a_delivery_with_the_shared_secret_too_must_have_both_right(entrance: Make, name: str) -> None:
    made = entrance()
    headers, body = SENDERS[name].request({}, "1")
    assert len(made.receive(*headers.items(), bearer(), body=body).key_ids) == 2
    assert made.refusal(*headers.items(), bearer("wrong"), body=body).status == 401


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("setting", [*SHARED, *SECRETS])
def test_the_right_secret_in_the_place_of_another_opens_nothing(
    entrance: Make, name: str, setting: str
) -> None:
    own, values = f"CFP_{RIGHTFUL[name]}", SHARED | SECRETS
    misplaced = values[own] if len(values[own]) >= KNOWN[setting].characters_min else values[setting]
    made = entrance(values | {own: "another-secret-of-at-least-32-characters", setting: misplaced})
    headers, body = SENDERS[name].request({}, "1")
    if own == setting:
        assert made.receive(*headers.items(), body=body)
    else:
        assert made.refusal(*headers.items(), body=body).status == 401
        assert made.refused("wrong") == 1


def test_the_headers_of_two_forges_at_once_are_refused(entrance: Make) -> None:
    made = entrance()
    for first, second in (("github", "gitlab"), ("gitlab", "bitbucket"), ("gitea", "gitlab")):
        headers, body = SENDERS[first].request({}, "1")
        more, _ = SENDERS[second].request({}, "1")
        assert made.refusal(*(headers | more).items(), body=body).status == 401
    assert made.refused("malformed") == 3


def test_a_signature_with_sha1_alone_proves_nothing(entrance: Make) -> None:
    headers, body = SENDERS["github"].request({}, "1")
    del headers["X-Hub-Signature-256"]
    assert entrance().refusal(*headers.items(), body=body).status == 401


def test_a_weak_signature_next_to_a_good_one_must_be_right_as_well(entrance: Make) -> None:
    headers, body = SENDERS["github"].request({}, "1")
    headers["X-Hub-Signature"] = "sha1=" + "0" * 40
    assert entrance().refusal(*headers.items(), body=body).status == 401


def test_a_forge_whose_secret_is_not_set_is_told_no_more_than_others(entrance: Make) -> None:
    made = entrance(SHARED)
    headers, body = SENDERS["github"].request({}, "1")
    caller = made.door.receive(Request(HTTPHeaders(headers)), "request-1")  # type: ignore[arg-type]
    assert caller.unproven, "the body is read as if a secret were set"
    assert made.refusal(*headers.items(), body=body).status == 401
    assert made.refused("unset") == 1


def test_without_any_secret_nobody_comes_in_and_a_credential_says_so(entrance: Make) -> None:
    made = entrance({})
    assert made.refusal().status == 401
    for offered in ([bearer()], [bearer("")], [key()], [("X-Gitlab-Token", "x")]):
        answer = made.refusal(*offered)
        assert (answer.status, answer.code) == (503, "reload-not-configured")


def test_internal_routes_take_the_shared_secret_only(entrance: Make) -> None:
    made = entrance()
    headers, _ = SENDERS["gitlab"].request({}, "1")
    with pytest.raises(Refused):
        made.door.admit(Request(HTTPHeaders(headers)), "request-1")  # type: ignore[arg-type]
    assert made.door.admit(Request(HTTPHeaders(dict([bearer()]))), "request-1")  # type: ignore[arg-type]


def test_after_too_many_failures_a_peer_is_told_to_wait_but_the_right_token_still_works(
    entrance: Make,
) -> None:
    made = entrance(attempts_max=3)
    assert [made.refusal(bearer("wrong")).status for _ in range(5)] == [401, 401, 401, 429, 429]
    answer = made.refusal()
    assert (answer.code, answer.headers) == ("too-many-attempts", {"Retry-After": "60"})
    assert made.receive(bearer())
    assert made.refusal(remote_ip="192.0.2.2").status == 401
    made.clock.now = 60
    assert made.refusal().status == 401


def test_a_peer_that_failed_too_often_gets_no_body_read_and_no_signature_checked(entrance: Make) -> None:
    made = entrance(attempts_max=1)
    headers, body = SENDERS["github"].request({}, "1")
    assert made.receive(*headers.items(), body=body)
    made.refusal()
    with pytest.raises(Refused) as caught:
        made.door.receive(Request(HTTPHeaders(headers)), "request-1")  # type: ignore[arg-type]
    assert caught.value.status == 429
    assert made.refused("limited", 429) == 1
    assert made.receive(*headers.items(), body=body, remote_ip="192.0.2.2")


def test_a_secret_in_the_query_is_refused_and_reported_without_its_value(entrance: Make) -> None:
    made = entrance()
    with capture_logs() as lines:
        assert made.refusal(bearer(), query=f"token={SECRET}&x=1").status == 401
    (warning,) = [line for line in lines if line["event"] == "credential.misplaced"]
    assert (warning["where"], warning["values"]) == ("query", {"token": "***"})
    assert SECRET not in str(lines)
    assert made.receive(bearer(), query="x=1")


@pytest.mark.parametrize(
    "name",
    ["token", "secret", "access_token", "accessToken", "api_key", "apikey", "X-CFP-Webhook-Key",
     "private_token", "password", "key", "client_secret", "authorization"],
)  # fmt: skip
def test_names_that_secrets_go_by_are_known(name: str) -> None:
    assert is_secret_name(name)
    assert secret_names(f"a=1&{name}=x") == [name]


@pytest.mark.parametrize(
    "name", ["", "branch", "commitHash", "accept", "q", "monkey", "tokenizer", "keyboard"]
)
def test_names_that_mean_something_else_are_not_taken_for_secrets(name: str) -> None:
    assert not is_secret_name(name)


@given(st.text(max_size=200))
def test_any_query_is_looked_through(query: str) -> None:
    assert isinstance(secret_names(query), list)


def test_the_log_of_a_refusal_has_no_header_in_it(entrance: Make) -> None:
    with capture_logs() as lines:
        entrance().refusal(bearer("a-wrong-token-that-must-not-show"))
    assert [line["event"] for line in lines] == ["attempt.refused"]
    assert "must-not-show" not in str(lines)
