"""A credential: given as a value, or as a file that is read again when it changes."""

from __future__ import annotations

import os
import re
import secrets
import stat
import time
from pathlib import Path
from typing import Final

import structlog

from server.settings.variables import OWN_SECRET_CHARACTERS_MIN

SECRET_BYTES_MAX: Final = 65_536
KEPT_VALUES_MAX: Final = 8
# Two writes within one tick of the file system's clock leave the same time stamp.
SETTLED_AFTER_S: Final = 2.0
_NOT_IN_A_HEADER: Final = re.compile(rb"[\x00-\x20\x7f]")

log = structlog.get_logger()


class SecretError(ValueError):
    """A credential that cannot be used; the message says why without showing it."""


class SecretGoneError(SecretError):
    """The file of a credential is empty or not there."""


class Secret:
    """A credential that nothing prints.

    Give either `value` or `file`. Raises SecretError when what is given is empty, shorter than
    `characters_min`, longer than 64 KiB, surrounded by blanks, or cannot be read; a `token`, which
    callers send as it is in a header, also when it holds what no header carries.

    A `withdrawable` secret ends with its file: once the file is empty or gone, nothing matches.
    """

    __slots__ = ("_file", "_seal", "_trouble", "_unknown", "_values", "characters_min", "token")

    def __init__(
        self,
        value: bytes = b"",
        *,
        file: Path | None = None,
        characters_min: int = OWN_SECRET_CHARACTERS_MIN,
        token: bool = False,
        withdrawable: bool = False,
    ) -> None:
        self._file = file
        self.characters_min = characters_min
        self.token = token
        self._seal = None if file is None else _seal(file)
        self._trouble = ""
        # A withdrawn secret becomes a random value: safer to compare with than none.
        self._unknown = secrets.token_bytes(32) if withdrawable else None
        first = self._checked(value if file is None else _contents(file))
        self._values: tuple[bytes, ...] = (first,)

    def current(self) -> bytes:
        """The credential as it is now, without a line end.

        A file is read again when its time, inode or size changed. When it can no longer be read
        or used, the last good value stays (and a warning is logged), unless it was withdrawn.
        """
        if self._file is not None:
            self._refresh(self._file)
        return self._values[0]

    def known(self) -> tuple[bytes, ...]:
        """The values held so far, newest first and at most 8: what must not show in a log."""
        return self._values

    def __repr__(self) -> str:
        return "Secret(***)" if self._file is None else f"Secret(file={str(self._file)!r})"

    def _refresh(self, file: Path) -> None:
        seal = _seal(file)
        if seal is not None and seal == self._seal:
            return
        self._seal = seal
        try:
            self._hold(self._checked(_contents(file)))
            self._trouble = ""
        except SecretError as fault:
            if isinstance(fault, SecretGoneError) and self._unknown is not None:
                self._hold(self._unknown)
            if str(fault) != self._trouble:
                self._trouble = str(fault)
                log.warning("secret.refused", file=str(file), reason=self._trouble)

    def _hold(self, value: bytes) -> None:
        if value != self._values[0]:
            others = tuple(held for held in self._values if held != value)
            self._values = (value, *others)[:KEPT_VALUES_MAX]
            log.info("secret.changed", file=str(self._file))

    def _checked(self, value: bytes) -> bytes:
        least = f"give at least {self.characters_min} characters (openssl rand -hex 32 makes some)"
        if not value:
            raise SecretGoneError(f"is empty; {least}, or unset it")
        if value != value.strip():
            raise SecretError("begins or ends with a blank, which senders leave out; remove it")
        if self.token and _NOT_IN_A_HEADER.search(value):
            raise SecretError(
                "holds a blank, a line end or another control character, which no header of a request can "
                "carry; give one without"
            )
        if len(value.decode("utf-8", "replace")) < self.characters_min:
            raise SecretError(f"is too short to be safe; {least}")
        if len(value) > SECRET_BYTES_MAX:
            raise SecretError(f"is longer than {SECRET_BYTES_MAX} bytes; give a shorter one")
        return value


_Seal = tuple[int, int, int, int]


def _seal(file: Path) -> _Seal | None:
    """What changes when the file does; None when that cannot be told (yet)."""
    try:
        status = os.stat(file)
    except (OSError, ValueError):
        return None
    if time.time() - status.st_mtime < SETTLED_AFTER_S:
        return None
    return (status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_size)


def _contents(file: Path) -> bytes:
    """The file without the line end; raises SecretError when there is no such file to read."""
    try:
        if not stat.S_ISREG(os.stat(file).st_mode):
            raise SecretError(f"names {str(file)!r}, which is not a regular file")
        with open(file, "rb") as stream:
            return stream.read(SECRET_BYTES_MAX + 2).rstrip(b"\r\n")
    except FileNotFoundError:
        raise SecretGoneError(f"names {str(file)!r}, which does not exist") from None
    except (OSError, ValueError) as error:
        if isinstance(error, SecretError):
            raise
        reason = getattr(error, "strerror", None) or "not a usable path"
        raise SecretError(f"names {str(file)!r}, which cannot be read: {reason}") from None
