"""The HTTP server, with a limit on connections before a byte of them is read."""

from __future__ import annotations

from typing import Any

from tornado.httpserver import HTTPServer
from tornado.iostream import IOStream

from server.http.limits import Connections, connections_for_this_process
from server.http.metrics import ConnectionMetrics
from server.http.peers import Peers, peer_of


class LimitedServer(HTTPServer):
    """Closes a new connection at once where its peer, or all peers together, have too many."""

    _connections_open: Connections | None = None

    def limit(
        self, peer_max: int, peers: Peers, metrics: ConnectionMetrics, total_max: int | None = None
    ) -> None:
        """Admit `peer_max` connections of a peer, and as many together as files may be open."""
        total = connections_for_this_process() if total_max is None else total_max
        self._connections_open = Connections(peer_max, total)
        self._peers = peers
        self._metrics = metrics

    def handle_stream(self, stream: IOStream, address: tuple[Any, ...]) -> None:
        """Serve a new connection, or close it."""
        if self._connections_open is not None:
            remote = _remote(address)
            if not self._connections_open.admit(peer_of(remote), trusted=self._peers.trusts(remote)):
                self._metrics.connection_refused()
                stream.close()
                return
            self._metrics.connections_open(self._connections_open.open)
        super().handle_stream(stream, address)

    def on_close(self, server_conn: object) -> None:
        """A served connection has ended."""
        super().on_close(server_conn)
        if self._connections_open is not None:
            context: Any = getattr(server_conn, "context", None)
            self._connections_open.release(peer_of(_remote(context.address)))
            self._metrics.connections_open(self._connections_open.open)


def _remote(address: Any) -> str:
    """The address of a peer; connections through a Unix socket are all of one."""
    return str(address[0]) if isinstance(address, tuple) and address else ""
