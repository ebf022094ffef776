"""Whoever knows no secret stays outside and learns nothing; whoever knows one comes in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tornado.httputil import HTTPHeaders

from server.auth.authenticator import Refused, is_secret_name, secret_names
from tests.server.bare_authenticator import NOW, SENDERS, Request, bare_authenticator, bearer, key
from tests.server.payloads import PREVIOUS, SECRET, SECRETS


@pytest.mark.parametrize(
    "offered", [[bearer()], [key()], [bearer(PREVIOUS)], [key(PREVIOUS)], [bearer(), key()]]
)
def test_the_secret_and_the_previous_one_open_the_door_in_either_header(offered: Any) -> None:
    caller = bare_authenticator().receive(*offered)
    assert caller.forge is None
    assert len(caller.key_ids) == 1


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_case_of_the_scheme_does_not_matter(scheme: str) -> None:
    assert bare_authenticator().receive(bearer(scheme=scheme))


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
def test_whatever_is_wrong_the_answer_is_the_same(offered: Any) -> None:
    answer = bare_authenticator().refusal(*offered)
    first = bare_authenticator().refusal()
    assert isinstance(answer, Refused)
    assert (answer.code, answer.detail, answer.headers) == (first.code, first.detail, first.headers)
    assert (answer.status, answer.headers) == (401, {"WWW-Authenticate": "Bearer"})


@pytest.mark.parametrize("setting", SECRETS)
def test_a_secret_of_a_forge_is_no_bearer_token(setting: str) -> None:
    made = bare_authenticator()
    assert made.refusal(bearer(SECRETS[setting].replace(" ", ""))).status == 401
    assert made.refusal(key(SECRETS[setting].replace(" ", ""))).status == 401


def test_without_any_secret_nobody_comes_in_and_a_credential_says_so() -> None:
    made = bare_authenticator({})
    assert made.refusal().status == 401
    for offered in ([bearer()], [bearer("")], [key()], [("X-Gitlab-Token", "x")]):
        answer = made.refusal(*offered)
        assert (answer.status, answer.code) == (503, "reload-not-configured")


def test_internal_routes_take_the_shared_secret_only() -> None:
    made = bare_authenticator()
    headers, _ = SENDERS["gitlab"].request({}, "1")
    with pytest.raises(Refused):
        made.authenticator.admit(Request(HTTPHeaders(headers)), "request-1")  # type: ignore[arg-type]
    assert made.authenticator.admit(Request(HTTPHeaders(dict([bearer()]))), "request-1")  # type: ignore[arg-type]


def test_after_too_many_failures_a_peer_is_told_to_wait_but_the_right_token_still_works() -> None:
    made = bare_authenticator(attempts_max=3)
    assert [made.refusal(bearer("wrong")).status for _ in range(5)] == [401, 401, 401, 429, 429]
    answer = made.refusal()
    assert (answer.code, answer.headers) == ("too-many-attempts", {"Retry-After": "60"})
    assert made.receive(bearer())
    assert made.refusal(remote_ip="192.0.2.2").status == 401
    made.clock.now = 60
    assert made.refusal().status == 401


def test_after_too_many_failures_a_right_signature_still_works_and_a_wrong_one_has_to_wait() -> None:
    made = bare_authenticator(attempts_max=1)
    headers, body = SENDERS["github"].request({}, "1")
    assert not made.receive(*headers.items(), body=body).limited
    made.refusal()
    assert made.receive(*headers.items(), body=body).limited
    assert made.refusal(*headers.items(), body=body + b" ").status == 429
    assert not made.receive(*headers.items(), body=body, remote_ip="192.0.2.2").limited


def test_a_wall_clock_that_steps_makes_signed_time_stamps_stale_and_nothing_else() -> None:
    made = bare_authenticator(attempts_max=1)
    headers, body = SENDERS["standard"].request({}, "1")
    steps = ((0, True), (299, True), (301, False), (-301, False), (86_400, False), (0, True))
    for number, (step_s, admitted) in enumerate(steps):
        made.wall_clock.now = NOW + step_s
        if admitted:
            assert made.receive(*headers.items(), body=body)
        else:
            assert made.refusal(*headers.items(), body=body, remote_ip=f"192.0.2.{2 + number}").status == 401
        assert made.receive(bearer())
    made.refusal()
    assert made.refusal().status == 429
    made.wall_clock.now += 86_400
    assert made.refusal().status == 429, "who has to wait waits by a clock that nobody sets"
    made.clock.now += 60
    assert made.refusal().status == 401


def test_a_secret_in_the_query_is_refused_and_reported_without_its_value() -> None:
    made = bare_authenticator()
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


def test_the_log_of_a_refusal_has_no_header_in_it() -> None:
    with capture_logs() as lines:
        bare_authenticator().refusal(bearer("a-wrong-token-that-must-not-show"))
    assert [line["event"] for line in lines] == ["attempt.refused"]
    assert "must-not-show" not in str(lines)
