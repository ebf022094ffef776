"""Attachments are extracted once, kept up to a number of bytes, and not extracted for nobody."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import BinaryIO

import pytest

from server.api.attachment_files import AttachmentFiles

DEADLINE_S = 60


class Objects:
    """Objects of some bytes each, which a test can hold back."""

    def __init__(self) -> None:
        self.extracted: list[str] = []
        self.begun = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()
        self.abandoned = threading.Event()

    def __call__(self, oid: str, file: BinaryIO, is_abandoned: Callable[[], bool]) -> None:
        self.extracted.append(oid)
        self.begun.set()
        assert self.go_on.wait(DEADLINE_S)
        if is_abandoned():
            self.abandoned.set()
        if oid == "bad":
            raise OSError("told to")
        file.write(oid.encode() * 10)


@asynccontextmanager
async def files(folder: Path, objects: Objects, bytes_max: int = 1000) -> AsyncIterator[AttachmentFiles]:
    made = AttachmentFiles(folder, objects, bytes_max)
    yield made
    await asyncio.to_thread(made.close)


async def content(found: AttachmentFiles, oid: str) -> bytes:
    descriptor = await found.open(oid)
    try:
        return os.pread(descriptor, 1000, 0)
    finally:
        os.close(descriptor)


@pytest.mark.gen_test
async def test_many_readers_of_one_file_have_it_extracted_once(tmp_path: Path) -> None:
    objects = Objects()
    async with files(tmp_path / "files", objects) as found:
        assert set(await asyncio.gather(*(content(found, "a") for _ in range(20)))) == {b"a" * 10}
        assert await content(found, "a") == b"a" * 10
        assert objects.extracted == ["a"]
        assert [path.name for path in (tmp_path / "files").iterdir()] == ["a"]


@pytest.mark.gen_test
async def test_the_files_used_longest_ago_are_removed(tmp_path: Path) -> None:
    objects = Objects()
    async with files(tmp_path, objects, bytes_max=35) as found:
        for oid in ("a", "b", "c", "a", "d"):
            await content(found, oid)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "c", "d"]
        descriptor = await found.open("c")
        for oid in ("e", "f", "g"):
            await content(found, oid)
        assert not (tmp_path / "c").exists()
        assert os.pread(descriptor, 1000, 0) == b"c" * 10
        os.close(descriptor)


@pytest.mark.gen_test
async def test_a_file_larger_than_all_that_is_kept_can_be_read(tmp_path: Path) -> None:
    async with files(tmp_path, Objects(), bytes_max=5) as found:
        assert await content(found, "a") == b"a" * 10
        assert list(tmp_path.iterdir()) == []


@pytest.mark.gen_test
async def test_what_nobody_waits_for_any_more_is_abandoned(tmp_path: Path) -> None:
    objects = Objects()
    objects.go_on.clear()
    async with files(tmp_path, objects) as found:
        readers = [asyncio.create_task(content(found, "a")) for _ in range(2)]
        assert await asyncio.to_thread(objects.begun.wait, DEADLINE_S)
        for reader in readers:
            reader.cancel()
        await asyncio.wait(readers)
        objects.go_on.set()
        assert await asyncio.to_thread(objects.abandoned.wait, DEADLINE_S)
        assert await content(found, "a") == b"a" * 10
        assert objects.extracted == ["a", "a"]
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.gen_test
async def test_a_failure_reaches_every_reader_and_the_next_one_tries_again(tmp_path: Path) -> None:
    objects = Objects()
    async with files(tmp_path, objects) as found:
        failures = await asyncio.gather(*(content(found, "bad") for _ in range(3)), return_exceptions=True)
        assert [str(failure) for failure in failures] == ["told to"] * 3
        with pytest.raises(OSError, match="told to"):
            await content(found, "bad")
        assert objects.extracted == ["bad", "bad"]
        assert list(tmp_path.iterdir()) == []


@pytest.mark.gen_test
async def test_files_of_an_earlier_run_are_used_and_leftovers_removed(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"kept")
    (tmp_path / "b.1-1.partial").write_bytes(b"half")
    objects = Objects()
    async with files(tmp_path, objects) as found:
        assert await content(found, "a") == b"kept"
        assert objects.extracted == []
        assert [path.name for path in tmp_path.iterdir()] == ["a"]


@pytest.mark.gen_test
async def test_a_folder_that_is_deleted_under_the_server_is_made_again(tmp_path: Path) -> None:
    async with files(tmp_path / "files", Objects()) as found:
        await content(found, "a")
        (tmp_path / "files" / "a").unlink()
        (tmp_path / "files").rmdir()
        assert await content(found, "a") == b"a" * 10
