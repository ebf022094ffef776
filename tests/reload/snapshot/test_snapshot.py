"""A Snapshot stays as it is until its last reader lets go; one assignment replaces it."""

from __future__ import annotations

import gc
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import apsw
import pytest

from reload.snapshot.query.query import Facet, Filter, Query, Sort
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import CHEAP_ROWS_MAX, THREAD_READERS, Answer, Cache, Snapshot, Snapshots
from reload.snapshot.state_file import Changes, StateFile
from tests.reload.engine import paths, record_of, sheet_of, store_of

PEOPLE = sheet_of("[gitsheet]\npath = '${{ slug }}'\n[livesheets]\nindex = ['n']\n")
RECORDS = {"ada": "n = 1\n", "bo": "n = 2\n"}


@pytest.fixture
def state_file(tmp_path: Path) -> Iterator[StateFile]:
    """The writing side of a state file."""
    state_file = StateFile.open(store_of(tmp_path / "state", {PEOPLE: RECORDS}))
    yield state_file
    state_file.close()


def is_open(reader: Reader) -> bool:
    try:
        return reader.get("people", "ada") is not None
    except apsw.ConnectionClosedError:
        return False


def add(state_file: StateFile, path: str) -> None:
    state_file.begin()
    state_file.put("people", record_of(PEOPLE, path, "n = 3\n"), Changes())
    state_file.finish()


def test_a_snapshot_says_what_it_holds(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    assert snapshot.commit == snapshot.served.commit == "c" * 40
    assert snapshot.served.committed_at == datetime(2024, 1, 2, 3, 4, 5, tzinfo=UTC)
    assert snapshot.served.records == {"people": 2}
    assert list(snapshot.sheets) == ["people"]
    snapshot.retire()


def test_all_readers_of_a_snapshot_stay_at_its_version(state_file: StateFile) -> None:
    old = Snapshot(state_file.path, state_file.sheets)
    add(state_file, "cy")
    new = Snapshot(state_file.path, state_file.sheets)
    with old.lend() as reader:
        assert paths(reader, "people", Query()) == paths(old.reader, "people", Query()) == ["ada", "bo"]
    with new.lend() as reader:
        assert paths(reader, "people", Query()) == ["ada", "bo", "cy"]
    old.retire()
    new.retire()


def test_a_retired_snapshot_closes_when_the_last_one_leaves(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    snapshot.enter()
    snapshot.enter()
    snapshot.retire()
    snapshot.leave()
    assert is_open(snapshot.reader)
    with snapshot.lend() as reader:
        assert is_open(reader)
    snapshot.leave()
    assert not is_open(snapshot.reader)
    assert not is_open(reader)


def test_a_snapshot_that_nobody_uses_closes_when_it_retires(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    snapshot.enter()
    snapshot.leave()
    assert is_open(snapshot.reader)
    snapshot.retire()
    assert not is_open(snapshot.reader)


def test_a_swap_retires_the_old_snapshot_and_serves_the_new(state_file: StateFile) -> None:
    cell = Snapshots()
    assert cell.current is None
    first, second = Snapshot(state_file.path, state_file.sheets), Snapshot(state_file.path, state_file.sheets)
    cell.swap(first)
    first.enter()
    cell.swap(second)
    assert cell.current is second
    assert is_open(first.reader)
    first.leave()
    assert not is_open(first.reader)
    cell.swap(None)
    assert cell.current is None
    assert not is_open(second.reader)


def test_threads_wait_for_a_reader_while_all_are_lent(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    got: list[Reader] = []

    def borrow() -> None:
        with snapshot.lend() as reader:
            got.append(reader)

    lent = [snapshot.lend() for _ in range(THREAD_READERS)]
    readers = [each.__enter__() for each in lent]
    thread = threading.Thread(target=borrow)
    thread.start()
    assert got == []
    assert len({id(reader) for reader in [*readers, snapshot.reader]}) == THREAD_READERS + 1
    lent[1].__exit__(None, None, None)
    thread.join(60)
    assert got == [readers[1]]
    lent[0].__exit__(None, None, None)
    snapshot.retire()


def test_fresh_readers_let_the_log_start_over_and_see_the_same(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    old = snapshot.reader
    add(state_file, "cy")
    second = Snapshot(state_file.path, state_file.sheets)
    snapshot.retire()
    state_file.checkpoint()
    with second.lend() as one, second.lend() as other:
        lent = [one, other]
    fresh = second.reopen_readers()
    assert fresh is not None
    assert not any(map(is_open, lent))
    before = second.reader
    second.renew(fresh)
    assert second.reader is fresh
    assert not is_open(before)
    assert not is_open(old)
    assert paths(second.reader, "people", Query()) == ["ada", "bo", "cy"]
    with second.lend() as reader:
        assert reader is not fresh
        assert paths(reader, "people", Query()) == ["ada", "bo", "cy"]
    second.retire()
    assert second.reopen_readers() is None


def test_where_no_fresh_reader_can_be_opened_the_old_ones_go_on(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    away = state_file.path.rename(state_file.path.with_name("away"))
    with pytest.raises(apsw.CantOpenError):
        snapshot.reopen_readers()
    away.rename(state_file.path)
    with snapshot.lend() as one, snapshot.lend() as other:
        assert paths(one, "people", Query()) == paths(other, "people", Query()) == ["ada", "bo"]
    snapshot.retire()


def test_a_reader_made_for_a_snapshot_that_retired_meanwhile_is_closed(state_file: StateFile) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    fresh = snapshot.reopen_readers()
    assert fresh is not None
    snapshot.retire()
    snapshot.renew(fresh)
    assert not is_open(fresh)
    gc.collect()


@pytest.mark.parametrize(
    ("query", "cheap"),
    [
        (Query(), True),
        (Query(limit=CHEAP_ROWS_MAX), True),
        (Query(limit=CHEAP_ROWS_MAX + 1), False),
        (Query(sorts=(Sort("n", True),)), True),
        (Query(sorts=(Sort("m"),)), False),
        (Query(match="x"), False),
        (Query(facets=(Facet("n"),)), False),
        (Query(filters=(Filter("n", "eq", "1", "n"),)), False),
    ],
    ids=str,
)
def test_only_pages_that_an_index_gives_are_asked_on_the_loop(
    state_file: StateFile, query: Query, cheap: bool
) -> None:
    snapshot = Snapshot(state_file.path, state_file.sheets)
    assert snapshot.is_cheap("people", query) is cheap
    snapshot.retire()


def test_a_cache_keeps_answers_and_lets_the_oldest_go() -> None:
    cache = Cache(bytes_max=40_000)
    for number in range(20):
        cache.put(number, Answer(b"x" * 3000))
    kept = [number for number in range(20) if cache.get(number)]
    assert kept == list(range(9, 20))
    cache.put(19, Answer(b"other"))
    assert cache.get(19) == Answer(b"x" * 3000)


def test_a_cache_counts_what_keys_and_empty_answers_cost() -> None:
    cache = Cache(bytes_max=100_000)
    for number in range(1000):
        cache.put(f"{number}?q=" + "x" * 4000, Answer(b"[]"))
    assert sum(cache.get(f"{number}?q=" + "x" * 4000) is not None for number in range(1000)) < 25
    for number in range(1000):
        cache.put(number, Answer(b""))
    assert sum(cache.get(number) is not None for number in range(1000)) < 200


def test_a_cache_does_not_give_most_of_its_room_to_one_answer() -> None:
    cache = Cache(bytes_max=8000)
    cache.put("small", Answer(b"x"))
    cache.put("large", Answer(b"x" * 1000))
    assert cache.get("small")
    assert cache.get("large") is None
