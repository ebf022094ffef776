"""Readers during reloads: nobody waits in vain, nobody sees two commits at once, nobody goes back in time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.readers import Crowd, Seen
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import DEFINITIONS, people
from tests.end_to_end.server_process import Serve, ServerProcess

READERS = 200
REVISIONS = 5
COUNT = 20
PATHS = (
    "/api/people?facet=revision&limit=1000&age__gt=-{turn}",
    "/api/people/p07",
    "/api/_search?q=person&limit=100",
    "/api",
    "/api/people?sort=-joined&limit=7&fields=revision,name",
    "/api/people?q=person&facet=revision&age__gt=-{turn}",
)


def everyone_at(revision: int) -> dict[str, str]:
    """All records changed at once, every other time with their sheet: a mixture shows two revisions."""
    path = ".gitsheets/people.toml"
    definition = f"# revision {revision // 2}\n{DEFINITIONS[path]}"
    return {path: definition} | people(COUNT, revision=revision, note=f"in revision {revision}")


def revisions_in(document: Any) -> Iterator[int]:
    data = document["data"]
    for item in data if isinstance(data, list) else [data]:
        if "record" in item:
            yield item["record"]["revision"]
    for each in document.get("facets", {}).get("revision", {"values": []})["values"]:
        yield each["value"]


def check_every_answer(seen: Iterable[Seen], revision_of: dict[str, int]) -> None:
    for answer in seen:
        assert answer.status == 200, answer
        revision = revision_of[answer.commit]
        assert answer.document.get("meta", {}).get("commit", answer.commit) == answer.commit
        assert set(revisions_in(answer.document)) <= {revision}, answer
        for each in answer.document.get("facets", {}).get("revision", {"values": []})["values"]:
            assert each["count"] == answer.document["meta"]["total"] == COUNT


def check_nobody_goes_back(seen: list[Seen], revision_of: dict[str, int]) -> None:
    revisions = [revision_of[answer.commit] for answer in seen]
    assert all(before <= after for before, after in pairwise(revisions)), revisions


async def reload_again_and_again(server: ServerProcess, remote: DataRemote, known: dict[str, int]) -> None:
    for revision in range(1, REVISIONS + 1):
        commit = await asyncio.to_thread(remote.commit, everyone_at(revision))
        known[commit] = revision
        await asyncio.to_thread(remote.author.push, remote.path)
        reply = await asyncio.to_thread(server.client.reload, {"commitHash": commit})
        assert (reply.status, reply.json["newCommit"]) == (200, commit), reply


@pytest.mark.gen_test(timeout=300)
async def test_readers_during_consecutive_reloads_see_whole_commits_that_never_go_backwards(
    serve: Serve, empty_remote: DataRemote, tmp_path: Path
) -> None:
    first = empty_remote.push(DEFINITIONS | everyone_at(0))
    server = serve(tmp_path, empty_remote.path)
    server.ready(first)
    known = {first: 0}

    reloading = asyncio.create_task(reload_again_and_again(server, empty_remote, known))
    crowd = Crowd(server.client.port, PATHS, READERS, reloading.done)
    await asyncio.gather(crowd.read(), reloading)
    for seen in crowd.seen:
        check_every_answer(seen, known)
        check_nobody_goes_back(seen, known)
    everything = [answer for seen in crowd.seen for answer in seen]
    assert len(everything) > READERS
    assert len({answer.commit for answer in everything}) > REVISIONS // 2
