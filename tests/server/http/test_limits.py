"""Each peer has its share, and whoever counts peers does not itself grow."""

from __future__ import annotations

import resource

import pytest

from server.http.limits import (
    DESCRIPTORS_RESERVED,
    UNPROVEN_BYTES_MAX,
    UNPROVEN_SHARE,
    Connections,
    UnprovenBytes,
    connections_for_this_process,
)


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
