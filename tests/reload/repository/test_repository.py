"""What git is asked is answered truly, or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import os
import signal
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from reload.errors import ObjectMissing, RefLocked, RefMoved, RepositoryError
from reload.repository.maintenance import LOOSE_IN_ONE_FOLDER_MAX, PACKS_MAX
from reload.repository.objects import committed_at
from reload.repository.repository import Repository
from tests.gitrepo import ISOLATION, run_git
from tests.reload.harness import Engine, Place

FOREVER = 9999


@pytest.fixture
def repository(place: Place) -> Iterator[Repository]:
    """The server's own repository."""
    opened = Repository(place.git_dir, "main", remote=True, timeout_s=20)
    yield opened
    opened.close()
    assert place.processes() == {}


def kill(repository: Repository, place: Place, words: str) -> None:
    """Kill the git of that command line and wait until it is dead."""
    (pid,) = [pid for pid, line in place.processes().items() if words in line and pid in repository.pids()]
    os.kill(pid, signal.SIGKILL)
    os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)


def made(git_dir: Path, commit: bytes) -> str:
    """The id of a commit that is written as it stands."""
    written = run_git(git_dir, "hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=commit)
    return written.decode().strip()


def three(place: Place) -> list[str]:
    """Three commits, each a child of the one before, brought into the server's repository."""
    commits = [place.remote.push({"notes/a.toml": f"n = {number}\n"}) for number in range(3)]
    place.git("fetch", "-q", str(place.remote.path), "+main:refs/remotes/origin/main")
    return commits


def test_relations_are_told_whatever_lies_between(place: Place, repository: Repository) -> None:
    first, second, third = three(place)
    other = place.remote.elsewhere({"notes/b.toml": ""})
    place.git("fetch", "-q", str(place.remote.path), "+elsewhere:refs/remotes/origin/elsewhere")
    assert repository.relation(first, first) == "same"
    assert repository.relation(first, second) == repository.relation(first, third) == "ahead"
    assert repository.relation(second, first) == repository.relation(third, first) == "behind"
    place.remote.author.reset(first)
    assert repository.relation(other, third) == "behind"
    assert (repository.contains(third, first), repository.contains(first, third)) == (True, False)


def test_a_name_is_resolved_only_where_it_is_the_only_one(place: Place, repository: Repository) -> None:
    commit = place.remote.head
    for digits in (4, 7, 39, 40):
        assert repository.resolve(commit[:digits]) == commit
    for name in (
        "",
        "main",
        "HEAD",
        commit[:3],
        commit.upper(),
        "0" * 40,
        f"{commit}0",
        "../x",
        "a\nb",
        ":/x",
    ):
        assert repository.resolve(name) is None
    assert repository.resolve(place.git("rev-parse", "main^{tree}")) is None
    assert repository.resolve(place.git("rev-parse", "main:notes/start.toml")) is None


def test_an_ambiguous_name_is_no_name_however_often_it_is_asked(place: Place, repository: Repository) -> None:
    commits = _alike(place)
    for _ in range(300):  # git explains each at length on standard error
        assert repository.resolve(commits[0][:4]) is None
    assert repository.resolve(commits[0]) == commits[0]


def _alike(place: Place) -> list[str]:
    """Two commits whose ids begin alike."""
    tree = place.git("rev-parse", "main^{tree}")
    seen: dict[str, str] = {}
    text = "tree {}\nauthor A <a@b> {} +0000\ncommitter A <a@b> 0 +0000\n\nx\n"
    paths = []
    for number in range(2_000):
        path = place.folder / f"commit{number}"
        path.write_text(text.format(tree, number))
        paths.append(str(path))
    request = "\n".join(paths).encode()
    ids = run_git(place.git_dir, "hash-object", "-t", "commit", "-w", "--stdin-paths", stdin=request)
    for commit in ids.decode().split():
        if commit[:4] in seen:
            return [seen[commit[:4]], commit]
        seen[commit[:4]] = commit
    raise AssertionError("no two are alike")


def test_a_git_that_dies_is_never_taken_for_an_answer(place: Place, repository: Repository) -> None:
    commit = repository.local_commit()
    for _ in range(3):
        kill(repository, place, "cat-file --batch")
        assert repository.local_commit() == commit


def test_an_object_that_is_not_there_is_missing(place: Place, repository: Repository) -> None:
    with pytest.raises(ObjectMissing):
        repository.committed_at("0" * 40)
    with pytest.raises(ObjectMissing):
        list(repository.blobs(["0" * 40], 10))
    with pytest.raises(ObjectMissing):
        list(repository.blobs(["0" * 40] * 100, 10))
    with pytest.raises(RepositoryError):
        list(repository.difference("0" * 40, place.remote.head))
    with pytest.raises(RepositoryError):
        repository.attachment("0" * 40)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (b"committer A <a@b> 86400 +0000", datetime(1970, 1, 2, tzinfo=UTC)),
        (b"committer A <a@b> -5 +0000", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"committer A <a@b> 1099511627776 -0930", datetime(FOREVER, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"committer A <a@b> " + b"9" * 30 + b" +0000", datetime(FOREVER, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"committer A <a@b> " + b"9" * 5_000 + b" +0000", datetime(FOREVER, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (b"committer A <a@b> " + b"0" * 5_000 + b"86400 +0000", datetime(1970, 1, 2, tzinfo=UTC)),
        (b"committer A <a> 7> 86400 +0000", datetime(1970, 1, 2, tzinfo=UTC)),
        (b"committer A <a@b> soon", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"committer", datetime(1970, 1, 1, tzinfo=UTC)),
        (b"", datetime(1970, 1, 1, tzinfo=UTC)),
    ],
)
def test_a_commit_may_say_anything_of_when_it_was_made(header: bytes, expected: datetime) -> None:
    message = b"committer B <c@d> 1700000000 +0000\n"
    assert committed_at(b"tree 0\nauthor A <a@b> 5 +0000\n" + header + b"\n\n" + message) == expected


@pytest.mark.parametrize("date", ["9" * 5_000, "soon"])
def test_a_file_has_a_history_whatever_its_commits_say_of_their_time(
    place: Place, repository: Repository, date: str
) -> None:
    parent = place.git("rev-parse", "main")
    tree = place.git("rev-parse", "main^{tree}").encode()
    commit = made(
        place.git_dir,
        b"tree %s\nauthor A <a@b> 0 +0000\ncommitter A <a@b> %s +0000\n\nx\n" % (tree, date.encode()),
    )
    (version,) = repository.versions(commit, ["notes/start.toml"])
    assert (version.commit, version.committed_at) == (commit, repository.committed_at(commit))
    assert repository.relation(parent, commit) == "diverged"


@pytest.mark.parametrize(
    "header",
    [
        "author A\rparent {parent}\r <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n",
        "author A <a@b> 0 +0000\ncommitter A\rparent {parent}\r <a@b> 0 +0000\n",
        "author A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\nparent {parent}\n",
        "author A <a@b> 0 +0000\ncommitter A <a@b> 0 +0000\n\nparent {parent}\n",
    ],
)
def test_a_parent_is_only_what_git_takes_for_one(place: Place, repository: Repository, header: str) -> None:
    served = place.git("rev-parse", "main")
    tree = place.git("rev-parse", "main^{tree}")
    commit = made(place.git_dir, f"tree {tree}\n{header.format(parent=served)}\nx\n".encode())
    assert place.git("rev-list", commit) == commit
    assert repository.first_parent(commit) is None
    assert repository.relation(served, commit) == "diverged"


# -- moves ------------------------------------------------------------------------------------------------


def test_a_move_happens_at_its_commit_and_not_before(place: Place, repository: Repository) -> None:
    (first, *_), old = three(place), place.branch
    move = repository.lock_refs(first, old, {"refs/livesheets/x": first})
    assert place.branch == old
    move.commit()
    assert place.branch == place.refs()["refs/livesheets/x"] == first
    move.abort()
    assert place.branch == first
    assert place.leftovers() == []


def test_a_move_that_is_given_up_moves_and_holds_nothing(place: Place, repository: Repository) -> None:
    (first, *_), old = three(place), place.branch
    repository.lock_refs(first, old, {}).abort()
    assert place.branch == old
    assert place.leftovers() == []
    repository.lock_refs(first, old, {}).commit()
    assert place.branch == first


def test_a_branch_that_is_elsewhere_is_not_moved(place: Place, repository: Repository) -> None:
    first, second, third = three(place)
    place.git("update-ref", "refs/heads/main", second)
    for old in (first, third, None):
        with pytest.raises(RefMoved) as caught:
            repository.lock_refs(third, old, {})
        assert not isinstance(caught.value, RefLocked)
        assert (place.branch, place.leftovers()) == (second, [])


def test_a_branch_that_is_locked_is_told_from_one_that_moved(place: Place, repository: Repository) -> None:
    (first, *_), old = three(place), place.branch
    lock = place.git_dir / "refs/heads/main.lock"
    lock.touch()
    with pytest.raises(RefLocked, match=r"main\.lock"):
        repository.lock_refs(first, old, {})
    assert place.branch == old
    lock.unlink()
    repository.lock_refs(first, old, {}).commit()


def test_a_move_is_never_committed_by_a_git_that_did_not_prepare_it(
    place: Place, repository: Repository
) -> None:
    (first, *_), old = three(place), place.branch
    move = repository.lock_refs(first, old, {"refs/livesheets/x": first})
    kill(repository, place, "update-ref --stdin")
    with pytest.raises(RepositoryError, match="ended unexpectedly"):
        move.commit()
    assert (place.branch, place.leftovers()) == (old, [])
    repository.lock_refs(first, old, {}).commit()
    assert place.branch == first


def test_a_move_that_was_superseded_gives_back_nothing_of_the_other(
    place: Place, repository: Repository
) -> None:
    (first, *_), old = three(place), place.branch
    stale = repository.lock_refs(first, old, {})
    with pytest.raises(RefMoved):  # one process, one move at a time
        repository.lock_refs(first, old, {})
    current = repository.lock_refs(first, old, {})
    stale.abort()
    current.commit()
    assert place.branch == first


def test_a_stop_gives_prepared_moves_up(place: Place, repository: Repository) -> None:
    (first, *_), old = three(place), place.branch
    move = repository.lock_refs(first, old, {})
    repository.stop()
    with pytest.raises(RepositoryError):
        move.commit()
    assert (place.branch, place.leftovers()) == (old, [])


# -- maintenance -------------------------------------------------------------------------


def test_a_sound_repository_is_not_damaged_whatever_git_thinks_of_its_commits(
    place: Place, repository: Repository
) -> None:
    assert not repository.is_damaged()
    tree = place.git("rev-parse", "main^{tree}")
    odd = f"tree {tree}\nauthor A <a@b> 1\ncommitter A 1 +0000\n\nx\n".encode()
    run_git(place.git_dir, "hash-object", "--literally", "-w", "-t", "commit", "--stdin", stdin=odd)
    assert not repository.is_damaged()


def test_many_small_object_files_become_few(place: Place, repository: Repository) -> None:
    assert not repository.pack()
    loose = place.git_dir / "objects" / "17"
    for content in _blobs_in_folder_17(LOOSE_IN_ONE_FOLDER_MAX + 1):
        run_git(place.git_dir, "hash-object", "-w", "--stdin", stdin=content)
    assert len(list(loose.iterdir())) > LOOSE_IN_ONE_FOLDER_MAX
    assert repository.pack()
    assert not loose.exists() or not list(loose.iterdir())
    assert not repository.pack()
    assert not repository.is_damaged()
    assert place.leftovers() == []


def test_packs_that_were_replaced_are_given_up_with_the_next_question(
    place: Place, repository: Repository
) -> None:
    with contextlib.closing(repository.reopened()) as twin:
        for _ in range(2):
            first, *_, last = three(place)
            run_git(place.git_dir, "repack", "-adq")
            for each in (repository, twin):
                assert list(each.difference(first, last))
                assert each.first_parent(first) is not None
            assert _packs_held(place) == {
                path.name for path in (place.git_dir / "objects" / "pack").glob("*.pack")
            }


def _packs_held(place: Place) -> set[str]:
    """The packs that a git has in its memory; those that are no longer there count as deleted."""
    maps = [Path(f"/proc/{pid}/maps").read_text() for pid in place.processes()]
    lines = [line for text in maps for line in text.splitlines() if ".pack" in line]
    return {line.rpartition("/")[2] for line in lines}


def _blobs_in_folder_17(number: int) -> list[bytes]:
    """Contents whose object ids begin with 17, the folder by which git guesses how many there are."""
    contents = (b"%d" % each for each in itertools.count())
    ours = (each for each in contents if hashlib.sha1(b"blob %d\0%s" % (len(each), each)).digest()[0] == 0x17)
    return list(itertools.islice(ours, number))


def test_a_folder_in_the_place_of_a_file_is_told_and_the_next_answer_is_right(
    place: Place, repository: Repository
) -> None:
    folder, commit = place.git("rev-parse", "main:people"), place.remote.head
    for _ in range(2):
        with pytest.raises(ObjectMissing, match="is a tree"):
            list(repository.blobs([folder], 1 << 20))
        assert repository.resolve(commit) == commit
        assert repository.local_commit() == commit


@pytest.mark.gen_test
async def test_packs_are_gathered_after_a_reload_and_everything_goes_on(place: Place) -> None:
    packs = place.git_dir / "objects" / "pack"
    async with Engine(place) as engine:
        for number in range(PACKS_MAX + 1):
            run_git(place.git_dir, "hash-object", "-w", "--stdin", stdin=b"%d" % number)
            place.git("repack", "-d", "-q") if number == 0 else _copy_pack(packs, number)
        await engine.forwards(place.remote.push({"notes/a.toml": ""}))
        await engine.forwards(place.remote.push({"notes/b.toml": ""}))
        assert engine.noted("repository.packed") != []
        assert len(list(packs.glob("*.pack"))) < PACKS_MAX
        await engine.forwards(place.remote.push({"notes/c.toml": ""}))


def _copy_pack(packs: Path, number: int) -> None:
    """One more pack, of one object of its own."""
    oid = run_git(packs.parent.parent, "hash-object", "-w", "--stdin", stdin=b"n%d" % number)
    run_git(packs, "--git-dir", str(packs.parent.parent), "pack-objects", "-q", "pack", stdin=oid)


@pytest.mark.gen_test
async def test_a_gc_by_somebody_else_disturbs_no_reload(place: Place) -> None:
    async with Engine(place) as engine:
        for number in range(3):
            new = place.remote.push({"notes/a.toml": f"n = {number}\n"})
            collecting = subprocess.Popen(
                ["git", "gc", "-q", "--prune=now"], cwd=place.git_dir, env=os.environ | ISOLATION
            )
            try:
                outcome = await engine.reload()
            finally:
                assert collecting.wait(60) == 0
            if not outcome.ok:
                assert getattr(outcome.error, "reason", "") == "lock-stuck"  # held a moment too long
            assert (await engine.reload()).ok  # which removes what was in the way of that `gc`
            engine.is_whole(new)
