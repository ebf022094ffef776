"""One changed record: from the webhook call until it is visible, beside bare git on the same push."""

from __future__ import annotations

import contextlib
from functools import partial

from tests.benchmarks.bench import Bench, in_turn
from tests.benchmarks.dataset import Dataset, Pushes
from tests.benchmarks.measurements import Recorder, Series
from tests.benchmarks.process import get
from tests.benchmarks.questions import record_url
from tests.benchmarks.stand import Served
from tests.benchmarks.standing_git import StandingGit

_ROUNDS_A_ROUND = 3  # one reload is short, so that more of them say more


def measure(bench: Bench, dataset: Dataset) -> Series:
    """Milliseconds of the call, of git in it, of our own, and of bare git."""
    recorder = Recorder()
    with bench.stand("one-change", dataset) as stand:
        pushes, floor, plain = Pushes(dataset, stand.remote), stand.floor(), stand.plain_fetch()
        with (
            stand.served(stand.trace.environment) as served,
            contextlib.closing(StandingGit(stand.data)) as standing,
        ):
            for number in bench.rounds(times=_ROUNDS_A_ROUND):
                commit, (changed,) = pushes.prepare(1)
                pushes.publish(commit)
                reload, (fetch_ms, compare_ms, _) = in_turn(
                    number, partial(served.reload, commit), partial(floor.follow, commit)
                )
                _require_visible(served, changed, commit)
                # Git's trace begins when git does, and the server's git that compares stays: no trace.
                stays_ms = standing.compare(str(reload.answer["oldCommit"]), commit)
                git_ms = floor.start_ms + reload.git_ms + stays_ms
                plain_ms = plain.follow()
                if number >= 0:
                    recorder.add(
                        call_ms=reload.call_ms,
                        git_ms=git_ms,
                        own_ms=reload.call_ms - git_ms,
                        floor_ms=fetch_ms + compare_ms,
                        fetch_ms=fetch_ms,
                        compare_ms=compare_ms,
                        plain_fetch_ms=plain_ms,
                        **{f"phase_{name}_ms": spent for name, spent in reload.phases_ms.items()},
                    )
    return recorder.series


def _require_visible(served: Served, number: int, commit: str) -> None:
    """A reload that nobody sees would be fast, too."""
    status, headers, body = get(served.port, record_url(served.stand.dataset, number))
    if status != 200 or headers["X-Data-Commit"] != commit:
        raise RuntimeError(f"record {number} is not visible at {commit}: {status} {body[:200]!r}")
