"""The deliveries that were applied, so that a repeated one does nothing."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from server.auth.signatures import TOLERANCE_S

DELIVERIES_MAX: Final = 10_000
# Signed time stamps bound how long a replay is accepted; forges without them repeat within minutes.
KEPT_S: Final = 12 * TOLERANCE_S

Delivery = tuple[str, str, bytes]


class Deliveries:
    """Remembers deliveries for `kept_s` seconds, the last `deliveries_max` of them.

    A delivery is what was signed: the sender's scheme, the delivery's id, and the digest of its body.
    `clock` gives monotonic seconds. After a restart nothing is remembered; a replay then costs a
    look at what is served already.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        deliveries_max: int = DELIVERIES_MAX,
        kept_s: float = KEPT_S,
    ) -> None:
        self._clock = clock
        self._deliveries_max = deliveries_max
        self._kept_s = kept_s
        self._applied: OrderedDict[Delivery, float] = OrderedDict()

    def applied(self, delivery: Delivery) -> bool:
        """Whether this very delivery was applied; one without an id cannot be told from a new one."""
        at = self._applied.get(delivery)
        if at is None:
            return False
        if self._clock() - at > self._kept_s:
            del self._applied[delivery]
            return False
        self._applied.move_to_end(delivery)
        return True

    def remember(self, delivery: Delivery) -> None:
        """Note that a delivery was applied; only to be called when it was."""
        if not delivery[1]:
            return
        self._applied[delivery] = self._clock()
        self._applied.move_to_end(delivery)
        while len(self._applied) > self._deliveries_max:
            self._applied.popitem(last=False)

    def __len__(self) -> int:
        return len(self._applied)
