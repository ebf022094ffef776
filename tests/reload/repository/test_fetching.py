"""A fetch that fails says why, ends in time with all it started, and leaves the next one a clean slate."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from reload.errors import FetchFailed
from reload.lane.outcome import Outcome
from tests.end_to_end.waiting import DEADLINE_S, eventually
from tests.gitrepo import run_git
from tests.ports import free_port
from tests.reload.harness import Engine, Place, running
from tests.reload.hosts import Fault, GitHost, HttpHost, SilentHost
from tests.small_disk import small_disk

SHORT_S = 0.8


def reason(outcome: Outcome) -> str:
    """Why the fetch failed."""
    assert isinstance(outcome.error, FetchFailed)
    assert not outcome.reached
    return outcome.error.reason


def bulky(place: Place) -> str:
    """Push something that makes a pack of some size; the commit."""
    return place.remote.push(
        {f"notes/n{number}.toml": f'x = "{os.urandom(200).hex()}"\n' for number in range(200)}
    )


def busy(place: Place) -> list[str]:
    """The git processes that run, but for those that wait for the next question."""
    waiting = ("cat-file --batch", "update-ref --stdin")
    return [words for words in place.processes().values() if not words.strip().endswith(waiting)]


async def heals(place: Place) -> None:
    """With the remote back, an engine on the same place is at its commit."""
    async with Engine(place) as engine:
        await engine.reload()
        engine.is_whole(place.remote.head)


@pytest.mark.gen_test
async def test_a_remote_that_is_gone_is_not_found_and_heals_when_it_is_back(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push({"notes/a.toml": ""})
        place.remote.vanish()
        for _ in range(2):
            assert reason(await engine.refuses("fetch-failed", announced=new)) == "not-found"
        place.remote.return_()
        await engine.forwards(new, announced=new)


@pytest.mark.gen_test
async def test_a_folder_that_is_no_repository_is_not_found(place: Place) -> None:
    async with Engine(place, remote=place.folder) as engine:
        assert reason(await engine.refuses("fetch-failed")) == "not-found"


@pytest.mark.gen_test
async def test_a_repository_that_became_read_only_is_told_and_heals(place: Place) -> None:
    with small_disk(place.git_dir, 16 << 20) as disk:
        async with Engine(place, limits={"free_bytes_min": 0}) as engine:
            new = place.remote.push({"notes/a.toml": ""})
            disk.forbid_writing()
            assert reason(await engine.refuses("fetch-failed")) == "not-writable"
            disk.allow_writing()
            await engine.forwards(new)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder to somebody else")
@pytest.mark.gen_test
async def test_a_remote_of_another_user_is_told_with_what_mends_it(place: Place) -> None:
    async with Engine(place) as engine:
        os.chown(place.remote.path, 12_345, 12_345)
        outcome = await engine.refuses("fetch-failed")
        assert reason(outcome) == "untrusted-owner"
        assert "belongs to uid 12345, while this is uid 0" in str(outcome.error)
        assert f"git config --global --add safe.directory {place.remote.path}" in str(outcome.error)
        os.chown(place.remote.path, 0, 0)
        await engine.forwards(place.remote.push({"notes/a.toml": ""}))


@pytest.mark.gen_test
async def test_a_port_where_nobody_listens_is_unreachable(place: Place) -> None:
    async with Engine(place, remote=f"git://127.0.0.1:{free_port()}/data") as engine:
        outcome = await engine.refuses("fetch-failed")
        assert reason(outcome) == "unreachable"
        assert "refused" in str(outcome.error)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, "auth-failed"),
        (403, "auth-failed"),
        (404, "not-found"),
        (429, "rate-limited"),
        (500, "host-error"),
        (503, "host-error"),
    ],
)
@pytest.mark.gen_test
async def test_a_host_that_says_no_is_told_by_its_reason(place: Place, status: int, expected: str) -> None:
    with HttpHost(status, WWW_Authenticate="Basic", Retry_After="1") as host:
        async with Engine(place, remote=host.url) as engine:
            assert reason(await engine.refuses("fetch-failed")) == expected
            assert len(host.paths) == 1  # nothing is guessed, nothing tried again


@pytest.mark.gen_test
async def test_a_redirect_is_not_followed(place: Place) -> None:
    with HttpHost(500) as other, HttpHost(302, Location=f"{other.url}/info/refs") as host:
        async with Engine(place, remote=host.url) as engine:
            assert reason(await engine.refuses("fetch-failed")) == "redirected"
        assert other.paths == []


@pytest.mark.gen_test
async def test_a_redirect_in_the_midst_of_a_fetch_is_not_followed(place: Place) -> None:
    place.remote.push({"notes/a.toml": ""})
    with HttpHost(500) as other:
        moved = f"{other.url}/git-upload-pack"
        with HttpHost(307, offers=place.remote.path, Location=moved) as host:
            async with Engine(place, remote=host.url) as engine:
                assert reason(await engine.refuses("fetch-failed")) == "redirected"
            assert host.paths == ["/data.git/git-upload-pack"]
        assert other.paths == []


@pytest.mark.parametrize("scheme", ["git", "http"])
@pytest.mark.gen_test
async def test_a_host_that_accepts_and_stays_silent_is_given_up_in_time(place: Place, scheme: str) -> None:
    with SilentHost() as host:
        url = host.url.replace("git://", f"{scheme}://")
        async with Engine(place, remote=url, timeout_s=SHORT_S) as engine:
            for _ in range(2):
                assert reason(await engine.refuses("fetch-failed")) == "timeout"
                assert busy(place) == []
    await heals(place)


@pytest.mark.parametrize(
    ("kind", "after"), [("silence", 60), ("silence", 3_000), ("drip", 0), ("drip", 3_000)]
)
@pytest.mark.gen_test
async def test_a_host_that_stalls_is_given_up_in_time_and_leaves_nothing(
    place: Place, kind: str, after: int
) -> None:
    bulky(place)
    with GitHost(place.folder, Fault(kind, after)) as host:  # type: ignore[arg-type]
        async with Engine(place, remote=host.url("remote.git"), timeout_s=SHORT_S) as engine:
            assert reason(await engine.refuses("fetch-failed")) == "timeout"
            assert busy(place) == []
    await heals(place)


@pytest.mark.parametrize("after", [500, 3_000])
@pytest.mark.parametrize("kind", ["hang-up", "garble"])
@pytest.mark.gen_test
async def test_what_arrives_broken_is_not_used_and_is_no_damage_of_ours(
    place: Place, kind: str, after: int
) -> None:
    new = bulky(place)
    with GitHost(place.folder, Fault(kind, after)) as host:  # type: ignore[arg-type]
        async with Engine(place, remote=host.url("remote.git"), timeout_s=5) as engine:
            await engine.refuses("fetch-failed")
            assert engine.noted("repository.replaced") == []
            host.fault = Fault("none")
            await engine.forwards(new)


@contextlib.asynccontextmanager
async def pruned_on_its_way(place: Place) -> AsyncIterator[tuple[Engine, asyncio.Task[Outcome], GitHost]]:
    """A reload whose pack another git has removed, half of it having come; the host holds back the rest."""
    place.remote.push({"photos/large.bin": os.urandom(1 << 20)})
    with GitHost(place.folder, Fault("pause", 1 << 19)) as host:
        async with Engine(place, remote=host.url("remote.git")) as engine:
            reload = asyncio.create_task(engine.reload())
            await asyncio.to_thread(host.paused.wait, DEADLINE_S)
            await asyncio.to_thread(eventually, place.leftovers, "it arrives")
            place.git("prune", "--expire=now")
            assert place.leftovers() == []
            yield engine, reload, host


@pytest.mark.gen_test
async def test_what_another_git_prunes_on_its_way_is_fetched_again(place: Place) -> None:
    async with pruned_on_its_way(place) as (engine, reload, host):
        host.go_on()
        assert (await reload).outcome == "fast-forwarded"
        engine.is_whole(place.remote.head)


@pytest.mark.gen_test
async def test_what_lies_about_while_another_git_runs_is_removed_by_a_later_reload(place: Place) -> None:
    async with pruned_on_its_way(place) as (engine, reload, host):
        litter = place.git_dir / "objects" / "pack" / "tmp_idx_aB3"
        with running(place.git_dir, "git", cwd=place.git_dir):
            litter.touch()  # as git leaves one, where the pack went a moment later
            host.go_on()
            assert (await reload).outcome == "fast-forwarded"
            assert litter.exists()
        assert (await engine.reload()).outcome == "in-sync"
        engine.is_whole(place.remote.head)


@pytest.mark.gen_test
async def test_a_remote_that_lost_an_object_is_not_followed_and_no_damage_of_ours(place: Place) -> None:
    async with Engine(place) as engine:
        place.remote.push({"notes/a.toml": "x = 1\n"})
        lost = place.remote.author.git("rev-parse", "main:notes/a.toml")
        _remove_object(place.remote.path, lost)
        await engine.refuses("fetch-failed")
        assert engine.noted("repository.replaced") == []


def _remove_object(repository: Path, oid: str) -> None:
    (repository / "objects" / oid[:2] / oid[2:]).unlink()


@pytest.mark.gen_test
async def test_a_remote_that_lacks_history_is_told_and_never_taken_for_unchanged(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push({"notes/a.toml": ""})
        place.remote.vanish()
        whole = place.folder / "hidden.git"
        run_git(place.folder, "clone", "-q", "--bare", "--depth=1", f"file://{whole}", str(place.remote.path))
        outcome = await engine.refuses("fetch-failed")
        assert reason(outcome) == "shallow"
        assert "--unshallow" in str(outcome.error)
        run_git(place.remote.path, "fetch", "-q", "--unshallow", str(whole))
        await engine.forwards(new)


@pytest.mark.gen_test
async def test_tags_and_other_refs_are_never_stored(place: Place) -> None:
    author = place.remote.author
    async with Engine(place) as engine:
        place.remote.elsewhere({"notes/b.toml": ""})
        new = place.remote.push({"notes/a.toml": ""})
        author.git("tag", "v1", new)
        author.git("-c", "user.name=a", "-c", "user.email=a@b", "tag", "-a", "-m", "x", "v2", new)
        author.git("push", "-q", str(place.remote.path), "v1", "v2", "main:refs/pull/1/head")
        await engine.forwards(new)
        assert place.refs().keys() == {
            "refs/heads/main",
            "refs/remotes/origin/main",
            "refs/livesheets/accepted",
        }
