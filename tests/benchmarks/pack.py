"""Git objects written directly: hundreds of thousands in one folder are too many for `git fast-import`."""

from __future__ import annotations

import hashlib
import subprocess
import zlib
from collections.abc import Iterable
from pathlib import Path

_KINDS = {"commit": 1, "tree": 2, "blob": 3}


def object_id(kind: str, data: bytes) -> bytes:
    """The id (20 bytes) of an object."""
    return hashlib.sha1(b"%b %d\0" % (kind.encode(), len(data)) + data).digest()


def tree_object(entries: Iterable[tuple[bytes, bytes, bytes]]) -> bytes:
    """A tree of (mode, name, id) that are in git's order already."""
    return b"".join(b"%b %b\0%b" % entry for entry in entries)


def write_pack(git_dir: Path, count: int, objects: Iterable[tuple[str, bytes]]) -> None:
    """Put `count` objects (kind, data) into one pack of the repository; git makes its index."""
    command = ["git", f"--git-dir={git_dir}", "index-pack", "--stdin"]
    indexer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert indexer.stdin is not None
    digest = hashlib.sha1()
    with indexer.stdin as pipe:
        for piece in _pack(count, objects):
            digest.update(piece)
            pipe.write(piece)
        pipe.write(digest.digest())
    if indexer.wait():
        raise RuntimeError(f"git index-pack failed in {git_dir}")


def _pack(count: int, objects: Iterable[tuple[str, bytes]]) -> Iterable[bytes]:
    yield b"PACK" + (2).to_bytes(4, "big") + count.to_bytes(4, "big")
    for kind, data in objects:
        yield _entry_header(_KINDS[kind], len(data)) + zlib.compress(data)


def _entry_header(kind: int, size: int) -> bytes:
    byte, size = kind << 4 | size & 15, size >> 4
    header = bytearray()
    while size:
        header.append(byte | 0x80)
        byte, size = size & 0x7F, size >> 7
    header.append(byte)
    return bytes(header)


def write_loose(git_dir: Path, kind: str, data: bytes) -> bytes:
    """Put one object into a file of its own, as git does with a small push; its id (20 bytes)."""
    oid = object_id(kind, data)
    path = git_dir / "objects" / oid.hex()[:2] / oid.hex()[2:]
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(zlib.compress(b"%b %d\0" % (kind.encode(), len(data)) + data))
    return oid
