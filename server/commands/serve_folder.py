"""`livesheets serve FOLDER`: what is watched, and what the user is told."""

from __future__ import annotations

import sys
from itertools import islice
from pathlib import Path
from typing import Final

import structlog

from reload.snapshot.snapshot import Snapshot
from server.api.documents import sheet_url
from server.folder.uncommitted_files import UncommittedFiles
from server.folder.user_folder import UserFolder, find_folder, require_commit
from server.folder.watch import FolderWatch, Source
from server.operations.logs.printable import printable

SHEETS_SHOWN_MAX: Final = 20
PROBLEMS_SHOWN_MAX: Final = 20


class ServedFolder:
    """A user's folder that can be served, and what is printed about it."""

    def __init__(self, folder: UserFolder) -> None:
        self.folder = folder
        self._url = ""
        self._told = False
        self._problems: list[str] = []

    def watch(self) -> FolderWatch:
        """What has every change served."""
        source: Source = self.folder
        if self.folder.uncommitted:
            source = UncommittedFiles(self.folder, structlog.get_logger().warning)
        return FolderWatch(source, self.tell)

    def announce(self, url: str) -> None:
        """Print what is served, and where."""
        self._url = url
        folder = self.folder
        if folder.uncommitted:
            what = f"the files of {folder.path} as they are, COMMITTED OR NOT. A change"
        else:
            what = f"what is committed on the branch {folder.branch} of {folder.path}. A new commit"
        _write(
            "",
            f"Livesheets serves {what} is served within a second.",
            "",
            f"  {url}/       what is served",
            f"  {url}/docs   the API, to try",
            f"  {url}/api    the API",
            "",
            "Stop with Ctrl+C.",
            "",
        )

    def tell(self, snapshot: Snapshot) -> None:
        """Print what is wrong with the records that are served, and the first time how many there are."""
        lines = [] if self._told else self._records(snapshot)
        problems = [str(problem) for problem in snapshot.listed[:PROBLEMS_SHOWN_MAX]]
        if problems != self._problems:
            lines += ["Not as it should be:" if problems else "All is as it should be again."]
            lines += [*(f"  {problem}" for problem in problems), ""]
        self._told, self._problems = True, problems
        _write(*lines)

    def _records(self, snapshot: Snapshot) -> list[str]:
        counts = snapshot.served.records
        lines = [f"  {name}: {_counted(count)}" for name, count in islice(counts.items(), SHEETS_SHOWN_MAX)]
        if len(counts) > SHEETS_SHOWN_MAX:
            lines.append(f"  and {len(counts) - SHEETS_SHOWN_MAX} more sheets")
        first = next((name for name, count in counts.items() if count), None)
        if first is not None:
            lines += ["", "List records:", "", f"  curl -s '{self._url}{sheet_url(first)}?limit=3'"]
        return [*lines, ""]


def open_folder(path: Path, branch: str | None, *, uncommitted: bool) -> ServedFolder:
    """The folder at `path`; raises FolderError where nothing of it can be served."""
    folder = find_folder(path, branch, uncommitted=uncommitted)
    if not uncommitted:
        require_commit(folder)
    return ServedFolder(folder)


def _counted(count: int) -> str:
    return "1 record" if count == 1 else f"{count} records"


def _write(*lines: str) -> None:
    sys.stdout.writelines(f"{printable(line)}\n" for line in lines)
    sys.stdout.flush()
