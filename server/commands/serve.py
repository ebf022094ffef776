"""`livesheets serve` and `demo`: a server, from its settings to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from reload.errors import RepositoryError
from reload.repository.clone_folder import require_servable
from reload.repository.directory_lock import DirectoryInUse
from server.commands.exits import BAD_CONFIGURATION, IN_USE, fail
from server.folder.watch import FolderWatch
from server.main import Service, forget_secrets, run
from server.operations.logs.logs import configure
from server.operations.logs.redaction import Redactor
from server.settings.settings import Settings


def run_server(settings: Settings, announce: Callable[[int], None], watch: FolderWatch | None = None) -> None:
    """Serve until a signal ends it; `announce` is told the port. Exits where nothing can ever be served."""
    assert settings.repo_path is not None
    repo_path = settings.repo_path.absolute()
    try:
        require_servable(repo_path, has_remote=settings.remote is not None)
    except RepositoryError as error:
        fail(f"configuration: {error}", BAD_CONFIGURATION)
    except OSError as error:
        fail(f"the data directory cannot be used: {error}")
    logs = configure(settings.log_format, settings.log_level, redactor=Redactor(settings.secrets))
    forget_secrets()
    for warning in settings.warnings:
        structlog.get_logger().warning("settings.warned", warning=warning)
    try:
        service = Service(settings, repo_path, logs, watch)
    except DirectoryInUse as error:
        logs.close()
        fail(str(error), IN_USE)
    except OSError as error:
        logs.close()
        fail(f"the data directory cannot be used: {error}")
    try:
        asyncio.run(run(service, announce))
    except OSError as error:
        reason = error.strerror or error
        fail(f"cannot listen on {settings.host} port {settings.port}: {reason}; choose another with --port")
    finally:
        logs.close()
