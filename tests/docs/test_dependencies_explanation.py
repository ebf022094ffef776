"""`docs/explanation/dependencies.md` gives a reason for every dependency, and for nothing else."""

from __future__ import annotations

import ast
import re
from typing import Any

from tests.docs.pages import ROOT, codes, page, rows, section

TEXT = page("docs/explanation/dependencies.md")


def declared() -> dict[str, Any]:
    """What `setup.py` passes on, read without running it."""
    tree = ast.parse((ROOT / "setup.py").read_text("utf-8"))
    (call,) = (
        node for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "setup"
    )  # fmt: skip
    wanted = {"install_requires", "extras_require"}
    return {each.arg: ast.literal_eval(each.value) for each in call.keywords if each.arg in wanted}


def names(requirements: list[str]) -> set[str]:
    return {re.match(r"[\w.-]+", requirement)[0].lower() for requirement in requirements}  # type: ignore[index]


def explained(heading: str) -> dict[str, str]:
    return {codes(row[0])[0].lower(): row[1] for row in rows(section(TEXT, heading))}


def test_every_dependency_to_run_has_a_reason() -> None:
    assert set(explained("Needed to run")) == names(declared()["install_requires"])


def test_every_dependency_to_develop_has_a_reason() -> None:
    assert set(explained("Needed to develop")) == names(declared()["extras_require"]["dev"])


def test_every_dependency_of_the_benchmarks_has_a_reason() -> None:
    assert set(explained("Needed for the benchmarks")) == names(declared()["extras_require"]["bench"])


def test_there_are_no_other_extras() -> None:
    assert set(declared()["extras_require"]) == {"dev", "bench"}


def test_a_reason_is_more_than_a_word() -> None:
    for heading in ("Needed to run", "Needed to develop", "Needed for the benchmarks"):
        for name, reason in explained(heading).items():
            assert len(reason.split()) >= 4, f"{name}: {reason}"
