"""What the commands make of addresses that cannot be asked, and of answers that are not Livesheets'."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from server.commands.client import Client, Unreachable
from tests.end_to_end.server_process import run_command
from tests.server.stub import StubServer

SECRET = "a-secret-for-the-client-0123456789abcdef"
CALLS: tuple[Callable[[Client], object], ...] = (Client.status, lambda client: client.reload({}))


@pytest.mark.parametrize("url", ["http://[::1", "http://127.0.0.1:http", "http://", "https:///api"])
def test_an_address_that_is_not_well_formed_is_told_plainly(url: str) -> None:
    with pytest.raises(Unreachable, match="no web address"):
        Client(url, None)


def test_the_command_says_what_is_wrong_with_an_address() -> None:
    done = run_command("status", "--url", "http://[::1")
    assert (done.returncode, done.stdout) == (2, "")
    assert "no web address" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("call", CALLS)
def test_a_server_that_is_not_livesheets_is_told_as_such(
    stub: StubServer, call: Callable[[Client], object]
) -> None:
    with pytest.raises(Unreachable, match="not as Livesheets does"):
        call(Client(stub.url, SECRET.encode()))


@pytest.mark.parametrize("strange", ["\n", "\r\n", "\r", "\0"])
@pytest.mark.parametrize("call", CALLS)
def test_a_secret_that_cannot_be_sent_is_not_shown(
    stub: StubServer, call: Callable[[Client], object], strange: str
) -> None:
    with pytest.raises(Unreachable) as caught:
        call(Client(stub.url, f"{SECRET}{strange}{SECRET}".encode()))
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("url", ["http://a..b", "http://127.0.0.1:1/\N{SNOWMAN}"])
def test_an_address_that_cannot_be_sent_is_told_plainly(url: str) -> None:
    with pytest.raises(Unreachable, match=r"cannot be asked|does not answer"):
        Client(url, None).status()


@pytest.mark.parametrize("command", ["reload", "status", "doctor"])
@pytest.mark.parametrize("name", ["CFP_DATA_RELOAD_SECRET", "CFP_GITLAB_WEBHOOK_TOKEN"])
def test_a_secret_of_two_lines_is_a_fault_of_the_settings_that_no_command_shows(
    command: str, name: str
) -> None:
    done = run_command(command, **{name: f"{SECRET}\n{SECRET}"})
    assert done.returncode == 78
    assert name in done.stdout + done.stderr
    assert SECRET not in done.stdout + done.stderr
