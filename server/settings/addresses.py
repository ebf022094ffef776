"""Addresses in settings: remotes, branches, notification URLs and browser origins.

Each function returns the address to use or raises ValueError with words that fit after the name
of the setting. A message about a URL never shows it: it may hold the credential complained about.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

REMOTE_SCHEMES: Final = ("https", "http", "ssh", "git", "file")
BRANCH_CHARACTERS_MAX: Final = 255
USERNAME_CHARACTERS_MAX: Final = 255

# `ext::`, `fd::` and any other `git-remote-<name>` that git would run as a program.
_TRANSPORT_HELPER: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9+.-]*::")
# As git itself tells: a colon before the first slash makes it a host, not a path.
_HOST_AND_PATH: Final = re.compile(r"[^/]*:")
_PASSWORD_AND_HOST: Final = re.compile(r"[^/@]*:[^/]*@")
_BRANCH: Final = re.compile(
    r"(?!-|/|\.|refs/)"  # an option, or not a short name
    r"(?!.*(?:\.\.|//|/\.|@\{|\.lock(?:/|$)))"
    r"[^\x00-\x20\x7f~^:?*\[\\]+"
    r"(?<![/.])"
)
_ORIGIN: Final = re.compile(r"https?://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]{1,5})?", re.I)
_CREDENTIALS_ELSEWHERE: Final = (
    "use an SSH address with a deploy key, "
    "or keep the URL bare and give the token in CFP_DATA_REMOTE_TOKEN_FILE"
)


def remote_address(text: str) -> str:
    """The URL, `host:path` or absolute path of a remote that git may fetch from.

    Refused: credentials (they would show in process lists), transport helpers (they run
    commands), and anything that git could take for an option.
    """
    if text.startswith("-") or not text.isprintable():
        raise ValueError("begins with a dash or holds a control character; give a URL or a path")
    if _TRANSPORT_HELPER.match(text):
        raise ValueError(
            "names a transport helper, which can run any command; "
            f"give a path or a URL with one of: {', '.join(REMOTE_SCHEMES)}"
        )
    if "://" in text:
        _check_remote_url(_split(text))
        return text
    if _PASSWORD_AND_HOST.match(text):
        raise ValueError(f"seems to hold a password; {_CREDENTIALS_ELSEWHERE}")
    return text if _HOST_AND_PATH.match(text) else str(Path(text).absolute())


def _check_remote_url(url: SplitResult) -> None:
    if url.scheme not in REMOTE_SCHEMES:
        raise ValueError(
            f"has a scheme that is not served; give a path or one of: {', '.join(REMOTE_SCHEMES)}"
        )
    if url.scheme != "file" and not url.hostname:
        raise ValueError("names no host; give a whole URL, such as https://example.org/data.git")
    if url.scheme == "ssh":
        if url.password is not None:
            raise ValueError("holds a password, which ssh does not take; use a deploy key")
        if url.netloc.startswith("-"):
            raise ValueError("begins with a dash after ssh://; give a user and a host")
    elif "@" in url.netloc:
        raise ValueError(f"holds credentials, which others could read; {_CREDENTIALS_ELSEWHERE}")
    if url.query or url.fragment:
        raise ValueError(f"holds a query or a fragment; remove it, and {_CREDENTIALS_ELSEWHERE}")


def is_web_address(text: str) -> bool:
    """Whether a remote is asked over http or https."""
    return text.startswith(("https://", "http://"))


def remote_username(text: str) -> str:
    """A user name as HTTP's basic authentication takes it."""
    if not text.isprintable() or ":" in text or len(text) > USERNAME_CHARACTERS_MAX:
        raise ValueError("is not a user name; give one without colons and control characters")
    return text


def branch_name(text: str) -> str:
    """The short name of a branch, as `git check-ref-format --branch` allows."""
    if len(text) > BRANCH_CHARACTERS_MAX or text in ("@", "HEAD") or not _BRANCH.fullmatch(text):
        raise ValueError("is not the short name of a branch; give one such as main, without refs/heads/")
    return text


def notify_address(text: str) -> str:
    """An http(s) URL without credentials before its host."""
    url = _split(text)
    if url.scheme not in ("http", "https") or not url.hostname or not text.isprintable():
        raise ValueError("is not a web address; give a URL that begins with https://")
    if "@" in url.netloc:
        raise ValueError(
            "holds credentials before its host; reports are signed instead: set "
            "CFP_NOTIFY_SECRET and remove them"
        )
    return text


def origins(text: str) -> tuple[str, ...]:
    """The browser origins in `text`, or `("*",)` for all."""
    names = tuple(dict.fromkeys(text.lower().replace(",", " ").split()))
    if "*" in names:
        return ("*",)
    for position, name in enumerate(names, start=1):
        if not _ORIGIN.fullmatch(name):
            raise ValueError(
                f"has something else than an origin as its entry {position}; "
                "give * or origins such as https://example.org, without a path"
            )
    return names


def _split(text: str) -> SplitResult:
    try:
        url = urlsplit(text)
        _ = url.port  # the first to notice that what follows the colon is no port
    except ValueError:
        # The reason of the library quotes the URL, credentials and all.
        raise ValueError("is not a well-formed URL; check its host and port") from None
    return url
