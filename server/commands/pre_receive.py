"""The objects of a push in a `pre-receive` hook: git keeps them apart until the hook accepts."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import Final

# How git tells the hook, and what the hook starts, where these objects are.
TOLD_BY: Final = ("GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH")


def incoming_objects(git_dir: Path) -> Path | None:
    """The objects of a push to this repository that wait for the hook in which this runs, if any do."""
    told = os.environ.get("GIT_QUARANTINE_PATH")
    if not told:
        return None
    waiting = Path(told).resolve()
    return waiting if waiting.parent == (git_dir / "objects").resolve() else None


def with_incoming(git_dir: Path, waiting: Path, folder: Path) -> Path:
    """A repository made at `folder` that has nothing of its own and reads what is there and what waits."""
    (folder / "objects" / "info").mkdir(parents=True)
    (folder / "refs").mkdir()
    (folder / "HEAD").write_text("ref: refs/heads/none\n")
    lent = (waiting, (git_dir / "objects").resolve())
    (folder / "objects" / "info" / "alternates").write_bytes(b"".join(os.fsencode(p) + b"\n" for p in lent))
    with contextlib.suppress(FileNotFoundError):
        shutil.copyfile(git_dir / "shallow", folder / "shallow")
    return folder
