"""How a command ends: its exit status, its last message, its clean-up."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator
from typing import Final, NoReturn

import typer

from server.commands.streams import err

FAILED: Final = 1
USAGE: Final = 2
IN_USE: Final = 75
BAD_CONFIGURATION: Final = 78
_KILLED: Final = 128  # and the number of the signal, as shells count


def fail(message: str, status: int = FAILED) -> NoReturn:
    """End the command with a message for a person."""
    err().print(message)
    raise typer.Exit(status)


@contextlib.contextmanager
def tidied_on_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP end what is inside like an exit, so that it puts away what it has made.

    Whoever had them ignored, as `nohup` has, stays undisturbed.
    """

    def leave(number: int, _frame: object) -> NoReturn:
        raise SystemExit(_KILLED + number)

    taken = [
        number for number in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is signal.SIG_DFL
    ]
    for number in taken:
        signal.signal(number, leave)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)
