"""Whatever happens in whatever order, the promises hold: a state machine against a model of them.

The suite tries a few short lives. For long ones:

    LIVESHEETS_LIVES=400 LIVESHEETS_STEPS=60 pytest tests/end_to_end/test_state_machine.py

tries 400 lives of up to 60 steps. A life that fails is printed as a test, to be kept below.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from functools import partial

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from reload.lane.outcome import OUTCOMES
from tests.end_to_end.state_machine.machine import Life
from tests.end_to_end.state_machine.starting_points import StartingPoints

LIVES = int(os.environ.get("LIVESHEETS_LIVES", "14"))
STEPS = int(os.environ.get("LIVESHEETS_STEPS", "15"))


@pytest.fixture(scope="module")
def starting_points(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> StartingPoints:
    """The data that runs start from."""
    return StartingPoints(tmp_path_factory.mktemp("starting-points"))


@pytest.mark.timeout(120 + LIVES * STEPS)
def test_every_promise_holds_in_any_order_of_events(starting_points: StartingPoints) -> None:
    run_state_machine_as_test(
        lambda: Life(starting_points),
        settings=settings(
            max_examples=LIVES,
            stateful_step_count=STEPS,
            print_blob=True,
            suppress_health_check=list(HealthCheck),
        ),
    )


def test_a_life_that_meets_every_outcome(starting_points: StartingPoints) -> None:
    """As the machine prints them: what it finds is kept like this."""
    life = Life(starting_points)
    life.begin(policy="usual")
    try:
        for happen in _every_outcome(life):
            happen()
            life.readers_see_one_commit_as_if_built_from_scratch()
            life.the_branch_is_where_it_must_be()
    finally:
        life.teardown()
    assert set(life.seen) == set(OUTCOMES) - {"build-failed", "commit-not-on-branch"}


def _every_outcome(life: Life) -> Iterator[Callable[[], None]]:
    yield life.reload  # in-sync
    yield partial(life.push, "fitting", False, 2)
    yield life.reload  # fast-forwarded
    yield partial(life.push, "crowd", False)
    yield life.reload  # deletions-held
    yield partial(life.reload, ("deletions",))
    yield partial(life.push, "readable", False)
    yield partial(life.announce, 0)  # data-rejected
    yield life.break_remote
    yield life.reload  # fetch-failed
    yield partial(life.restart, "scribbled")
    yield life.heal_remote
    yield partial(life.push, "readable", True)
    yield partial(life.push_while_it_reloads, 3)
    yield partial(life.rewrite, 3)
    yield life.reload  # diverged
    yield partial(life.reload, ("rewrite", "deletions"))
    yield partial(life.point_at, 4)
    yield life.reload  # rewound
    yield life.delete_branch
    yield life.reload  # branch-missing
    yield partial(life.point_at, 0)
    yield life.delete_state
    yield partial(life.kill_git, 3)
    yield life.commit_by_hand
    yield partial(life.many_reload, 3)
    yield life.reload  # ahead
    yield life.announce_another
    yield partial(life.restart, "of another time")
    yield life.start_over
    yield partial(life.reload, ("rewrite", "deletions"))
