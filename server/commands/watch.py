"""The status of a running server, redrawn until Ctrl-C."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from server.commands.client import Client, Unreachable
from server.commands.display import problem_view, status_view
from server.commands.exits import tidied_on_signals


def watch(client: Client, console: Console, every_s: float) -> bool:
    """Show the status every `every_s` seconds until Ctrl+C; whether the data was fresh in the end.

    A server that does not answer is shown as such, and asked again. SIGTERM and SIGHUP exit.
    """
    fresh = False
    view: RenderableType = ""
    try:
        with tidied_on_signals(), _drawing(console) as draw:
            while True:
                view, fresh = _look(client)
                draw(view)
                time.sleep(every_s)
    except KeyboardInterrupt:
        if console.is_terminal:  # the screen that was drawn on is gone
            console.print(view)
    return fresh


@contextlib.contextmanager
def _drawing(console: Console) -> Iterator[Callable[[RenderableType], None]]:
    """Draws every view over the last one on a terminal, and below it in a pipe or a file."""
    if not console.is_terminal:
        yield lambda view: console.print(Group(view, ""))
        return
    with Live(console=console, screen=True, auto_refresh=False) as live:
        yield lambda view: live.update(view, refresh=True)


def _look(client: Client) -> tuple[RenderableType, bool]:
    try:
        reply = client.status()
    except Unreachable as error:
        return Text(str(error)), False
    if reply.status != 200:
        return problem_view(reply.status, reply.document), False
    return status_view(reply.document, datetime.now(UTC)), bool(reply.document["fresh"])
