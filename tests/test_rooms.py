"""The rooms of the house: imports point one way between them, and no two files import each other."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each room may import from those before it.
ROOMS = {
    "reload": ("errors", "records", "repository", "snapshot", "build", "lane"),
    "server": (
        *("settings", "http", "auth", "api", "webhook", "operations", "pages"),
        *("application", "mount", "folder", "main", "demo", "commands", "cli", "livesheets"),
    ),
}
PACKAGES = tuple(ROOMS)


def modules() -> dict[str, Path]:
    """Every module of the product by its dotted name."""
    found = {}
    for package in PACKAGES:
        for file in (ROOT / package).rglob("*.py"):
            parts = file.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = file
    return found


MODULES = modules()


def imports(file: Path) -> Iterator[str]:
    """The modules of the product that a file imports, wherever in the file that is."""
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name in MODULES)
        elif isinstance(node, ast.ImportFrom) and node.module in MODULES:
            inner = {f"{node.module}.{alias.name}" for alias in node.names}
            yield from inner & MODULES.keys() or {node.module}


IMPORTS = {name: set(imports(file)) for name, file in MODULES.items()}


def room(module: str) -> str:
    return ".".join(module.split(".")[:2])


@pytest.mark.parametrize("package", PACKAGES)
def test_every_room_is_in_the_plan(package: str) -> None:
    found = {room(name) for name in MODULES if name.startswith(f"{package}.")}
    assert found - {"server.__main__"} == {f"{package}.{name}" for name in ROOMS[package]}


def test_imports_between_rooms_point_one_way() -> None:
    order = [f"{package}.{name}" for package in PACKAGES for name in ROOMS[package]]
    floor = {name: number for number, name in enumerate(order)}
    backwards = [
        f"{name} imports {needed}"
        for name, needs in IMPORTS.items()
        for needed in needs
        if room(name) in floor and floor.get(room(needed), -1) > floor[room(name)]
    ]
    assert backwards == []


def test_no_files_import_in_a_circle() -> None:
    left = {name: set(needs) for name, needs in IMPORTS.items()}
    while free := [name for name, needs in left.items() if not needs & left.keys()]:
        for name in free:
            del left[name]
    assert sorted(left) == []


def test_every_room_says_what_it_is_for() -> None:
    folders = {file.parent for file in MODULES.values()}
    silent = [folder for folder in folders if not ast.get_docstring(_tree(folder / "__init__.py"))]
    assert silent == []


def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text("utf-8"))
