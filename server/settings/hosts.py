"""Names of hosts, as the operator lists them and as a request names them in `Host`."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import Final

HOST_CHARACTERS_MAX: Final = 255
_HOST: Final = re.compile(
    r"(?:\[([0-9a-f:.]{2,45})\]|([a-z0-9_-]+(?:\.[a-z0-9_-]+)*+)\.?)(?::[0-9]{0,5})?",
    re.ASCII | re.IGNORECASE,
)


def host_of(header: str) -> str | None:
    """The host in a `Host` header: in lower case, without port and final dot; None where there is none."""
    found = _HOST.fullmatch(header) if len(header) <= HOST_CHARACTERS_MAX + 6 else None
    if found is None:
        return None
    if found[2] is not None:
        return found[2].lower()
    try:
        return f"[{ip_address(found[1]).compressed}]"
    except ValueError:
        return None


def host_names(text: str) -> tuple[str, ...]:
    """The hosts in `text`, as they are compared with `Host`."""
    names: dict[str, None] = {}
    for position, given in enumerate(text.replace(",", " ").split(), start=1):
        is_bare_ipv6 = given.count(":") > 1 and not given.startswith("[")
        host = host_of(f"[{given}]" if is_bare_ipv6 else given)
        if host is None or (":" in given.rpartition("]")[2] and not is_bare_ipv6):
            raise ValueError(
                f"has something else than a host as its entry {position}; give names such as "
                "records.example.org or addresses, without scheme, port and wildcard"
            )
        names[host] = None
    if not names:
        raise ValueError("names no host; leave it unset to answer to any")
    return tuple(names)
