"""Checks that a server serves one commit in full: each record as the oracle reads it, listed and found."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tests.end_to_end.client import Client
from tests.oracle import matches, oracle


def serves_whole(client: Client, git_dir: Path, commit: str) -> None:
    """Assert that everything the server says is what the repository at `git_dir` holds at `commit`."""
    expected = oracle(git_dir, commit)
    sheets = client.get("/api")
    assert sheets.commit == commit
    assert {each["sheet"]: each["records"] for each in sheets.data} == {
        name: len(records) for name, records in expected.items()
    }
    for name, records in expected.items():
        items = every_item(client, f"/api/{name}?limit=1000", commit)
        served = {item["path"]: item["record"] for item in items}
        assert len(served) == len(items), "a record is listed twice"
        assert served.keys() == records.keys()
        wrong = [path for path, record in records.items() if not matches(served[path], record)]
        assert not wrong, f"{name} at {commit}: {wrong[:5]}"
        found = every_item(client, f"/api/_search?q=person&sheet={name}&limit=1000", commit)
        assert {item["path"] for item in found} == {p for p, record in records.items() if _has_person(record)}


def every_item(client: Client, url: str, commit: str) -> list[Any]:
    """The items of all pages of a list, which must come from one commit."""
    items: list[Any] = []
    cursor = None
    while True:
        reply = client.get(url if cursor is None else f"{url}&cursor={cursor}")
        assert (reply.status, reply.commit) == (200, commit), reply
        items += reply.data
        cursor = reply.json["meta"]["nextCursor"]
        if cursor is None:
            assert len(items) == reply.json["meta"]["total"]
            return items


def _has_person(record: object) -> bool:
    """Whether a record of these tests is found by the word `person`."""
    return "person" in str(record).casefold()
