"""A peer that fails too often waits, and nobody else does."""

from __future__ import annotations

from server.auth.attempts import ATTEMPTS_WINDOW_S, PEERS_MAX, Attempts
from tests.server.webhook.test_deliveries import Clock


def test_a_peer_that_fails_too_often_waits_until_its_minute_is_over() -> None:
    clock = Clock()
    attempts = Attempts(3, clock)
    assert [attempts.failed("a") for _ in range(3)] == [0, 0, 0]
    clock.now = 20
    assert attempts.failed("a") == ATTEMPTS_WINDOW_S - 20
    assert attempts.wait_s("a") == ATTEMPTS_WINDOW_S - 20
    clock.now = ATTEMPTS_WINDOW_S - 0.1
    assert attempts.wait_s("a") == 1.0  # Retry-After is never zero
    clock.now = ATTEMPTS_WINDOW_S
    assert attempts.wait_s("a") == 0
    assert attempts.failed("a") == 0


def test_a_peer_that_fails_does_not_make_others_wait() -> None:
    attempts = Attempts(1, Clock())
    for _ in range(5):
        attempts.failed("a")
    assert attempts.wait_s("a")
    assert attempts.wait_s("b") == 0
    assert attempts.failed("b") == 0


def test_a_wall_clock_that_jumps_neither_blocks_nor_frees_anybody() -> None:
    clock = Clock()
    attempts = Attempts(1, clock)
    attempts.failed("a")
    assert attempts.failed("a") == ATTEMPTS_WINDOW_S


def test_attempts_of_any_number_of_peers_take_bounded_memory() -> None:
    attempts = Attempts(1, Clock())
    for number in range(PEERS_MAX + 500):
        attempts.failed(f"peer-{number}")
    assert len(attempts) == PEERS_MAX
    assert attempts.wait_s(f"peer-{PEERS_MAX + 499}") > 0


def test_without_a_limit_nobody_waits_and_nobody_is_counted() -> None:
    attempts = Attempts(0, Clock())
    assert [attempts.failed("a") for _ in range(100)] == [0] * 100
    assert attempts.wait_s("a") == 0
    assert len(attempts) == 0
