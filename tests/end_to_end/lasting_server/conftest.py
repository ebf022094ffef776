"""What these tests get is one server for a whole module, its data as new for each of them."""

from __future__ import annotations

import pytest

from tests.end_to_end.git_on_path import GitOnPath
from tests.end_to_end.lasting import Lasting
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import ServerProcess


@pytest.fixture
def server(lasting: Lasting) -> ServerProcess:
    """The server."""
    return lasting.server


@pytest.fixture
def remote(lasting: Lasting) -> DataRemote:
    """What it serves."""
    return lasting.remote


@pytest.fixture
def git(lasting: Lasting) -> GitOnPath:
    """The git on its PATH."""
    return lasting.git
