"""What a fetch brings is checked: malformed objects and endless packs change nothing; old habits pass."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from reload.errors import FetchFailed
from reload.lane.outcome import Outcome
from reload.repository.command import Git, GitFailed
from reload.repository.environment import Bounds
from reload.repository.fetch_failure import fetch_failure
from tests.end_to_end.waiting import eventually
from tests.gitrepo import run_git
from tests.reload.harness import Engine, Place, alive
from tests.reload.hosts import EndlessHost, Fault, GitHost

CAP_BYTES = 1 << 20


def told(outcome: Outcome) -> tuple[str, str]:
    """Why a fetch failed, and in which words."""
    assert isinstance(outcome.error, FetchFailed)
    return outcome.error.reason, str(outcome.error)


def stored(repository: Path, kind: str, data: bytes) -> str:
    """Store an object as it is, however malformed; its id."""
    options = ("-w", "--literally", "-t", kind, "--stdin")
    return run_git(repository, "hash-object", *options, stdin=data).decode().strip()


def with_root(place: Place, *more: tuple[str, str, str]) -> str:
    """A tree in the remote: what its branch has, and then more entries in the order given; its id."""
    listing = run_git(place.remote.path, "ls-tree", "main").decode().splitlines()
    entries = [(mode, oid, name) for (mode, _, oid), name in (_parsed(line) for line in listing)]
    data = b"".join(_entry(mode, oid, name) for mode, oid, name in (*entries, *more))
    return stored(place.remote.path, "tree", data)


def _parsed(line: str) -> tuple[list[str], str]:
    fields, _, name = line.partition("\t")
    return fields.split(), name


def _entry(mode: str, oid: str, name: str) -> bytes:
    return f"{mode.lstrip('0') if len(mode) == 6 else mode} {name}".encode() + b"\0" + bytes.fromhex(oid)


def head_at(
    place: Place, tree: str, author: str = "A <a@b> 1 +0000", more: bytes = b"", end: str = ""
) -> str:
    """Move the remote's branch to a new commit of that tree, written as it is; the commit."""
    head = f"tree {tree}\nparent {place.remote.head}\nauthor {author}\ncommitter {author}\n"
    commit = stored(place.remote.path, "commit", head.encode() + more + b"\nx" + end.encode() + b"\n")
    place.remote.point_at(commit)
    return commit


def malformed(place: Place) -> dict[str, str]:
    """Objects that no honest git makes, by the fault that git finds: the tree of a commit."""
    blob = stored(place.remote.path, "blob", b"x")
    entries = {
        "treeNotSorted": [("100644", blob, "zz"), ("100644", blob, "za")],
        "duplicateEntries": [("100644", blob, "zz"), ("100644", blob, "zz")],
        "hasDotgit": [("100644", blob, "z"), ("40000", with_root(place), "z.git")],
        "hasDotdot": [],
        "fullPathname": [("100644", blob, "z/a")],
    }
    trees = {fault: with_root(place, *more) for fault, more in entries.items()}
    for fault, name in (("hasDotgit", ".git"), ("hasDotdot", ".."), ("gitmodulesSymlink", ".gitmodules")):
        mode = "120000" if "Symlink" in fault else "100644"
        trees[fault] = stored(place.remote.path, "tree", _entry(mode, blob, name))
    return trees


@pytest.mark.gen_test
async def test_a_malformed_object_is_refused_by_name_and_the_next_good_commit_is_served(place: Place) -> None:
    good = place.remote.head
    async with Engine(place) as engine:
        for fault, tree in malformed(place).items():
            head_at(place, tree)
            reason, words = told(await engine.refuses("fetch-failed"))
            assert reason == "object-refused", words
            assert f"object {tree}: {fault}" in words
            place.remote.point_at(good)
        head_at(place, with_root(place), more=b"odd \0\n")
        assert told(await engine.refuses("fetch-failed"))[0] == "object-refused"
        place.remote.point_at(good)
        assert engine.noted("repository.replaced") == []
        await engine.forwards(place.remote.push({"notes/a.toml": ""}))


@pytest.mark.gen_test
async def test_what_old_histories_have_is_no_fault(place: Place) -> None:
    tree = with_root(place)
    padded = with_root(place, ("040000", tree, "zz"))
    async with Engine(place) as engine:
        for author in (
            "A <a@b> 1700000000 +051800",
            "A<a@b> 1700000000 +0000",
            "A <a@b>1700000000 +0000",
            "A 1700000000 +0000",
            "<a@b> 1700000000 +0000",
            "A <a<b> 1700000000 +0000",
            "A <a@b> 01700000000 +0000",
            f"A <a@b> {1 << 70} +0000",
            "A <a@b> 1 +0000\nauthor B <b@c> 2 +0000",
        ):
            await engine.forwards(head_at(place, tree, author))
        await engine.forwards(head_at(place, padded))
        await engine.forwards(head_at(place, tree, end="nul: \0"))


