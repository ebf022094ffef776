"""The state file is an ordinary database, and a cache: others may read it, and it may go at any time."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.restored import RestoredServer
from tests.end_to_end.sample import PEOPLE, person
from tests.end_to_end.served_commit import serves_whole
from tests.end_to_end.server_process import ServerProcess

READS = (
    "/api",
    "/api/people?limit=1000&sort=-age&facet=tags",
    "/api/people?q=porto&limit=1000",
    "/api/posts/food",
    "/api/notes",
    "/api/_search?q=food",
)


def current(server: ServerProcess) -> Path:
    return server.state_path / "current.sqlite3"


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.skipif(shutil.which("sqlite3") is None, reason="the program sqlite3 is not installed")
def test_sqlite3_opens_and_searches_it_while_the_server_runs(restored: RestoredServer) -> None:
    server, remote = restored.server, restored.remote
    path = str(current(server))
    assert run("sqlite3", "-readonly", path, "PRAGMA integrity_check").strip() == "ok"
    assert run("sqlite3", "-readonly", path, "SELECT count(*) FROM people").strip() == str(PEOPLE)
    question = (
        "SELECT json_extract(record, '$.title') FROM posts JOIN posts_fts ON posts_fts.rowid = posts.id"
        " WHERE posts_fts MATCH 'garden'"
    )
    assert run("sqlite3", "-readonly", path, question) == "Food from the garden\n"
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    server.client.reload()
    told = run("sqlite3", "-readonly", path, "SELECT value FROM livesheets_state WHERE key = 'commit'")
    assert told.strip() == new
    found = run(
        "sqlite3", "-readonly", path, "SELECT count(*) FROM people_fts WHERE people_fts MATCH 'renamed'"
    )
    assert found.strip() == "1"


def test_datasette_opens_and_searches_it_while_the_server_runs(restored: RestoredServer) -> None:
    server = restored.server
    path = str(current(server))
    url = "/current/people.json?_search=porto&_shape=array&_size=max"
    rows = json.loads(run(sys.executable, "-m", "datasette", "serve", path, "--get", url))
    expected = server.client.get("/api/people?q=porto&limit=1000").data
    assert {row["path"] for row in rows} == {item["path"] for item in expected}
    assert json.loads(rows[0]["record"])["home"]["city"] == "Porto"
    server.client.reload()
    assert server.client.get("/api").status == 200


def test_somebody_who_reads_it_for_long_does_not_hold_up_a_reload(restored: RestoredServer) -> None:
    server, remote = restored.server, restored.remote
    with closing(
        sqlite3.connect(f"file:{current(server)}?mode=ro", uri=True, isolation_level=None)
    ) as reader:
        reader.execute("BEGIN")
        question = "SELECT value FROM livesheets_state WHERE key = 'commit'"
        (old,) = reader.execute(question).fetchone()
        for number in range(3):
            new = remote.push({"people/p01.toml": person(1, name=f"Renamed {number}")})
            assert server.client.reload().json["newCommit"] == new
        assert reader.execute(question).fetchone() == (old,)
        reader.execute("COMMIT")
        assert reader.execute(question).fetchone() == (new,)


def test_answers_are_the_same_cold_and_warm(server: ServerProcess, remote: DataRemote) -> None:
    for number in range(3):
        new = remote.push({f"people/p0{number}.toml": person(number, name="Renamed"), "posts/food.md": None})
        server.client.reload()
        remote.push(
            {"posts/food.md": f"+++\ntitle = 'Food {number}'\n+++\n", f"people/p1{number}.toml": None}
        )
        new = server.client.reload().json["newCommit"]
    grown = answers(server)
    server.stop()
    server.start()
    server.ready(new)
    assert answers(server) == grown
    server.stop()
    shutil.rmtree(server.state_path)
    server.start()
    server.ready(new)
    assert answers(server) == grown
    serves_whole(server.client, remote.path, new)


def answers(server: ServerProcess) -> dict[str, tuple[str | None, bytes]]:
    replies = {path: server.client.get(path) for path in READS}
    return {path: (reply.headers["ETag"], reply.body) for path, reply in replies.items()}


DAMAGE = (b"not a database" * 100, b"SQLite format 3\0" + bytes(4_080))


def test_a_damaged_state_file_or_one_of_the_future_is_built_again(
    server: ServerProcess, remote: DataRemote
) -> None:
    before = answers(server)
    for damage in (*DAMAGE, None):
        server.stop()
        file = current(server).resolve()
        if damage is None:
            with closing(sqlite3.connect(file)) as database:
                database.execute("PRAGMA user_version = 999")
        else:
            for suffix in ("-wal", "-shm"):
                file.with_name(file.name + suffix).unlink(missing_ok=True)
            file.write_bytes(damage)
        server.start()
        server.ready(remote.head)
        assert answers(server) == before


@pytest.mark.parametrize("keep", [0, 4_096])
def test_a_state_file_that_rots_under_the_server_is_built_again_by_itself(
    server: ServerProcess, remote: DataRemote, keep: int
) -> None:
    before, rotten = answers(server), current(server).resolve()
    server.stop()
    server.start()  # with nothing in memory
    server.ready(remote.head)
    with open(rotten, "r+b") as file:
        file.seek(keep)
        file.write(b"\xff" * (rotten.stat().st_size - keep))
    reply = server.client.get("/api/_search?q=porto")
    reply.problem(503, "state-damaged")
    assert reply.headers["Retry-After"]
    server.log.wait_for("reload.unchanged", trigger="repair", outcome="in-sync")
    serves_whole(server.client, remote.path, remote.head)
    assert current(server).resolve() != rotten
    assert answers(server) == before
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    assert server.client.reload().json["newCommit"] == new
    serves_whole(server.client, remote.path, new)


def test_the_state_folder_may_go_while_the_server_runs(server: ServerProcess, remote: DataRemote) -> None:
    before = answers(server)
    shutil.rmtree(server.state_path)
    assert answers(server) == before
    new = remote.push({"people/p01.toml": person(1, name="Renamed")})
    assert server.client.reload().json["newCommit"] == new
    serves_whole(server.client, remote.path, new)
    server.stop()
    server.start()
    server.ready(new)
    serves_whole(server.client, remote.path, new)
