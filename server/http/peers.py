"""The peer of a request: the address that limits count by, behind trusted proxies."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv6Address,
    IPv6Network,
    ip_address,
)
from typing import Final

import structlog
from tornado.httputil import HTTPHeaders

from server.settings.networks import Network

FORWARDED: Final = "X-Forwarded-For"
# Whoever has one IPv6 address has at least this network of them.
IPV6_PREFIX: Final = 64
HOPS_MAX: Final = 32
ADDRESS_CHARACTERS_MAX: Final = 100
_WITH_PORT: Final = re.compile(r"\[(?P<v6>[0-9A-Fa-f:.]+)\](?::[0-9]{1,5})?|(?P<v4>[0-9.]+):[0-9]{1,5}")

Address = IPv4Address | IPv6Address

log = structlog.get_logger()


class Peers:
    """Finds the peer behind a connection; `X-Forwarded-For` counts only from `trusted` networks."""

    def __init__(self, trusted: Iterable[Network] = ()) -> None:
        self._trusted = tuple(trusted)
        self._warned = False

    def trusts(self, remote: str) -> bool:
        """Whether a connection from `remote` comes from a proxy that the operator named."""
        address = _address(remote)
        return address is not None and self._trusts(address)

    def of(self, remote: str, headers: HTTPHeaders) -> str:
        """The peer of a request that came from `remote`: the last address that no trusted proxy has."""
        address = _address(remote)
        if address is None:
            return remote
        if FORWARDED in headers:
            if self._trusts(address):
                address = self._behind(address, headers[FORWARDED])
            else:
                self._warn(remote)
        return _peer(address)

    def _behind(self, proxy: Address, forwarded: str) -> Address:
        seen = proxy
        for text in reversed(forwarded.split(",")[-HOPS_MAX:]):
            address = _address(text.strip())
            if address is None:
                break  # what precedes an invalid address cannot be trusted
            seen = address
            if not self._trusts(address):
                break
        return seen

    def _trusts(self, address: Address) -> bool:
        return any(address in network for network in self._trusted)

    def _warn(self, remote: str) -> None:
        """Say once that a proxy seems to stand before the server without being named."""
        if not self._warned:
            self._warned = True
            log.info("forwarded.ignored", proxy=remote, setting="CFP_TRUSTED_PROXIES")


def peer_of(remote: str) -> str:
    """The peer that a connection from `remote` counts for."""
    address = _address(remote)
    return remote if address is None else _peer(address)


def _peer(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), IPV6_PREFIX), strict=False))


def _address(text: str) -> Address | None:
    return _parsed(text) if len(text) <= ADDRESS_CHARACTERS_MAX else None


@lru_cache(maxsize=1024)  # each request asks four times, and most come from few peers
def _parsed(text: str) -> Address | None:
    found = _WITH_PORT.fullmatch(text)
    if found is not None:
        text = found["v6"] or found["v4"]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
