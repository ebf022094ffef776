"""Networks in settings: the proxies that are trusted."""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network, ip_network

Network = IPv4Network | IPv6Network


def trusted_networks(text: str) -> tuple[Network, ...]:
    """The networks in a setting: addresses or networks, separated by blanks or commas."""
    networks: list[Network] = []
    for position, entry in enumerate(text.replace(",", " ").split(), start=1):
        try:
            networks.append(ip_network(entry))
        except ValueError:
            raise ValueError(
                f"has something else than an address or a network as its entry {position}; "
                "give addresses such as 10.0.0.7 or networks such as 10.0.0.0/8"
            ) from None
    return tuple(networks)
