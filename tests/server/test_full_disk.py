"""A server on a full disk answers reads, says why nothing new comes, and heals as soon as there is room."""

from __future__ import annotations

import os
from pathlib import Path

from tests.server.live_server import live_server
from tests.small_disk import small_disk

DISK_BYTES = 16 << 20


def free(folder: str) -> str:
    """The metric of the room below a folder."""
    return f'livesheets_disk_free_bytes{{folder="{folder}"}}'


def test_a_full_disk_is_told_by_the_webhook_and_the_metrics_while_reads_go_on(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data.git.state", DISK_BYTES) as ballast, live_server(tmp_path) as server:
        assert 0 < server.metric(free("state")) <= DISK_BYTES
        assert server.metric(free("data")) > 0
        old = server.served
        ballast.leave(0)
        assert server.metric(free("state")) == 0
        new = server.push(**{f"p{number}": os.urandom(5_000).hex() for number in range(50)})
        reply = server.call()
        assert reply.status == 500
        assert (reply.document["code"], reply.document["reason"]) == ("build-failed", "disk-full")
        assert "free some space" in reply.document["detail"]
        read = server.ask("GET", "/api/people/ada")
        assert (read.status, server.served) == (200, old)
        ballast.drop()
        assert server.call().document["newCommit"] == new
