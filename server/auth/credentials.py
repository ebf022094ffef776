"""The credentials in a request's headers, each as a proof of the scheme that it belongs to."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from tornado.httputil import HTTPHeaders

from server.auth import forges, keyring
from server.auth.forges import Forge, recognize
from server.auth.keyring import Keyring
from server.auth.signatures import Malformed, Proof, Signature, Token, hex_signature, standard_signature

KEY_HEADER: Final = "X-CFP-Webhook-Key"
AUTHORIZATION: Final = "Authorization"
GITLAB_TOKEN: Final = "X-Gitlab-Token"
STANDARD_SIGNATURE: Final = "webhook-signature"
_BEARER: Final = re.compile(r"bearer ([\x21-\xff]+)", re.IGNORECASE)
_BASIC: Final = re.compile(r"basic ([\x21-\x7e]+)", re.IGNORECASE)
_VISIBLE: Final = re.compile(r"[\x21-\xff]+")

# By forge: the headers that carry a signature of the body, what stands before the digits, the algorithm.
_SIGNED: Final[Mapping[str, Mapping[str, tuple[str, str]]]] = {
    "github": {
        "X-Hub-Signature-256": ("sha256=", "sha256"),
        "X-Hub-Signature": ("sha1=", "sha1"),
    },
    "gitea": {
        "X-Gitea-Signature": ("", "sha256"),
        "X-Forgejo-Signature": ("", "sha256"),
        "X-Gogs-Signature": ("", "sha256"),
        "X-Hub-Signature-256": ("sha256=", "sha256"),
        "X-Hub-Signature": ("sha1=", "sha1"),
    },
    "bitbucket": {"X-Hub-Signature": ("sha256=", "sha256")},
}
# Which forge a request without an event header seems to come from: the first whose header is there.
_TELLING: Final = (
    ("X-Gitea-Signature", forges.GITEA),
    ("X-Forgejo-Signature", forges.GITEA),
    ("X-Gogs-Signature", forges.GITEA),
    (GITLAB_TOKEN, forges.GITLAB),
    ("X-Hub-Signature-256", forges.GITHUB),
    ("X-Hub-Signature", forges.BITBUCKET),
    (STANDARD_SIGNATURE, forges.STANDARD),
)
SIGNING_HEADERS: Final = tuple(name for name, _ in _TELLING)


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a request offers: one proof for each credential, and the forge that seems to have sent it."""

    proofs: tuple[Proof, ...]
    forge: Forge | None = None


def read_credentials(headers: HTTPHeaders, keys: Keyring, now: Callable[[], float]) -> Credentials:
    """Every credential of a call to the webhook; `now` gives seconds since 1970.

    Raises Malformed where one could never be right: not well-formed, given twice, stale, or next to
    one that belongs to another sender. A credential that is left out of account is none that counts.
    """
    forge = _forge(headers)
    proofs = shared_proofs(headers, keys) if forge is not forges.AZURE else _azure(headers, keys)
    if forge is None:
        return Credentials(tuple(proofs))
    used: set[str] = set()
    for read in (_signed_body, _gitlab_token, _standard):
        found, names = read(forge, headers, keys, now)
        proofs += found
        used |= names
    strange = [name for name in SIGNING_HEADERS if name in headers and name not in used]
    if strange:
        raise Malformed(f"{strange[0]} does not belong to a delivery of {forge.name}")
    return Credentials(tuple(proofs), forge)


def shared_proofs(headers: HTTPHeaders, keys: Keyring) -> list[Proof]:
    """The shared secret, as a bearer token and in its own header; raises Malformed."""
    given = (_token(headers, AUTHORIZATION, _BEARER), _token(headers, KEY_HEADER, _VISIBLE))
    return [Token(_wire(value), keys.of(keyring.SHARED)) for value in given if value is not None]


_Found = tuple[list[Proof], set[str]]


def _forge(headers: HTTPHeaders) -> Forge | None:
    named = recognize(headers)
    if len(named) > 1:
        raise Malformed(f"event headers of {' and '.join(forge.name for forge in named)} at once")
    if named:
        return named[0]
    if _BASIC.match(headers.get(AUTHORIZATION, "")):
        return forges.AZURE
    return next((forge for name, forge in _TELLING if name in headers), None)


