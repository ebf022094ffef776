"""The data that each run of the state machine starts from, and the damage that a state file may suffer."""

from __future__ import annotations

import asyncio
import os
import shutil
from pathlib import Path
from typing import Any

from reload.build.builder import Policy
from tests.end_to_end.state_machine.model import Data
from tests.reload.harness import Engine, Place

DAMAGE = ("deleted", "emptied", "scribbled", "of another time")


class StartingPoints:
    """Places that have been served once, one for each data policy; every run gets a copy."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._born: dict[str, Place] = {}

    def copied(self, folder: Path, policy: Policy) -> Place:
        """A copy of the place for this policy."""
        noted = policy.data.noted
        if noted not in self._born:
            place = Place.made(self._folder / str(len(self._born)), _present(Data()))
            asyncio.run(_serve(place, policy))
            self._born[noted] = place
        return self._born[noted].copied(folder)


async def _serve(place: Place, policy: Policy) -> None:
    async with Engine(place, policy=policy) as engine:
        assert (await engine.reload()).ok


def _present(data: Data) -> dict[str, Any]:
    return {path: text for path, text in data.files().items() if text is not None}


def spoil(state: Path, damage: str, saved: Path) -> None:
    """Have the state file not fit any more."""
    if damage == "deleted" or (damage == "of another time" and saved.exists()):
        shutil.rmtree(state, ignore_errors=True)
    if damage == "of another time" and saved.exists():
        shutil.copytree(saved, state, symlinks=True)
    for path in state.glob("*.sqlite3"):
        if damage == "emptied":
            path.write_bytes(b"")
        elif damage == "scribbled":
            path.write_bytes(path.read_bytes()[:4096] + os.urandom(8192))
