"""Where a server runs changes nothing of what it says: hash seeds, time zones and locales of any kind."""

from __future__ import annotations

from pathlib import Path

from tests.end_to_end.client import Client
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve

URLS = (
    "/api",
    "/api/people?limit=1000",
    "/api/people?sort=-active,joined&limit=7&facet=tags&facet=home.city&facet=joined",
    "/api/people?seenAt__gt=2024-05-06T07:08:30Z&joined__lt=2024-06-01",
    "/api/people?q=person",
    "/api/people/p07",
    "/api/events/2024/harvest",
    "/api/notes?q=naive",
    "/api/_search?q=food+garden",
    "/api/_attachments/posts/food/visitors.csv",
)
SOMEWHERE = {"PYTHONHASHSEED": "1", "TZ": "UTC", "LC_ALL": "C", "LANG": None}
ELSEWHERE = {"PYTHONHASHSEED": "4242", "TZ": "Pacific/Kiritimati", "LC_ALL": "C.UTF-8", "LANG": "tr_TR.UTF-8"}
AGAIN = {"PYTHONHASHSEED": "7", "TZ": "<-1130>11:30", "LC_ALL": "POSIX", "PYTHONUTF8": "0"}


def answers(client: Client) -> dict[str, tuple[str, bytes]]:
    """The tag and the body of every answer."""
    found = {url: client.get(url) for url in URLS}
    assert {reply.status for reply in found.values()} == {200}
    return {url: (reply.headers["ETag"], reply.body) for url, reply in found.items()}


def test_seeds_zones_and_locales_change_no_answer_and_no_tag(
    serve: Serve, remote: DataRemote, tmp_path: Path
) -> None:
    one = serve(tmp_path / "one", remote.path, **SOMEWHERE)
    other = serve(tmp_path / "other", remote.path, **ELSEWHERE)
    for server in (one, other):
        server.ready(remote.head)
    expected = answers(one.client)
    assert answers(other.client) == expected
    other.stop()
    other.settings |= AGAIN
    other.start()
    other.ready(remote.head)
    assert answers(other.client) == expected, "warm, from the state file of another surrounding"
