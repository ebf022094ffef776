"""Attachments as files on disk, extracted from git once, so that any part of them can be sent in pieces.

git cannot begin in the middle of a compressed object. So the first reader of a large attachment has it
written to a file; the files that were used last are kept, up to a number of bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import BinaryIO, Final

FILES_BYTES_MAX: Final = 1 << 30
EXTRACTIONS: Final = 2

# Writes the object of an id into a file, until the last argument says that nobody waits.
Extract = Callable[[str, BinaryIO, Callable[[], bool]], None]


class _Extraction:
    """One object on its way into a file, and how many readers wait for it."""

    def __init__(self) -> None:
        self.readers = 0
        self.abandoned = threading.Event()
        self.task: asyncio.Task[Path] | None = None


class AttachmentFiles:
    """A folder of extracted attachments, at most `bytes_max` of them; lives on the event loop.

    Names are object ids, so a file is never out of date. The folder may be deleted at any time.
    """

    def __init__(self, folder: Path, extract: Extract, bytes_max: int = FILES_BYTES_MAX) -> None:
        self._folder = folder
        self._extract = extract
        self._bytes_max = bytes_max
        self._pool = ThreadPoolExecutor(EXTRACTIONS, thread_name_prefix="attachment")
        self._running: dict[str, _Extraction] = {}
        self._sizes: OrderedDict[str, int] | None = None  # by id, the one used last at the end
        self._numbers = 0

    async def open(self, oid: str) -> int:
        """A descriptor of the file of an object, for the caller to close.

        It stays readable where the file is removed meanwhile. Raises what extracting raises:
        RepositoryError, or OSError where the disk is full.
        """
        descriptor = self._open(oid)
        if descriptor is None:
            descriptor = os.open(await self._extracted(oid), os.O_RDONLY)
            self._make_room()
        return descriptor

    def close(self) -> None:
        """Abandon what is being extracted, and end the threads."""
        for extraction in self._running.values():
            extraction.abandoned.set()
        self._pool.shutdown()

    def _open(self, oid: str) -> int | None:
        sizes = self._known()
        if oid not in sizes:
            return None
        try:
            descriptor = os.open(self._folder / oid, os.O_RDONLY)
        except OSError:  # somebody deleted the folder
            del sizes[oid]
            return None
        sizes.move_to_end(oid)
        return descriptor

    async def _extracted(self, oid: str) -> Path:
        """The file of an object, made once however many readers wait for it."""
        extraction = self._running.get(oid)
        if extraction is None or extraction.abandoned.is_set():
            extraction = self._running[oid] = _Extraction()
            extraction.task = asyncio.create_task(self._make(oid, extraction))
            extraction.task.add_done_callback(_retrieve)
        extraction.readers += 1
        assert extraction.task is not None
        try:
            return await asyncio.shield(extraction.task)
        finally:
            extraction.readers -= 1
            if not extraction.readers:
                extraction.abandoned.set()

    async def _make(self, oid: str, extraction: _Extraction) -> Path:
        self._numbers += 1
        partial = self._folder / f"{oid}.{os.getpid()}-{self._numbers}.partial"
        try:
            size = await asyncio.get_running_loop().run_in_executor(
                self._pool, self._write, oid, partial, extraction.abandoned
            )
            if not extraction.abandoned.is_set():
                self._known()[oid] = size
            return self._folder / oid
        finally:
            if self._running.get(oid) is extraction:
                del self._running[oid]

    def _write(self, oid: str, partial: Path, abandoned: threading.Event) -> int:
        """Write the file beside its place and move it there whole; its size."""
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            with partial.open("w+b") as file:
                self._extract(oid, file, abandoned.is_set)
                size = file.tell()
            if not abandoned.is_set():
                partial.replace(self._folder / oid)
            return size
        finally:
            partial.unlink(missing_ok=True)

    def _known(self) -> OrderedDict[str, int]:
        """The files that are there; looked for once, when leftovers of an earlier run are removed too."""
        if self._sizes is None:
            self._sizes = OrderedDict()
            with contextlib.suppress(OSError):
                for path in sorted(self._folder.iterdir(), key=lambda path: path.stat().st_mtime):
                    if path.suffix:
                        path.unlink(missing_ok=True)
                    else:
                        self._sizes[path.name] = path.stat().st_size
        return self._sizes

    def _make_room(self) -> None:
        """Remove the files that were not used for the longest time."""
        sizes = self._known()
        while sum(sizes.values()) > self._bytes_max:
            oid, _ = sizes.popitem(last=False)
            with contextlib.suppress(OSError):
                (self._folder / oid).unlink()


def _retrieve(task: asyncio.Task[Path]) -> None:
    """Take the error of an extraction whose readers have all gone."""
    if not task.cancelled():
        task.exception()
