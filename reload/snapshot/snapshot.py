"""A Snapshot: everything that a reader can ask, frozen at one commit; and the cell that holds the newest."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any

from reload.errors import PROBLEMS_MAX, Problem
from reload.records.sheet import Sheet
from reload.snapshot.query.answers import Row
from reload.snapshot.query.query import Query
from reload.snapshot.query.reader import Reader, sortable
from reload.snapshot.tables.problems import Listed

THREAD_READERS = 2
# So that the words of a search index are rarely read twice; more takes too long to let go of at a swap.
THREAD_CACHE_KIB = 8 << 10
CHEAP_ROWS_MAX = 200
ROWS_AT_ONCE = 500
RESPONSE_CACHE_BYTES_MAX = 8 << 20
_ENTRY_BYTES = 512  # what keeping an answer costs besides its key and body


@dataclass(frozen=True, slots=True)
class Served:
    """What a snapshot holds: the commit, when it was made, and how many records each sheet has."""

    commit: str
    committed_at: datetime
    records: MappingProxyType[str, int]


@dataclass(frozen=True, slots=True)
class Answer:
    """A finished answer: its body, and the URL of the page that follows, if one does."""

    body: bytes
    next_url: str | None = None


class Cache:
    """A bounded store of finished answers; it dies with its snapshot, so nothing in it can be out of date."""

    def __init__(self, bytes_max: int = RESPONSE_CACHE_BYTES_MAX) -> None:
        self._bytes_max = bytes_max
        self._bytes = 0
        self._answers: OrderedDict[object, Answer] = OrderedDict()

    def get(self, key: object) -> Answer | None:
        """The answer kept under a key."""
        return self._answers.get(key)

    def put(self, key: object, answer: Answer) -> None:
        """Keep an answer, letting go of the oldest ones when there are too many bytes."""
        size = _bytes_of(key, answer)
        if size > self._bytes_max // 8 or key in self._answers:
            return
        self._answers[key] = answer
        self._bytes += size
        while self._bytes > self._bytes_max:
            self._bytes -= _bytes_of(*self._answers.popitem(last=False))


def _bytes_of(key: object, answer: Answer) -> int:
    return len(answer.body) + len(str(key)) + _ENTRY_BYTES


class Snapshot:
    """Everything that a reader can ask, frozen at one commit.

    `reader` is for the event loop's own small questions; `lend` gives a reader to a thread for large ones.
    `derived` holds the values that the derivations of a `Branch` made from it. `stale` tells by sheet and
    path which records are older versions, since theirs at this commit are quarantined. Lives until it is
    retired and the last lease has ended.
    """

    def __init__(self, path: Path, sheets: dict[str, Sheet]) -> None:
        self.path = path
        self.sheets = MappingProxyType(dict(sorted(sheets.items())))
        self.reader = Reader(path)
        # The one that was used last is lent first: it has most of what is asked for in memory.
        self._idle: queue.LifoQueue[Reader] = queue.LifoQueue()
        self._readers = [self.reader]
        for _ in range(THREAD_READERS):
            self._readers.append(reader := self._thread_reader())
            self._idle.put(reader)
        self.served = Served(
            self.reader.state("commit"),
            datetime.fromisoformat(self.reader.state("committed_at")),
            MappingProxyType({name: self.reader.counts[name] for name in self.sheets}),
        )
        self.listing = self.reader.listing()
        self.stale = self._stale() if self.listing.quarantined_count else MappingProxyType({})
        self.cache = Cache()
        self.derived: Mapping[str, Any] = MappingProxyType({})
        self.damage: str | None = None  # what a reader met that could not read the state file
        self._leases = 0
        self._retired = False
        self._guard = threading.Lock()

    @property
    def listed(self) -> tuple[Problem, ...]:
        """What is wrong with the commit although it is served: its quarantined records, then its warnings."""
        every = (*self.listing.quarantined, *self.listing.warnings)
        return tuple(each.problem for each in every[:PROBLEMS_MAX])

    @property
    def notes(self) -> tuple[str, ...]:
        """Why sheets have no records, or why there are none, in words for everybody."""
        return tuple(str(each.problem) for each in self.listing.warnings if each.kind == "layout")

    @property
    def commit(self) -> str:
        """The commit that every answer comes from."""
        return self.served.commit

    def records(self, sheet: str) -> Iterator[Row]:
        """Every record of a sheet by path: `row.path`, `row.blob`, `row.record`; raises KeyError.

        On the event loop do not await between two records. No reader is held between them, so loops may
        be nested.
        """
        after = ""
        while rows := self._rows(sheet, after):
            yield from rows
            after = rows[-1].path

    def get(self, sheet: str, path: str) -> Row | None:
        """One record by its path, None where there is none; raises KeyError where there is no such sheet."""
        with self._reading() as reader:
            return reader.get(sheet, path)

    def enter(self) -> None:
        """Keep the snapshot alive until as many `leave` as `enter` were called."""
        with self._guard:
            self._leases += 1

    def leave(self) -> None:
        """Let the snapshot go again; the last one to leave a retired snapshot closes it."""
        with self._guard:
            self._leases -= 1
            last = self._retired and self._leases == 0
        if last:
            self._close()

    @contextlib.contextmanager
    def lend(self, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[Reader]:
        """A reader for the calling thread, one deadline for all it is asked; waits while all are lent.

        What is asked ends soon after `is_cancelled` says so.
        """
        reader = self._idle.get()
        try:
            with reader.question(is_cancelled):
                yield reader
        finally:
            self._idle.put(reader)

    @contextlib.contextmanager
    def _reading(self) -> Iterator[Reader]:
        """The event loop's reader on the loop, a lent one elsewhere."""
        if asyncio._get_running_loop() is not None:
            yield self.reader
        else:
            with self.lend() as reader:
                yield reader

    def is_cheap(self, sheet: str, query: Query) -> bool:
        """Whether an index gives the page, so that the event loop may ask for it itself."""
        light = query.match is None and not query.filters and not query.facets
        return light and query.limit <= CHEAP_ROWS_MAX and sortable(query.sorts, self.sheets[sheet].index)

    def reopen_readers(self) -> Reader | None:
        """Replace the threads' idle readers by fresh ones at the same version.

        After a checkpoint fresh readers need nothing of the write-ahead log, so that it can start
        over. To be called while nothing writes. Returns the reader with which the event loop is to
        `renew` its own, None where the snapshot has retired.
        """
        with self._guard:
            if self._retired:
                return None
            idle: list[Reader] = []
            with contextlib.suppress(queue.Empty):
                while True:
                    idle.append(self._idle.get_nowait())
            try:
                while idle:
                    fresh = self._thread_reader()
                    self._idle.put(self._replace(idle.pop(0), fresh))
                return Reader(self.path)
            finally:  # where one cannot be opened, the old ones go on
                for old in idle:
                    self._idle.put(old)

    def renew(self, fresh: Reader) -> None:
        """Let the event loop go on with a fresh reader at the same version."""
        with self._guard:
            if self._retired:
                fresh.close()
            else:
                self.reader = self._replace(self.reader, fresh)

    def _stale(self) -> Mapping[str, Mapping[str, Listed]]:
        found: dict[str, dict[str, Listed]] = {}
        for each in self.reader.stale():
            sheet = self.sheets[each.sheet]
            record = each.path[len(sheet.prefix) : -len(sheet.extension)]
            found.setdefault(sheet.name, {})[record] = each
        return found

    def _rows(self, sheet: str, after: str) -> list[Row]:
        with self._reading() as reader:
            return reader.rows(sheet, after, ROWS_AT_ONCE)

    def _thread_reader(self) -> Reader:
        return Reader(self.path, cache_kib=THREAD_CACHE_KIB)

    def _replace(self, old: Reader, fresh: Reader) -> Reader:
        self._readers[self._readers.index(old)] = fresh
        old.close()
        return fresh

    def retire(self) -> None:
        """Close when the last user has left."""
        with self._guard:
            self._retired = True
            last = self._leases == 0
        if last:
            self._close()

    def _close(self) -> None:
        for reader in self._readers:
            reader.close()


class Snapshots:
    """The one cell that holds the current Snapshot; None until the first one is served."""

    def __init__(self) -> None:
        self.current: Snapshot | None = None

    def swap(self, snapshot: Snapshot | None) -> None:
        """Serve `snapshot` from now on: one assignment, then the old one retires."""
        old, self.current = self.current, snapshot
        if old is not None:
            old.retire()
