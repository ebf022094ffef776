"""What must not be read is taken out of text, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from server.operations.logs.redaction import Redactor
from server.settings.secret import Secret


def test_a_rotated_secret_is_kept_out_before_and_after(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text("a" * 32)
    secret = Secret(file=file)
    redactor = Redactor([secret])
    assert redactor.redact("a" * 32) == "***"
    file.write_text("b" * 32)
    secret.current()
    assert redactor.redact("a" * 32 + " " + "b" * 32) == "*** ***"


def test_a_secret_that_holds_another_one_goes_as_a_whole() -> None:
    redactor = Redactor([Secret(b"a" * 32), Secret(b"a" * 32 + b"-tail")])
    assert redactor.redact("a" * 32 + "-tail") == "***"


@pytest.mark.parametrize(
    ("text", "redacted"),
    [
        ("https://jane:pw@example.org/x", "https://***@example.org/x"),
        ("cannot read 'https://token@h/x.git/': 403", "cannot read 'https://***@h/x.git/': 403"),
        ("https://j:p@ss@example.org/x", "https://***@example.org/x"),
        ("a https://u:p@h b ssh://git@h:22/x", "a https://***@h b ssh://***@h:22/x"),
        ("https://example.org/@scope?mail=a@b", "https://example.org/@scope?mail=a@b"),
        ("git@example.org:x.git", "git@example.org:x.git"),
    ],
)
def test_credentials_in_urls_are_taken_out_and_nothing_else(text: str, redacted: str) -> None:
    assert Redactor().redact(text) == redacted


def test_a_secret_is_found_percent_encoded_and_as_python_shows_it() -> None:
    secret = "a/b+c'\"\\" + "0123456789abcdef" * 2
    redactor = Redactor([Secret(secret.encode())])
    encoded = "a%2Fb%2Bc%27%22%5C" + "0123456789abcdef" * 2
    assert redactor.redact(f"?token={encoded}&x") == "?token=***&x"
    assert redactor.redact(str({"token": secret})) == "{'token': '***'}"


def test_text_without_secrets_is_left_alone() -> None:
    redactor = Redactor([Secret(b"a" * 32)])
    for text in ("", "a" * 31, "GET /api/people?limit=50", "x" * 100):
        assert redactor.redact(text) == text
