"""A push to the served branch is told from everything else that a forge sends."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tornado.httputil import HTTPHeaders

from server.auth.forges import (
    AZURE,
    BITBUCKET,
    FORGES,
    GITEA,
    GITHUB,
    GITLAB,
    STANDARD,
    Forge,
    recognize,
    shown,
)
from server.webhook.events import Announcement, PayloadFault, announcement, delivery_id, read_event
from tests.server.payloads import NEW, OLD, ZERO, Sender, azure_push, senders

SENDERS = senders(lambda: 1_700_000_000)
BY_NAME = {forge.name: forge for forge in (*FORGES, AZURE, STANDARD)}


def announced(
    sender: Sender, payload: dict[str, Any], event: str | None = None, branch: str = "main"
) -> Announcement:
    named = sender.event if event is None else event
    return announcement(read_event(BY_NAME[sender.forge], named, payload), branch)


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_a_push_to_the_served_branch_asks_for_its_commit(sender: Sender) -> None:
    assert announced(sender, sender.push("refs/heads/main", NEW)) == Announcement(commit=NEW)
    assert announced(sender, sender.push("refs/heads/a/b", NEW), branch="a/b") == Announcement(commit=NEW)


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_a_push_that_makes_the_served_branch_asks_for_its_commit(sender: Sender) -> None:
    if sender.forge != "standard":
        payload = sender.push("refs/heads/main", NEW, ZERO)  # type: ignore[call-arg]
        assert announced(sender, payload) == Announcement(commit=NEW)


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
@pytest.mark.parametrize(
    "ref", ["refs/heads/mainly", "refs/heads/Main", "refs/heads/refs/heads/main", "refs/heads/x/main"]
)
def test_a_push_to_another_branch_is_ignored(sender: Sender, ref: str) -> None:
    assert announced(sender, sender.push(ref, NEW)) == Announcement("the push moved another branch")


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_a_tag_is_ignored_even_where_it_is_named_as_the_branch(sender: Sender) -> None:
    assert announced(sender, sender.push("refs/tags/main", NEW)) == Announcement("the push moved a tag")


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_the_deletion_of_the_served_branch_is_ignored(sender: Sender) -> None:
    assert "deleted" in announced(sender, sender.push("refs/heads/main", ZERO)).ignored


@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_before_the_branch_is_known_any_branch_may_be_it(sender: Sender) -> None:
    event = read_event(BY_NAME[sender.forge], sender.event, sender.push("refs/heads/any", NEW))
    assert announcement(event, None) == Announcement(commit=NEW)
    tag = read_event(BY_NAME[sender.forge], sender.event, sender.push("refs/tags/any", NEW))
    assert announcement(tag, None).ignored


@pytest.mark.parametrize(
    ("forge", "event"),
    [
        (GITHUB, "issues"), (GITHUB, "create"), (GITHUB, "delete"), (GITHUB, "pull_request"), (GITHUB, ""),
        (GITEA, "create"), (GITEA, "pull_request_sync"), (GITLAB, "Issue Hook"), (GITLAB, "Pipeline Hook"),
        (GITLAB, "System Hook"), (BITBUCKET, "pullrequest:created"), (BITBUCKET, "pr:opened"),
        (STANDARD, ""),
    ],
)  # fmt: skip
def test_other_events_are_ignored_with_their_name(forge: Forge, event: str) -> None:
    payload = {"action": "opened", "event_name": "project_create", "type": "user.created"}
    ignored = announcement(read_event(forge, event, payload), "main").ignored
    assert "not a push" in ignored or "no header" in ignored


@pytest.mark.parametrize(("forge", "event"), [(GITHUB, "ping"), (BITBUCKET, "diagnostics:ping")])
def test_a_ping_is_answered_and_nothing_else(forge: Forge, event: str) -> None:
    payload = {"zen": "Keep it logically awesome.", "hook_id": 1, "hook": {}, "test": True}
    assert announcement(read_event(forge, event, payload), "main") == Announcement("ping")


def test_a_tag_of_gitlab_has_an_event_of_its_own() -> None:
    payload = SENDERS["gitlab"].push("refs/tags/v1", NEW)
    assert announcement(read_event(GITLAB, "Tag Push Hook", payload), "main") == Announcement(
        "the push moved a tag"
    )


def test_system_hooks_of_gitlab_name_the_event_in_the_payload() -> None:
    payload = SENDERS["gitlab"].push("refs/heads/main", NEW)
    assert announcement(read_event(GITLAB, "System Hook", payload), "main") == Announcement(commit=NEW)
    change = {"before": OLD, "after": NEW, "ref": "refs/heads/main"}
    update = {"event_name": "repository_update", "changes": [change], "refs": ["refs/heads/main"]}
    assert announcement(read_event(GITLAB, "System Hook", update), "main") == Announcement(commit=NEW)


def test_one_push_may_move_several_refs() -> None:
    cloud, server = SENDERS["bitbucket"], SENDERS["bitbucket-data-center"]
    several = [cloud.push(ref, NEW)["push"]["changes"][0] for ref in ("refs/tags/v1", "refs/heads/main")]
    assert announced(cloud, {"push": {"changes": several}}) == Announcement(commit=NEW)
    changes = [server.push(ref, NEW)["changes"][0] for ref in ("refs/heads/other", "refs/heads/main")]
    assert announced(server, {"changes": changes}) == Announcement(commit=NEW)
    assert announced(server, {"changes": changes}, "mirror:repo_synchronized") == Announcement(commit=NEW)
    assert announced(server, {"changes": []}) == Announcement("the push moved nothing")


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        ({"type": "data.push"}, Announcement()),
        ({"type": "reload", "data": {}}, Announcement()),
        ({"type": "push", "data": {"branch": "main", "commit": NEW}}, Announcement(commit=NEW)),
        ({"ref": "refs/heads/main"}, Announcement()),
        ({"type": "push", "data": {"branch": "other"}}, Announcement("the push moved another branch")),
        ({"type": "push", "data": {"commitHash": NEW}}, Announcement(commit=NEW)),
    ],
)
def test_standard_webhooks_may_say_less(payload: dict[str, Any], expected: Announcement) -> None:
    assert announcement(read_event(STANDARD, "", payload), "main") == expected


def test_the_long_ids_of_sha256_repositories_are_understood() -> None:
    payload = SENDERS["github"].push("refs/heads/main", "2" * 64)
    assert announcement(read_event(GITHUB, "push", payload), "main") == Announcement(commit="2" * 64)
    payload = SENDERS["github"].push("refs/heads/main", "0" * 64)
    assert announcement(read_event(GITHUB, "push", payload), "main").ignored


@pytest.mark.parametrize(
    "commit", ["", "2" * 39, "2" * 41, "HEAD~1", ":/x", "--output=x", "Z" * 40, 7, None, ["2"]]
)
@pytest.mark.parametrize("sender", SENDERS.values(), ids=SENDERS)
def test_a_payload_without_a_commit_id_is_not_taken_for_a_push(sender: Sender, commit: Any) -> None:
    with pytest.raises(PayloadFault, match="commit id"):
        announced(sender, sender.push("refs/heads/main", commit))


@pytest.mark.parametrize("ref", ["", 7, None, "x" * 2000, ["refs/heads/main"]])
@pytest.mark.parametrize("sender", [SENDERS["github"], SENDERS["gitlab"], SENDERS["standard"]])
def test_a_payload_without_a_ref_is_not_taken_for_a_push(sender: Sender, ref: Any) -> None:
    with pytest.raises(PayloadFault, match="ref"):
        announced(sender, sender.push(ref, NEW))


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
fields = st.sampled_from(
    ["ref", "after", "deleted", "push", "changes", "new", "old", "type", "data", "branch"]
)


@given(st.sampled_from(sorted(SENDERS)), st.dictionaries(fields, json_values))
def test_any_payload_gives_a_verdict_or_names_its_fault(name: str, payload: dict[str, Any]) -> None:
    sender = SENDERS[name]
    with contextlib.suppress(PayloadFault):
        assert isinstance(announced(sender, sender.push("refs/heads/main", NEW) | payload), Announcement)


@pytest.mark.parametrize("name", SENDERS)
def test_a_forge_is_recognized_by_its_event_headers(name: str) -> None:
    headers, body = SENDERS[name].request({}, "delivery-1")
    named = recognize(HTTPHeaders(headers))
    without = ("standard", "azure")
    assert [forge.name for forge in named] == ([] if name in without else [SENDERS[name].forge])
    forge = BY_NAME[SENDERS[name].forge]
    assert delivery_id(forge, HTTPHeaders(headers), json.loads(body)) == "delivery-1"
    assert forge.may_push(HTTPHeaders(headers))


def test_an_id_is_taken_whole_or_not_at_all() -> None:
    for length, expected in ((256, 256), (257, 0)):
        headers = HTTPHeaders({"X-GitHub-Delivery": "x" * length})
        assert len(GITHUB.delivery(headers)) == expected


def test_names_in_headers_are_short_and_safe_to_log() -> None:
    headers = HTTPHeaders({"X-GitHub-Event": "\x9b31m" + "x" * 500, "X-GitHub-Delivery": "é"})
    assert GITHUB.event_name(headers).isascii()
    assert GITHUB.event_name(headers).isprintable()
    assert len(GITHUB.event_name(headers)) < 100
    assert GITHUB.delivery(headers) == "é"
    assert shown("é\x1b\u2028") == "\\xe9\\x1b\\u2028"
    assert not GITHUB.may_push(headers)


def azure_ignored(payload: dict[str, Any]) -> str:
    return announced(SENDERS["azure"], payload).ignored


def test_several_refs_of_one_push_of_azure_are_looked_through() -> None:
    payload = SENDERS["azure"].push("refs/heads/other", OLD)
    payload["resource"]["refUpdates"] += azure_push("refs/heads/main", NEW)["resource"]["refUpdates"]
    assert announced(SENDERS["azure"], payload) == Announcement(commit=NEW)


@pytest.mark.parametrize("details", [{}, {"resource": None}, {"resource": {}}, {"resource": "none"}])
def test_a_hook_of_azure_without_details_is_taken_for_a_push(details: dict[str, Any]) -> None:
    assert announced(SENDERS["azure"], {"eventType": "git.push", **details}) == Announcement()


def test_other_events_of_azure_are_ignored_and_what_is_no_event_is_refused() -> None:
    assert azure_ignored({"eventType": "build.complete"}) == "the event 'build.complete' is not a push"
    with pytest.raises(PayloadFault, match="eventType"):
        announced(SENDERS["azure"], {"publisherId": "tfs"})
