"""A branch that is served: the engine's parts, put together once, for the server and for other programs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import MappingProxyType, TracebackType

from reload.build.builder import Builder, Policy
from reload.build.derivation import Derivation
from reload.errors import RepositoryError
from reload.lane.journal import Journal
from reload.lane.outcome import Outcome, Trigger
from reload.lane.poller import Poller
from reload.lane.reloader import Reloader
from reload.repository.clone import Clone
from reload.repository.clone_folder import CloneFolder
from reload.repository.directory_lock import DirectoryLock
from reload.repository.target import Consent
from reload.snapshot.snapshot import Snapshot, Snapshots
from reload.snapshot.state_folder import StateFolder

RETRY_FIRST_S = 1.0
RETRY_MAX_S = 60.0
GIT_TIMEOUT_S = 60.0
# The remote counts as lost after so many polls without an answer.
STALE_POLLS = 3

Note = Callable[..., None]


def _ignore(event: str, **values: object) -> None:
    """Take no log events."""


class Branch:
    """Serves one branch of a git repository; lives on the event loop.

    `snapshot` is what is served now. `derive` names functions that make a value of each snapshot, before it
    is served; the values are in `snapshot.derived`. `note` takes log events. Raises DirectoryInUse where
    another process serves from the same folder.
    """

    def __init__(
        self,
        folder: CloneFolder,
        *,
        state_path: Path | None = None,
        policy: Policy | None = None,
        derive: Mapping[str, Derivation] = MappingProxyType({}),
        poll_interval_s: float = 0,
        note: Note = _ignore,
    ) -> None:
        with ExitStack() as undo:
            self._lock = DirectoryLock(folder.git_dir)
            undo.callback(self._lock.release)
            self.state_path = state_path or folder.git_dir.with_name(folder.git_dir.name + ".state")
            state_folder = StateFolder(self.state_path)
            self.clone = Clone(folder, note)
            self.snapshots = Snapshots()
            self.journal = Journal(
                has_remote=folder.remote is not None,
                stale_after_s=STALE_POLLS * poll_interval_s + folder.timeout_s
                if poll_interval_s > 0
                else None,
                path=self.state_path / "rejected.json",
            )
            self._builder = Builder(self.clone, state_folder, policy or Policy(), note, derive)
            self.reloader = Reloader(self._builder, self.clone, self.snapshots, self.journal)
            self.poller = Poller(self.reloader, poll_interval_s)
            self.reloader.observers.append(self.poller.observe)
            undo.pop_all()

    @property
    def snapshot(self) -> Snapshot | None:
        """What is served now, None before the first commit could be loaded."""
        return self.snapshots.current

    @property
    def name(self) -> str | None:
        """The branch's name, None while the remote has not told its default branch."""
        return self.clone.branch

    async def reload(self, commit: str | None = None, accept: frozenset[Consent] = frozenset()) -> Outcome:
        """Be at least as new as the branch is now; `commit` is one that it should hold (4 to 64 hex).

        Never raises: `outcome.ok` says whether what is served is current, `outcome.error` why not.
        """
        return await self.reloader.reload(Trigger.COMMAND, commit, accept)

    async def load(self) -> Outcome:
        """Serve what is on this machine, then what the remote has; how the latter ended."""
        await self.reloader.load()
        return await self.reloader.reload(Trigger.STARTUP)

    async def load_and_poll(self) -> None:
        """Load, less and less often until it has worked, then start polling."""
        outcome, wait_s = await self.load(), RETRY_FIRST_S
        while not outcome.ok and (self.snapshot is None or outcome.outcome == "fetch-failed"):
            await asyncio.sleep(wait_s * random.uniform(0.8, 1.2))
            wait_s = min(wait_s * 2, RETRY_MAX_S)
            outcome = await self.reloader.reload(Trigger.STARTUP)
        self.poller.start()

    def stop(self) -> None:
        """End git and builds; what runs ends with an error. Callable from any thread."""
        self._builder.stop()

    async def close(self) -> None:
        """Serve nothing any more; a snapshot that is being read closes with its last reader."""
        self.poller.stop()
        await self.reloader.close()
        self.snapshots.swap(None)
        self._lock.release()

    async def __aenter__(self) -> Branch:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


async def open_branch(
    path: Path | str,
    *,
    remote: str | None = None,
    branch: str | None = None,
    derive: Mapping[str, Derivation] = MappingProxyType({}),
    policy: Policy | None = None,
    poll_interval_s: float = 0,
    git_timeout_s: float = GIT_TIMEOUT_S,
    note: Note = _ignore,
) -> Branch:
    """A Branch that serves its first snapshot, from the bare repository at `path`.

    The repository is cloned from `remote` where it is absent; without `branch` it is the default branch.
    Raises the ReloadError that kept the first commit from being served, and DirectoryInUse.
    """
    folder = CloneFolder(Path(path), remote, branch, git_timeout_s, note)
    opened = Branch(folder, policy=policy, derive=derive, poll_interval_s=poll_interval_s, note=note)
    try:
        outcome = await opened.load()
        if opened.snapshot is None:
            raise outcome.error or RepositoryError("nothing can be served")
    except BaseException:
        await opened.close()
        raise
    opened.poller.start()
    return opened
