"""A delivery that was applied is known for a while; nothing else is, and not more than fits."""

from __future__ import annotations

from server.auth.signatures import TOLERANCE_S
from server.webhook.deliveries import DELIVERIES_MAX, KEPT_S, Deliveries


class Clock:
    """Monotonic seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def delivery(number: int, digest: bytes = b"digest") -> tuple[str, str, bytes]:
    return ("github", f"id-{number}", digest)


def test_only_a_delivery_that_was_applied_is_known() -> None:
    deliveries = Deliveries(Clock())
    assert not deliveries.applied(delivery(1))
    assert not deliveries.applied(delivery(1))
    deliveries.remember(delivery(1))
    assert deliveries.applied(delivery(1))


def test_another_body_under_the_same_id_is_another_delivery() -> None:
    deliveries = Deliveries(Clock())
    deliveries.remember(delivery(1))
    assert not deliveries.applied(delivery(1, b"another"))
    assert not deliveries.applied(("gitea", "id-1", b"digest"))


def test_a_delivery_without_an_id_is_always_new() -> None:
    deliveries = Deliveries(Clock())
    deliveries.remember(("bitbucket", "", b"digest"))
    assert not deliveries.applied(("bitbucket", "", b"digest"))
    assert len(deliveries) == 0


def test_a_delivery_is_forgotten_after_its_time_and_not_before() -> None:
    clock = Clock()
    deliveries = Deliveries(clock)
    deliveries.remember(delivery(1))
    clock.now = KEPT_S
    assert deliveries.applied(delivery(1))
    clock.now = KEPT_S + 1
    assert not deliveries.applied(delivery(1))
    assert len(deliveries) == 0
    assert KEPT_S >= 2 * TOLERANCE_S


def test_no_more_deliveries_are_kept_than_there_is_room_for_the_unused_ones_going_first() -> None:
    deliveries = Deliveries(Clock())
    for number in range(DELIVERIES_MAX):
        deliveries.remember(delivery(number))
    assert deliveries.applied(delivery(0))
    for number in range(DELIVERIES_MAX, DELIVERIES_MAX + 100):
        deliveries.remember(delivery(number))
    assert len(deliveries) == DELIVERIES_MAX == 10_000
    assert deliveries.applied(delivery(0))
    assert not deliveries.applied(delivery(1))
    assert deliveries.applied(delivery(DELIVERIES_MAX + 99))
