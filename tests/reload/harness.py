"""The engine on an event loop, without HTTP; tests can reach each of its parts."""

from __future__ import annotations

import contextlib
import fnmatch
import os
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from reload.build.builder import Builder, Policy
from reload.lane.journal import Journal
from reload.lane.outcome import Outcome, Trigger
from reload.lane.reloader import Observer, Reloader
from reload.repository.clone import Clone
from reload.repository.clone_folder import CloneFolder
from reload.repository.target import Consent
from reload.snapshot.query.query import Query
from reload.snapshot.snapshot import Snapshots
from reload.snapshot.state_folder import StateFolder
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import DEFINITIONS, people
from tests.end_to_end.waiting import eventually
from tests.gitrepo import ISOLATION, Content, GitRepo, run_git
from tests.reload.hosts import HOST_MARK

SHEETS = ("people", "notes")
FILES: dict[str, Content] = {
    **{path: text for path, text in DEFINITIONS.items() if path.endswith(("people.toml", "notes.toml"))},
    **people(30),
    "notes/start.toml": 'text = "Where to begin"\n',
}


class Remote(DataRemote):
    """The remote in a place that was copied, and somebody who pushes to it."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "remote.git"
        self.author = GitRepo(folder / "author")

    def elsewhere(self, files: Mapping[str, Content], branch: str = "elsewhere") -> str:
        """Push a commit to another branch, on top of this one's; the commit."""
        start = self.author.rev(f"refs/heads/{self.author.branch}")
        self.author.git("update-ref", f"refs/heads/{branch}", start)
        other = GitRepo(self.author.path, branch)
        other.write(files)
        commit = other.commit("elsewhere")
        other.push(self.path, force=True)
        return commit


class Place:
    """A folder with a remote, and beside it the repository and the state files of one server."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.remote = Remote(folder)
        self.git_dir = folder / "data.git"
        self.state = folder / "data.git.state"

    @classmethod
    def made(cls, folder: Path, files: Mapping[str, Content] = FILES) -> Place:
        """A new one whose remote holds `files`; nothing is cloned yet."""
        DataRemote(folder, files)
        return cls(folder)

    def copied(self, folder: Path) -> Place:
        """The same elsewhere, whose every part can be broken."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return Place(folder)

    def git(self, *arguments: str) -> str:
        """What git says of the server's own repository."""
        return run_git(self.git_dir, "--no-replace-objects", *arguments).decode().strip()

    def refs(self, below: str = "refs/") -> dict[str, str]:
        """Every ref of the server's own repository, with the object that it names."""
        listing = self.git("for-each-ref", "--format=%(refname) %(objectname)", below)
        return dict(line.split(" ") for line in listing.splitlines())  # type: ignore[misc]

    @property
    def branch(self) -> str | None:
        """The commit of the server's own branch."""
        return self.refs("refs/heads/main").get("refs/heads/main")

    def leftovers(self) -> list[str]:
        """Lock files and half-written files in the server's own repository."""
        patterns = ("*.lock", "*.keep", "tmp_*", ".tmp-*", "incoming-*")
        found = []
        for folder, folders, files in os.walk(self.git_dir):  # git may remove some meanwhile
            for name in (*folders, *files):
                if any(fnmatch.fnmatch(name, pattern) for pattern in patterns):
                    found.append(os.path.relpath(os.path.join(folder, name), self.git_dir))
        return found

    def processes(self) -> dict[int, str]:
        """The command lines of the git processes that have to do with this place, by their ids."""
        mark = os.fsencode(self.folder)
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                words, variables = (entry / "cmdline").read_bytes(), (entry / "environ").read_bytes()
                about = (mark in words or mark in variables) and os.fsencode(HOST_MARK) not in variables
            except OSError:
                continue
            if about and Path(os.fsdecode(words.split(b"\0")[0])).name.startswith("git"):
                found[int(entry.name)] = words.replace(b"\0", b" ").decode(errors="replace")
        return found


def alive(pid: int) -> bool:
    """Whether a process runs."""
    try:
        return b") Z " not in Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return False


