"""One headline says how things stand, and what to do, for every outcome that there is."""

from __future__ import annotations

from typing import Any

import pytest

from reload.lane.outcome import OUTCOMES, SUCCESSES
from server.operations.advice import ADVICE, Kind, advice_on
from server.operations.headline import Level, standing
from server.operations.status import public_status
from tests.server.documents import NOW, REFUSED, ago, not_ready, refused, reload, stale, status

FAILURES = sorted(set(OUTCOMES) - SUCCESSES)


def test_every_outcome_has_its_words_and_no_words_are_left_over() -> None:
    assert set(ADVICE) == set(OUTCOMES)


@pytest.mark.parametrize("outcome", FAILURES)
def test_every_failure_comes_with_a_next_step(outcome: str) -> None:
    assert advice_on(outcome).kind in (Kind.REFUSED, Kind.FAILED)
    assert advice_on(outcome).next_step


def test_an_outcome_of_a_later_version_still_has_words() -> None:
    assert advice_on("moon-phase-wrong").next_step


@pytest.mark.parametrize(
    ("document", "level", "headline"),
    [
        (status(), Level.GOOD, "The data is current"),
        (status(reload("fast-forwarded")), Level.GOOD, "The data is current"),
        (status(reload("ahead")), Level.GOOD, "The data is current"),
        (status(quarantined=[{}, {}]), Level.WARN, "The newest commit is served in part"),
        (not_ready(), Level.WAIT, "The data is being loaded"),
        (not_ready("fetch-failed"), Level.BAD, "Nothing is served yet"),
        (refused("data-rejected"), Level.BAD, "The newest commit is refused"),
        (refused("deletions-held"), Level.BAD, "The newest commit waits for consent"),
        (refused("diverged"), Level.BAD, "The remote's branch has diverged"),
        (stale("fetch-failed"), Level.WARN, "The remote cannot be reached"),
        (stale("branch-missing"), Level.BAD, "The branch is missing"),
        (stale("build-failed"), Level.WARN, "A reload broke"),
        (stale("in-sync"), Level.WARN, "The data may be out of date"),
    ],
)
def test_the_headline_says_what_matters_most(document: dict[str, Any], level: Level, headline: str) -> None:
    stands = standing(document, NOW)
    assert (stands.level, stands.headline) == (level, headline)
    assert stands.detail.endswith(".")
    assert bool(stands.next_step) == (level in (Level.WARN, Level.BAD) or "commits that" in stands.detail)


@pytest.mark.parametrize("document", [stale("in-sync"), status()])
def test_a_commit_that_was_announced_and_is_missing_is_named(document: dict[str, Any]) -> None:
    document["remote"]["announced"] = {"commit": REFUSED, "since": ago(120)}
    stands = standing(document, NOW)
    assert stands.headline == "An announced commit is missing"
    assert "a1b2c3d4e5f6 2 minutes ago" in stands.detail


@pytest.mark.parametrize("document", [status(), refused(), stale(), not_ready("fetch-failed")])
def test_what_is_private_makes_no_difference(document: dict[str, Any]) -> None:
    assert standing(document, NOW) == standing(public_status(document), NOW)


def test_the_public_status_tells_counts_instead_of_texts() -> None:
    document = refused("data-rejected", ("people/jane.toml", 3, "secret = 'x'"))
    document["quarantined"] = [{"sheet": "people", "path": "p", "message": "secret", "since": None}]
    document["remote"]["lastError"] = "secret address"
    public = public_status(document)
    assert public["rejected"]["problemCount"] == 1
    assert len(public["quarantined"]) == 1
    for private in ("secret", "jane", "private text"):
        assert private not in str(public)
