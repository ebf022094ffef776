"""Text from outside, escaped: nothing in it moves a cursor, ends a line or changes the writing direction."""

from __future__ import annotations


def printable(text: object) -> str:
    """A text whose control characters, line ends among them, and other invisible ones are escaped."""
    shown = str(text).encode("utf-8", "backslashreplace").decode()
    if shown.isprintable():
        return shown
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in shown)
