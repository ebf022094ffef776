"""Removes secrets and URL credentials from text."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import quote

from server.settings.secret import Secret

REDACTED: Final = "***"
# From one "://" the search ends at the next slash at the latest, so the cost is linear.
_URL_CREDENTIALS: Final = re.compile(r"://[^\s/?#]*@")


class Redactor:
    """Replaces what must not be read by `***`: values of the given secrets, past ones too, as
    they are, percent-encoded or as Python shows them; and the part before the `@` of any URL.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._secrets = tuple(secrets)
        self._known: list[tuple[bytes, ...]] = []
        self._forms: tuple[str, ...] = ()
        # Whatever values the secrets take later, none is shorter, in any of its forms.
        self._characters_min = min((secret.characters_min for secret in self._secrets), default=0)

    def redact(self, text: str) -> str:
        """The text without secrets; most texts are returned as they are, within a microsecond."""
        if self._secrets and len(text) >= self._characters_min:
            known = [secret.known() for secret in self._secrets]
            if known != self._known:
                self._remember(known)
            for form in self._forms:
                if form in text:
                    text = text.replace(form, REDACTED)
        return _URL_CREDENTIALS.sub(f"://{REDACTED}@", text) if "://" in text else text

    def _remember(self, known: list[tuple[bytes, ...]]) -> None:
        values = [value.decode("utf-8", "backslashreplace") for held in known for value in held]
        forms = {form for value in values for form in (value, quote(value, ""), repr(value)[1:-1])}
        # Longest first: a secret that contains another one must go as a whole.
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._known = known
