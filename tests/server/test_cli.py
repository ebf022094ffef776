"""The commands that ask a running server: readable for people, exact for programs, safe for terminals."""

from __future__ import annotations

import io
import json
import socket
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from server.commands.client import Client, Unreachable
from server.commands.display import outcome_view, problem_view, status_view
from tests.end_to_end.server_process import run_command
from tests.server.documents import NOW, REFUSED, SERVED, not_ready, refused, reload, stale, status
from tests.server.live_server import LiveServer, live_server
from tests.server.payloads import SECRET
from tests.server.terminal import Terminal

FAILED, USAGE = 1, 2
HOSTILE = "[red]x[/red] :smile: \x1b[2J\u202e\nnew line"


def shown(view: Any) -> str:
    console = Console(file=io.StringIO(), width=120, markup=False, emoji=False, highlight=False)
    console.print(view)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LiveServer]:
    with live_server(tmp_path_factory.mktemp("cli")) as running:
        yield running


@pytest.fixture
def broken(server: LiveServer) -> Iterator[str]:
    """The newest commit cannot be served; its id."""
    server.work.write({"people/eve.toml": "name = = 1\n"})
    commit = server.work.commit()
    server.work.push(server.remote)
    assert server.call().status == 500
    yield commit
    server.push(eve=None)
    assert server.call().status == 200


def livesheets(server: LiveServer, *arguments: str) -> subprocess.CompletedProcess[str]:
    url = f"http://127.0.0.1:{server.port}"
    return run_command(*arguments, "--url", url, CFP_DATA_RELOAD_SECRET=SECRET)


# -- status ------------------------------------------------------------------------------------------


def test_status_says_how_things_stand_and_what_to_do() -> None:
    words = shown(status_view(refused("data-rejected", ("people/eve.toml", 3, "no value")), NOW))
    for part in (
        "The newest commit is refused",
        "Next step: Fix the files and push.",
        f"refused {REFUSED}: data-rejected, since 11 minutes ago",
        "people/eve.toml:3:1: no value",
        SERVED,
        "3 days ago",
        "2024-05-03 12:00:00 UTC",
        "in 48 seconds",
        "1,234",
        "\N{MULTIPLICATION SIGN} data-rejected",
    ):
        assert part in words


@pytest.mark.parametrize("document", [not_ready(), not_ready("fetch-failed"), stale(), status()])
def test_status_can_show_every_state(document: dict[str, Any]) -> None:
    assert shown(status_view(document, NOW)).startswith("● ")


def test_long_lists_are_cut() -> None:
    problems = [(f"people/p{number}.toml", 1, "no value") for number in range(100)]
    listed = [
        {"path": path, "message": words, "sheet": "people", "since": None} for path, _, words in problems
    ]
    document = refused("data-rejected", *problems) | {"quarantined": listed}
    words = shown(status_view(document, NOW))
    assert words.count("and 80 more") == 2
    assert len(words.splitlines()) < 80


def test_texts_from_elsewhere_are_neither_markup_nor_commands_to_a_terminal() -> None:
    document = refused("data-rejected", (HOSTILE, 1, HOSTILE))
    document["branch"] = document["remote"]["lastError"] = HOSTILE
    document["served"]["records"] = {HOSTILE: 1}
    document["quarantined"] = [{"path": HOSTILE, "message": HOSTILE, "sheet": HOSTILE, "since": None}]
    document["history"] = [reload(HOSTILE, trigger=HOSTILE)]
    done = {
        "outcome": HOSTILE,
        "noChanges": False,
        "newCommit": SERVED,
        "durationMs": 1,
        "changes": {HOSTILE: {}},
    }
    problem = {"code": HOSTILE, "detail": HOSTILE, "oldCommit": HOSTILE}
    for view in (status_view(document, NOW), outcome_view(done), problem_view(500, problem)):
        words = shown(view)
        assert "[red]x[/red] :smile: " in words
        assert "\x1b" not in words
        assert "\u202e" not in words
        assert "\nnew line" not in words


def test_status_exits_by_freshness(server: LiveServer, broken: str) -> None:
    done = livesheets(server, "status")
    assert done.returncode == FAILED
    assert broken in done.stdout
    assert "people/eve.toml:1:8: " in done.stdout
    assert json.loads(livesheets(server, "status", "--json").stdout)["rejected"]["commit"] == broken


def test_status_of_fresh_data_succeeds_and_fits_a_pipe(server: LiveServer) -> None:
    done = livesheets(server, "status")
    assert (done.returncode, done.stderr) == (0, "")
    assert "The data is current" in done.stdout
    assert server.served in done.stdout
    assert "\x1b" not in done.stdout


def test_watching_is_for_people(server: LiveServer) -> None:
    assert livesheets(server, "status", "--watch", "--json").returncode == USAGE


def test_watching_follows_what_happens_until_interrupted(server: LiveServer) -> None:
    terminal = Terminal("status", "--watch", "--every", "0.2", "--url", f"http://127.0.0.1:{server.port}")
    try:
        terminal.until("The data is current")
        server.work.write({"people/eve.toml": "name = = 1\n"})
        commit = server.work.commit()
        server.work.push(server.remote)
        server.call()
        terminal.until("The newest commit is refused")
        server.push(eve=None)
        server.call()
        terminal.until(server.served)
    finally:
        status_now = terminal.end()
    assert status_now == 0
    assert commit in terminal.text
    assert "Traceback" not in terminal.text
    after_the_screen = terminal.text.rpartition("\x1b[?1049l")[2]
    assert "The data is current" in after_the_screen


