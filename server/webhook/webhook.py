"""What the calls of the webhook share: who may call, what was delivered, and what was accepted."""

from __future__ import annotations

import time

from reload.lane.branch import Branch
from server.auth.authenticator import Authenticator
from server.http.in_flight import InFlight
from server.http.limits import UnprovenBytes
from server.webhook.accepted import AcceptedReloads
from server.webhook.deliveries import Deliveries


class Webhook:
    """The webhook of a branch."""

    def __init__(self, branch: Branch, authenticator: Authenticator, in_flight: InFlight) -> None:
        self.branch = branch
        self.authenticator = authenticator
        self.deliveries = Deliveries(time.monotonic)
        self.accepted = AcceptedReloads(in_flight.began, in_flight.ended)
        self.unproven_bytes = UnprovenBytes()

    def close(self) -> None:
        """Give up accepted reloads, and log the refusals that wait for their second to end."""
        self.accepted.close()
        self.authenticator.close()
