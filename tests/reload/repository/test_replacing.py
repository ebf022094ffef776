"""A repository that is damaged or lacks something is saved aside and cloned again, and nobody feels it."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

import pytest

from reload.repository.clone_folder import CloneFolder
from reload.repository.recovery import BUNDLE
from tests.gitrepo import run_git
from tests.reload.harness import FILES, Engine, Place

EDIT = {"notes/start.toml": 'text = "Ours"\n'}


def loose(repository: Path) -> None:
    """Have every object in a file of its own."""
    packs = repository / "objects" / "pack"
    aside = repository / "packs"
    if packs.exists():
        packs.rename(aside)
    for pack in sorted(aside.glob("*.pack")):
        run_git(repository, "unpack-objects", "-q", stdin=pack.read_bytes())
    shutil.rmtree(aside)


def spoil(repository: Path, oid: str, content: bytes = b"") -> None:
    """Have a loose object's file hold something else."""
    path = repository / "objects" / oid[:2] / oid[2:]
    path.chmod(0o644)
    path.write_bytes(content)


def saved_aside(place: Place) -> list[Path]:
    """The repositories that were saved."""
    return sorted(place.folder.glob("data.git.damaged-*"))


@pytest.mark.gen_test
async def test_a_shallow_clone_serves_and_is_made_whole_by_the_first_fetch(place: Place) -> None:
    for number in range(3):
        place.remote.push({"notes/a.toml": f"n = {number}\n"})
    shutil.rmtree(place.git_dir)
    shutil.rmtree(place.state)
    source = f"file://{place.remote.path}"
    run_git(place.folder, "clone", "-q", "--bare", "--depth=1", source, str(place.git_dir))
    place.remote.vanish()
    async with Engine(place) as engine:
        served = str(engine.commit)
        await engine.refuses("fetch-failed")
        place.remote.return_()
        assert (await engine.reload()).outcome == "in-sync"
        engine.is_whole(served)
        assert not (place.git_dir / "shallow").exists()
        assert place.git("rev-list", "--count", "main") == "4"
        assert [path.name for path in saved_aside(place)] != []
        assert "shallow" in engine.noted("repository.replaced")[0]["reason"]


@pytest.mark.gen_test
async def test_a_partial_clone_is_made_whole_and_never_fetches_lazily(place: Place) -> None:
    run_git(place.remote.path, "config", "uploadpack.allowFilter", "true")
    shutil.rmtree(place.git_dir)
    source = f"file://{place.remote.path}"
    run_git(place.folder, "clone", "-q", "--bare", "--filter=blob:none", source, str(place.git_dir))
    async with Engine(place) as engine:
        assert (await engine.reload()).ok
        await engine.forwards(place.remote.push(EDIT))
        assert len(saved_aside(place)) == 1


@pytest.mark.gen_test
async def test_grafts_and_replacements_change_nothing(place: Place) -> None:
    async with Engine(place) as engine:
        first = str(engine.commit)
        second = place.remote.push(EDIT)
        await engine.forwards(second)
        (place.git_dir / "info").mkdir(exist_ok=True)
        (place.git_dir / "info" / "grafts").write_text(f"{second}\n")
        place.git("replace", second, first)
        place.remote.point_at(first)
        await engine.refuses("rewound")
        place.remote.point_at(second)
        await engine.forwards(place.remote.push({"notes/b.toml": ""}))


@pytest.mark.parametrize("victim", ["main^{commit}", "main^{tree}", "main:people"])
@pytest.mark.gen_test
async def test_an_object_that_was_lost_has_the_repository_cloned_again(place: Place, victim: str) -> None:
    loose(place.git_dir)
    async with Engine(place) as engine:
        served = str(engine.commit)
        spoil(place.git_dir, place.git("rev-parse", victim))
        new = place.remote.push({"notes/start.toml": 'text = "New"\n', "people/p01.toml": None})
        before = engine.view()
        place.remote.vanish()
        outcome = await engine.reload()
        assert not outcome.ok
        assert engine.view() == before
        place.remote.return_()
        ended = await engine.reload()
        assert (ended.outcome, ended.old_commit, ended.new_commit) == ("fast-forwarded", served, new), ended
        engine.is_whole(new)
        await engine.forwards(place.remote.push(EDIT))
    place.git("fsck", "--full", "--strict")


@pytest.mark.gen_test
async def test_a_pack_that_rotted_has_the_repository_cloned_again(place: Place) -> None:
    place.git("repack", "-a", "-d", "-q")
    (pack,) = (place.git_dir / "objects" / "pack").glob("*.pack")
    shutil.rmtree(place.state)
    data = bytearray(pack.read_bytes())
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(each ^ 0xFF for each in data[middle : middle + 200])
    pack.chmod(0o644)
    pack.write_bytes(data)
    async with Engine(place) as engine:
        await engine.reload()
        engine.is_whole(place.remote.head)
        assert len(saved_aside(place)) == 1
        assert (saved_aside(place)[0] / "objects" / "pack" / pack.name).read_bytes() == data


