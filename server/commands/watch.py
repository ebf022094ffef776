"""The status of a running server, drawn anew until the person who watches has seen enough."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from rich.console import Console, RenderableType
from rich.live import Live
from rich.text import Text

from server.commands.client import Client, Unreachable
from server.commands.display import problem_view, status_view


def watch(client: Client, console: Console, every_s: float) -> bool:
    """Show the status every `every_s` seconds until Ctrl+C; whether the data was fresh in the end.

    A server that does not answer is shown as such, and asked again.
    """
    fresh = False
    view: RenderableType = ""
    try:
        with Live(console=console, screen=console.is_terminal, auto_refresh=False) as live:
            while True:
                view, fresh = _look(client)
                live.update(view, refresh=True)
                time.sleep(every_s)
    except KeyboardInterrupt:
        if console.is_terminal:  # the screen that was drawn on is gone
            console.print(view)
    return fresh


def _look(client: Client) -> tuple[RenderableType, bool]:
    try:
        reply = client.status()
    except Unreachable as error:
        return Text(str(error)), False
    if reply.status != 200:
        return problem_view(reply.status, reply.document), False
    return status_view(reply.document, datetime.now(UTC)), bool(reply.document["fresh"])
