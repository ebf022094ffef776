"""What the event of a forge means: the refs that a push moved, and what is to be done about it.

Only the name of the event, the ref and the new commit are read. URLs in a payload are never used.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from tornado.httputil import HTTPHeaders

from server.auth import forges
from server.auth.forges import Forge, shown

BRANCHES: Final = "refs/heads/"
TAGS: Final = "refs/tags/"
REF_CHARACTERS_MAX: Final = 1_024
CHANGES_MAX: Final = 10_000
_COMMIT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}", re.ASCII)

Payload = Mapping[str, Any]


class PayloadFault(ValueError):
    """A payload that is not what its forge sends; the message names the field."""


@dataclass(frozen=True, slots=True)
class Change:
    """A ref that moved to `commit`, None when it was deleted; without `ref`, whatever branch is served."""

    ref: str | None
    commit: str | None
    deleted: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """What happened: the refs that a push moved, or with `ignored` why it is no push."""

    changes: tuple[Change, ...] = ()
    ignored: str = ""


@dataclass(frozen=True, slots=True)
class Announcement:
    """What is to be done: nothing, for the reason in `ignored`, or a reload that `commit` should be in."""

    ignored: str = ""
    commit: str | None = None


def announcement(event: Event, branch: str | None) -> Announcement:
    """What an event means for a server of `branch` (None: not known yet, so it may be this one)."""
    if event.ignored:
        return Announcement(event.ignored)
    refs = [change.ref for change in event.changes]
    for change in event.changes:
        if change.ref is None or (branch is None and change.ref.startswith(BRANCHES)):
            return Announcement(commit=change.commit)
        if branch is not None and change.ref == BRANCHES + branch:
            if change.deleted:
                return Announcement(f"the branch {branch} was deleted; what is served stays")
            return Announcement(commit=change.commit)
    if any(ref is not None and ref.startswith(TAGS) for ref in refs):
        return Announcement("the push moved a tag")
    return Announcement("the push moved another branch" if refs else "the push moved nothing")


def _other(event: str) -> Event:
    return Event(ignored=f"the event '{event}' is not a push" if event else "no header names the event")


def _table(payload: Payload, name: str) -> Payload:
    value = payload.get(name)
    if not isinstance(value, dict):
        raise PayloadFault(f"{name} must be an object")
    return value


def _list(payload: Payload, name: str) -> list[Payload]:
    value = payload.get(name)
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        raise PayloadFault(f"{name} must be a list of objects")
    if len(value) > CHANGES_MAX:
        raise PayloadFault(f"{name} may have {CHANGES_MAX} entries at most")
    return value


def _ref(payload: Payload, name: str) -> str:
    value = payload.get(name)
    if not isinstance(value, str) or not 0 < len(value) <= REF_CHARACTERS_MAX:
        raise PayloadFault(f"{name} must be a string of 1 to {REF_CHARACTERS_MAX} characters")
    return value


def _change(ref: str, payload: Payload, name: str) -> Change:
    """The change of `ref` to the commit in a field; only zeros there mean that the ref was deleted."""
    commit = payload.get(name)
    if not isinstance(commit, str) or not _COMMIT.fullmatch(commit):
        raise PayloadFault(f"{name} must be a commit id of 40 or 64 hexadecimal digits")
    gone = not commit.strip("0")
    return Change(ref, None if gone else commit, deleted=gone)


def _read_github(event: str, payload: Payload) -> Event:
    """GitHub, and Gitea, Forgejo and Gogs, which send the same fields."""
    if event == "ping":
        return Event(ignored="ping")
    if event != "push":
        return _other(event)
    change = _change(_ref(payload, "ref"), payload, "after")
    if payload.get("deleted") is True:
        change = Change(change.ref, None, deleted=True)
    return Event((change,))


def _read_gitlab(event: str, payload: Payload) -> Event:
    """GitLab: hooks of a project or group name the event in the header, system hooks in the payload."""
    kind = payload.get("event_name") if event == "System Hook" else event
    if kind in ("Push Hook", "push"):
        return Event((_change(_ref(payload, "ref"), payload, "after"),))
    if kind == "repository_update":
        changes = _list(payload, "changes")
        return Event(tuple(_change(_ref(each, "ref"), each, "after") for each in changes))
    if kind in ("Tag Push Hook", "tag_push"):
        return Event(ignored="the push moved a tag")
    return _other(shown(kind) if isinstance(kind, str) else event)


def _read_bitbucket(event: str, payload: Payload) -> Event:
    """Bitbucket: Cloud sends `repo:push`, Data Center `repo:refs_changed`, its mirrors their own event."""
    if event == "diagnostics:ping":
        return Event(ignored="ping")
    if event == "repo:push":
        changes = _list(_table(payload, "push"), "changes")
        return Event(tuple(_cloud_change(each) for each in changes))
    if event in ("repo:refs_changed", "mirror:repo_synchronized"):
        return Event(tuple(_data_center_change(each) for each in _list(payload, "changes")))
    return _other(event)


def _cloud_change(change: Payload) -> Change:
    deleted = change.get("new") is None
    moved = _table(change, "old" if deleted else "new")
    ref = (TAGS if moved.get("type") in ("tag", "annotated_tag") else BRANCHES) + _ref(moved, "name")
    if deleted:
        return Change(ref, None, deleted=True)
    return _change(ref, _table(moved, "target"), "hash")


def _data_center_change(change: Payload) -> Change:
    ref = _ref(change, "refId") if "refId" in change else _ref(_table(change, "ref"), "id")
    if change.get("type") == "DELETE":
        return Change(ref, None, deleted=True)
    return _change(ref, change, "toHash")


def _read_standard(_event: str, payload: Payload) -> Event:
    """Standard Webhooks: `type` ends with push or reload; `data`, or the payload itself, names the ref."""
    kind = payload.get("type", "")
    if not isinstance(kind, str):
        raise PayloadFault("type must be a string")
    data = payload["data"] if isinstance(payload.get("data"), dict) else payload
    named = "ref" in data or "branch" in data
    if kind.rpartition(".")[2] not in (("push", "reload", "") if named else ("push", "reload")):
        return _other(shown(kind) or "without a type")
    ref = None
    if named:
        ref = _ref(data, "ref") if "ref" in data else BRANCHES + _ref(data, "branch")
    field = next((name for name in ("after", "commitHash", "commit") if name in data), None)
    if field is None:
        return Event((Change(ref, None),))
    change = _change(ref or "", data, field)
    return Event((Change(ref, change.commit, change.deleted),))


def _read_azure(_event: str, payload: Payload) -> Event:
    """Azure DevOps: the payload names the event; one without details is taken for a push."""
    kind = payload.get("eventType")
    if not isinstance(kind, str):
        raise PayloadFault("eventType must be a string")
    if kind != "git.push":
        return _other(shown(kind))
    resource = payload.get("resource")
    if not isinstance(resource, dict) or "refUpdates" not in resource:
        return Event((Change(None, None),))
    updates = _list(resource, "refUpdates")
    return Event(tuple(_change(_ref(each, "name"), each, "newObjectId") for each in updates))


_READERS: Final[Mapping[Forge, Callable[[str, Payload], Event]]] = {
    forges.GITEA: _read_github,
    forges.GITHUB: _read_github,
    forges.GITLAB: _read_gitlab,
    forges.BITBUCKET: _read_bitbucket,
    forges.AZURE: _read_azure,
    forges.STANDARD: _read_standard,
}


def read_event(forge: Forge, name: str, payload: Payload) -> Event:
    """What a forge tells in a payload; `name` is that of the event. Raises PayloadFault."""
    return _READERS[forge](name, payload)


def delivery_id(forge: Forge, headers: HTTPHeaders, payload: Payload | None) -> str:
    """The id under which this event comes again, empty where there is none."""
    if forge is not forges.AZURE:
        return forge.delivery(headers)
    given = (payload or {}).get("id")
    return given if isinstance(given, str) and len(given) <= forges.DELIVERY_CHARACTERS_MAX else ""


def is_from_azure(payload: Payload) -> bool:
    """Whether a payload is that of a service hook of Azure DevOps."""
    return payload.get("publisherId") == "tfs" and "eventType" in payload
