"""Standard input, output and error, also where the caller closed them."""

from __future__ import annotations

import os
import sys
from typing import Final

from rich.console import Console

from server.commands.display import make_console

_STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def open_closed_streams() -> None:
    """Put nothing in the place of each standard stream that the caller has closed; to be called first of all.

    Otherwise the next file or socket would get its number, and whatever is printed would be written there.
    """
    for number, (name, mode) in enumerate(_STREAMS):
        try:
            os.fstat(number)
        except OSError:
            # The lowest number that is free; those below are taken.
            os.set_inheritable(os.open(os.devnull, os.O_RDWR), True)
        if getattr(sys, name) is None:
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))


def out() -> Console:
    """Where answers go."""
    return make_console(sys.stdout)


def err() -> Console:
    """Where messages and progress bars go."""
    return make_console(sys.stderr)
