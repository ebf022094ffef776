"""Which names a server answers to: against pages that have their own name point at it (DNS rebinding)."""

from __future__ import annotations

from collections.abc import Iterable

from server.environment.hosts import host_of


class Hosts:
    """The hosts that are answered for, as `host_of` gives them; without any, all are."""

    def __init__(self, names: Iterable[str]) -> None:
        self._names = frozenset(names)

    def allow(self, header: str | None) -> bool:
        """Whether a request with this `Host` is meant for this server."""
        if not self._names or header in self._names:
            return True
        return header is not None and host_of(header) in self._names
