"""Fixtures of several tests of the server."""

from __future__ import annotations

import io
import shutil
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient, HTTPRequest, HTTPResponse
from tornado.ioloop import IOLoop

from reload.lane.outcome import Trigger
from server.application import LivesheetsApplication
from server.main import Service
from tests.gitrepo import Content, GitRepo
from tests.server.live_server import live_server, logging_to, settings_for
from tests.server.stub import StubServer

Ask = Callable[..., Awaitable[HTTPResponse]]
Push = Callable[..., str]


@pytest.fixture(scope="session")
def _served_data(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Path:
    """The folder of a server that has ended: another one on a copy starts without a build."""
    folder = tmp_path_factory.mktemp("served-data") / "data"
    folder.mkdir()
    with live_server(folder):
        return folder


@pytest.fixture
def log_lines() -> io.StringIO:
    """What `app` logs."""
    return io.StringIO()


@pytest.fixture
def data_folder(_served_data: Path, tmp_path: Path) -> Path:
    """The folder of `app`: its repository, its state files and the remote."""
    return shutil.copytree(_served_data, tmp_path / "data", symlinks=True)


@pytest.fixture
def push(data_folder: Path) -> Push:
    """Commits these files and pushes them to the branch that `app` serves; the commit."""
    work = GitRepo(data_folder / "work")

    def push(files: Mapping[str, Content], message: str = "change") -> str:
        work.write(files)
        commit = work.commit(message)
        work.push(data_folder / "remote.git")
        return commit

    return push


@pytest.fixture
def app_settings() -> dict[str, str]:
    """The variables of `app` beside those that every server has; tests may give others."""
    return {"CFP_DATA_POLL_INTERVAL": "3600"}


@pytest.fixture
def app(
    data_folder: Path, app_settings: dict[str, str], io_loop: IOLoop, log_lines: io.StringIO
) -> Iterator[LivesheetsApplication]:
    """The application of a server on the test's own loop, for pytest-tornado's `http_server`."""
    settings = settings_for(data_folder, **app_settings)
    assert settings.repo_path is not None
    with logging_to(log_lines, settings) as logs:
        service = Service(settings, settings.repo_path, logs)

        async def start() -> None:
            service.start()
            await service.branch.reloader.reload(Trigger.STARTUP)

        io_loop.run_sync(start)
        yield service.app
        io_loop.run_sync(service.stop)


@pytest.fixture
def ask(http_client: AsyncHTTPClient, base_url: str) -> Ask:
    """Sends a request to `app`, with any method; any status is an answer."""

    async def ask(
        method: str, path: str, headers: Mapping[str, str] | None = None, body: bytes | None = None
    ) -> HTTPResponse:
        request = HTTPRequest(base_url + path, method, headers or {}, body, allow_nonstandard_methods=True)
        return await http_client.fetch(request, raise_error=False)

    return ask


@pytest.fixture
def stub() -> Iterator[StubServer]:
    """A server that is not Livesheets."""
    with StubServer() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()
