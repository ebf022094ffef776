"""What a name that is not understood was meant to be."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

CLOSENESS_MIN: Final = 0.7
# What other APIs call the same.
_OF_OTHERS: Final = {
    **dict.fromkeys(("search", "query", "filter", "text", "_q"), "q"),
    **dict.fromkeys(("page", "offset", "skip", "start", "after", "_page"), "cursor"),
    **dict.fromkeys(("per_page", "perpage", "page_size", "pagesize", "size", "count", "_limit"), "limit"),
    **dict.fromkeys(("order", "order_by", "orderby", "sort_by", "sortby", "ordering", "_sort"), "sort"),
    **dict.fromkeys(("select", "columns", "include"), "fields"),
}


def meant(parameter: str, known: Collection[str]) -> str:
    """What a parameter was meant to be, to follow what is wrong with it; empty where that is unknown."""
    other = _OF_OTHERS.get(parameter.lower())
    if other in known:
        return f" (did you mean {other}?)"
    spelled = {name.lower(): name for name in sorted(known)}
    close = get_close_matches(parameter.lower(), spelled, 1, CLOSENESS_MIN)
    return f" (did you mean {spelled[close[0]]}?)" if close else ""
