"""The documentation as data: its pages, their code blocks, links, headings and tables."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
TOP_PAGES = ("README.md", "CHANGELOG.md", "SECURITY.md")

_FENCE = re.compile(r"^( *)(```+)([^\n`]*)\n(.*?)^\1\2 *$", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")
_HEADING = re.compile(r"^#{1,6} +(.*?) *$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced code block: its language, its text without indentation, and where it begins."""

    page: str
    line: int
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page}:{self.line}"


def pages() -> list[Path]:
    """Every page that people read, the ones at the top first."""
    return [ROOT / name for name in TOP_PAGES] + sorted(DOCS.rglob("*.md"))


def page(name: str) -> str:
    """The text of a page by its path below the project's root."""
    return (ROOT / name).read_text("utf-8")


def blocks(name: str) -> list[Block]:
    """The code blocks of a page in order."""
    text = page(name)
    return [
        Block(name, text.count("\n", 0, found.start()) + 1, found[3].strip(), _dedented(found[4], found[1]))
        for found in _FENCE.finditer(text)
    ]


def all_blocks(language: str) -> list[Block]:
    """The code blocks of one language on all pages."""
    names = [path.relative_to(ROOT).as_posix() for path in pages()]
    return [block for name in names for block in blocks(name) if block.language == language]


def prose(text: str) -> str:
    """A page without its code blocks."""
    return _FENCE.sub("", text)


def links(text: str) -> list[str]:
    """The targets of the links in a page's prose."""
    return _LINK.findall(prose(text))


def anchors(text: str) -> set[str]:
    """What `#...` may name on a page, as forges make it from headings."""
    return {_anchor(heading) for heading in _HEADING.findall(prose(text))}


def headings(text: str) -> list[str]:
    """The headings of a page, as written."""
    return _HEADING.findall(prose(text))


def rows(text: str) -> Iterator[list[str]]:
    """The cells of every table row of a page, headers and rulers left out."""
    lines = prose(text).splitlines()
    for number, line in enumerate(lines):
        is_row = line.startswith("|") and not re.match(r"^\|[-| :]+\|$", line)
        above_ruler = number + 1 < len(lines) and re.match(r"^\|[-| :]+\|$", lines[number + 1])
        if is_row and not above_ruler:
            yield [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def section(text: str, heading: str) -> str:
    """What stands under a heading, up to the next one of the same or a higher level."""
    found = re.search(rf"^(#+) +{re.escape(heading)} *\n", text, re.MULTILINE)
    assert found, f"no heading {heading!r}"
    rest = text[found.end() :]
    end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def codes(cell: str) -> list[str]:
    """What stands in backquotes."""
    return _CODE.findall(cell)


def _dedented(text: str, indentation: str) -> str:
    return re.sub(rf"^{indentation}", "", text, flags=re.MULTILINE) if indentation else text


def _anchor(heading: str) -> str:
    words = re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower())
    return words.replace(" ", "-")
