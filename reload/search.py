"""What a person types into a search box, as an FTS5 query that cannot fail.

Words are ANDed, `"a phrase"` stays together, and the last word matches as a prefix. The index holds
Porter stems, so a prefix that already reaches into a suffix (`accessib`) is completed by the suffixes
it may become, and their stems are looked for too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache

import apsw

from reload.store import TOKENIZER

WORDS_MAX = 16
WORD_CHARACTERS_MAX = 64

_PIECES = re.compile(r'"([^"]*)"?|([^\s"]+)')
_SUFFIXES = [
    "ability",
    "abilities",
    "able",
    "ably",
    "al",
    "ally",
    "ance",
    "ances",
    "ant",
    "ate",
    "ated",
    "ates",
    "ating",
    "ation",
    "ations",
    "ative",
    "ator",
    "ators",
    "ed",
    "eed",
    "ement",
    "ence",
    "ences",
    "ency",
    "ent",
    "er",
    "ers",
    "es",
    "est",
    "ful",
    "fulness",
    "fully",
    "ibility",
    "ibilities",
    "ible",
    "ibly",
    "ic",
    "ical",
    "ically",
    "ies",
    "ing",
    "ingly",
    "ings",
    "ion",
    "ions",
    "ism",
    "ist",
    "ists",
    "ities",
    "ity",
    "ive",
    "iveness",
    "ization",
    "izations",
    "ize",
    "ized",
    "izer",
    "izes",
    "izing",
    "less",
    "ly",
    "ment",
    "mental",
    "ments",
    "ness",
    "ous",
    "ously",
    "ousness",
    "s",
    "tional",
]


@lru_cache(maxsize=1)
def _tokenizer() -> Callable[[str], Sequence[str]]:
    """SQLite's own tokenizer, so that words here are cut and stemmed exactly as in the index."""
    name, *arguments = TOKENIZER.split()
    tokenizer = apsw.Connection(":memory:").fts5_tokenizer(name, arguments)

    def tokens(text: str) -> Sequence[str]:
        cut = tokenizer(text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False)
        return [str(token) for group in cut for token in group]

    return tokens


def match_expression(text: str) -> str | None:
    """The FTS5 expression for what somebody typed, None where it holds nothing that can be searched.

    At most WORDS_MAX words of WORD_CHARACTERS_MAX characters count; any text is safe.
    """
    clauses: list[str] = []
    pieces = [(phrase, word) for phrase, word in _PIECES.findall(_clean(text))]
    searchable = [piece for piece in pieces if _tokenizer()(piece[0] or piece[1])][:WORDS_MAX]
    for number, (phrase, word) in enumerate(searchable, start=1):
        if word and number == len(searchable):
            clauses.append(_prefix(word[:WORD_CHARACTERS_MAX]))
        else:
            clauses.append(_quoted(phrase or word))
    return " AND ".join(clauses) or None


def _clean(text: str) -> str:
    # Surrogates cannot be written as UTF-8, and control characters end a text for SQLite.
    characters = (c if c >= " " and not "\ud800" <= c <= "\udfff" and c != "\ue000" else " " for c in text)
    return "".join(characters)


def _quoted(words: str) -> str:
    return '"' + " ".join(words.split()[:WORDS_MAX])[: WORDS_MAX * WORD_CHARACTERS_MAX].replace('"', "") + '"'


def _prefix(word: str) -> str:
    """A clause for every word that begins with `word`."""
    tokens = _tokenizer()(word)
    if len(tokens) != 1:  # foo-bar is a phrase; its last part is the prefix
        return f"{_quoted(word)} *"
    alternatives = [_quoted(word), f"{_quoted(word)} *"]
    alternatives += [_quoted(completed) for completed in completions(word)]
    return "(" + " OR ".join(alternatives) + ")"


def completions(prefix: str) -> list[str]:
    """Words that `prefix` may become whose stem does not begin with the prefix's own; one word a stem."""
    stem = _tokenizer()(prefix)[0]
    found: dict[str, str] = {}
    folded = prefix.lower()
    for suffix in _SUFFIXES:
        for length in range(1, len(suffix)):
            if folded.endswith(suffix[:length]) and len(folded) - length >= 3:
                word = folded + suffix[length:]
                token = _tokenizer()(word)[0]
                if not token.startswith(stem):
                    found.setdefault(token, word)
    return list(found.values())
