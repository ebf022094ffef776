"""Texts as people compare them: without case and accents, and with numbers inside them by size."""

from __future__ import annotations

import re
import unicodedata
from typing import Any, Final

# Of longer texts the beginning decides, then the text itself.
KEY_CHARACTERS_MAX: Final = 200
NUMBER_DIGITS_MAX: Final = 99

# Letters that Unicode does not take for another with an accent, though people do.
_STROKES: Final = str.maketrans(
    {"ł": "l", "đ": "d", "ø": "o", "ħ": "h", "ŧ": "t", "æ": "ae", "œ": "oe"}
    | {"\N{LATIN SMALL LETTER DOTLESS I}": "i"}
)
_NUMBER: Final = re.compile(r"0*([0-9]+)")


def fold(text: str) -> str:
    """A text without case, accents and variants of the same letter."""
    if text.isascii():
        return text.lower()
    plain = unicodedata.normalize("NFKD", text).casefold().translate(_STROKES)
    return "".join(c for c in unicodedata.normalize("NFKD", plain) if not unicodedata.combining(c))


def sort_key(text: str) -> str:
    """What texts are sorted by, code point by code point: folded, each number behind its length."""
    folded = fold(text[:KEY_CHARACTERS_MAX])
    return _NUMBER.sub(_sized, folded)


def folded_value(*values: Any) -> Any:
    """`fold` of one value of SQLite's: what is no text stays as it is."""
    (value,) = values
    return fold(value) if isinstance(value, str) else value


def sort_value(*values: Any) -> Any:
    """`sort_key` of one value of SQLite's: what is no text stays as it is."""
    (value,) = values
    return sort_key(value) if isinstance(value, str) else value


def _sized(found: re.Match[str]) -> str:
    digits = found[1][:NUMBER_DIGITS_MAX]
    return f"{len(digits):02}{digits}"
