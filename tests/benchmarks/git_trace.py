"""How long git itself ran, as git tells (trace2), so that our own work is what is left of a reload."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class GitTrace:
    """A file that every git process of a server appends its story to."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0

    @property
    def environment(self) -> dict[str, str]:
        """What turns the trace on in a process and its children."""
        return {"GIT_TRACE2_EVENT": str(self._path.resolve()), "GIT_TRACE2_EVENT_BRIEF": "1"}

    def commands_ms(self) -> dict[str, float]:
        """Milliseconds by git command of all that ended since the last call, helpers not counted twice."""
        names: dict[str, str] = {}
        spent: dict[str, float] = {}
        for event in self._new_events():
            sid = event["sid"]
            if event["event"] == "cmd_name":
                names.setdefault(sid, event["name"])
            elif event["event"] == "atexit" and "/" not in sid:
                name = names.get(sid, "unknown")
                spent[name] = spent.get(name, 0.0) + event["t_abs"] * 1000
        return spent

    def _new_events(self) -> list[dict[str, Any]]:
        if not self._path.exists():
            return []
        with open(self._path, "rb") as file:
            file.seek(self._read)
            whole = file.read()
        end = whole.rfind(b"\n") + 1
        self._read += end
        return [json.loads(line) for line in whole[:end].splitlines()]
