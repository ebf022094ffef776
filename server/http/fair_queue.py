"""Long questions, answered in threads: fairly by peer, after a bounded wait, and only while somebody waits.

Two threads and one queue would let a single peer stop everybody else. Here every peer has a queue of its
own, the peer that has used the threads least goes next, and a peer whose questions are not known to be short
never holds all threads.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

T = TypeVar("T")

THREADS: Final = 2
WAIT_S_MAX: Final = 10.0
PEER_WAITING_MAX: Final = 1_024
WAITING_MAX: Final = 4_096
PEERS_MAX: Final = 10_000
# A peer whose questions take less than this on average may use every thread.
SHORT_S: Final = 0.1
# What a peer has used counts half as much after so many seconds.
HALF_LIFE_S: Final = 10.0
# How much the last question counts in the average of a peer.
_SMOOTHING: Final = 0.3


class QueueFull(Exception):
    """A question was not begun: too many wait, or it has waited too long; `reason` is a stable word."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class Cancelled:
    """Tells a running question that nobody waits for its answer any more; safe from any thread."""

    def __init__(self) -> None:
        self._event = threading.Event()

    def set(self) -> None:
        """Nobody waits any more."""
        self._event.set()

    def __bool__(self) -> bool:
        return self._event.is_set()


@dataclass(slots=True)
class _Question:
    ask: Callable[[Cancelled], Any]
    dropped: Callable[[], None]
    answer: asyncio.Future[Any]
    cancelled: Cancelled = field(default_factory=Cancelled)


@dataclass(slots=True)
class _Peer:
    """What is known of a peer: its waiting questions, how many run, and the thread time that it has used."""

    waiting: deque[_Question] = field(default_factory=deque)
    running: int = 0
    used_s: float = 0.0
    used_at_s: float = 0.0
    average_s: float | None = None

    def used(self, now_s: float) -> float:
        """The seconds of thread time used, older use counting less."""
        return float(self.used_s * 0.5 ** ((now_s - self.used_at_s) / HALF_LIFE_S))

    def charge(self, seconds: float, now_s: float) -> None:
        """Count a question that ended."""
        self.used_s, self.used_at_s = self.used(now_s) + seconds, now_s
        before = seconds if self.average_s is None else self.average_s
        self.average_s = before + _SMOOTHING * (seconds - before)

    @property
    def is_short(self) -> bool:
        """Whether its questions are known to be short."""
        return self.average_s is not None and self.average_s < SHORT_S


class FairQueue:
    """Runs questions in `threads` threads; lives on the event loop.

    At most `peer_waiting_max` questions of one peer wait and `waiting_max` together, none longer than
    `wait_s_max` seconds. `refused` is told the peer and the reason of each question that was not begun.
    `clock` gives monotonic seconds. Remembers the PEERS_MAX peers that asked last.
    """

    def __init__(
        self,
        threads: int = THREADS,
        *,
        wait_s_max: float = WAIT_S_MAX,
        peer_waiting_max: int = PEER_WAITING_MAX,
        waiting_max: int = WAITING_MAX,
        refused: Callable[[str, str], None] = lambda peer, reason: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._threads = threads
        self._wait_s_max = wait_s_max
        self._peer_waiting_max = peer_waiting_max
        self._waiting_max = waiting_max
        self._refused = refused
        self._clock = clock
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="question")
        self._peers: OrderedDict[str, _Peer] = OrderedDict()
        self._turns: dict[int, _Peer] = {}  # the peers that wait, by identity
        self._tasks: set[asyncio.Task[None]] = set()
        self.running = 0
        self.waiting = 0

    async def run(
        self, peer: str, ask: Callable[[Cancelled], T], dropped: Callable[[], None] = lambda: None
    ) -> T:
        """What `ask` returns, called in a thread when it is this peer's turn.

        Raises QueueFull where too many wait, or where its turn did not come in time. Where the caller is
        cancelled a waiting question is dropped, and a running one is told by its argument. Calls
        `dropped` where `ask` is never called.
        """
        known = self._known(peer)
        if len(known.waiting) >= self._peer_waiting_max or self.waiting >= self._waiting_max:
            dropped()
            self._refused(peer, "too-many")
            raise QueueFull("too-many", "too many questions wait for an answer")
        loop = asyncio.get_running_loop()
        question = _Question(ask, dropped, loop.create_future())
        known.waiting.append(question)
        self._turns[id(known)] = known
        self.waiting += 1
        timer = loop.call_later(self._wait_s_max, self._give_up, peer, known, question)
        self._dispatch()
        try:
            return await question.answer  # type: ignore[no-any-return]
        finally:
            timer.cancel()
            question.cancelled.set()
            self._drop(known, question)

    def close(self) -> None:
        """Wait for what runs and end the threads; for when nobody asks any more."""
        self._pool.shutdown()

    def _known(self, peer: str) -> _Peer:
        known = self._peers.setdefault(peer, _Peer(used_at_s=self._clock()))
        self._peers.move_to_end(peer)
        while len(self._peers) > PEERS_MAX:
            oldest = next(iter(self._peers))
            if self._peers[oldest].waiting or self._peers[oldest].running:
                break
            del self._peers[oldest]
        return known

    def _dispatch(self) -> None:
        """Begin questions while there are threads and peers that may have one."""
        while self.running < self._threads and (peer := self._next()) is not None:
            question = peer.waiting[0]
            self._take(peer, question)
            self.running += 1
            peer.running += 1
            task = asyncio.get_running_loop().create_task(self._answer(peer, question))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _next(self) -> _Peer | None:
        """The peer that has used the threads least, of those that wait and may have one more."""
        now_s = self._clock()
        allowed = [peer for peer in self._turns.values() if self._may_run(peer)]
        return min(allowed, key=lambda peer: peer.used(now_s) + peer.running, default=None)

    def _may_run(self, peer: _Peer) -> bool:
        return peer.is_short or peer.running < max(1, self._threads - 1)

    async def _answer(self, peer: _Peer, question: _Question) -> None:
        begun_s = self._clock()
        loop = asyncio.get_running_loop()
        try:
            found = await loop.run_in_executor(self._pool, question.ask, question.cancelled)
            if not question.answer.done():
                question.answer.set_result(found)
        except Exception as error:
            if not question.answer.done():
                question.answer.set_exception(error)
        finally:
            now_s = self._clock()
            peer.charge(now_s - begun_s, now_s)
            peer.running -= 1
            self.running -= 1
            self._dispatch()

    def _give_up(self, name: str, peer: _Peer, question: _Question) -> None:
        """Answer a question whose turn has not come in time."""
        if self._drop(peer, question) and not question.answer.done():
            self._refused(name, "waited-too-long")
            question.answer.set_exception(
                QueueFull("waited-too-long", "the question's turn has not come in time")
            )

    def _drop(self, peer: _Peer, question: _Question) -> bool:
        """Forget a question that waits; whether it did."""
        if not self._take(peer, question):
            return False
        question.dropped()
        return True

    def _take(self, peer: _Peer, question: _Question) -> bool:
        """Take a question out of its queue; whether it was still there."""
        try:
            peer.waiting.remove(question)
        except ValueError:
            return False
        if not peer.waiting:
            del self._turns[id(peer)]
        self.waiting -= 1
        return True
