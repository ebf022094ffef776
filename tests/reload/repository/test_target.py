"""Whatever becomes of the remote's history, what is served moves only forward, or by consent."""

from __future__ import annotations

import pytest

from reload.build.builder import Policy
from reload.repository.target import Consent
from tests.gitrepo import FIRST_DATE_S, init_bare, run_git
from tests.reload.harness import Engine, Place

EDIT = {"notes/start.toml": 'text = "Ours"\n'}
OTHER = {"notes/start.toml": 'text = "Theirs"\n'}
FOLLOW = Policy(follow_rewrites=True)


def rewound(place: Place) -> list[str]:
    """The old heads that were kept."""
    return list(place.refs("refs/livesheets/rewound/").values())


@pytest.mark.gen_test
async def test_commits_that_were_never_pushed_are_kept_and_told(place: Place) -> None:
    start = place.remote.head
    place.remote.author.write(EDIT)
    ours = place.remote.author.commit()
    place.remote.author.push(place.git_dir)
    async with Engine(place) as engine:
        engine.is_whole(ours)
        for _ in range(2):
            outcome = await engine.reload()
            assert (outcome.outcome, outcome.no_changes, outcome.remote_commit) == ("ahead", True, start)
            engine.is_whole(ours)
        place.remote.author.push(place.remote.path)
        assert (await engine.reload()).outcome == "in-sync"


@pytest.mark.gen_test
async def test_a_remote_that_goes_on_from_commits_we_had_first_is_followed(place: Place) -> None:
    async with Engine(place) as engine:
        place.remote.author.write(EDIT)
        ours = place.remote.author.commit()
        place.remote.author.push(place.git_dir)
        assert (await engine.reload()).outcome == "fast-forwarded"
        engine.is_whole(ours)
        await engine.forwards(place.remote.push(OTHER))


@pytest.mark.parametrize("commits", [1, 2])
@pytest.mark.gen_test
async def test_a_rewritten_history_is_refused_every_time_and_heals(place: Place, commits: int) -> None:
    start = place.remote.head
    async with Engine(place) as engine:
        for number in range(commits):
            served = place.remote.push({"notes/a.toml": f"n = {number}\n"})
        await engine.forwards(served)
        other = place.remote.rewrite(start, OTHER)
        for _ in range(2):
            refused = await engine.refuses("diverged")
            assert refused.remote_commit == other
            assert rewound(place) == []
        place.remote.author.reset(served)
        place.remote.author.write(EDIT)
        healed = place.remote.author.commit()
        place.remote.author.push(place.remote.path, force=True)
        await engine.forwards(healed)


@pytest.mark.gen_test
async def test_an_author_cannot_name_a_parent(place: Place) -> None:
    async with Engine(place) as engine:
        author = place.remote.author
        names = f"A\rparent {engine.commit}\r <a@b> 0 +0000"
        tree = author.git("rev-parse", f"{place.remote.head}^{{tree}}")
        commit = f"tree {tree}\nauthor {names}\ncommitter {names}\n\nunrelated\n".encode()
        author.reset(author.git("hash-object", "-t", "commit", "-w", "--literally", "--stdin", stdin=commit))
        author.push(place.remote.path, force=True)
        await engine.refuses("diverged")


@pytest.mark.gen_test
async def test_consent_follows_a_rewrite_once_and_keeps_the_old_head(place: Place) -> None:
    start = place.remote.head
    async with Engine(place) as engine:
        served = place.remote.push(EDIT)
        await engine.forwards(served)
        other = place.remote.rewrite(start, OTHER)
        assert (await engine.forwards(other, "rewrite")).outcome == "rewritten"
        assert rewound(place) == [served]
        assert (await engine.reload()).outcome == "in-sync"
        again = place.remote.rewrite(start, EDIT | {"notes/b.toml": ""})
        await engine.refuses("diverged")
        await engine.forwards(again, "rewrite")
        assert sorted(rewound(place)) == sorted([served, other])


@pytest.mark.gen_test
async def test_an_unrelated_history_is_followed_where_that_is_the_policy(place: Place) -> None:
    served = place.remote.head
    async with Engine(place, policy=FOLLOW) as engine:
        other = place.remote.rewrite(None, dict.fromkeys(("people/a.toml", "people/b.toml"), "slug = 'x'\n"))
        outcome = await engine.reload()
        assert outcome.outcome == "deletions-held"  # to follow is no consent to lose most of a sheet
        engine.is_whole(served)
        outcome = await engine.reload(None, "deletions")
        assert (outcome.outcome, outcome.new_commit) == ("rewritten", other)
        assert rewound(place) == [served]
        assert engine.view()["rows"] == {}


@pytest.mark.parametrize("accept", [(), ("deletions",)])
@pytest.mark.gen_test
async def test_a_remote_that_moved_back_is_refused_every_time_and_heals(
    place: Place, accept: tuple[Consent, ...]
) -> None:
    start = place.remote.head
    async with Engine(place) as engine:
        served = place.remote.push(EDIT)
        await engine.forwards(served)
        place.remote.point_at(start)
        for _ in range(3):
            refused = await engine.refuses("rewound", *accept)
            assert refused.remote_commit == start
        place.remote.point_at(served)
        assert (await engine.reload()).outcome == "in-sync"


@pytest.mark.gen_test
async def test_a_remote_that_moved_back_while_the_server_was_down_is_refused(place: Place) -> None:
    start = place.remote.head
    async with Engine(place) as engine:
        served = place.remote.push(EDIT)
        await engine.forwards(served)
    place.remote.point_at(start)
    async with Engine(place) as engine:
        engine.is_whole(served)
        await engine.refuses("rewound")


