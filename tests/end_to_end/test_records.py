"""Sheets, records and items as the contract shows them."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import datetime

import pytest

from tests.end_to_end.client import Reply
from tests.end_to_end.sample import PEOPLE, SAMPLE, person
from tests.end_to_end.served_commit import serves_whole
from tests.end_to_end.server_process import ServerProcess
from tests.gitrepo import run_git

Read = Callable[..., Reply]


def test_every_record_is_what_gitsheets_reads(shared: ServerProcess) -> None:
    commit = shared.client.get("/api").commit
    assert commit is not None
    serves_whole(shared.client, shared.repo_path, commit)


def test_the_sheets_are_listed_with_their_size_and_address(shared: ServerProcess) -> None:
    reply = shared.client.get("/api")
    assert reply.headers["Content-Type"] == "application/json; charset=utf-8"
    assert reply.json["data"] == [
        {
            "sheet": "events",
            "format": "toml",
            "path": "${{ year }}/${{ slug }}",
            "records": 2,
            "url": "/api/events",
        },
        {"sheet": "notes", "format": "toml", "path": "${{ path/** }}", "records": 2, "url": "/api/notes"},
        {"sheet": "people", "format": "toml", "path": "${{ slug }}", "records": 60, "url": "/api/people"},
        {"sheet": "posts", "format": "markdown", "path": "${{ slug }}", "records": 2, "url": "/api/posts"},
    ]
    meta = reply.json["meta"]
    assert meta.keys() == {"branch", "commit", "committedAt"}
    assert (meta["branch"], meta["commit"]) == ("main", reply.commit)
    shown = run_git(shared.repo_path, "show", "-s", "--format=%ct", meta["commit"])
    assert meta["committedAt"].endswith("Z")
    assert datetime.fromisoformat(meta["committedAt"]).timestamp() == int(shown)


def test_a_list_has_items_meta_and_facets(read: Read) -> None:
    reply = read("/api/people?limit=2")
    document = reply.json
    assert document.keys() == {"data", "meta", "facets"}
    cursor = document["meta"].pop("nextCursor")
    assert isinstance(cursor, str)
    assert document["meta"] == {"commit": reply.commit, "total": PEOPLE, "limit": 2}
    assert document["facets"] == {}
    assert [item["path"] for item in reply.data] == ["p00", "p01"]
    for item in reply.data:
        assert item.keys() == {"path", "blob", "record"}


def test_a_record_is_an_item_with_its_attachments(shared: ServerProcess) -> None:
    reply = shared.client.get("/api/posts/food")
    blob = run_git(shared.repo_path, "rev-parse", f"{reply.commit}:posts/food.md").decode().strip()
    assert reply.json == {
        "data": {
            "path": "food",
            "blob": blob,
            "record": {
                "title": "Mapping food access",
                "body": "Walking <b>every</b> block & counting shops.",
            },
            "attachments": [
                {"name": "map.png", "size": 1024, "url": "/api/_attachments/posts/food/map.png"},
                {"name": "page.html", "size": 26, "url": "/api/_attachments/posts/food/page.html"},
                {"name": "visitors.csv", "size": 25, "url": "/api/_attachments/posts/food/visitors.csv"},
            ],
        }
    }


def test_a_record_without_attachments_says_so(read: Read) -> None:
    assert read("/api/people/p07").data["attachments"] == []


def test_dates_keep_their_kind(read: Read) -> None:
    expected = tomllib.loads(person(7))
    record = read("/api/people/p07").data["record"]
    assert record["joined"] == expected["joined"].isoformat() == "2024-08-08"
    assert record["seenAt"] == "2024-05-06T07:08:07Z"
    assert read("/api/events/2023/opening").data["record"]["at"] == "09:30:00"
    assert read("/api/events/2024/harvest").data["record"]["at"] == "2024-09-20T18:00:00+02:00"


def test_records_lie_as_deep_as_their_template_says(read: Read) -> None:
    assert [item["path"] for item in read("/api/events").data] == ["2023/opening", "2024/harvest"]
    assert {item["path"] for item in read("/api/notes").data} == {"start", "deep/er/one"}
    assert read("/api/notes/deep/er/one").data["record"] == {"text": "Naïve café notes"}


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/api/nothing", "sheet-not-found"),
        ("/api/nothing/p07", "sheet-not-found"),
        ("/api/People", "sheet-not-found"),
        ("/api/people/nobody", "record-not-found"),
        ("/api/people/P07", "record-not-found"),
        ("/api/people/p07.toml", "record-not-found"),
        ("/api/people/p07/", "record-not-found"),
        ("/api/people//p07", "record-not-found"),
        ("/api/people/p07.", "record-not-found"),
        ("/api/people/..%2fpeople%2fp07", "record-not-found"),
        ("/api/people/..%2f..%2fetc%2fpasswd", "record-not-found"),
        ("/api/people/p07%00", "record-not-found"),
        ("/api/people/%c0%ae%c0%ae", "not-found"),
        ("/api/people/%ff", "not-found"),
        (f"/api/people/{'x' * 8_000}", "record-not-found"),
        ("/api/.gitsheets", "sheet-not-found"),
        ("/api/people/' OR 1=1 --".replace(" ", "%20"), "record-not-found"),
        ("/api/_unknown", "not-found"),
        ("/api/_internal/unknown", "not-found"),
        ("/nowhere", "not-found"),
        ("/api/events/2024", "record-not-found"),
    ],
)
def test_what_is_not_there_is_told_as_a_problem(read: Read, path: str, code: str) -> None:
    reply = read(path)
    reply.problem(404, code)
    assert reply.headers["ETag"] is None


def test_a_missing_record_still_says_of_which_commit(shared: ServerProcess) -> None:
    commit = shared.client.get("/api").commit
    assert shared.client.get("/api/people/nobody").commit == commit


def test_files_that_are_no_records_are_not_served(read: Read) -> None:
    assert "README.md" in SAMPLE
    for path in ("/api/README", "/api/README.md", "/api/.gitsheets/people", "/README.md", "/.git/config"):
        assert read(path).status == 404
