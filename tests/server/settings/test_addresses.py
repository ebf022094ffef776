"""Which addresses are served, and that a refused one is never shown."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server.settings.addresses import branch_name, notify_address, origins, remote_address

REFUSED_BRANCHES = r"""
    -x --all a..b a:b * ../x @{-1} @ HEAD a/ /a a//b .a a/.b a. a.lock a.lock/b refs/heads/x
    a~1 a^ a\b
"""


def refusal_of(parse: Callable[[str], object], text: str) -> str:
    with pytest.raises(ValueError, match="; ") as caught:
        parse(text)
    return str(caught.value)


@pytest.mark.parametrize(
    "remote",
    [
        "https://example.org/data.git",
        "http://127.0.0.1:8080/data.git",
        "ssh://git@example.org:2222/data.git",
        "git://example.org/data.git",
        "file:///srv/data.git",
        "git@example.org:team/data.git",
        "example.org:data.git",
        "/srv/data.git",
    ],
)
def test_a_remote_that_git_can_fetch_from_is_taken_as_it_is(remote: str) -> None:
    assert remote_address(remote) == remote


@pytest.mark.parametrize(
    "remote",
    [
        "https://jane:hunter2@example.org/data.git",
        "https://hunter2@example.org/data.git",
        "https://jane:hun@ter2@example.org/data.git",
        "https://jane:hunter2/@example.org/data.git",
        "https://[hunter2]:x@example.org/data.git",
        "https://example.org/data.git?token=hunter2",
        "http://:hunter2@127.0.0.1/data.git",
        "ssh://git:hunter2@example.org/data.git",
        "git:hunter2@example.org:data.git",
        "git://jane:hunter2@example.org/data.git",
    ],
)
def test_a_remote_with_credentials_is_refused_and_never_shown(remote: str) -> None:
    fault = refusal_of(remote_address, remote)
    assert "hunter2" not in fault
    assert "ter2" not in fault


def test_a_remote_with_credentials_is_told_what_to_do_instead() -> None:
    fault = refusal_of(remote_address, "https://x:y@example.org/data.git")
    assert "deploy key" in fault
    assert "CFP_DATA_REMOTE_TOKEN_FILE" in fault


@pytest.mark.parametrize(
    "remote",
    [
        "ext::sh -c id",
        "fd::17",
        "persistent-https::example.org/x",
        "https::https://example.org/x",
        "ftp://example.org/data.git",
        "javascript://example.org",
        "--upload-pack=id",
        "-oProxyCommand=id:x",
        "ssh://-oProxyCommand=id/x",
        "https:///data.git",
        "https://example.org:port/x",
        "/srv/data\n.git",
    ],
)
def test_a_remote_that_could_run_something_else_is_refused(remote: str) -> None:
    assert refusal_of(remote_address, remote)


@pytest.mark.parametrize("branch", ["main", "feature/x", "release-2.0", "ünïcode", "a@b", "x.locked"])
def test_a_branch_name_that_git_allows_is_accepted(branch: str) -> None:
    assert branch_name(branch) == branch


@pytest.mark.parametrize("branch", [*REFUSED_BRANCHES.split(), "a b", "a\nb", "x" * 256])
def test_a_branch_name_that_git_could_misread_is_refused(branch: str) -> None:
    assert "such as main" in refusal_of(branch_name, branch)


def test_origins_are_a_list_without_repetition() -> None:
    text = "https://A.example, http://localhost:3000 https://a.example"
    assert origins(text) == ("https://a.example", "http://localhost:3000")
    assert origins("https://a.example, *") == ("*",)


@pytest.mark.parametrize(
    "text", ["example.org", "https://a.example/", "https://a.example/x", "null", "https://*.a", "'"]
)
def test_what_is_no_origin_is_refused(text: str) -> None:
    assert "entry 2" in refusal_of(origins, f"https://ok.example {text}")


def test_a_web_address_is_taken_as_it_is() -> None:
    address = "https://chat.example.org:8443/hooks/x?y=z"
    assert notify_address(address) == address


@pytest.mark.parametrize(
    "text", ["ftp://example.org", "example.org/hook", "https://", "https://u:hunter2@example.org/"]
)
def test_what_is_no_plain_web_address_is_refused_and_never_shown(text: str) -> None:
    assert "hunter2" not in refusal_of(notify_address, text)
