"""The data engine without a server: state files built, brought forward, and asked everything they know."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import orjson

from reload.build.difference import apply_difference
from reload.build.scratch import build_from_scratch
from reload.errors import DataRejected, Problem
from reload.records.record import Record, read_record
from reload.records.sheet import FIELD_NAME, Sheet, read_sheet
from reload.repository.repository import Repository
from reload.snapshot.query.answers import FacetValue
from reload.snapshot.query.query import Facet, Filter, Operator, Query, Sort
from reload.snapshot.query.reader import Reader
from reload.snapshot.query.search import match_expression
from reload.snapshot.state_file import Changes, StateFile
from tests.gitrepo import GitRepo

# LIVESHEETS_EXAMPLES=20 makes every property test try twenty times as many examples.
EXAMPLES_FACTOR = int(os.environ.get("LIVESHEETS_EXAMPLES", "1"))
SEARCHES = (
    "food access",
    "acc",
    "body",
    "ñandu",
    "hom",
    "日本語",
    '"food access"',
    "the",
    "say hi",
    "rust releas",
    "title",
    "x",
)
_TABLES = ("livesheets_attachments", "livesheets_problems", "livesheets_folded")
_COMPARABLE = {"text": "string", "integer": "number", "real": "number"}
_FLAT = b"[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"


def examples(number: int) -> int:
    """How many examples a property test tries where `number` are enough to be quick."""
    return number * EXAMPLES_FACTOR


@contextmanager
def new_repository() -> Iterator[GitRepo]:
    """An empty repository for one example, where a fixture would be shared by all of them."""
    with tempfile.TemporaryDirectory() as folder:
        yield GitRepo.create(Path(folder, "repository"))


@contextmanager
def opened(git_dir: Path) -> Iterator[Repository]:
    """The repository as the engine sees it."""
    repository = Repository(git_dir, "main", remote=False, timeout_s=30)
    try:
        yield repository
    finally:
        repository.close()


def build(repository: Repository, commit: str, path: Path) -> Path:
    """A state file at `path` built from scratch."""
    path.unlink(missing_ok=True)
    build_from_scratch(repository, commit, path, lambda done, total: None)
    return path


def problems_from_scratch(repository: Repository, commit: str, path: Path) -> tuple[Problem, ...]:
    """What a build from scratch says is wrong with a commit."""
    try:
        build(repository, commit, path)
    except DataRejected as error:
        return error.problems
    return ()


def move(repository: Repository, state_file: StateFile, commit: str) -> dict[str, Changes]:
    """Bring a state file to `commit` by difference; leaves it as it was where that fails."""
    state_file.begin()
    try:
        changes = apply_difference(repository, state_file, commit)
        state_file.finish()
    except BaseException:
        state_file.undo()
        raise
    return changes


def problems_by_difference(repository: Repository, state_file: StateFile, commit: str) -> tuple[Problem, ...]:
    """What a reload by difference says is wrong with a commit; moves the state file where nothing is."""
    try:
        move(repository, state_file, commit)
    except DataRejected as error:
        return error.problems
    return ()


@contextmanager
def asked(path: Path) -> Iterator[Reader]:
    """A reader of a state file."""
    reader = Reader(path)
    try:
        yield reader
    finally:
        reader.close()


def sheet_of(text: str | bytes = _FLAT, name: str = "people") -> Sheet:
    """The sheet that a definition declares."""
    sheet = read_sheet(name, text.encode() if isinstance(text, str) else text)
    assert isinstance(sheet, Sheet), sheet
    return sheet


def record_of(sheet: Sheet, path: str, content: str | bytes) -> Record:
    """The record that a file of a sheet holds."""
    data = content.encode() if isinstance(content, str) else content
    record = read_record(sheet, path, hashlib.sha1(data).hexdigest(), data)
    assert isinstance(record, Record), record
    return record


def store_of(path: Path, sheets: Mapping[Sheet, Mapping[str, str | bytes]]) -> Path:
    """A state file at `path` that holds these records, made without git."""
    state_file = StateFile.create(path)
    for sheet, files in sheets.items():
        state_file.add_sheet(sheet)
        state_file.load(sheet.name, (record_of(sheet, name, content) for name, content in files.items()))
        state_file.index_sheet(sheet.name)
    state_file.note(commit="c" * 40, committed_at="2024-01-02T03:04:05+00:00")
    state_file.finish()
    state_file.close()
    return path


def rows_of(path: Path, select: str) -> list[tuple[Any, ...]]:
    """What a plain SQL statement finds in a state file."""
    db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
    try:
        return list(db.execute(select))
    finally:
        db.close()


def everything(
    path: Path, searches: Iterable[str] = SEARCHES, fields_max: int | None = None
) -> dict[str, Any]:
    """Every answer of a state file that can be asked for, for comparing with another one's.

    Asks for orders, filters and facets of the first `fields_max` fields only.
    """
    with asked(path) as reader:
        sheets = sorted(reader.counts)
        matches = [match for text in searches if (match := match_expression(text))]
        fields = sorted(rows_of(path, "SELECT sheet, field, kind, records FROM livesheets_fields"))
        return {
            "commit": (reader.state("commit"), reader.state("committed_at")),
            "counts": reader.counts,
            "fields": fields,
            "tables": {name: sorted(rows_of(path, f"SELECT * FROM {name}"), key=repr) for name in _TABLES},
            "sheets": {
                name: _sheet_answers(reader, name, _askable(fields, name)[:fields_max], matches)
                for name in sheets
            },
            "search": {match: _search_answers(reader, sheets, match) for match in matches},
        }


def _askable(fields: list[tuple[str, str, str, int]], sheet: str) -> list[str]:
    return sorted({field for name, field, _, _ in fields if name == sheet and FIELD_NAME.match(field)})


def _sheet_answers(reader: Reader, sheet: str, fields: list[str], matches: list[str]) -> dict[str, Any]:
    answers: dict[str, Any] = {"records": all_rows(reader, sheet, Query(limit=1000))}
    for path, *_ in answers["records"]:
        attached = reader.attachments(sheet, path)
        assert all(reader.attachment(sheet, each.file) == each for each in attached)
        answers["attachments", path] = attached
    limit = max(2, len(answers["records"]) // 3)
    for number, field in enumerate(fields):
        other = fields[number - 1]
        for sorts in ((Sort(field),), (Sort(field, True),), (Sort(field, True), Sort(other))):
            answers[sorts] = paths(reader, sheet, Query(sorts=sorts, limit=limit))
        answers["facet", field] = _facet(reader, sheet, field)
        for query in _filtered(reader, sheet, field, limit):
            found = paths(reader, sheet, query)
            assert len(found) == reader.total(sheet, query)
            answers[query] = found
    for match in matches:
        query = Query(match=match, limit=limit)
        answers[match] = all_rows(reader, sheet, query), reader.total(sheet, query)
    return answers


def _facet(reader: Reader, sheet: str, field: str) -> tuple[FacetValue, ...]:
    """The values of a field; a field that is nothing but a table has none."""
    if reader.kinds(sheet, [field])[field] - {"null"} == {"table"}:
        return ()
    return reader.facet(sheet, Query(), Facet(field)).values


def _filtered(reader: Reader, sheet: str, field: str, limit: int) -> Iterator[Query]:
    operations: list[tuple[Operator, str]] = [("exists", "true")]
    kinds = reader.kinds(sheet, [field])[field]
    for each in _facet(reader, sheet, field)[:2]:
        text = each.kind if each.kind in ("true", "false") else str(each.value)
        operations += [("eq", text), ("ne", text)]
        operations += [("gte", text)] if _COMPARABLE.get(each.kind) in kinds else []
    for operator, value in operations:
        yield Query(filters=(Filter(field, operator, value, field),), limit=limit)


def _search_answers(reader: Reader, sheets: list[str], match: str) -> tuple[Any, ...]:
    if not sheets:
        return ()
    total = reader.search_total(sheets, match)
    limit = max(2, total // 3)
    hits = _pages(lambda after: reader.search(sheets, match, limit, after), lambda hit: hit.row.keys)
    return total, hits


def all_rows(reader: Reader, sheet: str, query: Query) -> list[tuple[Any, ...]]:
    """Every row that a query finds, page by page: path, blob, record and sort keys."""
    found = _pages(lambda after: reader.page(sheet, _after(query, after)), lambda row: row.keys)
    return [(row.path, row.blob, row.json, row.keys) for row in found]


def paths(reader: Reader, sheet: str, query: Query) -> list[str]:
    """The paths of all records that a query finds, page by page."""
    return [path for path, *_ in all_rows(reader, sheet, query)]


def _after(query: Query, after: Any) -> Query:
    return replace(query, after=after)


def _pages(page: Callable[[Any], tuple[list[Any], bool]], keys: Callable[[Any], Any]) -> list[Any]:
    """Every item of every page; each page's cursor goes through JSON, as a client's does."""
    found: list[Any] = []
    after, more = None, True
    while more:
        items, more = page(after)
        assert items or not more
        found += items
        after = tuple(orjson.loads(orjson.dumps(keys(items[-1])))) if items else None
    return found
