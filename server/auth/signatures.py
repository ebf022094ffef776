"""Proofs that a caller knows a secret: tokens, and signatures over the raw body, fed as it arrives.

Everything is compared in constant time, on bytes, with every key that could have been meant, and with
a random key where none is set, so that the time it takes does not tell what is configured.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from server.auth.keyring import Key, signing_keys

TOLERANCE_S: Final = 300
SIGNATURES_MAX: Final = 16
_DIGITS: Final = {"sha256": 64, "sha1": 40}
_HEX: Final = re.compile(r"[0-9a-fA-F]+", re.ASCII)
_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}", re.ASCII)
_MESSAGE_ID: Final = re.compile(r"[\x21-\x7e]{1,256}")
_SHA256_BYTES: Final = 32


class Malformed(Exception):
    """A credential that no secret could make right; the message says why, for the log only."""


class Proof(Protocol):
    """One credential of a request; `keyless` where no key is set that could make it right."""

    needs_body: bool
    keyless: bool

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the raw body."""

    def proven_by(self) -> Key | None:
        """The key that makes the credential right, None where it is wrong; call it once, at the end."""


class Token:
    """A credential that is the secret itself."""

    needs_body = False

    def __init__(self, given: bytes, keys: Sequence[Key]) -> None:
        self._given = hashlib.sha256(given).digest()
        self._keys = keys
        self.keyless = not keys

    def feed(self, chunk: bytes) -> None:
        """Nothing in the body matters."""

    def proven_by(self) -> Key | None:
        """The key that was given."""
        found: Key | None = None
        for key in self._keys:
            same = hmac.compare_digest(self._given, hashlib.sha256(key.value()).digest())
            found = key if same and found is None else found
        if not self._keys:
            hmac.compare_digest(self._given, hashlib.sha256(secrets.token_bytes(_SHA256_BYTES)).digest())
        return found


class Signature:
    """An HMAC over `before` and the raw body.

    Of several signatures `given`, each must be right, or with `any_of` at least one: senders that
    rotate their key sign with both.
    """

    needs_body = True

    def __init__(
        self,
        given: Sequence[bytes],
        keys: Sequence[Key],
        *,
        algorithm: str = "sha256",
        before: bytes = b"",
        derive: Callable[[bytes], Sequence[bytes]] = lambda value: (value,),
        any_of: bool = False,
    ) -> None:
        pairs: list[tuple[Key | None, bytes]] = [(key, raw) for key in keys for raw in derive(key.value())]
        nobody: list[tuple[Key | None, bytes]] = [(None, secrets.token_bytes(_SHA256_BYTES))]
        self.keyless = not keys
        self._given = tuple(given)
        self._macs = [(key, hmac.new(raw, before, algorithm)) for key, raw in pairs or nobody]
        self._enough = any if any_of else all

    def feed(self, chunk: bytes) -> None:
        """Take the next piece of the raw body."""
        for _, mac in self._macs:
            mac.update(chunk)

    def proven_by(self) -> Key | None:
        """The key that the body was signed with."""
        found: Key | None = None
        for key, mac in self._macs:
            right = [hmac.compare_digest(mac.digest(), given) for given in self._given]
            found = key if self._enough(right) and found is None else found
        return found


def hex_signature(value: str, prefix: str, algorithm: str = "sha256") -> bytes:
    """The signature in a header such as `sha256=<hex>`, in upper or lower case; raises Malformed."""
    digits = value.removeprefix(prefix)
    if not value.startswith(prefix) or len(digits) != _DIGITS[algorithm] or not _HEX.fullmatch(digits):
        raise Malformed(f"a signature is not {prefix}<{_DIGITS[algorithm]} hexadecimal digits>")
    return bytes.fromhex(digits)


def standard_signature(
    message_id: str, timestamp: str, signatures: str, keys: Sequence[Key], now: float
) -> Signature:
    """The proof that the headers of Standard Webhooks offer; raises Malformed.

    `timestamp` must be within TOLERANCE_S of `now`, in seconds since 1970: this bounds replays.
    """
    if not _MESSAGE_ID.fullmatch(message_id) or not _TIMESTAMP.fullmatch(timestamp):
        raise Malformed("webhook-id or webhook-timestamp is missing or not well-formed")
    if abs(now - int(timestamp)) > TOLERANCE_S:
        raise Malformed(f"webhook-timestamp is more than {TOLERANCE_S} seconds from this server's clock")
    given = _standard_signatures(signatures)
    before = f"{message_id}.{timestamp}.".encode()
    return Signature(given, keys, before=before, derive=signing_keys, any_of=True)


def _standard_signatures(value: str) -> list[bytes]:
    """The `v1` signatures of a list separated by blanks; other versions are of no use here."""
    entries = value.split(" ")
    if len(entries) > SIGNATURES_MAX:
        raise Malformed(f"webhook-signature has more than {SIGNATURES_MAX} signatures")
    given = []
    for entry in entries:
        version, comma, text = entry.partition(",")
        if not comma:
            raise Malformed("webhook-signature has an entry without a version")
        if version == "v1":
            given.append(_decoded(text))
    if not given:
        raise Malformed("webhook-signature has no signature of version v1")
    return given


def _decoded(text: str) -> bytes:
    try:
        signature = base64.b64decode(text.encode("latin-1", "replace"), validate=True)
    except binascii.Error:
        signature = b""
    if len(signature) != _SHA256_BYTES:
        raise Malformed("webhook-signature is not base64 of 32 bytes")
    return signature
