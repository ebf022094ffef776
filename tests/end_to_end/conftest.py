"""What every end-to-end test gets: real servers, and remotes to push to."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.client import Client
from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.restored import RestoredServer, restored_server
from tests.end_to_end.server_process import Serve, ServerProcess, servers


@pytest.fixture
def serve() -> Iterator[Serve]:
    """Starts servers, `serve(folder, remote, NAME=value)`; each must stop cleanly in the end."""
    with servers() as start:
        yield start


@pytest.fixture(scope="session")
def _served(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Path:
    """The folder of a server that has ended, and of its remote; a server on a copy starts without a build."""
    folder = tmp_path_factory.mktemp("served")
    remote = DataRemote(folder / "origin")
    with servers() as start:
        start(folder, remote.path).ready(remote.head)
    return folder


@pytest.fixture
def remote(_served: Path, tmp_path: Path) -> DataRemote:
    """A remote with the sample data."""
    return DataRemote.copied(_served / "origin", tmp_path / "origin")


@pytest.fixture
def served_folder(_served: Path, tmp_path: Path) -> Path:
    """The test's folder, with what a server keeps that has served `remote`."""
    for name in ("data.git", "data.git.state"):
        shutil.copytree(_served / name, tmp_path / name, symlinks=True)
    return tmp_path


@pytest.fixture
def empty_remote(tmp_path: Path) -> DataRemote:
    """A remote without a commit."""
    return DataRemote(tmp_path / "origin", None)


@pytest.fixture
def git(tmp_path: Path) -> GitOnPath:
    """A git to put on a server's PATH, which counts and can be held."""
    return GitOnPath(tmp_path / "bin")


@pytest.fixture
def server(serve: Serve, remote: DataRemote, served_folder: Path) -> ServerProcess:
    """A server of the test's own that serves `remote`."""
    started = serve(served_folder, remote.path)
    started.ready(remote.head)
    return started


@pytest.fixture
def client(server: ServerProcess) -> Client:
    """Asks `server`."""
    return server.client


@pytest.fixture(scope="module")
def _restored(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[RestoredServer]:
    with restored_server(tmp_path_factory.mktemp("restored")) as made:
        yield made


@pytest.fixture
def restored(_restored: RestoredServer) -> RestoredServer:
    """The module's server and its remote; both hold the sample data."""
    _restored.restore()
    return _restored


@pytest.fixture(scope="package")
def shared(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[ServerProcess]:
    """A server with the sample data for tests that change nothing; its data never moves."""
    folder = tmp_path_factory.mktemp("shared")
    remote = DataRemote(folder / "origin")
    git = GitOnPath(folder / "bin")
    with servers() as start:
        server = start(folder, remote.path, PATH=git.path)
        server.ready(remote.head)
        yield server


@pytest.fixture(scope="package")
def read(shared: ServerProcess) -> Callable[..., object]:
    """`read(path)` asks the shared server."""
    return shared.client.get
