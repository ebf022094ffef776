"""Believable records: words as frequent as in real text, the same ones for the same number."""

from __future__ import annotations

import random
from itertools import accumulate

WORDS = 20_000
BODY_BYTES = 330
_SYLLABLES = (
    "ba be bi bo bra ca ce co cra da de di do dra fa fe fi fo ga ge go gra ha he hi ka ki la le li lo ma me "
    "mi mo na ne ni no nu pa pe pi po pra ra re ri ro sa se si so sta ste ta te ti to tra u va ve vi vo wa "
    "we zo"
)


class Vocabulary:
    """20,000 invented words of which, as Zipf found, the n-th is an n-th as frequent as the first."""

    def __init__(self) -> None:
        source = random.Random(1)
        alphabet = _SYLLABLES.split()
        found: dict[str, None] = {}
        while len(found) < WORDS:
            syllables = 1 + min(len(found) // 60, 1) + min(len(found) // 3_000, 1) + source.randrange(2)
            found["".join(source.choices(alphabet, k=syllables))] = None
        self.words = list(found)
        self._weights = list(accumulate(1 / rank for rank in range(1, WORDS + 1)))

    def choose(self, source: random.Random, count: int) -> list[str]:
        """Words as a text has them: frequent ones often, rare ones rarely."""
        return source.choices(self.words, cum_weights=self._weights, k=count)


def slug_of(number: int) -> str:
    """The name of a record; numbers that are near lie apart, as people's names would."""
    return f"{number * 2_654_435_761 % 2**32:08x}-{number}"


def record_of(vocabulary: Vocabulary, number: int, edition: int = 0) -> bytes:
    """Record `number` as TOML, about 600 bytes; another `edition` has another text."""
    source = random.Random(number * 1_000 + edition)
    words = vocabulary.choose(source, 84)
    body = " ".join(words[20:])[:BODY_BYTES].rsplit(" ", 1)[0]
    minutes = number * 37 % 525_600
    day, minute = divmod(minutes, 1_440)
    return (
        f'slug = "{slug_of(number)}"\n'
        f'name = "{words[0].title()} {words[1].title()}"\n'
        f'team = "team-{number % 97}"\n'
        f"score = {source.randrange(1_000)}\n"
        f"active = {'true' if number % 3 else 'false'}\n"
        f"createdAt = 2024-{1 + day // 31:02d}-{1 + day % 28:02d}T{minute // 60:02d}:{minute % 60:02d}:00Z\n"
        f'tags = ["{words[2]}", "{words[3]}", "{words[4]}"]\n'
        f'summary = "{" ".join(words[5:20])}"\n'
        f'body = """\n{body}.\n"""\n'
        f'[links]\nhome = "https://example.org/{words[0]}/{number}"\n'
    ).encode()
