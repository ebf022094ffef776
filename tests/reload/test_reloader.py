"""A reload ends as it says, and whatever it says, readers see one whole commit."""

from __future__ import annotations

from tests.reload.rig import Engine, Place, counts, on_a_loop


@on_a_loop
async def test_nothing_new_is_in_sync(place: Place) -> None:
    async with Engine(place) as engine:
        outcome = await engine.reload()
        assert (outcome.outcome, outcome.no_changes, outcome.rebuilt) == ("in-sync", True, False)
        engine.is_whole(place.remote.head)


@on_a_loop
async def test_a_push_is_served(place: Place) -> None:
    async with Engine(place) as engine:
        new = place.remote.push({"notes/a.toml": "x = 1\n", "people/p01.toml": None})
        outcome = await engine.forwards(new)
        assert outcome.outcome == "fast-forwarded"
        assert counts(outcome) == {"notes": (1, 0, 0), "people": (0, 0, 1)}
