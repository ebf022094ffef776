"""What forges send when somebody pushes: payloads of the real shape, with the headers that come along."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

OLD = "1111111111111111111111111111111111111111"
NEW = "2222222222222222222222222222222222222222"
ZERO = "0" * 40
# No payload's URL leads anywhere; nothing may ever try.
ELSEWHERE = "http://127.0.0.1:9/never"

SECRET = "the-shared-secret-of-the-tests-0123456789"
PREVIOUS = "the-one-before-it-of-the-tests-0123456789"
SECRETS = {
    "CFP_GITHUB_WEBHOOK_SECRET": "It's a Secret to Everybody",
    "CFP_GITEA_WEBHOOK_SECRET": "the-secret-of-the-gitea-hook",
    "CFP_GITLAB_WEBHOOK_TOKEN": "glhook-0123456789abcdef",
    "CFP_GITLAB_WEBHOOK_SIGNING_TOKEN": "whsec_Z2l0bGFiLXNpZ25pbmctdG9rZW4tb2YtMzItYnl0ZXM=",
    "CFP_BITBUCKET_WEBHOOK_SECRET": "the secret of the bitbucket hook",
    "CFP_AZURE_WEBHOOK_SECRET": "azure:hook-0123456789abcdef",
    "CFP_STANDARD_WEBHOOK_SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}

Headers = dict[str, str]
Payload = dict[str, Any]


@dataclass(frozen=True)
class Sender:
    """One kind of sender: how it names an event, how it signs, and what a push looks like."""

    forge: str
    push: Callable[[str, str], Payload]
    sign: Callable[[bytes, Headers], Headers]
    headers: Callable[[str], Headers]
    event: str = "push"
    ping: Payload = field(default_factory=dict)

    def request(
        self, payload: Mapping[str, Any] | bytes, delivery: str, event: str | None = None
    ) -> tuple[Headers, bytes]:
        """The headers and the body of one delivery."""
        if self.forge == "azure" and not isinstance(payload, bytes):  # the id is in the payload
            payload = {**payload, "id": delivery}
        body = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        headers = {"Content-Type": "application/json", **self.headers(delivery)}
        if event is not None:
            headers |= {name: event for name in headers if name.endswith(("-Event", "-Event-Key"))}
        return headers | self.sign(body, headers), body


def _hmac(setting: str, body: bytes, algorithm: str = "sha256") -> str:
    return hmac.new(SECRETS[setting].encode(), body, algorithm).hexdigest()


def github_push(ref: str, after: str, before: str = OLD) -> Payload:
    """`push` of GitHub."""
    commit = {
        "id": after, "tree_id": NEW, "distinct": True, "message": "Correct a name",
        "timestamp": "2026-01-05T12:00:00+01:00", "url": f"{ELSEWHERE}/commit/{after}",
        "author": {"name": "Ada", "email": "ada@example.org", "username": "ada"},
        "committer": {"name": "GitHub", "email": "noreply@github.com", "username": "web-flow"},
        "added": [], "removed": [], "modified": ["people/ada.toml"],
    }  # fmt: skip
    return {
        "ref": ref, "before": before, "after": after,
        "repository": {
            "id": 1, "node_id": "R_1", "name": "data", "full_name": "example/data", "private": False,
            "owner": {"name": "example", "login": "example", "id": 2, "type": "Organization"},
            "html_url": ELSEWHERE, "clone_url": f"{ELSEWHERE}.git", "git_url": "git://127.0.0.1:9/never.git",
            "ssh_url": "git@127.0.0.1:never.git", "default_branch": "main", "pushed_at": 1767610800,
        },
        "pusher": {"name": "ada", "email": "ada@example.org"},
        "sender": {"login": "ada", "id": 3, "type": "User"},
        "created": before == ZERO, "deleted": after == ZERO, "forced": False, "base_ref": None,
        "compare": f"{ELSEWHERE}/compare/{before}...{after}",
        "commits": [] if after == ZERO else [commit],
        "head_commit": None if after == ZERO else commit,
    }  # fmt: skip


def gitea_push(ref: str, after: str, before: str = OLD) -> Payload:
    """`push` of Gitea and Forgejo."""
    commits = [
        {
            "id": after, "message": "Correct a name\n", "url": f"{ELSEWHERE}/commit/{after}",
            "author": {"name": "Ada", "email": "ada@example.org", "username": "ada"},
            "committer": {"name": "Ada", "email": "ada@example.org", "username": "ada"},
            "verification": None, "timestamp": "2026-01-05T12:00:00Z",
            "added": [], "removed": [], "modified": ["people/ada.toml"],
        }
    ]  # fmt: skip
    return {
        "ref": ref, "before": before, "after": after, "compare_url": ELSEWHERE,
        "commits": commits, "total_commits": 1, "head_commit": commits[0],
        "repository": {
            "id": 140, "owner": {"id": 1, "login": "example", "full_name": "Example"},
            "name": "data", "full_name": "example/data", "private": False, "fork": False,
            "html_url": ELSEWHERE, "ssh_url": "gitea@127.0.0.1:never.git", "clone_url": f"{ELSEWHERE}.git",
            "default_branch": "main",
        },
        "pusher": {"id": 1, "login": "ada", "full_name": "Ada", "email": "ada@example.org"},
        "sender": {"id": 1, "login": "ada", "full_name": "Ada", "email": "ada@example.org"},
    }  # fmt: skip


def gitlab_push(ref: str, after: str, before: str = OLD) -> Payload:
    """`Push Hook` of GitLab."""
    return {
        "object_kind": "push", "event_name": "push", "before": before, "after": after, "ref": ref,
        "ref_protected": True, "checkout_sha": None if after == ZERO else after, "message": None,
        "user_id": 4, "user_name": "Ada", "user_username": "ada", "user_email": "", "user_avatar": ELSEWHERE,
        "project_id": 15,
        "project": {
            "id": 15, "name": "Data", "description": "", "web_url": ELSEWHERE, "avatar_url": None,
            "git_ssh_url": "git@127.0.0.1:never.git", "git_http_url": f"{ELSEWHERE}.git",
            "namespace": "Example", "visibility_level": 0, "path_with_namespace": "example/data",
            "default_branch": "main", "ci_config_path": None,
        },
        "commits": [
            {
                "id": after, "message": "Correct a name\n", "title": "Correct a name",
                "timestamp": "2026-01-05T12:00:00+00:00", "url": f"{ELSEWHERE}/commit/{after}",
                "author": {"name": "Ada", "email": "[REDACTED]"},
                "added": [], "modified": ["people/ada.toml"], "removed": [],
            }
        ],
        "total_commits_count": 1, "push_options": {},
        "repository": {"name": "Data", "url": "git@127.0.0.1:never.git", "homepage": ELSEWHERE},
    }  # fmt: skip


def bitbucket_push(ref: str, after: str, before: str = OLD) -> Payload:
    """`repo:push` of Bitbucket Cloud."""
    name = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    kind = "tag" if ref.startswith("refs/tags/") else "branch"

    def state(commit: str) -> Payload | None:
        if commit == ZERO:
            return None
        target = {"type": "commit", "hash": commit, "message": "Correct a name\n", "parents": []}
        return {"type": kind, "name": name, "target": target, "links": {"self": {"href": ELSEWHERE}}}

    change = {
        "forced": False, "old": state(before), "new": state(after), "created": before == ZERO,
        "closed": after == ZERO, "truncated": False, "links": {"html": {"href": ELSEWHERE}},
        "commits": [{"hash": after, "type": "commit", "message": "Correct a name\n"}],
    }  # fmt: skip
    return {
        "push": {"changes": [change]},
        "actor": {"display_name": "Ada", "type": "user", "uuid": "{1}", "account_id": "1"},
        "repository": {"type": "repository", "full_name": "example/data", "name": "data", "scm": "git"},
    }


def data_center_push(ref: str, after: str, before: str = OLD) -> Payload:
    """`repo:refs_changed` of Bitbucket Data Center."""
    kind = "DELETE" if after == ZERO else "ADD" if before == ZERO else "UPDATE"
    display = ref.removeprefix("refs/heads/").removeprefix("refs/tags/")
    shown = {"id": ref, "displayId": display, "type": "TAG" if ref.startswith("refs/tags/") else "BRANCH"}
    return {
        "eventKey": "repo:refs_changed", "date": "2026-01-05T12:00:00+0000",
        "actor": {"name": "ada", "emailAddress": "ada@example.org", "id": 1, "type": "NORMAL"},
        "repository": {"slug": "data", "id": 84, "name": "data", "project": {"key": "EX", "id": 84}},
        "changes": [{"ref": shown, "refId": ref, "fromHash": before, "toHash": after, "type": kind}],
    }  # fmt: skip


def azure_push(ref: str, after: str, before: str = OLD) -> Payload:
    """`git.push` of Azure DevOps, with all details."""
    commit = {
        "commitId": after, "url": ELSEWHERE, "comment": "Correct a name\n",
        "author": {"name": "Ada", "email": "ada@example.org", "date": "2026-01-05T12:00:00Z"},
        "committer": {"name": "Ada", "email": "ada@example.org", "date": "2026-01-05T12:00:00Z"},
    }  # fmt: skip
    return {
        "subscriptionId": "00000000-0000-0000-0000-000000000000", "notificationId": 1,
        "id": "03c164c2-8912-4d5e-8009-3707d5f83734", "eventType": "git.push", "publisherId": "tfs",
        "message": {"text": "Ada pushed updates"}, "detailedMessage": None,
        "resource": {
            "commits": [] if after == ZERO else [commit],
            "refUpdates": [{"name": ref, "oldObjectId": before, "newObjectId": after}],
            "repository": {
                "id": "278d5cd2-584d-4b63-824a-2ba458937249", "name": "data", "url": ELSEWHERE,
                "defaultBranch": "refs/heads/main", "remoteUrl": f"{ELSEWHERE}.git",
            },
            "pushedBy": {"displayName": "Ada", "uniqueName": "ada@example.org"},
            "pushId": 14, "date": "2026-01-05T12:00:00.1Z", "url": ELSEWHERE,
        },
        "resourceVersion": "1.0", "resourceContainers": {"project": {"id": "1"}},
        "createdDate": "2026-01-05T12:00:01Z",
    }  # fmt: skip


def standard_push(ref: str, after: str) -> Payload:
    """A push as a sender of Standard Webhooks would tell it."""
    return {
        "type": "repository.push",
        "timestamp": "2026-01-05T12:00:00Z",
        "data": {"ref": ref, "after": after},
    }


def sign_standard(setting: str, body: bytes, headers: Headers) -> Headers:
    """The signature of Standard Webhooks over the id and the time stamp in `headers`, and the body."""
    key = base64.b64decode(SECRETS[setting].removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    return {"webhook-signature": "v1," + base64.b64encode(hmac.new(key, signed, "sha256").digest()).decode()}


def basic_authorization(password: str, user: str = "livesheets") -> str:
    """The header `Authorization` of HTTP Basic."""
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def _sign_github(body: bytes, _headers: Headers) -> Headers:
    return {
        "X-Hub-Signature": f"sha1={_hmac('CFP_GITHUB_WEBHOOK_SECRET', body, 'sha1')}",
        "X-Hub-Signature-256": f"sha256={_hmac('CFP_GITHUB_WEBHOOK_SECRET', body)}",
    }


def _sign_gitea(body: bytes, headers: Headers) -> Headers:
    digest = _hmac("CFP_GITEA_WEBHOOK_SECRET", body)
    forgejo = {"X-Forgejo-Signature": digest} if "X-Forgejo-Event" in headers else {}
    return forgejo | {
        "X-Gitea-Signature": digest,
        "X-Gogs-Signature": digest,
        "X-Hub-Signature": f"sha1={_hmac('CFP_GITEA_WEBHOOK_SECRET', body, 'sha1')}",
        "X-Hub-Signature-256": f"sha256={digest}",
    }


def _like_github(delivery: str, *names: str) -> Headers:
    headers = {}
    for name in names:
        headers |= {f"X-{name}-Delivery": delivery, f"X-{name}-Event": "push"}
    return headers


def _standard_headers(delivery: str, now: float) -> Headers:
    return {"webhook-id": delivery, "webhook-timestamp": str(int(now))}


def senders(now: Callable[[], float]) -> dict[str, Sender]:
    """Every kind of sender, by a name for tests; `now` gives the seconds for signed time stamps."""

    def gitlab(delivery: str) -> Headers:
        return {
            "X-Gitlab-Event": "Push Hook", "X-Gitlab-Instance": ELSEWHERE, "User-Agent": "GitLab/18.0.0",
            "X-Gitlab-Webhook-UUID": "82a0c0a5-91e3-4b3a-8e4a-6ce1d36d5a51",
            "X-Gitlab-Event-UUID": "13792a34-cac6-4fda-95a8-c58e00a3954e", "Idempotency-Key": delivery,
        }  # fmt: skip

    def bitbucket(event: str, name: str) -> Callable[[str], Headers]:
        return lambda delivery: {"X-Event-Key": event, name: delivery, "X-Hook-UUID": "{7}"}

    def sign_bitbucket(body: bytes, _headers: Headers) -> Headers:
        return {"X-Hub-Signature": f"sha256={_hmac('CFP_BITBUCKET_WEBHOOK_SECRET', body)}"}

    token = {"X-Gitlab-Token": SECRETS["CFP_GITLAB_WEBHOOK_TOKEN"]}
    basic = {"Authorization": basic_authorization(SECRETS["CFP_AZURE_WEBHOOK_SECRET"])}
    signing = "CFP_GITLAB_WEBHOOK_SIGNING_TOKEN"
    return {
        "github": Sender(
            "github", github_push, _sign_github,
            lambda delivery: _like_github(delivery, "GitHub") | {"User-Agent": "GitHub-Hookshot/abc"},
        ),
        "gitea": Sender(
            "gitea", gitea_push, _sign_gitea,
            lambda delivery: _like_github(delivery, "Gitea", "Gogs", "GitHub"),
        ),
        "forgejo": Sender(
            "gitea", gitea_push, _sign_gitea,
            lambda delivery: _like_github(delivery, "Forgejo", "Gitea", "Gogs", "GitHub"),
        ),
        "gitlab": Sender("gitlab", gitlab_push, lambda body, headers: token, gitlab, "Push Hook"),
        "gitlab-signing": Sender(
            "gitlab", gitlab_push, lambda body, headers: sign_standard(signing, body, headers),
            lambda delivery: gitlab(delivery) | _standard_headers(delivery, now()), "Push Hook",
        ),
        "bitbucket": Sender(
            "bitbucket", bitbucket_push, sign_bitbucket,
            bitbucket("repo:push", "X-Request-UUID"), "repo:push",
        ),
        "bitbucket-data-center": Sender(
            "bitbucket", data_center_push, sign_bitbucket,
            bitbucket("repo:refs_changed", "X-Request-Id"), "repo:refs_changed",
        ),
        "azure": Sender("azure", azure_push, lambda body, headers: basic, lambda delivery: {}, ""),
        "standard": Sender(
            "standard", standard_push,
            lambda body, headers: sign_standard("CFP_STANDARD_WEBHOOK_SECRET", body, headers),
            lambda delivery: _standard_headers(delivery, now()), "",
        ),
    }  # fmt: skip