@pytest.mark.gen_test
async def test_commits_that_were_never_pushed_come_along(place: Place) -> None:
    base = place.remote.head
    place.remote.author.write(EDIT)
    ours = place.remote.author.commit()
    place.remote.author.push(place.git_dir)
    loose(place.git_dir)
    async with Engine(place) as engine:
        assert (await engine.reload()).outcome == "ahead"
        spoil(place.git_dir, place.git("rev-parse", f"{base}:people/p01.toml"))
        assert engine.clone.repository.is_damaged()
        repository = engine.clone_folder.replace("a test")
        repository.close()
        (aside,) = saved_aside(place)
        assert ours in run_git(aside, "bundle", "list-heads", BUNDLE).decode()
    async with Engine(place) as engine:
        engine.is_whole(ours)
        assert (await engine.reload()).outcome == "ahead"
        place.remote.author.push(place.remote.path)
        assert (await engine.reload()).outcome == "in-sync"


@pytest.mark.gen_test
async def test_unpushed_commits_that_cannot_be_read_are_told_and_not_forgotten_silently(place: Place) -> None:
    place.remote.author.write(EDIT)
    ours = place.remote.author.commit()
    place.remote.author.push(place.git_dir)
    loose(place.git_dir)
    async with Engine(place) as engine:
        base = place.remote.head
        spoil(place.git_dir, ours)
        before = engine.view()
        outcome = await engine.reload()
        assert outcome.outcome == "diverged"
        assert engine.view() == before
        assert engine.noted("repository.commit_lost")[0]["commit"] == ours
        outcome = await engine.reload(None, "rewrite")
        assert (outcome.outcome, engine.commit) == ("rewritten", base)
        engine.is_whole(base)


@pytest.mark.gen_test
async def test_damage_that_cloning_does_not_mend_is_not_cloned_again_and_again(place: Place) -> None:
    class Spoilt(CloneFolder):
        """Every clone of this one comes damaged."""

        def replace(self, reason: str, branch: str | None = None):  # type: ignore[no-untyped-def]
            repository = super().replace(reason, branch)
            repository.close()
            loose(self.git_dir)
            spoil(
                self.git_dir, run_git(self.git_dir, "rev-parse", "refs/remotes/origin/main").decode().strip()
            )
            return self.open()

    loose(place.git_dir)
    async with Engine(place, clone_folder=Spoilt) as engine:
        spoil(place.git_dir, place.git("rev-parse", "main"))
        for _ in range(4):
            assert not (await engine.reload()).ok
        assert len(saved_aside(place)) == 1


@pytest.mark.gen_test
async def test_a_kill_between_saving_and_replacing_is_made_good(place: Place) -> None:
    place.git_dir.rename(place.folder / "data.git.replacement")
    (place.folder / "data.git.replacing").mkdir()
    async with Engine(place) as engine:
        engine.is_whole(place.remote.head)
    assert not list(place.folder.glob("data.git.repl*"))


@pytest.mark.gen_test
async def test_attachments_can_be_read_while_the_repository_is_replaced(place: Place) -> None:
    blob = place.git("rev-parse", "main:notes/start.toml")
    async with Engine(place) as engine:
        loop = asyncio.get_running_loop()
        replaced = loop.run_in_executor(None, engine.clone.replace, "a test")
        while not replaced.done():
            data = await loop.run_in_executor(None, engine.clone.attachment, blob)
            assert data == b'text = "Where to begin"\n'
        await replaced


@pytest.mark.gen_test
async def test_an_attachment_that_was_lost_has_the_repository_cloned_again(tmp_path: Path) -> None:
    place = Place.made(tmp_path / "place", {**FILES, "notes/start/photo.jpg": "a photo"})
    async with Engine(place) as engine:
        await engine.reload()
    loose(place.git_dir)
    photo = place.git("rev-parse", "main:notes/start/photo.jpg")
    (place.git_dir / "objects" / photo[:2] / photo[2:]).unlink()
    shutil.rmtree(place.state)
    async with Engine(place) as engine:
        await engine.reload()
        assert engine.commit == place.remote.head
        assert engine.clone.attachment(photo) == b"a photo"
        assert len(saved_aside(place)) == 1


@pytest.mark.gen_test
async def test_a_repository_that_is_cloned_again_keeps_its_branch(place: Place) -> None:
    place.remote.elsewhere({"notes/draft.toml": 'text = "Not for readers"\n'}, "develop")
    run_git(place.remote.path, "symbolic-ref", "HEAD", "refs/heads/develop")
    loose(place.git_dir)
    async with Engine(place, branch=None) as engine:
        place.remote.push(EDIT)
        spoil(place.git_dir, place.git("rev-parse", "main:people"))
        await engine.reload()
        engine.is_whole(place.remote.head)
        assert len(saved_aside(place)) == 1
        assert place.git("symbolic-ref", "HEAD") == "refs/heads/main"
