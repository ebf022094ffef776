"""Which commits contain which: asked off the loop; equal questions share one answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from reload.errors import ReloadError


class Ancestry:
    """Lives on the event loop; `ask` (tip, digits) may block, and is called on a thread."""

    def __init__(self, ask: Callable[[str, str], bool]) -> None:
        self._ask = ask
        self._asked: dict[tuple[str, str], asyncio.Task[bool]] = {}

    async def contains(self, tip: str | None, abbreviated: str) -> bool:
        """Whether the commit that 4 to 64 hex digits name is `tip` or one of its ancestors.

        False where that cannot be found out: the caller fetches then, which is always right.
        """
        if tip is None or tip.startswith(abbreviated):
            return tip is not None
        question = (tip, abbreviated)
        if question not in self._asked:
            self._asked[question] = asyncio.create_task(self._answer(question))
        return await asyncio.shield(self._asked[question])

    async def _answer(self, question: tuple[str, str]) -> bool:
        try:
            return await asyncio.to_thread(self._ask, *question)
        except (ReloadError, OSError):
            return False
        finally:
            del self._asked[question]
