"""A state file built from scratch: git streams, this process parses, a thread inserts and indexes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from pathlib import Path

from reload.errors import DataRejected, Problem
from reload.manifest import Problems, oversized, read_manifest, with_sizes
from reload.records import Record, read_record
from reload.repository import Repository
from reload.sheets import Sheet
from reload.store import Store
from reload.toml import DOCUMENT_BYTES_MAX

BATCH_RECORDS = 2_000
Progress = Callable[[int, int], None]


def build_from_scratch(repository: Repository, commit: str, path: Path, progress: Progress) -> None:
    """Write the whole commit into a new state file at `path`.

    Raises DataRejected with every problem, or whatever broke; the file is worthless then.
    """
    problems = Problems()
    manifest = read_manifest(repository, commit, problems)
    total = sum(len(contents.records) for contents in manifest.contents.values())
    done = 0
    store = Store.create(path)
    try:
        for name, sheet in manifest.sheets.items():
            contents = manifest.contents[name]
            store.add_sheet(sheet)
            records = read_records(repository, sheet, contents.records, problems)
            for loaded in _load(store, name, records):
                done += loaded
                progress(done, total)
            store.index_sheet(name)
            store.attach(name, with_sizes(repository, contents.attachments))
        if problems.total:
            raise DataRejected(commit, problems.kept, problems.total)
        store.note(commit=commit, committed_at=repository.committed_at(commit).isoformat())
        store.verify()
        store.finish()
    finally:
        store.close()


def read_records(
    repository: Repository, sheet: Sheet, wanted: list[tuple[str, str]], problems: Problems
) -> Iterator[Record]:
    """The records at these (path, blob), those that cannot be read noted as problems."""
    blobs = repository.blobs([oid for _, oid in wanted], DOCUMENT_BYTES_MAX)
    for (path, _), blob in zip(wanted, blobs, strict=True):
        if blob.data is None:
            problems.add(oversized(sheet.file_of(path), blob.size))
            continue
        record = read_record(sheet, path, blob.oid, blob.data)
        if isinstance(record, Problem):
            problems.add(record)
        else:
            yield record


def _load(store: Store, name: str, records: Iterator[Record]) -> Iterator[int]:
    """Insert in a thread, one batch behind the parsing, and yield how many records each batch had."""
    with ThreadPoolExecutor(max_workers=1) as inserter:
        pending: Future[int] | None = None
        while batch := list(islice(records, BATCH_RECORDS)):
            if pending is not None:
                yield pending.result()
            pending = inserter.submit(store.load, name, batch)
        if pending is not None:
            yield pending.result()
