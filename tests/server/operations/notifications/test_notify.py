"""What is told to people, and when: once, and again only where something has changed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from reload.errors import DataRejected, DeletionsHeld, Diverged, FetchFailed, Problem, ReloadError
from reload.lane.journal import Journal, Rejected
from reload.lane.outcome import Outcome, Trigger
from server.operations.notifications.notify import RECOVERED, REFUSED, STALE, Notifier
from server.operations.notifications.sender import Report

NOW = datetime(2024, 5, 6, 7, 8, 9, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
PROBLEM = Problem("people/jane.toml", 3, 7, "expected a value")


class Scene:
    """A journal, its notifier, and a clock that a test moves."""

    def __init__(self, has_remote: bool = True, rejected: Rejected | None = None) -> None:
        self.journal = Journal(has_remote=has_remote, stale_after_s=None)
        self.journal.rejected = rejected
        self.journal.now = lambda: NOW
        self.time_s = 1000.0
        self.told: list[Report] = []
        self.notifier = Notifier(
            self.journal, lambda: "main", [self.told.append], stale_after_s=900, clock=lambda: self.time_s
        )

    def ends(self, outcome: str, error: ReloadError | None = None, new: str = OLD) -> None:
        """A reload ends."""
        problems = error.problems if isinstance(error, DataRejected) else ()
        ended = Outcome(
            "id", Trigger.POLL, outcome, OLD, new, NOW, 12.0,
            problems=problems, fetched=True, remote_commit=NEW, error=error,
        )  # fmt: skip
        self.journal.observe(ended)
        self.notifier.observe(ended)

    def refused(self, commit: str = NEW) -> None:
        self.ends("data-rejected", DataRejected(commit, [PROBLEM]))

    @property
    def types(self) -> list[str]:
        return [each.type for each in self.told]


def test_a_refused_commit_is_told_once_however_often_it_is_tried() -> None:
    scene = Scene()
    scene.ends("in-sync")
    for _ in range(3):
        scene.refused()
    assert scene.types == [REFUSED]
    told = scene.told[0]
    assert told.data["commit"] == NEW
    assert told.data["servedCommit"] == OLD
    assert told.data["problems"] == [
        {"path": "people/jane.toml", "line": 3, "column": 7, "message": "expected a value"}
    ]
    for words in ("refused", "main", "data-rejected", "people/jane.toml:3:7", "livesheets check"):
        assert words in told.text


def test_another_refused_commit_is_told_again() -> None:
    scene = Scene()
    scene.refused()
    scene.refused("c" * 40)
    scene.refused()
    assert scene.types == [REFUSED, REFUSED]


@pytest.mark.parametrize(
    ("outcome", "error"),
    [
        ("deletions-held", DeletionsHeld(NEW, {"people": (30, 40)})),
        ("diverged", Diverged("both have commits of their own", NEW)),
        ("rewound", Diverged("the remote moved back", NEW)),
        ("branch-missing", ReloadError("the remote has no branch 'main'")),
    ],
)
def test_everything_that_waits_for_a_person_is_told(outcome: str, error: ReloadError) -> None:
    scene = Scene()
    scene.ends(outcome, error)
    scene.ends(outcome, error)
    assert scene.types == [REFUSED]
    assert scene.told[0].data["outcome"] == outcome
    assert str(error) in scene.told[0].text
    assert scene.told[0].data["nextStep"]


@pytest.mark.parametrize("outcome", ["in-sync", "fast-forwarded", "ahead", "rewritten"])
def test_recovery_is_told_once(outcome: str) -> None:
    scene = Scene()
    scene.refused()
    scene.ends(outcome, new=NEW)
    scene.ends("in-sync", new=NEW)
    assert scene.types == [REFUSED, RECOVERED]
    assert scene.told[1].data["servedCommit"] == NEW


def test_what_heals_by_itself_in_time_is_not_told() -> None:
    scene = Scene()
    scene.ends("in-sync")
    scene.ends("fetch-failed", FetchFailed("timed out"))
    scene.time_s += 899
    scene.notifier.look()
    scene.ends("in-sync")
    assert scene.told == []


def test_staleness_that_lasts_is_told_once_and_so_is_its_end() -> None:
    scene = Scene()
    scene.ends("in-sync")
    for _ in range(4):
        scene.ends("fetch-failed", FetchFailed("Connection refused"))
        scene.time_s += 450
        scene.notifier.look()
    assert scene.types == [STALE]
    assert scene.told[0].data["staleSeconds"] == 900
    assert "out of date for 15 minutes" in scene.told[0].text
    assert "Connection refused" in scene.told[0].text
    scene.ends("in-sync")
    assert scene.types == [STALE, RECOVERED]
    scene.ends("fetch-failed", FetchFailed("again"))
    scene.time_s += 900
    scene.notifier.look()
    assert scene.types == [STALE, RECOVERED, STALE]


def test_a_server_that_never_gets_ready_is_told_as_stale() -> None:
    scene = Scene()
    scene.notifier.look()
    scene.time_s += 900
    scene.notifier.look()
    assert scene.types == [STALE]


def test_what_an_earlier_run_told_is_not_told_again_but_its_end_is() -> None:
    scene = Scene(rejected=Rejected(NEW, NOW, "data-rejected", (PROBLEM,)))
    scene.refused()
    assert scene.told == []
    scene.ends("fast-forwarded", new="c" * 40)
    assert scene.types == [RECOVERED]


def test_a_server_without_a_remote_tells_of_refusals_and_recoveries_too() -> None:
    scene = Scene(has_remote=False)
    scene.journal.served_at = NOW
    scene.refused()
    scene.notifier.look()
    assert scene.types == [REFUSED]
    assert not scene.journal.fresh
    scene.ends("fast-forwarded", new=NEW)
    assert scene.types == [REFUSED, RECOVERED]