@pytest.mark.gen_test
async def test_a_pack_beyond_the_cap_is_refused_and_the_next_reload_works(place: Place) -> None:
    good = place.remote.head
    async with Engine(place, limits={"pack_bytes_max": CAP_BYTES}) as engine:
        place.remote.push({"photos/large.bin": _noise(3 * CAP_BYTES)})
        for _ in range(2):
            reason, words = told(await engine.refuses("fetch-failed"))
            assert reason == "too-large"
            assert "allow larger packs" in words
        place.remote.point_at(good)
        place.remote.author.reset(good)
        await engine.forwards(place.remote.push({"photos/large.bin": _noise(CAP_BYTES // 2)}))


@pytest.mark.gen_test
async def test_a_pack_without_end_is_ended(place: Place) -> None:
    with EndlessHost() as host:
        async with Engine(place, remote=host.url, limits={"pack_bytes_max": CAP_BYTES}) as engine:
            assert told(await engine.refuses("fetch-failed"))[0] == "too-large"
        assert host.sent > CAP_BYTES


def test_what_unfolds_to_more_than_the_memory_allowed_is_refused(place: Place) -> None:
    zeros = stored(place.remote.path, "blob", bytes(32 << 20))
    head_at(place, with_root(place, ("100644", zeros, "zeros")))
    git, bounds = Git(place.git_dir), Bounds(file_bytes_max=1 << 30, memory_bytes_max=24 << 20)
    with GitHost(place.folder, Fault("none")) as host:
        with pytest.raises(GitFailed) as caught:
            git.run("fetch", host.url("remote.git"), "main", bounds=bounds)
    assert fetch_failure(caught.value).reason == "out-of-memory"


@pytest.mark.gen_test
async def test_a_first_clone_beyond_the_cap_serves_nothing_and_heals_with_a_larger_one(place: Place) -> None:
    place.remote.push({"photos/large.bin": _noise(2 * CAP_BYTES)})
    run_git(place.git_dir, "update-ref", "-d", "refs/heads/main")
    run_git(place.git_dir, "update-ref", "-d", "refs/remotes/origin/main")
    async with Engine(place, limits={"pack_bytes_max": CAP_BYTES}) as engine:
        assert told(await engine.reload())[0] == "too-large"
        assert (engine.commit, place.leftovers()) == (None, [])
    async with Engine(place) as engine:
        assert (await engine.reload()).ok
        engine.is_whole(place.remote.head)


def _noise(size: int) -> bytes:
    """Bytes that do not get smaller when they are packed; never a line end of their own."""
    with open("/dev/urandom", "rb") as source:
        return source.read(size)


@pytest.mark.gen_test
async def test_a_branch_that_is_a_name_for_another_is_stored_as_a_commit(place: Place) -> None:
    async with Engine(place) as engine:
        run_git(place.remote.path, "branch", "other", "main")
        run_git(place.remote.path, "symbolic-ref", "refs/heads/main", "refs/heads/other")
        new = place.remote.push({"notes/a.toml": ""})
        await engine.forwards(new)
        assert place.git("symbolic-ref", "-q", "HEAD") == "refs/heads/main"
        assert set(place.refs()) == {
            "refs/heads/main",
            "refs/remotes/origin/main",
            "refs/livesheets/accepted",
        }


# -- ssh --------------------------------------------------------------------------------------------------


_SSH = """#!/bin/sh
echo "$*" >>'{folder}/arguments'
echo $$ >'{folder}/pid'
{body}
"""


def ssh(place: Place, monkeypatch: pytest.MonkeyPatch, body: str) -> Path:
    """Put another program on PATH under ssh's name; the folder where it notes how it was called."""
    folder = place.folder / "ssh"
    folder.mkdir()
    script = folder / "ssh"
    script.write_text(_SSH.format(folder=folder, body=body))
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    return folder


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("kex_exchange_identification: Connection closed by remote host", "unreachable"),
        ("Host key for h has changed.\nHost key verification failed.", "host-key-changed"),
        ("git@h: Permission denied (publickey).", "auth-failed"),
    ],
)
@pytest.mark.gen_test
async def test_what_ssh_says_is_told_by_its_reason_and_it_never_asks(
    place: Place, monkeypatch: pytest.MonkeyPatch, words: str, expected: str
) -> None:
    folder = ssh(place, monkeypatch, f"printf '%s\\n' '{words}' >&2\nexit 255")
    async with Engine(place, remote="ssh://git@host.invalid/data.git") as engine:
        assert told(await engine.refuses("fetch-failed"))[0] == expected
    (call,) = (folder / "arguments").read_text().splitlines()  # nothing is tried again
    assert call.startswith("-oBatchMode=yes -oConnectTimeout=15 ")
    assert "StrictHostKeyChecking" not in call


@pytest.mark.parametrize("before", ["", "printf '0032'"])
@pytest.mark.gen_test
async def test_an_ssh_that_hangs_is_ended_in_time(
    place: Place, monkeypatch: pytest.MonkeyPatch, before: str
) -> None:
    folder = ssh(place, monkeypatch, f"{before}\nexec sleep 60")
    async with Engine(place, remote="git@host.invalid:data.git", timeout_s=1) as engine:
        while not (folder / "pid").exists():  # again where a slow machine ended git before it started ssh
            assert told(await engine.refuses("fetch-failed"))[0] == "timeout"
        pid = int((folder / "pid").read_text())
        eventually(lambda: not alive(pid), "ssh is gone")
