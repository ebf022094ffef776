"""Every code block on every page is what it says it is."""

from __future__ import annotations

import configparser
import json
import sqlite3
import subprocess
import tomllib

import pytest
import yaml

from tests.docs.pages import ROOT, Block, all_blocks, blocks, pages

LANGUAGES = {
    "sh", "bash", "json", "toml", "yaml", "ini", "sql", "python",
    "text", "markdown", "nginx", "dockerfile",
}  # fmt: skip


def named(*languages: str) -> list[Block]:
    return [block for language in languages for block in all_blocks(language)]


def test_every_block_names_its_language() -> None:
    names = [path.relative_to(ROOT).as_posix() for path in pages()]
    found = {str(block): block.language for name in names for block in blocks(name)}
    assert {where: language for where, language in found.items() if language not in LANGUAGES} == {}


@pytest.mark.parametrize("block", named("sh", "bash"), ids=str)
def test_shell_parses(block: Block) -> None:
    checked = subprocess.run(["bash", "-n"], input=block.text, capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("block", named("json"), ids=str)
def test_json_parses(block: Block) -> None:
    json.loads(block.text)


@pytest.mark.parametrize("block", named("toml"), ids=str)
def test_toml_parses(block: Block) -> None:
    tomllib.loads(block.text)


@pytest.mark.parametrize("block", named("yaml"), ids=str)
def test_yaml_parses(block: Block) -> None:
    assert isinstance(yaml.safe_load(block.text), dict)


@pytest.mark.parametrize("block", named("ini"), ids=str)
def test_unit_files_parse(block: Block) -> None:
    parser = configparser.RawConfigParser(strict=False)
    parser.optionxform = str  # type: ignore[assignment, method-assign]
    parser.read_string(block.text)
    assert parser.sections() == ["Unit", "Service", "Install"]


@pytest.mark.parametrize("block", named("sql"), ids=str)
def test_sql_is_complete(block: Block) -> None:
    assert sqlite3.complete_statement(block.text)


@pytest.mark.parametrize("block", named("nginx"), ids=str)
def test_braces_of_an_nginx_configuration_match(block: Block) -> None:
    assert block.text.count("{") == block.text.count("}")
    statements = [line.strip() for line in block.text.splitlines() if line.strip()]
    assert all(line.endswith(("{", "}", ";")) or line.startswith("#") for line in statements)
