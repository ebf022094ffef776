"""Who calls is told by the connection, and by a forwarded address only where a trusted proxy gave it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs
from tornado.httputil import HTTPHeaders

from server.http.peers import Peers, peer_of
from server.settings.networks import trusted_networks

PEERS = Peers(trusted_networks("10.0.0.0/8, 2001:db8:ffff::/48 127.0.0.1"))


def peer(remote: str, *forwarded: str) -> str:
    headers = HTTPHeaders()
    for value in forwarded:
        headers.add("X-Forwarded-For", value)
    return PEERS.of(remote, headers)


def test_a_forwarded_address_from_anybody_is_ignored() -> None:
    assert peer("192.0.2.1", "198.51.100.7") == "192.0.2.1"
    assert peer("192.0.2.1", "10.0.0.1") == "192.0.2.1"
    assert Peers().of("127.0.0.1", HTTPHeaders({"X-Forwarded-For": "198.51.100.7"})) == "127.0.0.1"


def test_behind_a_trusted_proxy_the_last_address_counts_that_it_does_not_trust() -> None:
    assert peer("10.0.0.1", "198.51.100.7") == "198.51.100.7"
    assert peer("10.0.0.1", "203.0.113.9, 198.51.100.7") == "198.51.100.7"
    assert peer("10.0.0.1", "203.0.113.9, 198.51.100.7, 10.2.3.4") == "198.51.100.7"
    assert peer("10.0.0.1", "203.0.113.9", "198.51.100.7, 10.2.3.4") == "198.51.100.7"
    assert peer("2001:db8:ffff::1", "198.51.100.7") == "198.51.100.7"


def test_a_proxy_that_forwards_nothing_useful_is_itself_the_peer() -> None:
    assert peer("10.0.0.1") == "10.0.0.1"
    assert peer("10.0.0.1", "") == "10.0.0.1"
    assert peer("10.0.0.1", "unknown") == "10.0.0.1"
    assert peer("10.0.0.1", "198.51.100.7, nonsense") == "10.0.0.1"
    assert peer("10.0.0.1", "10.0.0.2, 10.0.0.3") == "10.0.0.2"


def test_ports_and_mapped_addresses_are_the_same_peer() -> None:
    assert peer("10.0.0.1", "198.51.100.7:4711") == "198.51.100.7"
    assert peer("10.0.0.1", "[2001:db8::7]:4711") == "2001:db8::/64"
    assert peer("::ffff:10.0.0.1", "::ffff:198.51.100.7") == "198.51.100.7"


def test_all_addresses_of_an_ipv6_network_are_one_peer() -> None:
    assert peer_of("2001:db8::1") == peer_of("2001:db8::ffff:1") == peer_of("2001:db8::9%eth0")
    assert peer_of("2001:db8:0:1::1") != peer_of("2001:db8::1")
    assert peer_of("192.0.2.1") != peer_of("192.0.2.2")


def test_what_is_no_address_is_a_peer_of_its_own() -> None:
    assert peer_of("") == ""
    assert not PEERS.trusts("")
    assert Peers().of("0.0.0.0", HTTPHeaders()) == "0.0.0.0"


def test_a_proxy_that_nobody_named_is_reported_once() -> None:
    peers = Peers()
    headers = HTTPHeaders({"X-Forwarded-For": "198.51.100.7"})
    with capture_logs() as lines:
        for _ in range(5):
            peers.of("192.0.2.1", headers)
    assert [(line["event"], line["proxy"]) for line in lines] == [("forwarded.ignored", "192.0.2.1")]


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF, exclude_categories=["Cc"])))
def test_any_text_as_a_forwarded_address_gives_some_peer(text: str) -> None:
    assert peer("10.0.0.1", text.strip(" \t"))


@pytest.mark.parametrize("text", ["", "  ", ","])
def test_no_address_means_that_nobody_is_trusted(text: str) -> None:
    assert trusted_networks(text) == ()
