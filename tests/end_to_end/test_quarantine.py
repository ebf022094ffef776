"""A record in quarantine is told apart wherever it is shown: since when, by which commit, and why."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve

FILES = {
    ".gitsheets/people.toml": "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n",
    "people/jane.toml": 'name = "Jane"\n',
    "people/john.toml": 'name = "John"\n',
}


def test_a_record_in_an_older_version_is_marked_until_it_is_mended(serve: Serve, tmp_path: Path) -> None:
    remote = DataRemote(tmp_path / "host", FILES)
    server = serve(tmp_path / "server", remote.path, CFP_DATA_INVALID="quarantine")
    server.ready(remote.head)
    get = server.client.get
    whole = get("/api/people/jane")
    assert "stale" not in whole.json["data"]
    assert "quarantined" not in get("/api/people").json["meta"]

    broke = remote.push({"people/jane.toml": "name = \n", "people/new.toml": "= 1\n"})
    assert server.client.reload().status == 200
    shown = get("/api/people/jane").json["data"]
    stale = shown.pop("stale")
    assert shown == whole.json["data"]
    assert stale["commit"] == broke
    assert stale["since"].endswith("Z")
    assert stale["message"]
    listed = get("/api/people?fields=name").json
    assert [item.get("stale") for item in listed["data"]] == [stale, None]
    assert listed["meta"]["quarantined"] == 2
    hits = get("/api/_search?q=jane").json
    assert [hit["stale"] for hit in hits["data"]] == [stale]

    remote.push({"people/jane.toml": 'name = "Jane Doe"\n', "people/new.toml": None})
    assert server.client.reload().status == 200
    assert "stale" not in get("/api/people/jane").json["data"]
    assert "quarantined" not in get("/api/people").json["meta"]