@contextlib.contextmanager
def running(git_dir: Path, *command: str, **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """A git that runs until the end of the block."""
    process = subprocess.Popen(
        [*command, "cat-file", "--batch"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=os.environ | ISOLATION,
        **options,  # type: ignore[call-overload]
    )
    try:
        process.stdin.write(b"HEAD\n")
        process.stdin.flush()
        assert process.stdout.readline()  # it has started, and is git by now
        yield process
    finally:
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()


class Engine:
    """One engine on a place; as a context it is started with what the place holds, and ended."""

    def __init__(
        self,
        place: Place,
        *,
        remote: str | Path | None = "",
        branch: str | None = "main",
        timeout_s: float = 30,
        limits: Mapping[str, int] | None = None,
        policy: Policy | None = None,
        clone_folder: type[CloneFolder] = CloneFolder,
        folder: type[StateFolder] = StateFolder,
        snapshots: type[Snapshots] = Snapshots,
        observers: Iterable[Observer] = (),
    ) -> None:
        self.place = place
        self.notes: list[tuple[str, dict[str, Any]]] = []
        self.outcomes: list[Outcome] = []
        url = str(place.remote.path) if remote == "" else remote and str(remote)
        branch = branch if url else None
        self.clone_folder = clone_folder(place.git_dir, url, branch, timeout_s, self.note, **(limits or {}))
        self.clone = Clone(self.clone_folder, self.note)
        self.folder = folder(place.state)
        self.builder = Builder(self.clone, self.folder, policy or Policy(), self.note)
        self.snapshots = snapshots()
        self.journal = Journal(
            has_remote=url is not None, stale_after_s=None, path=place.state / "rejected.json"
        )
        self.reloader = Reloader(self.builder, self.clone, self.snapshots, self.journal)
        self.reloader.observers += (self.outcomes.append, *observers)

    def note(self, event: str, **values: Any) -> None:
        """Take a log event."""
        self.notes.append((event, values))

    def noted(self, event: str) -> list[dict[str, Any]]:
        """The values of every such event so far."""
        return [values for name, values in self.notes if name == event]

    async def __aenter__(self) -> Engine:
        await self.reloader.load()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.reloader.close()
        self.snapshots.swap(None)
        assert self.place.processes() == {}

    async def reload(
        self,
        announced: str | None = None,
        *accept: Consent,
        trigger: Trigger = Trigger.WEBHOOK,
        is_tip: bool = False,
    ) -> Outcome:
        """How a reload ends."""
        return await self.reloader.reload(trigger, announced, frozenset(accept), is_tip=is_tip)

    @property
    def commit(self) -> str | None:
        """The commit that is served."""
        return self.snapshots.current.commit if self.snapshots.current else None

    def view(self) -> dict[str, Any]:
        """What readers see: the commit, and every record's path, blob and content."""
        current = self.snapshots.current
        assert current is not None
        rows = {
            sheet: [tuple(row) for row in map(_row, current.reader.page(sheet, Query(limit=100_000))[0])]
            for sheet in current.sheets
        }
        return {"commit": current.commit, "counts": dict(current.served.records), "rows": rows}

    def is_whole(self, commit: str) -> None:
        """Readers see exactly `commit`, the branch is there too, and nothing is held or left behind."""
        seen = self.view()
        assert seen["commit"] == commit == self.place.branch
        for sheet in SHEETS:
            listing = self.place.git("ls-tree", "-r", commit, f"{sheet}/").splitlines()
            if sheet not in seen["rows"]:
                assert f".gitsheets/{sheet}.toml" not in self.place.git(
                    "ls-tree", "-r", "--name-only", commit
                )
                continue
            blobs = {line.split("\t")[1].removeprefix(f"{sheet}/"): line.split()[2] for line in listing}
            rows = seen["rows"][sheet]
            assert {f"{path}.toml": blob for path, blob, _ in rows} == blobs
            assert seen["counts"][sheet] == len(rows)
        assert not self.reloader.busy
        # Packs are gathered after a reload was answered, by a git that writes a temporary one.
        eventually(lambda: not self.place.leftovers(), "what is half-written is finished or removed")

    async def refuses(self, outcome: str, *accept: Consent, announced: str | None = None) -> Outcome:
        """A reload ends so and changes nothing: not the ref, not the snapshot, not what readers see."""
        before, commit = self.view(), str(self.commit)
        ended = await self.reload(announced, *accept)
        assert (ended.outcome, ended.ok) == (outcome, False), ended
        assert (ended.old_commit, ended.new_commit) == (commit, commit)
        assert ended.error is not None
        assert str(ended.error)
        assert self.view() == before
        self.is_whole(commit)
        return ended

    async def forwards(self, commit: str, *accept: Consent, announced: str | None = None) -> Outcome:
        """A reload brings readers to `commit`."""
        old = self.commit
        ended = await self.reload(announced, *accept)
        assert ended.ok, ended
        assert (ended.old_commit, ended.new_commit) == (old, commit)
        assert not ended.no_changes
        self.is_whole(commit)
        return ended


def _row(row: Any) -> tuple[str, str, str]:
    return row.path, row.blob, row.json


def counts(outcome: Outcome) -> dict[str, tuple[int, int, int]]:
    """An outcome's changes by sheet: added, modified, removed."""
    return {name: (each.added, each.modified, each.removed) for name, each in outcome.changes.items()}
