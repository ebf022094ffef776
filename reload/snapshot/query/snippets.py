"""Passages of texts with the hits of a search marked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice

import apsw

from reload.records.record import HIT_END, HIT_START
from reload.snapshot.tables.format import TOKENIZER

SNIPPET_WORDS = 24

_BATCH_TEXTS = 50
_SELECT = (
    f"SELECT rowid, snippet(texts, 0, '{HIT_START}', '{HIT_END}', '…', {SNIPPET_WORDS})"
    " FROM texts WHERE texts MATCH ?"
)


class Snippets:
    """Marks hits by searching a few texts in memory.

    To ask the state file for the snippet of each hit would search all of it each time.
    """

    def __init__(self) -> None:
        self._db = apsw.Connection(":memory:")
        self._db.execute(f'CREATE VIRTUAL TABLE texts USING fts5(text, tokenize="{TOKENIZER}")')

    def of(self, match: str, texts: Iterator[str], proceed: Callable[[], None]) -> list[str]:
        """The passage of each text that fits the FTS5 expression best; calls `proceed` before each."""
        found: list[str] = []
        while batch := list(islice(texts, _BATCH_TEXTS)):
            self._db.execute("BEGIN")
            try:
                for text in batch:
                    proceed()
                    self._db.execute("INSERT INTO texts VALUES (?)", (text,))
                marked = dict(self._db.execute(_SELECT, (match,)))
            finally:
                self._db.execute("ROLLBACK")
            found += [str(marked.get(number, "")) for number in range(1, len(batch) + 1)]
        return found

    def close(self) -> None:
        """Let go of the memory."""
        self._db.close()
