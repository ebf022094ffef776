"""Each peer has its share, and whoever counts peers does not itself grow."""

from __future__ import annotations

import resource

import pytest

from server.http.limits import (
    ATTEMPTS_WINDOW_S,
    DESCRIPTORS_RESERVED,
    PEERS_MAX,
    UNPROVEN_BYTES_MAX,
    UNPROVEN_SHARE,
    Attempts,
    Connections,
    UnprovenBytes,
    connections_for_this_process,
)
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


def test_a_peer_has_no_more_connections_than_its_share() -> None:
    connections = Connections(2)
    assert [connections.admit("a") for _ in range(3)] == [True, True, False]
    assert connections.admit("b")
    connections.release("a")
    assert connections.admit("a")
    assert connections.open == 3


def test_a_trusted_proxy_counts_in_total_only() -> None:
    connections = Connections(1, total_max=4)
    assert [connections.admit("proxy", trusted=True) for _ in range(5)] == [True] * 4 + [False]
    assert not connections.admit("a")
    connections.release("proxy")
    assert connections.admit("a")


def test_connections_that_ended_leave_nothing_behind() -> None:
    connections = Connections(2, 2)
    for number in range(1000):
        assert connections.admit(f"peer-{number}")
        connections.release(f"peer-{number}")
    assert connections.open == 0
    assert connections._by_peer == {}


@pytest.mark.parametrize("many", [1, 1000])
def test_unproven_bytes_of_all_peers_together_are_bounded(many: int) -> None:
    room = UnprovenBytes(bytes_max=1000)
    taken = sum(1 for number in range(5000) if room.take(f"peer-{number % many}", 1))
    assert taken == room.held == (1000 if many > UNPROVEN_SHARE else 1000 // UNPROVEN_SHARE)


def test_unproven_bytes_that_are_given_back_can_be_taken_again() -> None:
    room = UnprovenBytes(bytes_max=100)
    for _ in range(10):
        assert room.take("a", 25)
        assert not room.take("a", 1)
        room.give_back("a", 25)
        room.give_back("a", 0)
    assert room.held == 0
    assert room._by_peer == {}
    assert UNPROVEN_BYTES_MAX == 32 << 20


def test_connections_leave_open_files_for_git_and_the_data() -> None:
    connections = connections_for_this_process()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 0 < connections <= soft
    assert soft - connections >= min(DESCRIPTORS_RESERVED, soft // 2)
    assert soft == min(hard, soft) or hard == resource.RLIM_INFINITY