def password_proofs(headers: HTTPHeaders, keys: Keyring) -> list[Proof]:
    """As `shared_proofs`, or the shared secret as the password of HTTP Basic; raises Malformed."""
    if not _BASIC.match(headers.get(AUTHORIZATION, "")):
        return shared_proofs(headers, keys)
    return [Token(_password(headers), keys.of(keyring.SHARED))]


def _password(headers: HTTPHeaders) -> bytes:
    """The password of HTTP Basic, whatever the user."""
    given = _token(headers, AUTHORIZATION, _BASIC) or ""
    try:
        _, colon, password = base64.b64decode(given.encode(), validate=True).partition(b":")
    except binascii.Error:
        colon = b""
    if not colon:
        raise Malformed(f"{AUTHORIZATION} is not the base64 of user:password")
    return password


def _azure(headers: HTTPHeaders, keys: Keyring) -> list[Proof]:
    """The password of HTTP Basic, and the shared secret where that is given as well."""
    proofs: list[Proof] = [Token(_password(headers), keys.of(keyring.AZURE))]
    shared = _token(headers, KEY_HEADER, _VISIBLE)
    return proofs if shared is None else [*proofs, Token(_wire(shared), keys.of(keyring.SHARED))]


def _signed_body(forge: Forge, headers: HTTPHeaders, keys: Keyring, _now: Callable[[], float]) -> _Found:
    """Signatures in hexadecimal; the weak SHA-1 that some send as well must be right and proves nothing."""
    given: dict[str, list[bytes]] = {}
    names = set()
    for name, (prefix, algorithm) in _SIGNED.get(forge.name, {}).items():
        value = _only(headers, name)
        if value is not None:
            given.setdefault(algorithm, []).append(hex_signature(value, prefix, algorithm))
            names.add(name)
    if given and "sha256" not in given:
        raise Malformed("a signature with SHA-1 alone proves nothing")
    known = keys.of(forge.name)
    return [Signature(each, known, algorithm=algorithm) for algorithm, each in given.items()], names


def _gitlab_token(forge: Forge, headers: HTTPHeaders, keys: Keyring, _now: Callable[[], float]) -> _Found:
    value = _token(headers, GITLAB_TOKEN, _VISIBLE) if forge is forges.GITLAB else None
    if value is None:
        return [], set()
    return [Token(_wire(value), keys.of(keyring.GITLAB))], {GITLAB_TOKEN}


def _standard(forge: Forge, headers: HTTPHeaders, keys: Keyring, now: Callable[[], float]) -> _Found:
    """Standard Webhooks; GitLab signs in the same way, with a key of its own."""
    schemes = {forges.STANDARD.name: keyring.STANDARD, forges.GITLAB.name: keyring.GITLAB_SIGNING}
    value = _only(headers, STANDARD_SIGNATURE) if forge.name in schemes else None
    if value is None:
        return [], set()
    message_id, timestamp = (_only(headers, name) or "" for name in ("webhook-id", "webhook-timestamp"))
    known = keys.of(schemes[forge.name])
    return [standard_signature(message_id, timestamp, value, known, now())], {STANDARD_SIGNATURE}


def _token(headers: HTTPHeaders, name: str, shape: re.Pattern[str]) -> str | None:
    """The credential in a header, None without one; raises Malformed."""
    value = _only(headers, name)
    if value is None:
        return None
    found = shape.fullmatch(value)
    if found is None:
        raise Malformed(f"{name} is not well-formed")
    return found[found.lastindex or 0]


def _only(headers: HTTPHeaders, name: str) -> str | None:
    """A header's value, None without one; twice is malformed, even with the same value."""
    values = headers.get_list(name)
    if len(values) > 1:
        raise Malformed(f"{name} is given more than once")
    return values[0] if values else None


def _wire(value: str) -> bytes:
    """The bytes as they came: Tornado reads headers as Latin-1."""
    return value.encode("latin-1", "replace")
