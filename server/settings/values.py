"""Words, numbers, paths and hosts in settings.

Each function returns the value or raises ValueError with words that fit after the name of the setting.
"""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

SECONDS_MAX: Final = 86_400.0
PORT_MAX: Final = 65_535
COUNT_MAX: Final = 1_000_000
BYTES_MIN: Final = 1 << 20
BYTES_MAX: Final = 1 << 50
_NUMBER: Final = re.compile(r"[0-9]{1,12}(\.[0-9]{1,12})?")
_SHOWN_CHARACTERS_MAX: Final = 40


def one_of(*words: str) -> Callable[[str], str]:
    """Parses exactly one of these words."""

    def parse(text: str) -> str:
        if text not in words:
            raise ValueError(f"is {_shown(text)}; choose one of: {', '.join(words)}")
        return text

    return parse


def path(text: str) -> Path:
    """A path, from the folder in which the process starts."""
    return Path(text).absolute()


def folder(text: str) -> Path:
    """The path of a folder that is there, or can be made as far as what is there tells."""
    given = path(text)
    nearest = next(place for place in (given, *given.parents) if os.path.lexists(place))
    if not os.path.isdir(nearest):
        raise ValueError(f"is {_shown(text)}, but {str(nearest)!r} is no folder; choose another path")
    return given


def repository(text: str) -> Path:
    """The same, with a name that those of the folders beside it can be made from."""
    given = folder(text)
    if given.name in ("", ".."):
        raise ValueError(f"is {_shown(text)}; give a folder with a name of its own, such as /srv/data.git")
    return given


def seconds(text: str) -> float:
    """A number of seconds as a plain decimal."""
    given = float(text) if _NUMBER.fullmatch(text) else math.nan
    if not 0 <= given <= SECONDS_MAX:
        raise ValueError(f"is {_shown(text)}; give seconds as a number from 0 to {SECONDS_MAX:g}")
    return given


def seconds_above_0(text: str) -> float:
    """The same, but for nothing."""
    given = seconds(text)
    if given == 0:
        raise ValueError("is 0, which would end every operation at once; give more seconds")
    return given


def count(text: str) -> int:
    """A whole number; 0 means that there is no limit."""
    given = int(text) if re.fullmatch(r"[0-9]{1,7}", text) else -1
    if not 0 <= given <= COUNT_MAX:
        raise ValueError(f"is {_shown(text)}; give a whole number from 0 (no limit) to {COUNT_MAX}")
    return given


def byte_count(text: str) -> int:
    """A number of bytes that something useful fits into."""
    given = int(text) if re.fullmatch(r"[0-9]{1,16}", text) else -1
    if not BYTES_MIN <= given <= BYTES_MAX:
        raise ValueError(f"is {_shown(text)}; give bytes as a whole number from {BYTES_MIN} to {BYTES_MAX}")
    return given


def host(text: str) -> str:
    """An address or a name to listen at."""
    if not re.fullmatch(r"[0-9A-Za-z_.:%-]{1,255}", text) or not _has_labels(text):
        raise ValueError(f"is {_shown(text)}; give an IP address without brackets, or a host name")
    return text


def _has_labels(text: str) -> bool:
    """Whether the parts between the dots of a name are neither empty nor too long to be looked up."""
    try:
        return bool(text.encode("idna"))
    except UnicodeError:
        return False


def port(text: str) -> int:
    """A port; 0 means any free one."""
    given = int(text) if re.fullmatch(r"[0-9]{1,5}", text) else -1
    if not 0 <= given <= PORT_MAX:
        raise ValueError(f"is {_shown(text)}; give a port from 0 (any free one) to {PORT_MAX}")
    return given


def _shown(text: str) -> str:
    """The text on one line, shortened: a value in the wrong variable may be anything."""
    return repr(text if len(text) <= _SHOWN_CHARACTERS_MAX else text[:_SHOWN_CHARACTERS_MAX] + "…")
