"""Content negotiation: media types by `Accept`, gzip by `Accept-Encoding` (RFC 9110)."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

# Most clients send one of these, which needs no reading.
_ANYTHING: Final = frozenset(("*/*", "application/json", "application/json, text/plain, */*"))
_REMEMBERED_CHARACTERS_MAX: Final = 1_000
_TOKEN: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_PARAMETER: Final = rf'\s*;\s*(?:{_TOKEN}\s*=\s*(?:{_TOKEN}|"(?:[^"\\]|\\.)*"))?'
# Possessive, and parted by commas first, so that no header takes more than a look at each character.
_RANGE: Final = re.compile(rf"\s*({_TOKEN})/({_TOKEN})((?:{_PARAMETER})*+)\s*", re.ASCII)
_PARTS: Final = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*+"?)++')
_WEIGHT: Final = re.compile(r";\s*q\s*=\s*([^;\s]*)", re.ASCII | re.IGNORECASE)
_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_NOTHING: Final = re.compile(r"0(?:\.0{0,3})?")
_CODING: Final = re.compile(r"(?:^|,)\s*(gzip|\*)\s*(?:;\s*q=([\d.]+)\s*)?(?=,|$)", re.IGNORECASE)
_ZERO: Final = re.compile(r"0(?:\.0*)?")


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a client that sent this header takes gzip; what is not named goes by `*`."""
    fitting: list[tuple[str, str]] = _CODING.findall(accept_encoding)
    named = [weight for coding, weight in fitting if coding != "*"]
    return any(not _ZERO.fullmatch(weight) for weight in named or [weight for _, weight in fitting])


def takes(accept: str | None, media: str) -> bool:
    """Whether a client that sent this `Accept` takes `media`, which is written in lower case.

    The range that fits most closely decides, `q=0` refuses; other parameters are not looked at. What
    is no media range is passed over, and a header without any says nothing, like an absent one.
    """
    if accept is None or accept == "*/*":
        return True
    if media == "application/json" and accept in _ANYTHING:
        return True
    read = _remembered if len(accept) <= _REMEMBERED_CHARACTERS_MAX else _takes
    return read(accept, media)


def _takes(accept: str, media: str) -> bool:
    kind, _, _ = media.partition("/")
    closeness = {media: 3, f"{kind}/*": 2, "*/*": 1}
    closest, taken = 0, True
    ranges = [found for part in _PARTS.findall(accept) if (found := _RANGE.fullmatch(part))]
    for each in ranges:
        fits = closeness.get(f"{each[1]}/{each[2]}".lower(), 0)
        if fits > closest:
            closest, taken = fits, _is_wanted(each[3])
        elif fits and fits == closest:
            taken = taken or _is_wanted(each[3])
    return taken if closest else not ranges


def _is_wanted(parameters: str) -> bool:
    weight = _WEIGHT.search(_QUOTED.sub("", parameters))
    return weight is None or not _NOTHING.fullmatch(weight[1])


# The only memory between requests here: a pure function's results, 256 of at most a kilobyte each.
_remembered = lru_cache(256)(_takes)