def test_watching_outlasts_a_server_that_is_away(tmp_path: Path) -> None:
    with live_server(tmp_path) as short_lived:
        url = f"http://127.0.0.1:{short_lived.port}"
        terminal = Terminal("status", "--watch", "--every", "0.2", "--url", url)
        try:
            terminal.until("The data is current")
        except AssertionError:
            terminal.end()
            raise
    try:
        terminal.until("does not answer")
    finally:
        assert terminal.end() == FAILED


# -- reload ------------------------------------------------------------------------------------------


def test_reload_tells_the_outcome_the_changes_and_the_phases(server: LiveServer) -> None:
    commit = server.push(joe="Joe")
    done = livesheets(server, "reload", "--commit", commit)
    assert (done.returncode, done.stderr) == (0, "")
    first, changes, phases = done.stdout.splitlines()
    assert first.startswith(f"fast-forwarded: now served, commit {commit}, ")
    assert changes == "  people: 1 added, 0 modified, 0 removed"
    assert "fetch " in phases
    assert "swap " in phases
    again = livesheets(server, "reload", "--commit", commit)
    assert again.stdout.startswith(f"in-sync: nothing to do, commit {commit}, ")


def test_reload_tells_what_is_wrong_and_what_to_do(server: LiveServer, broken: str) -> None:
    done = livesheets(server, "reload")
    assert (done.returncode, done.stdout) == (FAILED, "")
    for part in (
        "data-rejected: ",
        "  people/eve.toml:1:8: ",
        "  still served: ",
        "  next step: Fix the files",
    ):
        assert part in done.stderr
    assert "\x1b" not in done.stderr


def test_reload_shows_on_a_terminal_that_it_works(server: LiveServer) -> None:
    terminal = Terminal("reload", "--url", f"http://127.0.0.1:{server.port}")
    terminal.until("in-sync: nothing to do")
    assert terminal.process.wait(60) == 0
    assert "reloading" in terminal.text
    terminal.end()


# -- the secret --------------------------------------------------------------------------------------


class Trap(BaseHTTPRequestHandler):
    """Sends every caller elsewhere, and notes who comes."""

    def do_GET(self) -> None:
        self.server.seen.append((self.path, self.headers["Authorization"]))  # type: ignore[attr-defined]
        self.send_response(302)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *_: object) -> None:
        pass


def test_the_secret_is_not_carried_where_an_answer_points() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Trap) as trap:
        trap.seen = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=trap.serve_forever, args=(0.01,))
        thread.start()
        client = Client(f"http://127.0.0.1:{trap.server_port}", SECRET.encode())
        assert client.status().status == 302
        assert client.reload({}).status == 302
        trap.shutdown()
        thread.join()
    assert [path for path, _ in trap.seen] == [  # type: ignore[attr-defined]
        "/api/_internal/status",
        "/api/_internal/reload-data",
    ]


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://127.0.0.1/", "127.0.0.1:8080", ""])
def test_only_web_addresses_are_asked(url: str) -> None:
    with pytest.raises(Unreachable, match="no web address"):
        Client(url, None)


def test_an_answer_that_is_no_http_is_told_plainly() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(65_536)
                connection.sendall(b"SSH-2.0-OpenSSH_9.2\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        with pytest.raises(Unreachable, match="does not answer"):
            Client(f"http://127.0.0.1:{listener.getsockname()[1]}", None).status()
        thread.join()


@pytest.mark.parametrize("wrong", [("--port", "-5"), ("--port", "-1"), ("--host", "a..b")])
def test_an_address_to_listen_on_that_is_none_is_a_mistake_of_the_command_line(
    wrong: tuple[str, str], tmp_path: Path
) -> None:
    done = run_command("serve", *wrong, CFP_DATA_REPO_PATH=str(tmp_path / "data.git"))
    assert (done.returncode, done.stdout) == (USAGE, "")
    assert wrong[0] in done.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["CFP_DATA_REPO_PATH", "CFP_DATA_STATE_PATH"])
def test_a_path_where_no_folder_can_be_keeps_a_server_from_starting(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    paths = {"CFP_DATA_REPO_PATH": str(tmp_path / "data.git"), name: str(tmp_path / "file")}
    done = run_command("serve", "--port", "0", **paths)
    assert (done.returncode, done.stdout) == (78, "")
    assert f"configuration: {name} is " in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_no_summary_of_a_command_is_cut_off() -> None:
    told = run_command("--help").stdout.partition("Commands:")[2]
    assert "..." not in told
    assert "Find what the server would refuse." in told


def test_a_narrow_terminal_shows_every_word_of_the_status() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=60, highlight=False)
    console.print(status_view(refused("data-rejected", ("people/eve.toml", 3, "a long word " * 20)), NOW))
    lines = stream.getvalue().splitlines()
    assert max(map(len, lines)) <= 60
    words = " ".join(stream.getvalue().split())
    assert "Readers stay on the commit that was served before." in words
    assert words.count("a long word") == 20
