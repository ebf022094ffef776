"""One request and its answer, from the first line to the line in the access log.

Two paths answer requests: `ReadDelegate` for reads, which are many, and Tornado's handlers for the rest.
What both need is here.
"""

from __future__ import annotations

from typing import Any

import structlog
from tornado.httputil import HTTPHeaders

from server.http.access_log import AccessLog, clock
from server.http.cors import Origins
from server.http.errors import ApiError, as_api_error
from server.http.host import AllowedHosts
from server.http.in_flight import InFlight
from server.http.peers import Peers
from server.http.request_ids import RequestIds
from server.http.response import Headers
from server.http.slow_clients import SlowClients

AGENT_CHARACTERS_MAX = 200
PROBES = frozenset(("/healthz", "/readyz"))

log = structlog.get_logger()


class HttpContext:
    """What all requests of a server share."""

    def __init__(
        self,
        *,
        access_log: AccessLog,
        hosts: AllowedHosts,
        origins: Origins,
        peers: Peers,
        slow_clients: SlowClients,
        logs_peers: bool = True,
    ) -> None:
        self.access_log = access_log
        self.origins = origins
        self.peers = peers
        self.slow_clients = slow_clients
        self.logs_peers = logs_peers
        self.in_flight = InFlight()
        self.request_ids = RequestIds()
        self._hosts = hosts

    def answers(self, path: str, headers: HTTPHeaders) -> bool:
        """Whether the host that a request names is this server's; probes may come by address."""
        return path in PROBES or self._hosts.allow(headers.get("Host"))


class Exchange:
    """One request from `remote_ip`: its id, when it began, and how it is logged.

    `sent` is how many bytes of a body were sent.
    """

    __slots__ = (
        *("_context", "_headers", "_method", "_path", "_remote_ip"),
        *("begun", "log_values", "request_id", "sent"),
    )

    def __init__(
        self, context: HttpContext, method: str, path: str, headers: HTTPHeaders, remote_ip: str
    ) -> None:
        self._context = context
        self._method = method
        self._path = path
        self._headers = headers
        self._remote_ip = remote_ip
        self.sent = 0
        self.begun = clock()
        self.request_id = context.request_ids.of(headers)
        self.log_values: dict[str, Any] = {}
        context.in_flight.began()

    @property
    def peer(self) -> str:
        """Who the request counts for."""
        return self._context.peers.of(self._remote_ip, self._headers)

    def headers(self) -> Headers:
        """What every answer says, whatever it is."""
        own = [("X-Request-Id", self.request_id)]
        if self._context.in_flight.stopping:
            own.append(("Connection", "close"))
        return own

    def problem(self, error: BaseException) -> ApiError:
        """The answer for an exception; a bug is logged with its trace."""
        answer = as_api_error(error)
        if answer is None:
            log.error("request.crashed", request_id=self.request_id, exc_info=error)
            answer = ApiError("internal-error", "the request could not be answered; the log has its trace")
        return answer

    def finished(self, route: str, status: int, *, logged: bool = True) -> None:
        """Count the request, and log it where `logged`."""
        seconds = self._context.access_log.count(route, self._method, status, self.begun)
        if logged:
            self.log_values["bytes"] = self.sent
            if self._context.logs_peers:
                self.log_values["peer"] = self.peer
                self.log_values["agent"] = self._headers.get("User-Agent", "")[:AGENT_CHARACTERS_MAX]
            self._context.access_log.write(
                route, self._method, self._path, status, seconds, self.request_id, self.log_values
            )
        self._context.in_flight.ended()

    def given_up(self) -> None:
        """The client went away before its request was whole: nothing is logged."""
        self._context.in_flight.ended()

    def watch(self, stream: Any, written: Any, size: int) -> None:
        """Have the connection closed where the client does not take so many bytes of its answer."""
        self.sent += size
        self._context.slow_clients.watch(stream, written, lambda: self.peer, size)
