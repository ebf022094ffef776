"""git runs in a closed room: in time, with all its messages heard, and nothing is left when it has ended."""

from __future__ import annotations

import os
import signal
import threading
from pathlib import Path

import pytest

from reload.errors import RepositoryError
from reload.repository.command import Git, GitFailed, GitTimedOut
from reload.repository.coprocess import Coprocess
from tests.end_to_end.waiting import eventually
from tests.gitrepo import init_bare
from tests.reload.harness import alive

_TALKATIVE = 'while read -r line; do head -c 20000 /dev/zero >&2; echo "$line"; done'


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """An empty repository."""
    return init_bare(tmp_path / "bare.git")


def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str) -> None:
    """Put another program on PATH under git's name."""
    folder = tmp_path / "bin"
    folder.mkdir()
    script = folder / "git"
    script.write_text(f"#!/bin/sh\n{body}\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")


def helper(tmp_path: Path) -> int | None:
    """The id of the process that the stand-in started, once it has."""
    noted = tmp_path / "helper"
    text = noted.read_text() if noted.exists() else ""
    return int(text) if text else None


@pytest.mark.parametrize("obedient", [True, False])
def test_a_deadline_ends_git_and_everything_that_it_started(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, obedient: bool
) -> None:
    deaf = "" if obedient else "trap '' TERM; "
    child = f"({deaf}echo $(exec sh -c 'echo $PPID') >'{tmp_path}/helper'; sleep 60 & wait)"
    stand_in(tmp_path, monkeypatch, f"{child} & wait")
    git = Git(bare)
    while (pid := helper(tmp_path)) is None:  # again where a slow machine ended it before it started another
        with pytest.raises(GitTimedOut, match="took longer than 1 s"):
            git.run("fetch", deadline_s=1)
    eventually(lambda: not alive(pid), "the helper is gone")
    assert git.pids() == frozenset()


def test_a_stop_ends_what_runs_in_another_thread_and_starts_nothing_more(bare: Path) -> None:
    git = Git(bare)
    raised: list[Exception] = []

    def wait_for_ever() -> None:
        try:
            process = git.start("cat-file", "--batch")
            process.stdout.read()
            git.finish(process)
            git.run("version")
        except RepositoryError as error:
            raised.append(error)

    thread = threading.Thread(target=wait_for_ever)
    thread.start()
    eventually(git.pids, "git runs")
    git.stop()
    thread.join(30)
    assert "stopping" in str(raised[0])
    assert git.pids() == frozenset()
    git.stop()


def test_a_failure_has_git_s_own_words(bare: Path) -> None:
    with pytest.raises(GitFailed, match="fatal: Not a valid object name nothing") as caught:
        Git(bare).run("cat-file", "-t", "nothing")
    assert caught.value.status == 128


def test_the_room_is_closed(bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PROXY_COMMAND", "GIT_INDEX_FILE"):
        monkeypatch.setenv(name, "elsewhere")
    monkeypatch.setenv("GIT_ASKPASS", "/bin/false")
    stand_in(tmp_path, monkeypatch, "env")
    lines = Git(bare).run("version").decode().splitlines()
    variables = dict(line.split("=", 1) for line in lines if "=" in line)
    assert not {"GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_INDEX_FILE"} & variables.keys()
    assert "GIT_PROXY_COMMAND" not in variables
    assert variables["GIT_ASKPASS"] == ""
    assert variables["GIT_TERMINAL_PROMPT"] == "0"
    assert "BatchMode=yes" in variables["GIT_SSH_COMMAND"]


@pytest.mark.parametrize("url", ["ext::touch sprung", "-u touch", "--upload-pack=touch sprung", "fd::7"])
def test_an_address_never_names_a_program(bare: Path, tmp_path: Path, url: str) -> None:
    git = Git(bare)
    git.run("config", "remote.origin.url", url)
    with pytest.raises(GitFailed):
        git.run("fetch", "origin", deadline_s=10)
    assert not list(tmp_path.rglob("sprung"))


def test_a_stream_that_is_left_early_is_ended_and_not_waited_for(bare: Path) -> None:
    git = Git(bare)
    endless = (b"HEAD\n" for _ in iter(int, 1))
    with pytest.raises(GitFailed), git.stream("cat-file", "--batch", given=endless) as output:
        assert output.readline() == b"HEAD missing\n"
    assert git.pids() == frozenset()


def test_a_stream_of_a_git_that_fails_raises_with_its_words(bare: Path) -> None:
    git = Git(bare)
    with pytest.raises(GitFailed, match="Not a valid object name"):
        with git.stream("ls-tree", "nothing") as output:
            assert output.read() == b""


def test_a_reader_s_own_error_is_the_one_that_is_raised(bare: Path) -> None:
    git = Git(bare)

    def read() -> float:
        with git.stream("ls-tree", "nothing") as output:
            return 1 / len(output.read())

    with pytest.raises(ZeroDivisionError):
        read()
    assert git.pids() == frozenset()


# -- sessions -------------------------------------------------------------------------------------------


def test_a_session_starts_again_after_it_was_killed(bare: Path) -> None:
    git = Git(bare)
    session = Coprocess(git, ("cat-file", "--batch"))
    assert session.line(b"HEAD\n") == b"HEAD missing\n"
    (pid,) = git.pids()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), "it has died")
    assert session.line(b"HEAD\n") == b"HEAD missing\n"
    assert session.starts == 2
    session.close()
    assert git.pids() == frozenset()


def test_what_only_one_process_knows_is_never_asked_of_another(bare: Path) -> None:
    git = Git(bare)
    session = Coprocess(git, ("cat-file", "--batch"))
    with pytest.raises(RepositoryError, match="nothing was asked"):
        session.line(b"HEAD\n", go_on=True)
    session.line(b"HEAD\n")
    (pid,) = git.pids()
    os.kill(pid, signal.SIGKILL)
    eventually(lambda: not alive(pid), "it has died")
    with pytest.raises(RepositoryError, match="ended unexpectedly"):
        session.line(b"HEAD\n", go_on=True)
    assert session.status == -signal.SIGKILL
    assert git.pids() == frozenset()


def test_a_git_that_ends_without_an_answer_never_passes_for_one(bare: Path) -> None:
    git = Git(bare)
    session = Coprocess(git, ("cat-file", "--batch-nonsense"))
    with pytest.raises(RepositoryError, match="ended unexpectedly: error: unknown option"):
        session.line(b"HEAD\n")


def test_an_answer_that_does_not_come_is_not_waited_for_beyond_its_deadline(bare: Path) -> None:
    git = Git(bare)
    session = Coprocess(git, ("cat-file", "--batch"))
    with pytest.raises(RepositoryError, match=r"no answer within 0\.2 s"):
        session.line(b"HE", deadline_s=0.2)
    assert git.pids() == frozenset()


def test_messages_that_nobody_asked_for_never_block_a_session(
    bare: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An ambiguous name has git explain itself at length, every time."""
    stand_in(tmp_path, monkeypatch, _TALKATIVE)
    session = Coprocess(Git(bare), ("cat-file", "--batch"))
    for number in range(50):
        assert session.line(b"%d\n" % number) == b"%d\n" % number
    session.close()
