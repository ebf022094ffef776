"""Cursors: where a page ends, bound to the question that it belongs to."""

from __future__ import annotations

import base64
import hashlib
from typing import Final

import orjson

from reload.snapshot.query.query import InvalidQuery, SortValue

CURSOR_CHARACTERS_MAX: Final = 8_000  # any path that a file system knows
_CHECK_BYTES: Final = 9


def fingerprint_of(*parts: object) -> str:
    """What a question is known by."""
    return hashlib.blake2b(orjson.dumps(parts), digest_size=16).hexdigest()


def make_cursor(fingerprint: str, keys: tuple[SortValue, ...]) -> str:
    """An opaque cursor: the last row's keys, bound to the question by a checksum."""
    payload = orjson.dumps(keys)
    return base64.urlsafe_b64encode(_check(fingerprint, payload) + payload).decode().rstrip("=")


def require_cursor(cursor: str | None) -> None:
    """Raise InvalidQuery where a cursor is too long to come back, since it holds what is sorted by."""
    if cursor is not None and len(cursor) > CURSOR_CHARACTERS_MAX:
        raise InvalidQuery("sort", "the values of this field are too long to go from page to page by")


def read_cursor(text: str | None, fingerprint: str, width: int) -> tuple[SortValue, ...] | None:
    """The keys in a cursor; raises InvalidQuery where it belongs to another question or was altered."""
    if text is None:
        return None
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        payload = raw[_CHECK_BYTES:]
        keys = orjson.loads(payload)
        is_ours = raw[:_CHECK_BYTES] == _check(fingerprint, payload)
        if is_ours and len(keys) == width and all(map(_is_key, keys)):
            return tuple(keys)
    except (ValueError, TypeError):
        pass
    raise InvalidQuery("cursor", "does not belong to this query; leave it out to begin at the first page")


def _is_key(value: object) -> bool:
    """Whether a row can have this sort value; clients may make cursors by hand."""
    if isinstance(value, int):
        return -(1 << 63) <= value < 1 << 63
    return value is None or isinstance(value, str | float)


def _check(fingerprint: str, payload: bytes) -> bytes:
    return hashlib.blake2b(payload, key=fingerprint.encode(), digest_size=_CHECK_BYTES).digest()