@pytest.mark.gen_test
async def test_a_remote_that_moved_back_is_followed_by_consent(place: Place) -> None:
    start = place.remote.head
    async with Engine(place) as engine:
        served = place.remote.push(EDIT)
        await engine.forwards(served)
        place.remote.point_at(start)
        outcome = await engine.forwards(start, "rewrite")
        assert outcome.outcome == "rewritten"
        assert rewound(place) == [served]
        assert (await engine.reload()).outcome == "in-sync"
        place.remote.author.reset(start)
        await engine.forwards(place.remote.push(OTHER))


@pytest.mark.gen_test
async def test_what_is_served_is_kept_too_where_somebody_moved_the_branch_by_hand(place: Place) -> None:
    start = place.remote.head
    async with Engine(place) as engine:
        served = place.remote.push(EDIT)
        await engine.forwards(served)
        place.remote.point_at(start)
        place.git("update-ref", "refs/heads/main", start)
        outcome = await engine.reload()
        assert (outcome.outcome, engine.commit) == ("rewound", served)
        outcome = await engine.reload(None, "rewrite")
        assert (outcome.outcome, engine.commit) == ("rewritten", start)
        assert rewound(place) == [served]


@pytest.mark.gen_test
async def test_a_branch_that_is_gone_is_refused_and_heals_when_it_is_back(place: Place) -> None:
    served = place.remote.head
    async with Engine(place) as engine:
        place.remote.point_at(None)
        for _ in range(2):
            refused = await engine.refuses("branch-missing", "rewrite", "deletions")
            assert refused.reached
        place.remote.point_at(served)
        assert (await engine.reload()).outcome == "in-sync"


@pytest.mark.gen_test
async def test_a_remote_branch_that_names_no_commit_is_missing(place: Place) -> None:
    blob = run_git(place.remote.path, "hash-object", "-w", "--stdin", stdin=b"x").decode().strip()
    async with Engine(place) as engine:
        served = str(engine.commit)
        (place.remote.path / "packed-refs").unlink(missing_ok=True)
        (place.remote.path / "refs" / "heads" / "main").write_text(f"{blob}\n")
        assert (await engine.refuses("branch-missing")).reached
        place.remote.point_at(served)
        await engine.forwards(place.remote.push(EDIT))


@pytest.mark.gen_test
async def test_an_empty_remote_is_no_data_until_something_is_pushed(new_place: Place) -> None:
    new_place.remote.point_at(None)
    async with Engine(new_place) as engine:
        assert engine.commit is None
        assert [(await engine.reload()).outcome for _ in range(2)] == ["branch-missing", "branch-missing"]
        assert engine.commit is None
        await engine.forwards(new_place.remote.push(EDIT))


@pytest.mark.gen_test
async def test_a_remote_whose_default_branch_changed_is_still_asked_for_the_served_one(place: Place) -> None:
    place.remote.elsewhere(OTHER)
    run_git(place.remote.path, "symbolic-ref", "HEAD", "refs/heads/elsewhere")
    async with Engine(place) as engine:
        assert (await engine.reload()).outcome == "in-sync"
        await engine.forwards(place.remote.push(EDIT))


@pytest.mark.gen_test
async def test_another_remote_is_judged_by_its_history(place: Place) -> None:
    copy = place.remote.author.bare_clone(place.folder / "moved.git")
    stranger = init_bare(place.folder / "stranger.git")
    place.remote.author.switch("other")
    place.remote.author.write(OTHER)
    place.remote.author.commit()
    place.remote.author.git("push", "-q", str(stranger), "other:main")
    async with Engine(place, remote=copy) as engine:
        assert (await engine.reload()).outcome == "in-sync"
    async with Engine(place, remote=stranger) as engine:
        await engine.refuses("diverged")


@pytest.mark.parametrize("date", [0, 1, FIRST_DATE_S - 86_400 * 400, 2**40])
@pytest.mark.gen_test
async def test_order_is_by_ancestry_whatever_the_clocks_said(place: Place, date: int) -> None:
    async with Engine(place) as engine:
        for number, seconds in enumerate((date, FIRST_DATE_S, date)):
            place.remote.author.write({"notes/a.toml": f"n = {number}\n"})
            place.remote.author.commit(date=seconds)
        place.remote.author.push(place.remote.path)
        old, new = str(engine.commit), place.remote.head
        await engine.forwards(new)
        place.remote.point_at(old)
        await engine.refuses("rewound")
        assert not (await engine.reload(new[:12])).error


@pytest.mark.gen_test
async def test_a_commit_of_another_branch_is_never_served(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reload.lane.announced.SEARCH_FIRST_S", 600)  # its own look would reload
    async with Engine(place) as engine:
        other = place.remote.elsewhere(OTHER)
        refused = await engine.refuses("commit-not-on-branch", announced=other)
        assert other in str(refused.error)
        await engine.forwards(new := place.remote.push(EDIT), announced=new)


@pytest.mark.gen_test
async def test_whoever_accepts_a_rewrite_may_name_where_the_branch_moved_back_to(place: Place) -> None:
    async with Engine(place) as engine:
        old = str(engine.commit)
        await engine.forwards(place.remote.push(EDIT))
        place.remote.point_at(old)
        assert (await engine.reload(old)).outcome == "in-sync"
        assert (await engine.reload(old, "rewrite")).outcome == "rewritten"
        engine.is_whole(old)
