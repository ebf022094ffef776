"""One sheet built whole into a state file: for a build from scratch, and where its definition changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain

from reload.build.findings import Findings
from reload.build.manifest import Contents, Problems, with_sizes
from reload.build.quarantine import Settled, last_readable
from reload.build.sheet_reader import SheetReader
from reload.records.policy import DataPolicy
from reload.records.record import Record
from reload.records.schema import Budget
from reload.records.sheet import Sheet
from reload.repository.repository import Repository
from reload.snapshot.state_file import StateFile
from reload.snapshot.tables.problems import Listed

# So much JSON, in characters, is inserted at once: few batches, since search is indexed quicker in few.
BATCH_CHARACTERS = 8 << 20
READ_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True)
class Build:
    """What a build works on; `problems` gathers what refuses the commit."""

    repository: Repository
    state_file: StateFile
    commit: str
    policy: DataPolicy
    problems: Problems
    budget: Budget | None = None

    def reader(self, sheet: Sheet) -> SheetReader:
        """A reader of the sheet's files, under the build's policy."""
        return SheetReader(self.repository, sheet, self.policy, self.budget)

    def settle(self, reader: SheetReader, found: Findings) -> Iterator[Settled]:
        """Unreadable files refuse the commit, or earlier versions are served in their place."""
        if self.policy.invalid == "quarantine":
            yield from last_readable(self.repository, self.commit, reader, found.unreadable)
            return
        for unreadable in found.unreadable:
            for problem in unreadable.problems:
                self.problems.add(problem, reader.sheet.name)


def build_sheet(build: Build, sheet: Sheet, contents: Contents) -> Iterator[int]:
    """Add a sheet with all its files, and yield now and then how many more records were read."""
    state_file, found, reader = build.state_file, contents.found, build.reader(sheet)
    state_file.add_sheet(sheet)
    state_file.problems.add(_of_definition(build, reader))
    yield from _load(state_file, sheet.name, reader.read(contents.records, found), found)
    settled = list(build.settle(reader, found))
    listed = [*found.take_warnings(), *(each.listed for each in settled)]
    yield state_file.load(sheet.name, [each.served for each in settled if each.served is not None], listed)
    state_file.index_sheet(sheet.name)
    state_file.attachments.put(sheet.name, with_sizes(build.repository, contents.attachments))


def _of_definition(build: Build, reader: SheetReader) -> Iterator[Listed]:
    """The definition's own problem: listed, or the commit's where schemas are enforced."""
    problem = reader.definition_problem
    if problem is not None and build.policy.schema == "enforce":
        build.problems.add(problem, reader.sheet.name)
    elif problem is not None:
        yield Listed.of(reader.sheet.name, "definition", problem)


def _load(state_file: StateFile, name: str, records: Iterable[Record], found: Findings) -> Iterator[int]:
    """Insert batch by batch, and yield now and then how many more were read.

    While the next batch is read, SQLite indexes the texts of the last one in a thread, which needs no
    interpreter lock for that. Inserting does, row by row, and would only be in the way there.
    """
    with ThreadPoolExecutor(max_workers=1) as indexer:
        indexed: Future[None] | None = None
        batch: list[Record] = []
        characters = read = 0
        for record in chain(records, (None,)):
            if record is not None:
                batch.append(record)
                characters += len(record.json)
                read += 1
            if characters >= BATCH_CHARACTERS or (record is None and batch):
                if indexed is not None:
                    indexed.result()
                state_file.load(name, batch, found.take_warnings())
                indexed = indexer.submit(state_file.index_texts, name)
                batch, characters = [], 0
            if read >= READ_AT_ONCE or record is None:
                yield read
                read = 0
        if indexed is not None:
            indexed.result()
