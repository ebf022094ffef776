"""The composition root: builds every object, starts the server, and ends it gracefully."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import structlog
from tornado.ioloop import PeriodicCallback
from tornado.netutil import bind_sockets

from reload.build.builder import Policy
from reload.lane.branch import Branch
from reload.lane.outcome import Outcome, Trigger
from reload.records.policy import DataPolicy, Invalid, SchemaUse
from reload.repository.clone_folder import CloneFolder
from server import __version__
from server.api.read_api import ReadApi
from server.application import LivesheetsApplication
from server.auth.authenticator import make_authenticator
from server.folder.watch import FolderWatch
from server.http.access_log import AccessLog
from server.http.cors import Origins
from server.http.exchange import HttpContext
from server.http.fair_queue import WAITING_MAX, FairQueue
from server.http.host import AllowedHosts
from server.http.listener import LimitedServer
from server.http.metrics import ConnectionMetrics, QuestionMetrics
from server.http.peers import Peers
from server.http.refusals import QuestionRefusals
from server.http.slow_clients import Later, SlowClients
from server.operations.advice import advice_on, why_not_ready
from server.operations.gauges import Gauges
from server.operations.logs.logs import Logs
from server.operations.metrics import Metrics
from server.operations.notifications.reporting import Reporting
from server.operations.progress import BuildProgress
from server.settings.settings import Settings
from server.settings.variables import VARIABLES

DRAIN_S = 25.0
RELOAD_GRACE_S = 5.0
HEADER_BYTES_MAX = 64 * 1024  # an If-None-Match of a thousand tags fits
BODY_BYTES_MAX = 64 << 10  # the webhook takes more where a forge calls
IDLE_CONNECTION_S = 60.0
BODY_S = 30.0

log = structlog.get_logger()


class Service:
    """One running server: the engine, the application, the sockets."""

    def __init__(
        self, settings: Settings, repo_path: Path, logs: Logs, watch: FolderWatch | None = None
    ) -> None:
        self._settings = settings
        self._watch = watch
        folder = CloneFolder(
            repo_path,
            settings.remote,
            settings.branch,
            settings.git_timeout_s,
            log.warning,
            settings.remote_credential,
            settings.git_pack_bytes_max,
        )
        self.branch = branch = Branch(
            folder,
            state_path=settings.state_path,
            policy=_policy(settings),
            poll_interval_s=settings.poll_interval_s,
            note=log.info,
        )
        self.metrics = Metrics()
        self.connection_metrics = ConnectionMetrics(self.metrics.registry)
        self._access_log = AccessLog(self.metrics.observe_request, logs.plain)
        self._reporting = Reporting(
            settings, branch.journal, lambda: branch.name, self.metrics.observe_notification
        )
        branch.reloader.observers += (self.metrics.observe_reload, log_reload, self._reporting.observe)
        branch.reloader.on_progress = BuildProgress(logs.draw)
        folders = {"data": repo_path, "state": branch.state_path}
        gauges = Gauges(
            branch.snapshots, branch.journal, branch.reloader, branch.poller, logs.dropped, folders
        )
        self.metrics.registry.register(gauges)
        self._server: LimitedServer | None = None
        self._sockets: list[socket.socket] = []
        self._lag: PeriodicCallback | None = None
        self._bringing_up: asyncio.Task[None] | None = None
        self.stopped = asyncio.Event()

    def listen(self) -> int:
        """Take the port; returns it, since port 0 means any free one."""
        self._sockets = bind_sockets(self._settings.port, self._settings.host)
        return int(self._sockets[0].getsockname()[1])

    def start(self) -> None:
        """Answer requests from now on, and load the data meanwhile."""
        settings = self._settings
        loop = asyncio.get_running_loop()
        registry = self.metrics.registry
        peers, connections = Peers(settings.trusted_proxies), self.connection_metrics
        context = HttpContext(
            access_log=self._access_log,
            hosts=AllowedHosts(settings.allowed_hosts),
            origins=Origins(settings.cors_origins),
            peers=peers,
            slow_clients=SlowClients(loop.call_later, connections),
            logs_peers=settings.log_peers == "on",
        )
        authenticator = make_authenticator(settings, peers, registry, loop.call_later)
        self.app = LivesheetsApplication(
            self.branch, context, self._read_api(loop.call_later), self.metrics, authenticator
        )
        self._server = LimitedServer(
            self.app,
            max_header_size=HEADER_BYTES_MAX,
            max_body_size=BODY_BYTES_MAX,
            idle_connection_timeout=IDLE_CONNECTION_S,
            body_timeout=BODY_S,
        )
        self._server.limit(settings.connections_per_peer_max, peers, connections)
        self._server.add_sockets(self._sockets)
        self._lag = self.metrics.watch_lag()
        self._reporting.start()
        self._bringing_up = asyncio.create_task(self._bring_up())

    async def _bring_up(self) -> None:
        """Load the data, and look for newer data from then on."""
        if self._watch is not None:
            await self._watch.look()  # what is fetched has to be there
            self._watch.start(self.branch)
        await self.branch.load_and_poll()

    def _read_api(self, later: Later) -> ReadApi:
        """The read API, with the limits that the settings give."""
        settings, branch = self._settings, self.branch
        metrics, refusals = QuestionMetrics(self.metrics.registry), QuestionRefusals(later)

        def refused(peer: str, reason: str) -> None:
            metrics.question_refused(reason)
            refusals.note(peer, reason)

        queue = FairQueue(
            wait_s_max=settings.query_wait_s,
            peer_waiting_max=settings.queries_per_peer_max or WAITING_MAX,
            refused=refused,
        )
        metrics.watch(lambda: queue.running, lambda: queue.waiting)
        return ReadApi(
            branch,
            lambda: why_not_ready(branch.journal),
            queue=queue,
            attachment_bytes_max=settings.attachment_bytes_max,
            attachment_files_bytes_max=settings.attachment_files_bytes_max,
        )

    def read_secrets(self) -> None:
        """Read the files of secrets again, so that it is told now what has become of them."""
        for secret in self._settings.secrets:
            secret.current()

    async def stop(self) -> None:
        """Finish what was begun: requests first, then git and builds, then the process."""
        if self._server is None:
            return
        server, self._server = self._server, None
        log.info("server.stopping", requests=self.app.context.in_flight.count)
        self.app.context.in_flight.stopping = True
        self.branch.poller.stop()
        if self._watch is not None:
            self._watch.stop()
        server.stop()
        await self._drain()
        if self._bringing_up is not None:
            self._bringing_up.cancel()
        if self._lag is not None:
            self._lag.stop()
        await self.branch.close()
        await self._reporting.close()
        await server.close_all_connections()
        self.app.close()
        log.info("server.stopped")
        self.stopped.set()

    async def _drain(self) -> None:
        """Wait for requests in flight; a reload gets RELOAD_GRACE_S, then its git and build are ended."""
        for limit_s, last in ((RELOAD_GRACE_S, False), (DRAIN_S - RELOAD_GRACE_S, True)):
            if self.app.context.in_flight.count <= 0:
                return
            try:
                await asyncio.wait_for(self.app.context.in_flight.idle.wait(), limit_s)
            except TimeoutError:
                self.branch.stop()
                if last:
                    log.warning("server.drain_ended", requests=self.app.context.in_flight.count)


def log_reload(outcome: Outcome) -> None:
    """Log one line a reload; none for a poll that found nothing new."""
    if outcome.no_changes and outcome.trigger is Trigger.POLL:
        return
    values = {
        "reload_id": outcome.id,
        "trigger": outcome.trigger.value,
        "outcome": outcome.outcome,
        "old_commit": outcome.old_commit,
        "ms": outcome.duration_ms,
        "phases_ms": dict(outcome.phases_ms),
    }
    if outcome.ok:
        event = "reload.unchanged" if outcome.no_changes else "reload.swapped"
        changes = {n: [c.added, c.modified, c.removed] for n, c in outcome.changes.items()}
        log.info(event, changes=changes, new_commit=outcome.new_commit, **values)
    else:
        log.error("reload.failed", **_failure(outcome), **values)


def _failure(outcome: Outcome) -> dict[str, Any]:
    """Why a reload failed, which commit was refused, and what to do."""
    error = outcome.error
    return {
        "error": str(error),
        "reason": getattr(error, "reason", ""),
        "refused_commit": getattr(error, "commit", None) or getattr(error, "remote_commit", None),
        "next_step": advice_on(outcome.outcome).next_step,
        "problems": [str(problem) for problem in outcome.problems[:20]],
    }


def _policy(settings: Settings) -> Policy:
    return Policy(
        follow_rewrites=settings.rewrite == "follow",
        allow_deletions=settings.mass_delete == "allow",
        data=DataPolicy(cast("Invalid", settings.invalid), cast("SchemaUse", settings.schema)),
    )


def forget_secrets() -> None:
    """Take secrets out of the environment, so that no child process has them."""
    for variable in VARIABLES:
        if variable.secret:
            os.environ.pop(variable.name, None)


async def run(service: Service, announce: Callable[[int], None]) -> None:
    """Serve until SIGTERM or SIGINT; a second one ends it at once. SIGHUP has secrets and data read again."""
    port = service.listen()
    service.start()
    loop = asyncio.get_running_loop()

    def stop() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)
        stopping.append(asyncio.ensure_future(service.stop()))

    def hang_up() -> None:
        log.info("server.hung_up")
        service.read_secrets()
        pending.append(asyncio.ensure_future(service.branch.reload()))

    stopping: list[asyncio.Future[None]] = []
    pending: list[asyncio.Future[Outcome]] = []
    loop.add_signal_handler(signal.SIGHUP, hang_up)
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    log.info("server.started", port=port, pid=os.getpid(), version=__version__)
    announce(port)
    # What is here now stays to the end: a full collection, which holds the loop, need not look at it.
    gc.freeze()
    await service.stopped.wait()
