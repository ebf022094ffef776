"""A credential for the remote: passed to git in its environment only, for one host only.

git asks a helper for it, which is a line of shell that git is told on its command line. The line names
variables, never what is in them: arguments can be read by every user of a machine, the environment of
a process by its own user only.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote, urlsplit

from reload.errors import FetchFailed

_USERNAME = "LIVESHEETS_REMOTE_USERNAME"
_TOKEN = "LIVESHEETS_REMOTE_TOKEN"
_HELPER = (
    '!give() { test "$1" = get && '
    f'printf "username=%s\\npassword=%s\\n" "${_USERNAME}" "${_TOKEN}"; }}; give'
)
_REDACTED = "***"


@dataclass(frozen=True, slots=True)
class Credential:
    """A user name and a token for the host of an http(s) `remote`; `token` is asked again for each git."""

    remote: str
    username: str
    token: Callable[[], bytes]

    def configuration(self) -> tuple[str, ...]:
        """Settings for git's command line; other helpers neither give anything nor are told anything."""
        url = urlsplit(self.remote)
        return ("credential.helper=", f"credential.{url.scheme}://{url.netloc}.helper={_HELPER}")

    def environment(self) -> Mapping[str, str]:
        """What one git is to have in its environment; raises FetchFailed where git could not send it."""
        token = self._text()
        if not token.isprintable():
            message = "the token for the remote holds a line end or another control character; give one line"
            raise FetchFailed(message, "auth-failed")
        return {_USERNAME: self.username, _TOKEN: token}

    def redact(self, text: str) -> str:
        """The text without the token, in any form in which a remote could have sent it back."""
        token = self._text()
        sent = base64.b64encode(f"{self.username}:{token}".encode("utf-8", "surrogateescape")).decode()
        for form in (token, quote(token, "", errors="replace"), sent):
            text = text.replace(form, _REDACTED)
        return text

    def _text(self) -> str:
        return self.token().decode("utf-8", "surrogateescape")
