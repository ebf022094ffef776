"""Hosts are compared as names: whatever their case, port and spelling, and nothing else passes for one."""

from __future__ import annotations

import pytest

from server.settings.hosts import host_names, host_of


@pytest.mark.parametrize(
    ("header", "host"),
    [
        ("example.org", "example.org"),
        ("EXAMPLE.org:8080", "example.org"),
        ("example.org.", "example.org"),
        ("example.org.:80", "example.org"),
        ("localhost:", "localhost"),
        ("127.0.0.1:80", "127.0.0.1"),
        ("[::1]:80", "[::1]"),
        ("[0:0:0::1]", "[::1]"),
        ("[2001:DB8::1]", "[2001:db8::1]"),
    ],
)
def test_a_host_is_known_by_its_name(header: str, host: str) -> None:
    assert host_of(header) == host


@pytest.mark.parametrize(
    "header",
    [
        *("", " ", ".", "a..b", ".a", "a b", "a,b", "a/b", "a@b", "a:b", "a:80:80", "a:123456", "*", "\xe9"),
        *("[::1", "::1", "[x]", "[]", "[1:2]", "a\n", "a" * 300, "a\x00", "\u212aelvin", "http://a"),
    ],
    ids=range(24),
)
def test_what_is_no_host_is_none(header: str) -> None:
    assert host_of(header) is None


def test_hosts_are_listed_with_blanks_or_commas() -> None:
    given = "a.example, B.Example\t127.0.0.1,::1 [::2] a.example"
    assert host_names(given) == ("a.example", "b.example", "127.0.0.1", "[::1]", "[::2]")


@pytest.mark.parametrize(
    "entry", ["http://a", "a:80", "[::1]:80", "*", "*.a", "a/b", "a..b", "é", "a@b", "::x"]
)
def test_an_entry_that_could_never_match_is_refused_with_its_place(entry: str) -> None:
    with pytest.raises(ValueError, match="entry 2; give names such as"):
        host_names(f"a.example {entry}")


def test_a_list_without_a_host_is_refused_since_it_would_allow_any() -> None:
    with pytest.raises(ValueError, match="names no host"):
        host_names(" , ,")
