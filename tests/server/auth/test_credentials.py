"""What a forge signed comes in, and only under its own name."""

from __future__ import annotations

import pytest
from tornado.httputil import HTTPHeaders

from server.settings.variables import KNOWN
from tests.server.bare_authenticator import SENDERS, SHARED, Request, bare_authenticator, bearer
from tests.server.payloads import NEW, SECRET, SECRETS, basic_authorization

RIGHTFUL = {
    "github": "GITHUB_WEBHOOK_SECRET",
    "gitea": "GITEA_WEBHOOK_SECRET",
    "forgejo": "GITEA_WEBHOOK_SECRET",
    "gitlab": "GITLAB_WEBHOOK_TOKEN",
    "gitlab-signing": "GITLAB_WEBHOOK_SIGNING_TOKEN",
    "bitbucket": "BITBUCKET_WEBHOOK_SECRET",
    "bitbucket-data-center": "BITBUCKET_WEBHOOK_SECRET",
    "azure": "AZURE_WEBHOOK_SECRET",
    "standard": "STANDARD_WEBHOOK_SECRET",
}


@pytest.mark.parametrize("name", SENDERS)
def test_a_delivery_that_a_forge_signed_comes_in(name: str) -> None:
    made = bare_authenticator()
    headers, body = SENDERS[name].request(SENDERS[name].push("refs/heads/main", NEW), "1")
    caller = made.receive(*headers.items(), body=body)
    assert caller.forge is not None
    assert caller.forge.name == SENDERS[name].forge
    # The body is what was signed; a token alone vouches for any body.
    if name not in ("gitlab", "azure"):
        assert made.refusal(*headers.items(), body=body + b" ").status == 401
        assert made.refused("wrong") == 1


@pytest.mark.parametrize("name", SENDERS)
def test_a_delivery_with_the_shared_secret_too_must_have_both_right(name: str) -> None:
    made = bare_authenticator()
    headers, body = SENDERS[name].request({}, "1")
    right, wrong = bearer(), bearer("wrong")
    if name == "azure":  # whose own secret takes the place of the bearer token
        right, wrong = (("X-CFP-Webhook-Key", SECRET), ("X-CFP-Webhook-Key", "wrong"))
    assert len(made.receive(*headers.items(), right, body=body).key_ids) == 2
    assert made.refusal(*headers.items(), wrong, body=body).status == 401


def may_be(setting: str, value: str) -> bool:
    """Whether the value of one secret would do for another."""
    variable = KNOWN[setting]
    return len(value) >= variable.characters_min and not (variable.token and " " in value)


@pytest.mark.parametrize("name", SENDERS)
@pytest.mark.parametrize("setting", [*SHARED, *SECRETS])
def test_the_right_secret_in_the_place_of_another_opens_nothing(name: str, setting: str) -> None:
    own, values = f"CFP_{RIGHTFUL[name]}", SHARED | SECRETS
    misplaced = values[own] if may_be(setting, values[own]) else values[setting]
    made = bare_authenticator(values | {own: "another-secret-of-at-least-32-characters", setting: misplaced})
    headers, body = SENDERS[name].request({}, "1")
    if own == setting:
        assert made.receive(*headers.items(), body=body)
    else:
        assert made.refusal(*headers.items(), body=body).status == 401
        assert made.refused("wrong") == 1


def test_the_headers_of_two_forges_at_once_are_refused() -> None:
    made = bare_authenticator()
    for first, second in (("github", "gitlab"), ("gitlab", "bitbucket"), ("gitea", "gitlab")):
        headers, body = SENDERS[first].request({}, "1")
        more, _ = SENDERS[second].request({}, "1")
        assert made.refusal(*(headers | more).items(), body=body).status == 401
    assert made.refused("malformed") == 3


def test_a_signature_with_sha1_alone_proves_nothing() -> None:
    headers, body = SENDERS["github"].request({}, "1")
    del headers["X-Hub-Signature-256"]
    assert bare_authenticator().refusal(*headers.items(), body=body).status == 401


def test_a_weak_signature_next_to_a_good_one_must_be_right_as_well() -> None:
    headers, body = SENDERS["github"].request({}, "1")
    headers["X-Hub-Signature"] = "sha1=" + "0" * 40
    assert bare_authenticator().refusal(*headers.items(), body=body).status == 401


def test_a_forge_whose_secret_is_not_set_is_told_no_more_than_others() -> None:
    made = bare_authenticator(SHARED)
    headers, body = SENDERS["github"].request({}, "1")
    caller = made.authenticator.receive(Request(HTTPHeaders(headers)), "request-1")  # type: ignore[arg-type]
    assert caller.unproven, "the body is read as if a secret were set"
    assert made.refusal(*headers.items(), body=body).status == 401
    assert made.refused("unset") == 1


@pytest.mark.parametrize(
    "value",
    ["Basic", "Basic !!", "Basic bm8gY29sb24=", "Basic YTpi YTpi", basic_authorization("wrong")],
)
def test_a_password_that_is_wrong_or_not_well_formed_is_refused(value: str) -> None:
    assert bare_authenticator().refusal(("Authorization", value)).status == 401


def test_the_user_of_a_password_does_not_matter() -> None:
    value = basic_authorization(SECRETS["CFP_AZURE_WEBHOOK_SECRET"], user="")
    assert bare_authenticator().receive(("Authorization", value)).forge is not None
