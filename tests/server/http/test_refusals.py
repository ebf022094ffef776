"""Refused attempts are logged at once when they are few, and once a second with their number when many."""

from __future__ import annotations

from collections.abc import Callable

from structlog.testing import capture_logs

from server.http.refusals import INTERVAL_S, PEERS_SHOWN_MAX, Refusals


class Later:
    """Calls back when a test says that the time has come."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def __call__(self, seconds: float, function: Callable[[], None]) -> None:
        self.waiting.append((seconds, function))

    def pass_a_second(self) -> None:
        due, self.waiting = self.waiting, []
        for _, function in due:
            function()


def note(refusals: Refusals, peer: str = "192.0.2.1", reason: str = "wrong") -> None:
    refusals.note(peer, reason, status=401, request_id="request-1", path="/path")


def test_a_single_refusal_is_logged_at_once() -> None:
    with capture_logs() as lines:
        note(Refusals(Later()))
    assert lines == [
        {
            "event": "attempt.refused", "log_level": "warning", "count": 1, "peer": "192.0.2.1",
            "reason": "wrong", "status": 401, "request_id": "request-1", "path": "/path",
        }
    ]  # fmt: skip


def test_a_thousand_refusals_within_a_second_are_two_lines() -> None:
    later = Later()
    refusals = Refusals(later)
    with capture_logs() as lines:
        for number in range(1000):
            note(refusals, f"192.0.2.{number % 200}", "wrong" if number % 2 else "none")
        later.pass_a_second()
    assert [line["count"] for line in lines] == [1, 999]
    assert lines[1]["reasons"] == {"wrong": 500, "none": 499}
    assert len(lines[1]["peers"]) == PEERS_SHOWN_MAX
    assert lines[1]["more_peers"]


def test_there_is_a_line_a_second_while_refusals_go_on_and_none_afterwards() -> None:
    later = Later()
    refusals = Refusals(later)
    with capture_logs() as lines:
        for _ in range(3):
            for _ in range(10):
                note(refusals)
            assert [seconds for seconds, _ in later.waiting] == [INTERVAL_S]
            later.pass_a_second()
        later.pass_a_second()
        assert later.waiting == []
        note(refusals)
    assert [line["count"] for line in lines] == [1, 9, 10, 10, 1]


def test_what_was_gathered_is_not_lost_at_the_end() -> None:
    refusals = Refusals(Later())
    with capture_logs() as lines:
        note(refusals)
        note(refusals)
        assert refusals.flush()
        assert not refusals.flush()
    assert [line["count"] for line in lines] == [1, 1]
