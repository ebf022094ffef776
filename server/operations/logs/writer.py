"""Writes log lines without blocking the caller."""

from __future__ import annotations

import atexit
import contextlib
import io
import os
import queue
import select
import threading
from collections.abc import Callable
from typing import Final, TextIO

PENDING_BYTES_MAX: Final = 4 * 1024 * 1024
BATCH_BYTES_MAX: Final = 1024 * 1024
CLOSE_TIMEOUT_S: Final = 2.0
LINGER_S: Final = 0.02
_ERASE: Final = b"\r\x1b[2K"


class LogWriter:
    """Writes lines to a stream from a thread of its own.

    At most `pending_bytes_max` bytes wait to be written; while a reader of the log is stuck or
    its disk is full, further lines are dropped and counted. As soon as lines can be written again,
    one that `report` makes of the number of lines lost is written, too.

    The thread is a daemon and does not exist in a forked child: log from the parent.
    """

    def __init__(
        self,
        stream: TextIO,
        report: Callable[[int], bytes],
        pending_bytes_max: int = PENDING_BYTES_MAX,
    ) -> None:
        self._stream = stream
        self._descriptor = _descriptor(stream)
        self._report = report
        self._pending_bytes_max = pending_bytes_max
        # Re-entrant, and never held while writing: a finalizer may log in the middle of `write`.
        self._guard = threading.RLock()
        self._pending_bytes = 0
        self._dropped = 0
        self._reported = 0
        self._closed = False
        self._drawn = False
        self._closing = threading.Event()
        self._lines: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._run, name="log-writer", daemon=True)
        self._thread.start()
        atexit.register(self.close)

    def write(self, line: bytes) -> None:
        """Hand over one line, with its line end; never blocks and never raises."""
        with self._guard:
            if self._closed or self._pending_bytes + len(line) > self._pending_bytes_max:
                self._dropped += 1
                return
            if self._drawn:
                self._drawn, line = False, _ERASE + line
            self._pending_bytes += len(line)
        self._lines.put(line)

    def draw(self, text: bytes) -> None:
        """Show a text on a terminal's last line, until the next text or line takes its place."""
        with self._guard:
            self._drawn = False
            self.write(_ERASE + text)
            self._drawn = bool(text)

    def dropped(self) -> int:
        """How many lines were lost since the start."""
        return self._dropped

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> bool:
        """Write what waits, for at most `timeout_s` seconds; True when all of it was written.

        Lines that come later are dropped. Harmless when called again.
        """
        with self._guard:
            if not self._closed:
                self._closed = True
                self._closing.set()
                self._lines.put(None)
        atexit.unregister(self.close)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def _run(self) -> None:
        ended = False
        while not ended:
            batch, size = [self._lines.get()], 0
            # Woken for every line, this thread would take the interpreter from the event loop
            # as often: under load that costs as much as the answers themselves.
            self._closing.wait(LINGER_S)
            while batch[-1] is not None and size < BATCH_BYTES_MAX and not self._lines.empty():
                size += len(batch[-1])
                batch.append(self._lines.get())
            ended = batch[-1] is None
            self._write_batch([line for line in batch if line is not None])

    def _write_batch(self, lines: list[bytes]) -> None:
        lost = self._dropped - self._reported
        report = [self._report(lost)] if lost else []
        try:
            self._put(b"".join(lines + report))
            self._reported += lost
        except (OSError, ValueError):  # the reader went away, the disk is full, the stream closed
            with self._guard:
                self._dropped += len(lines)
        with self._guard:
            self._pending_bytes -= sum(map(len, lines))

    def _put(self, content: bytes) -> None:
        if self._descriptor is None:
            self._stream.write(content.decode("utf-8", "replace"))
            self._stream.flush()
            return
        # Past the stream's buffer: a thread that is stuck in it would hang the interpreter's exit.
        rest = memoryview(content)
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # another process on this terminal made it non-blocking
                select.select([], [self._descriptor], [])


def _descriptor(stream: TextIO) -> int | None:
    with contextlib.suppress(OSError, ValueError):
        stream.flush()
    try:
        return stream.fileno()
    except (io.UnsupportedOperation, AttributeError, ValueError):
        return None
