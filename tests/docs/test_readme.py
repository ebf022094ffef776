"""The README begins with the promise, two commands that exist, and a first request with its real answer."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from server.settings.settings import read_settings
from tests.docs.pages import ROOT, blocks, page

NAME = "README.md"
TEXT = page(NAME)
FIRST_SCREEN_LINES = 30


def test_the_first_screen_holds_the_promise_the_commands_and_a_request() -> None:
    screen = "\n".join(TEXT.splitlines()[:FIRST_SCREEN_LINES])
    for needed in (
        "searchable HTTP API",
        "make demo",
        "make test",
        "curl -s 'http://127.0.0.1:8080/",
        '"data"',
    ):
        assert needed in screen, needed


def test_the_commands_of_make_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))
    assert {"demo", "test"} <= set(re.findall(r"make ([a-z]+)", TEXT)) <= targets


def test_the_configuration_shown_is_understood(tmp_path: Path) -> None:
    shown = next(block for block in blocks(NAME) if "CFP_DATA_REPO_PATH" in block.text)
    values = dict(re.findall(r"^export (\w+)=(\S+)", shown.text, re.MULTILINE))
    secret = tmp_path / "reload-secret"
    secret.write_text("0123456789abcdef" * 4 + "\n")  # as `openssl rand -hex 32` writes it
    read = read_settings(values | {"CFP_DATA_RELOAD_SECRET_FILE": str(secret)}, ("CFP_DATA_REPO_PATH",))
    assert read.branch == "main"


def test_the_version_of_the_changelog_is_the_one_of_the_program() -> None:
    from server import __version__

    changelog = page("CHANGELOG.md")
    assert f"## {__version__}" in changelog or f"To become {__version__}" in changelog


def test_the_description_of_the_package_has_no_link_that_leads_nowhere() -> None:
    command = [sys.executable, "setup.py", "--quiet", "--long-description"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert "# Livesheets" in done.stdout
    assert "HTTP reference" in done.stdout
    assert not re.findall(r"\]\((?!https?://)", done.stdout)
