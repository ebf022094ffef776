"""Forges: which one calls, and under which id it delivers an event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from tornado.httputil import HTTPHeaders

NAME_CHARACTERS_MAX: Final = 80
DELIVERY_CHARACTERS_MAX: Final = 256


@dataclass(frozen=True, slots=True)
class Forge:
    """One kind of sender: the headers that name the event and the delivery, and which events are pushes."""

    name: str
    event_headers: tuple[str, ...] = ()
    delivery_headers: tuple[str, ...] = ()
    pushes: frozenset[str] = frozenset()

    def event_name(self, headers: HTTPHeaders) -> str:
        """The event's name in the headers, to be shown; empty where the forge does not say it there."""
        return shown(_first(headers, self.event_headers))

    def delivery(self, headers: HTTPHeaders) -> str:
        """The id under which the forge sends this event again, empty where it gives none."""
        found = _first(headers, self.delivery_headers)
        return found if len(found) <= DELIVERY_CHARACTERS_MAX else ""

    def may_push(self, headers: HTTPHeaders) -> bool:
        """Whether the headers do not rule out that this is a push; for payloads too large to be read."""
        return not self.event_headers or self.event_name(headers) in self.pushes


def recognize(headers: HTTPHeaders) -> list[Forge]:
    """The forges whose event headers a request has; Gitea, which imitates GitHub, is only itself."""
    named = [forge for forge in FORGES if any(header in headers for header in forge.event_headers)]
    if GITEA in named:
        named = [forge for forge in named if forge is not GITHUB]
    return named


def shown(text: str) -> str:
    """A text from outside, shortened, with control characters escaped for logs and terminals."""
    return ascii(text[:NAME_CHARACTERS_MAX])[1:-1]


def _first(headers: HTTPHeaders, names: tuple[str, ...]) -> str:
    return next((headers[name] for name in names if headers.get(name)), "")


GITEA: Final = Forge(
    "gitea",
    ("X-Gitea-Event", "X-Forgejo-Event", "X-Gogs-Event"),
    ("X-Gitea-Delivery", "X-Forgejo-Delivery", "X-Gogs-Delivery"),
    frozenset({"push"}),
)
GITHUB: Final = Forge("github", ("X-GitHub-Event",), ("X-GitHub-Delivery",), frozenset({"push"}))
GITLAB: Final = Forge(
    "gitlab",
    ("X-Gitlab-Event",),
    # The first is the same in every attempt, the last only in newer versions.
    ("Idempotency-Key", "webhook-id", "X-Gitlab-Event-UUID"),
    frozenset({"Push Hook", "System Hook"}),
)
BITBUCKET: Final = Forge(
    "bitbucket",
    ("X-Event-Key",),
    ("X-Request-UUID", "X-Request-Id"),
    frozenset({"repo:push", "repo:refs_changed", "mirror:repo_synchronized"}),
)
# The payload alone names its event and its delivery.
AZURE: Final = Forge("azure")
STANDARD: Final = Forge("standard", delivery_headers=("webhook-id",))
FORGES: Final = (GITEA, GITHUB, GITLAB, BITBUCKET)
