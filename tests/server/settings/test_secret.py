"""A secret follows its file, keeps the last good value, and ends when it is withdrawn."""

from __future__ import annotations

from pathlib import Path

import pytest
from structlog.testing import capture_logs

from server.settings.secret import Secret, SecretError

SECRET = "s3cret-" + "0123456789abcdef" * 2
OTHER = "0ther-" + "fedcba9876543210" * 2


def test_a_secret_file_that_changes_is_read_again(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    secret = Secret(file=file)
    assert secret.current() == SECRET.encode()
    file.write_text(SECRET[::-1])  # same inode, same size, maybe the same tick of the clock
    assert secret.current() == SECRET[::-1].encode()
    replacement = tmp_path / "replacement"
    replacement.write_text(OTHER)
    replacement.replace(file)
    assert secret.current() == OTHER.encode()


def test_a_secret_file_that_goes_bad_leaves_the_last_good_value(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    secret = Secret(file=file)
    for spoil in (lambda: file.write_text(""), lambda: file.write_text("short"), file.unlink):
        spoil()
        assert secret.current() == SECRET.encode()
    file.write_text(OTHER)
    assert secret.current() == OTHER.encode()


def test_past_values_of_a_secret_are_remembered_to_be_kept_out_of_logs(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    secret = Secret(file=file)
    file.write_text(OTHER)
    secret.current()
    assert secret.known() == (OTHER.encode(), SECRET.encode())
    for number in range(20):
        file.write_text(f"{number:032}")
        secret.current()
    assert len(secret.known()) == 8


def test_a_secret_cannot_be_made_of_too_little() -> None:
    with pytest.raises(SecretError, match="at least 32 characters"):
        Secret(b"x" * 31)


def test_a_secret_shows_its_file_and_never_its_value(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    assert repr(Secret(file=file)) == f"Secret(file={str(file)!r})"
    assert f"{Secret(SECRET.encode())}" == "Secret(***)"


def test_what_happens_to_a_secret_file_is_logged_once_without_the_value(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    secret = Secret(file=file)
    with capture_logs() as logged:
        for content in ("hunter2", OTHER):
            file.write_text(content)
            secret.current()
            secret.current()
    assert [line["event"] for line in logged] == ["secret.refused", "secret.changed"]
    assert "hunter2" not in str(logged)
    assert OTHER not in str(logged)


@pytest.mark.parametrize("value", [b"", b"hunter2", b" hunter2" + b"x" * 32, b"x" * 32 + b"hunter2\n"])
def test_a_refused_secret_is_not_shown(value: bytes) -> None:
    with pytest.raises(SecretError) as caught:
        Secret(value)
    assert "hunter2" not in str(caught.value)


def test_a_secret_in_a_file_is_read_without_its_line_end(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\r\n")
    assert Secret(file=file).current() == SECRET.encode()


@pytest.mark.parametrize("strange", [b" ", b"\t", b"\n", b"\r\n", b"\0", b"\x1b", b"\x7f"])
def test_a_token_that_no_header_can_carry_is_refused_and_not_shown(strange: bytes) -> None:
    value = b"hunter2" + strange + SECRET.encode()
    with pytest.raises(SecretError, match="no header") as caught:
        Secret(value, token=True)
    assert "hunter2" not in str(caught.value)
    assert Secret(value).current() == value  # what only signs is never sent


def test_a_token_may_hold_any_visible_character() -> None:
    value = bytes(range(0x21, 0x7F)) + "Übergrößenträger".encode()
    assert Secret(value, token=True).current() == value


def test_a_token_file_that_gains_a_second_line_leaves_the_last_good_value(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    secret = Secret(file=file, token=True)
    file.write_text(f"{SECRET}\n{OTHER}\n")
    assert secret.current() == SECRET.encode()
