"""Watching leaves a terminal as it was, whatever ends it, and writes every look into a pipe."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Iterator
from typing import IO, cast

import pytest

from tests.end_to_end.server_process import EXIT_DEADLINE_S, PROJECT, command, environment
from tests.server.live_server import LiveServer, live_server
from tests.server.payloads import SECRET
from tests.server.terminal import Terminal

SHOW_CURSOR, LEAVE_SCREEN = "\x1b[?25h", "\x1b[?1049l"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("watch")) as running:
        yield running


def watching(server: LiveServer) -> tuple[str, ...]:
    return ("status", "--watch", "--every", "0.2", "--url", f"http://127.0.0.1:{server.port}")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_that_ends_it_leaves_the_screen_and_shows_the_cursor(
    server: LiveServer, number: signal.Signals
) -> None:
    terminal = Terminal(*watching(server))
    try:
        terminal.until("The data is current")
    finally:
        status = terminal.end(number)
    assert status == 128 + number
    assert terminal.text.rindex(LEAVE_SCREEN) > terminal.text.rindex("The data is current")
    assert terminal.text.rindex(SHOW_CURSOR) > terminal.text.rindex("The data is current")
    assert "Traceback" not in terminal.text


def test_every_look_is_written_into_a_pipe(server: LiveServer) -> None:
    settings: dict[str, str | None] = {"CFP_DATA_RELOAD_SECRET": SECRET}
    process = subprocess.Popen(
        command(*watching(server)),
        cwd=PROJECT,
        env=environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        looks = 0
        for line in cast("IO[bytes]", process.stdout):
            assert b"\x1b" not in line
            looks += b"The data is current" in line
            if looks == 2:
                break
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=EXIT_DEADLINE_S)
        assert (looks, process.returncode, errors) == (2, 0, b"")
    finally:
        process.kill()
        process.wait()
