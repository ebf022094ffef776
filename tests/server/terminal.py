"""A terminal, and a command on it."""

from __future__ import annotations

import contextlib
import os
import pty
import signal
import subprocess
import threading

from tests.end_to_end.server_process import PROJECT, command, environment
from tests.end_to_end.waiting import eventually
from tests.server.payloads import SECRET


class Terminal:
    """A command on a terminal of its own."""

    def __init__(self, *arguments: str) -> None:
        self.master, slave = pty.openpty()
        settings: dict[str, str | None] = {
            "CFP_DATA_RELOAD_SECRET": SECRET,
            "TERM": "xterm",
            "COLUMNS": "120",
        }
        self.process = subprocess.Popen(
            command(*arguments), cwd=PROJECT, env=environment(settings), stdin=slave, stdout=slave,
            stderr=slave, start_new_session=True,
        )  # fmt: skip
        os.close(slave)
        self.text = ""
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the other side has ended
            while piece := os.read(self.master, 65_536):
                self.text += piece.decode("utf-8", "replace")

    def until(self, words: str) -> None:
        """Wait until these words were shown."""
        eventually(lambda: words in self.text, f"the terminal shows {words!r}")

    def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """Send a signal; the exit status."""
        self.process.send_signal(number)
        try:
            return self.process.wait(60)
        finally:
            self.process.kill()
            self.process.wait()
            self._reader.join(60)
            os.close(self.master)
