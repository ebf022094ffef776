"""What is told of the past is true: how fresh the data is, what was refused, and why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from reload.errors import (
    BuildFailed,
    DataRejected,
    DeletionsHeld,
    Diverged,
    FetchFailed,
    Problem,
    ReloadError,
    Rewound,
)
from reload.lane.journal import ANNOUNCED_DEADLINE_S, HISTORY_MAX, Journal
from reload.lane.outcome import Outcome, Trigger

NOW = datetime(2024, 1, 2, tzinfo=UTC)
OLD, NEW = "a" * 40, "b" * 40
SWAPPED = Outcome("1", Trigger.WEBHOOK, "fast-forwarded", OLD, NEW, NOW, 1, fetched=True, remote_commit=NEW)
IN_SYNC = replace(SWAPPED, outcome="in-sync", old_commit=NEW)
PROBLEMS = [Problem("people/a.toml", 1, 2, "broken"), Problem("naïve.toml", 0, 0, 'a "quote"')]
REJECTED = DataRejected(NEW, PROBLEMS, {"people": 150, "": 1})


class Clock:
    """Time that passes when it is told to."""

    def __init__(self, journal: Journal) -> None:
        self.seconds = 0.0
        journal.clock = lambda: self.seconds
        journal.now = lambda: NOW + timedelta(seconds=self.seconds)


def failed(error: ReloadError, **values: object) -> Outcome:
    """A reload that ended with an error."""
    problems = error.problems if isinstance(error, DataRejected) else ()
    ended = replace(SWAPPED, outcome=error.outcome, new_commit=OLD, error=error, problems=problems)
    return replace(ended, **values)  # type: ignore[arg-type]


def journal(path: Path | None = None, *, remote: bool = True, stale_after_s: float | None = 60) -> Journal:
    """A new journal."""
    return Journal(has_remote=remote, stale_after_s=stale_after_s, path=path)


def test_nothing_is_fresh_before_the_remote_has_answered() -> None:
    made = journal()
    assert not made.fresh
    made.observe(replace(SWAPPED, trigger=Trigger.STARTUP, fetched=False, old_commit=None))
    assert not made.fresh
    assert made.served_at is not None
    assert made.remote.last_reached_at is None


def test_data_is_fresh_until_the_remote_was_reached_too_long_ago() -> None:
    made = journal()
    clock = Clock(made)
    made.observe(SWAPPED)
    clock.seconds = 60
    assert made.fresh
    clock.seconds = 61
    assert not made.fresh
    made.observe(IN_SYNC)
    assert made.fresh


def test_a_wall_clock_that_jumps_changes_nothing() -> None:
    made = journal()
    clock = Clock(made)
    made.observe(SWAPPED)
    made.announce(OLD)
    for days in (-1, 1):
        made.now = lambda days=days: NOW + timedelta(days=days)
        assert made.awaits_announced
    made.arrived()
    assert made.fresh
    clock.seconds = 61
    assert not made.fresh


@pytest.mark.parametrize(
    ("error", "reached"),
    [
        (FetchFailed("gone", "not-found"), False),
        (Diverged("other", NEW), True),
        (Rewound("back", OLD), True),
        (REJECTED, True),
        (DeletionsHeld(NEW, {"people": (3, 4)}), True),
        (BuildFailed("full"), True),
    ],
)
def test_a_failure_is_never_fresh_and_tells_whether_the_remote_answered(
    error: ReloadError, reached: bool
) -> None:
    made = journal()
    clock = Clock(made)
    made.observe(SWAPPED)
    clock.seconds = 10
    made.observe(failed(error))
    assert not made.fresh
    assert made.remote.last_error == str(error)
    assert made.remote.last_reached_at == NOW + timedelta(seconds=10 if reached else 0)
    assert made.consecutive_failures == 1
    made.observe(IN_SYNC)
    assert made.fresh
    assert (made.remote.last_error, made.consecutive_failures) == (None, 0)


def test_a_reload_that_broke_before_it_asked_has_not_reached_the_remote() -> None:
    made = journal()
    made.observe(failed(BuildFailed("no git"), answered=False))
    assert made.remote.last_reached_at is None


def test_an_announced_commit_is_awaited_until_its_deadline_and_then_merely_shown() -> None:
    made = journal(stale_after_s=None)
    clock = Clock(made)
    made.observe(SWAPPED)
    made.announce(OLD)
    clock.seconds = ANNOUNCED_DEADLINE_S - 1
    made.announce(OLD)  # again: it counts from the first time
    assert (made.awaits_announced, made.fresh) == (True, False)
    clock.seconds = ANNOUNCED_DEADLINE_S
    assert (made.awaits_announced, made.fresh) == (False, True)
    assert made.announced is not None
    assert made.announced.since == NOW
    made.announce(NEW)
    assert made.awaits_announced
    made.arrived()
    assert (made.announced, made.awaits_announced, made.fresh) == (None, False, True)


@pytest.mark.parametrize(
    "error", [REJECTED, Diverged("x", NEW), Rewound("x", NEW), DeletionsHeld(NEW, {"people": (3, 4)})]
)
def test_what_was_refused_is_kept_over_a_restart_until_the_branch_moves_on(
    tmp_path: Path, error: ReloadError
) -> None:
    path = tmp_path / "rejected.json"
    made = journal(path)
    Clock(made)
    made.observe(failed(error))
    known = journal(path).rejected
    assert known == made.rejected
    assert known is not None
    assert (known.commit, known.at, known.code) == (NEW, NOW, error.outcome)
    assert known.problems == (tuple(PROBLEMS) if error is REJECTED else ())
    assert known.counts == ({"people": 150, "": 1} if error is REJECTED else {})
    made.observe(SWAPPED)
    assert made.rejected is None
    assert journal(path).rejected is None
    assert list(tmp_path.iterdir()) == []


def test_the_same_refusal_is_dated_by_its_first_time(tmp_path: Path) -> None:
    made = journal(tmp_path / "rejected.json")
    clock = Clock(made)
    made.observe(failed(REJECTED))
    clock.seconds = 500
    made.observe(failed(REJECTED))
    made.observe(failed(FetchFailed("gone")))
    assert made.rejected is not None
    assert made.rejected.at == NOW


def test_a_start_without_the_remote_forgets_no_refusal() -> None:
    made = journal()
    made.observe(failed(REJECTED))
    made.observe(replace(IN_SYNC, fetched=False))
    assert made.rejected is not None


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"null", b'{"commit": 1}', b"\xff", b'{"problems": [{}]}']
)
def test_a_note_that_cannot_be_read_counts_as_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "rejected.json"
    path.write_bytes(content)
    made = journal(path)
    assert made.rejected is None
    made.observe(failed(REJECTED))
    assert journal(path).rejected == made.rejected


def test_a_note_that_cannot_be_written_is_no_failure(tmp_path: Path) -> None:
    made = journal(tmp_path / "absent" / "rejected.json")
    made.observe(failed(REJECTED))
    assert made.rejected is not None
    made.observe(SWAPPED)


def test_without_a_remote_what_is_served_is_fresh_and_a_refusal_is_noted_and_healed() -> None:
    made = journal(remote=False)
    made.observe(replace(SWAPPED, fetched=False))
    assert made.fresh
    made.observe(failed(REJECTED, fetched=False))
    assert made.rejected is not None
    assert made.consecutive_failures == 1
    assert made.remote.last_reached_at is None
    made.observe(replace(IN_SYNC, fetched=False))
    assert (made.rejected, made.consecutive_failures) == (None, 0)


def test_the_history_is_bounded_and_the_newest_comes_first() -> None:
    made = journal()
    for number in range(HISTORY_MAX + 10):
        made.observe(replace(IN_SYNC, id=str(number)))
    assert len(made.history) == HISTORY_MAX
    assert made.last is made.history[0]
    assert made.history[0].id == str(HISTORY_MAX + 9)
