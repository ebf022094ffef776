"""The keys that callers may know, by scheme, and when each was last used."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from server.settings.secret import Secret

if TYPE_CHECKING:
    from server.settings.settings import Settings

SHARED: Final = "shared"
GITHUB: Final = "github"
GITEA: Final = "gitea"
GITLAB: Final = "gitlab"
GITLAB_SIGNING: Final = "gitlab-signing"
BITBUCKET: Final = "bitbucket"
AZURE: Final = "azure"
STANDARD: Final = "standard"

KEY_ID_DIGITS: Final = 8
USES_KEPT_MAX: Final = 64
_BASE64_MARK: Final = b"whsec_"


@dataclass(frozen=True, slots=True)
class Key:
    """A secret in its role: `scheme` says what it proves, `setting` where the operator gave it."""

    scheme: str
    setting: str
    secret: Secret

    def value(self) -> bytes:
        """The secret as it is now; files are read again when they change."""
        return self.secret.current()


def key_id(value: bytes) -> str:
    """Names a key's value in logs, metrics and status without telling it: the first digits of a hash."""
    return hashlib.sha256(b"livesheets key id\0" + value).hexdigest()[:KEY_ID_DIGITS]


def signing_keys(value: bytes) -> tuple[bytes, ...]:
    """What a Standard Webhooks secret may mean as a key.

    `whsec_` and base64 is the form that the specification gives. Without the mark it is taken as it
    stands and, since libraries of the specification do so, as base64.
    """
    marked = value.startswith(_BASE64_MARK)
    text = value.removeprefix(_BASE64_MARK).rstrip(b"=")
    try:
        decoded = base64.b64decode(text + b"=" * (-len(text) % 4), validate=True)
    except binascii.Error:
        decoded = b""
    if marked and decoded:
        return (decoded,)
    return (value, decoded) if decoded else (value,)


@dataclass(slots=True)
class _Use:
    key: Key
    uses: int
    last_used_at: datetime


class Keyring:
    """Every key, and the use of each value, so that an operator sees when an old one may go.

    `note_use(scheme, key id)` is told of each use; `now` is a clock in UTC.
    """

    def __init__(
        self, keys: Iterable[Key], note_use: Callable[[str, str], None], now: Callable[[], datetime]
    ) -> None:
        self._keys = tuple(keys)
        self._note_use = note_use
        self._now = now
        self._uses: dict[str, _Use] = {}

    @property
    def empty(self) -> bool:
        """Whether no key is set."""
        return not self._keys

    def of(self, scheme: str) -> tuple[Key, ...]:
        """The keys that prove a scheme, the newest first."""
        return tuple(key for key in self._keys if key.scheme == scheme)

    def used(self, key: Key) -> str:
        """Note that a caller proved a key; its id."""
        name = key_id(key.value())
        use = self._uses.get(name)
        if use is None:
            if len(self._uses) >= USES_KEPT_MAX:
                del self._uses[min(self._uses, key=lambda known: self._uses[known].last_used_at)]
            use = self._uses[name] = _Use(key, 0, self._now())
        use.key, use.uses, use.last_used_at = key, use.uses + 1, self._now()
        self._note_use(key.scheme, name)
        return name

    def document(self) -> list[dict[str, Any]]:
        """For the status: every key that is set or was used, by its id, with its last use."""
        current = {key_id(key.value()): key for key in self._keys}
        return [
            self._entry(name, current.get(name), self._uses.get(name))
            for name in dict.fromkeys((*current, *self._uses))
        ]

    def _entry(self, name: str, key: Key | None, use: _Use | None) -> dict[str, Any]:
        known = key or (use.key if use else None)
        assert known is not None
        return {
            "id": name,
            "scheme": known.scheme,
            "setting": known.setting,
            "accepted": key is not None,
            "uses": use.uses if use else 0,
            "lastUsedAt": use.last_used_at if use else None,
        }


def keys_of(settings: Settings) -> list[Key]:
    """The keys that the settings give."""
    given = (
        (SHARED, "CFP_DATA_RELOAD_SECRET", settings.reload_secret),
        (SHARED, "CFP_DATA_RELOAD_SECRET_PREVIOUS", settings.reload_secret_previous),
        (GITHUB, "CFP_GITHUB_WEBHOOK_SECRET", settings.github_secret),
        (GITEA, "CFP_GITEA_WEBHOOK_SECRET", settings.gitea_secret),
        (GITLAB, "CFP_GITLAB_WEBHOOK_TOKEN", settings.gitlab_token),
        (GITLAB_SIGNING, "CFP_GITLAB_WEBHOOK_SIGNING_TOKEN", settings.gitlab_signing_token),
        (BITBUCKET, "CFP_BITBUCKET_WEBHOOK_SECRET", settings.bitbucket_secret),
        (AZURE, "CFP_AZURE_WEBHOOK_SECRET", settings.azure_secret),
        (STANDARD, "CFP_STANDARD_WEBHOOK_SECRET", settings.standard_secret),
    )
    return [Key(scheme, setting, secret) for scheme, setting, secret in given if secret is not None]
