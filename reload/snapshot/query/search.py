"""A person's search text as an FTS5 query that cannot fail.

Words are ANDed, `"a phrase"` stays together, and the last word matches as a prefix. The index holds
Porter stems, which need not begin with what was typed so far: `accessib` becomes `accessibility`,
whose stem is `access`. So the words that a prefix may become are made from it, and their stems are
looked for too.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import apsw

from reload.records.record import FIELD_BREAK
from reload.snapshot.state_file import TOKENIZER

WORDS_MAX = 16
WORD_CHARACTERS_MAX = 64

_FOLDER = TOKENIZER.removeprefix("porter ")  # the same without stemming
_PIECES = re.compile(r'"([^"]*)"?|([^\s"]+)')
_STEM_CHARACTERS_MIN = 2
_SUFFIXES = re.findall(
    r"\w+",
    """
    ability abilities able ably al ally ance ances ant ate ated ates ating ation ations ative ator ators
    ed eed ement ence ences ency ent er ers es est ful fulness fully ibility ibilities ible ibly ic ical
    ically ies ing ingly ings ion ions ism ist ists ities ity ive iveness ization izations ize ized izer
    izes izing less ly ment mental ments ness ous ously ousness s tional
    """,
)
_SUFFIX_CHARACTERS_MAX = max(map(len, _SUFFIXES))
# What follows where the beginning of a suffix has been typed.
_RESTS: dict[str, list[str]] = {}
for _suffix in _SUFFIXES:
    for _typed in range(1, len(_suffix)):
        _RESTS.setdefault(_suffix[:_typed], []).append(_suffix[_typed:])
# What a whole word may be followed by so that its stem gets shorter than itself: ties, tied.
_ENDINGS = ("s", "d")
# The same after a doubled consonant: dropped, dropping.
_DOUBLED_ENDINGS = ("ed", "ing")
_DOUBLED = re.compile(r"([bcdfghjklmnpqrstvwxz])\1$")


@lru_cache(maxsize=2)
def _tokenizer(arguments: str) -> Callable[[str], Sequence[str]]:
    """One of SQLite's own tokenizers, so that words here are cut exactly as in the index."""
    name, *options = arguments.split()
    tokenizer = apsw.Connection(":memory:").fts5_tokenizer(name, options)

    def tokens(text: str) -> Sequence[str]:
        cut = tokenizer(text.encode(), apsw.FTS5_TOKENIZE_DOCUMENT, None, include_offsets=False)
        return [str(token) for group in cut for token in group]

    return tokens


def match_expression(text: str) -> str | None:
    """The FTS5 expression for what a person typed, None where it holds no word.

    The first WORDS_MAX words count, each to WORD_CHARACTERS_MAX characters; any text is safe.
    """
    clauses: list[str] = []
    pieces = list(_pieces(text))
    for number, (words, is_quoted) in enumerate(pieces, start=1):
        is_open = number == len(pieces) and not is_quoted
        clauses.append(_prefix(words) if is_open else _phrase(words))
    return " AND ".join(clauses) or None


def _pieces(text: str) -> Iterator[tuple[list[str], bool]]:
    """The folded words of every phrase, and whether it was quoted; `foo-bar` is a phrase by itself."""
    fold = _tokenizer(_FOLDER)
    left = WORDS_MAX
    for quoted, bare in _PIECES.findall(_clean(text)):
        words = list(fold(quoted or bare))[:left]
        left -= len(words)
        if words:
            yield words, not bare


def _clean(text: str) -> str:
    # Surrogates cannot be written as UTF-8, and control characters end a text for SQLite.
    characters = (c if c >= " " and not "\ud800" <= c <= "\udfff" else " " for c in text)
    return "".join(characters).replace(FIELD_BREAK, " ")


def _phrase(words: list[str], ending: str = "") -> str:
    """These words side by side; one that is too long stands for all that begin like it, and ends them."""
    for number, word in enumerate(words):
        if len(word) > WORD_CHARACTERS_MAX:
            return f'"{" ".join([*words[:number], word[:WORD_CHARACTERS_MAX]])}" *'
    return f'"{" ".join(words)}"{ending}'


def _prefix(words: list[str]) -> str:
    """These words side by side, and every word that begins with the last of them in its place."""
    *lead, last = words
    alternatives = [_phrase(words), _phrase([*lead, _unstemmed(last)], " *")]
    alternatives += [_phrase([*lead, word]) for word in completions(last)]
    return f"({' OR '.join(dict.fromkeys(alternatives))})"


def _stem(word: str) -> str:
    return _tokenizer(TOKENIZER)(word)[0]


def _unstemmed(word: str) -> str:
    """A word whose stem is `word` to the letter, `word` itself where none is known.

    FTS5 stems prefixes too, and the stem of `poly` is `poli`, with which no other word begins.
    """
    return next((form for form in (word, f"{word}e") if _stem(form) == word), word)


def completions(prefix: str) -> list[str]:
    """Words that `prefix` may become whose stem does not begin with it; one word a stem."""
    words = [prefix, *_candidates(prefix)]
    stems = _tokenizer(TOKENIZER)(" ".join(words))  # all at once: each call costs as much as ten words
    covered, found = _stem(_unstemmed(prefix)), {stems[0]: prefix}
    for word, stem in zip(words, stems, strict=True):
        if not stem.startswith(covered):
            found.setdefault(stem, word)
    return list(found.values())[1:]


def _candidates(prefix: str) -> Iterator[str]:
    for typed in range(1, min(_SUFFIX_CHARACTERS_MAX, len(prefix) - _STEM_CHARACTERS_MIN + 1)):
        for rest in _RESTS.get(prefix[-typed:], ()):
            yield prefix + rest
    for ending in _ENDINGS + (_DOUBLED_ENDINGS if _DOUBLED.search(prefix) else ()):
        yield prefix + ending
