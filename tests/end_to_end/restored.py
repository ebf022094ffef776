"""One server for many tests; before each of them its sample data is restored."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import SAMPLE
from tests.end_to_end.server_process import ServerProcess, servers


@dataclass(frozen=True)
class RestoredServer:
    """A running server, the remote that it serves, and the git on its PATH."""

    server: ServerProcess
    remote: DataRemote
    git: GitOnPath

    def restore(self) -> None:
        """Bring the sample data back in a new commit, served and on the remote, whatever went before."""
        self.remote.restore(SAMPLE, after=self.server.ready().json["commit"])
        reply = self.server.client.reload({"accept": ["deletions"]})
        assert (reply.status, reply.json["newCommit"]) == (200, self.remote.head), reply


@contextlib.contextmanager
def restored_server(folder: Path, **settings: str) -> Iterator[RestoredServer]:
    """A server in `folder` whose start-up is over; it must stop cleanly in the end."""
    remote = DataRemote(folder / "origin")
    git = GitOnPath(folder / "bin")
    with servers() as start:
        server = start(folder, remote.path, PATH=git.path, **settings)
        server.log.wait_for("reload.swapped")
        yield RestoredServer(server, remote, git)
