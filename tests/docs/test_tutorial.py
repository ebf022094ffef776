"""The tutorial works when it is typed in, block by block, and prints what it says it prints."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path

from tests.docs.pages import Block, blocks
from tests.docs.running import run_shell, settled
from tests.ports import free_port

NAME = "docs/tutorial.md"
BLOCKS = blocks(NAME)
COMMANDS = [block for block in BLOCKS if block.language == "sh"]
PRINTED = {before: after for before, after in pairwise(BLOCKS) if after.language in ("text", "json")}


def steady(text: str) -> str:
    """Text without what differs from one run to the next: object ids and durations."""
    return re.sub(r"\b[\d.]+ m?s\b", "~ s", re.sub(r"\b[0-9a-f]{12,40}\b", "~", text)).strip()


def assert_printed(command: Block, output: str) -> None:
    printed = PRINTED.get(command)
    if printed is None:
        return
    if printed.language == "json":
        real, shown = json.loads(steady(output)), json.loads(steady(printed.text))
        assert settled(real) == settled(shown), f"{command} printed {output}"
    else:
        assert steady(output) == steady(printed.text), f"{command} printed {output}"


def test_the_tutorial_can_be_typed_in(tmp_path: Path) -> None:
    mark = "#### end of block, status"
    script = "".join(f"{block.text}\necho '\n{mark}' $?\n" for block in COMMANDS)
    output = run_shell(script.replace("8080", port := str(free_port())), tmp_path, PORT=port)
    parts = re.split(rf"\n{mark} (\d+)\n", output)
    assert len(parts) == 2 * len(COMMANDS) + 1, output
    for command, text, status in zip(COMMANDS, parts[::2], parts[1::2], strict=False):
        refused = PRINTED.get(command) and "data-rejected" in PRINTED[command].text
        assert int(status) == (1 if refused else 0), f"{command} ended with {status}: {text}"
        assert_printed(command, text)
    assert '"event":"server.stopped"' in parts[-3]
    assert "<mark>" in output
