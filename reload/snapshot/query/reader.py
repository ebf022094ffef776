"""A reader of the state file, pinned to one version: an open read transaction and what can be asked of it."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import apsw
import orjson

from reload.errors import StateFileError
from reload.snapshot.folding import folded_value, sort_value
from reload.snapshot.query.answers import FacetCounts, FacetValue, Hit, Row
from reload.snapshot.query.conditions import FOLD, SORT_KEY, conditions, without
from reload.snapshot.query.facets import facet
from reload.snapshot.query.members import KINDS, types_of_members
from reload.snapshot.query.order import Order
from reload.snapshot.query.page_size import Rows, first_rows, fitting
from reload.snapshot.query.query import (
    PATH,
    Condition,
    Facet,
    InvalidQuery,
    KindCounts,
    Kinds,
    Query,
    Sort,
    SortValue,
    Sql,
    require_field,
)
from reload.snapshot.query.ranking import After, Match, behind, behind_in, best
from reload.snapshot.query.snippets import Snippets
from reload.snapshot.state_file import Attachment, json_path, quoted
from reload.snapshot.tables.problems import Listed, Listing, listed

QUERY_DEADLINE_S = 5.0
FIELDS_NAMED_MAX = 20
# As much of the file as SQLite keeps in memory by itself. Not a memory map: a file that is truncated
# would end the process.
CACHE_KIB = 2 << 10
# Steps of SQLite between two looks at the clock, some 0.2 ms. Each look takes the interpreter's lock
# from the event loop, so they are as rare as a search of many terms allows, which takes few steps.
_STEPS_BETWEEN_CHECKS = 5_000


class QueryTooSlow(Exception):
    """A question took longer than allowed and was given up."""


class Reader:
    """One pinned connection; for use by one thread at a time.

    Keeps up to `cache_kib` KiB of the file in memory. Raises QueryTooSlow where a question takes longer
    than `deadline_s`.
    """

    def __init__(
        self, path: Path, *, deadline_s: float = QUERY_DEADLINE_S, cache_kib: int = CACHE_KIB
    ) -> None:
        self._deadline_s = deadline_s
        self._until: float | None = None
        self._is_cancelled: Callable[[], bool] = _never
        self._snippets: Snippets | None = None
        self._totals: dict[tuple[str, str | None, tuple[Condition, ...]], int] = {}
        self._db = apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)
        self._db.pragma("query_only", True)
        self._db.pragma("trusted_schema", False)
        self._db.pragma("cache_size", -cache_kib)
        self._db.create_scalar_function(FOLD, folded_value, 1, deterministic=True)
        self._db.create_scalar_function(SORT_KEY, sort_value, 1, deterministic=True)
        self._db.execute("BEGIN")
        select = "SELECT name, data, records FROM livesheets_sheets"
        rows = [(str(name), str(data), int(count)) for name, data, count in self._db.execute(select)]
        self.counts = {name: count for name, _, count in rows}
        self._tables = {name: quoted(data) for name, data, _ in rows}
        self._search_tables = {name: quoted(f"{data}_fts") for name, data, _ in rows}
        attached = "SELECT 1 FROM livesheets_attachments WHERE sheet = ? LIMIT 1"
        self._with_attachments = {name for name in self._tables if self._db.execute(attached, (name,)).get}
        self._gets = {
            name: f"SELECT blob, record FROM {table} WHERE path = ?" for name, table in self._tables.items()
        }

    def close(self) -> None:
        """Let go of the version."""
        self._db.close()
        if self._snippets is not None:
            self._snippets.close()

    @contextlib.contextmanager
    def question(self, is_cancelled: Callable[[], bool] = lambda: False) -> Iterator[Reader]:
        """Let all that is asked in here share one deadline, and end where `is_cancelled` says so."""
        self._until, self._is_cancelled = time.monotonic() + self._deadline_s, is_cancelled
        try:
            yield self
        finally:
            self._until, self._is_cancelled = None, _never

    def state(self, key: str) -> str:
        """One value of the table `livesheets_state`."""
        for (value,) in self._db.execute("SELECT value FROM livesheets_state WHERE key = ?", (key,)):
            return str(value)
        raise StateFileError(f"the state file notes no {key}")

    def listing(self) -> Listing:
        """What is wrong with the commit, though it is served: quarantined records and warnings."""
        return Listing.read(self._db)

    def stale(self) -> Iterator[Listed]:
        """Every quarantined record that is served in an older version."""
        return listed(self._db, "WHERE kind = 'quarantined' AND served IS NOT NULL", ())

    def get(self, sheet: str, path: str) -> Row | None:
        """One record by its path."""
        for blob, record in self._db.execute(self._gets[sheet], (path,)):
            return Row(path, blob, record)
        return None

    def rows(self, sheet: str, after: str, limit: int) -> list[Row]:
        """The next `limit` records of a sheet by path, from behind `after`; "" begins."""
        select = f"SELECT path, blob, record FROM {self._tables[sheet]} WHERE path > ? ORDER BY path LIMIT ?"
        return [Row(*row) for row in self._db.execute(select, (after, limit))]

    def attachments(self, sheet: str, record: str) -> list[Attachment]:
        """The files attached to a record, by name."""
        if sheet not in self._with_attachments:
            return []
        select = (
            "SELECT file, record, name, blob, size FROM livesheets_attachments"
            " WHERE sheet = ? AND record = ? ORDER BY name"
        )
        return [Attachment(*row) for row in self._db.execute(select, (sheet, record))]

    def attachment(self, sheet: str, file: str) -> Attachment | None:
        """One attached file by its path below the sheet's root, if its record exists."""
        select = (
            "SELECT file, record, name, blob, size FROM livesheets_attachments WHERE sheet = ? AND file = ?"
        )
        for row in self._db.execute(select, (sheet, file)):
            found = Attachment(*row)
            return found if found.record is not None and self.get(sheet, found.record) else None
        return None

    def kinds(self, sheet: str, fields: Iterable[str]) -> dict[str, frozenset[str]]:
        """The kinds of values that records hold in these fields; a field that none has is absent."""
        select = "SELECT kind FROM livesheets_fields WHERE sheet = ? AND field = ?"
        found = {
            field: frozenset(str(kind) for (kind,) in self._db.execute(select, (sheet, field)))
            for field in set(fields)
        }
        return {field: kinds for field, kinds in found.items() if kinds}

    def fields(self, sheet: str, at_most: int) -> dict[str, KindCounts]:
        """The fields that most records of a sheet have: how many hold a value of each kind in them."""
        select = (
            "SELECT field, json_group_object(kind, records) FROM livesheets_fields WHERE sheet = ?"
            " GROUP BY field ORDER BY sum(records) DESC, field LIMIT ?"
        )
        return {name: orjson.loads(kinds) for name, kinds in self._all(select, (sheet, at_most))}

    def data_bytes(self, sheet: str) -> int:
        """The size of a sheet's records as JSON, which is known without reading them."""
        (row,) = self._all(f"SELECT coalesce(sum(octet_length(record)), 0) FROM {self._tables[sheet]}", ())
        return int(row[0])

    def member_kinds(self, sheet: str, field: str) -> frozenset[str]:
        """The kinds of members of a field's arrays; reads every record of the sheet."""
        select = types_of_members(self._tables[sheet], field)
        return frozenset(KINDS[found] for (found,) in self._all(select, ()))

    def page(self, sheet: str, query: Query) -> tuple[list[Row], bool]:
        """The rows of one page, fewer than asked for where they are large, and whether more follow."""
        self._totals.clear()
        kinds = self._kinds_of(sheet, query.fields)
        condition = conditions(query.filters, kinds)  # refuses what is not understood, whatever is found
        if query.nothing or not query.limit:
            return [], False
        if query.ranked:
            found = self._best(sheet, query, condition, behind(query.after), query.limit + 1)
            rows = [Row(each.path, each.blob, each.json, (each.rank, each.path)) for each in found]
        else:
            order = Order.of(query.sorts, kinds, lambda field: self._has_index(sheet, field))
            rows = self._sorted_page(sheet, query, condition, order)
        count = fitting((row.json for row in rows), query.limit)
        return rows[:count], len(rows) > count

    def total(self, sheet: str, query: Query) -> int:
        """How many records the query finds on all pages together; cheap after `page` of the same query."""
        if query.nothing:
            return 0
        if query.match is None and not query.filters:
            return self.counts[sheet]
        noted = self._totals.get((sheet, query.match, query.filters))
        if noted is not None:
            return noted
        found, fts = self._selection(sheet, query), self._search_tables[sheet]
        if query.match is not None and not query.filters:
            found = Sql(f"FROM {fts} WHERE {fts} MATCH ?", [query.match])
        return int(self._one(f"SELECT count(*) {found.text}", found.values))

    def facet(self, sheet: str, query: Query, asked: Facet) -> FacetCounts:
        """The most frequent values of a field among all records that the query finds."""
        field = asked.field
        kinds = require_field("facet", field, self._kinds_of(sheet, [field]))
        if kinds - {"null"} == {"table"}:
            below = ", ".join(self._fields_below(sheet, field))
            raise InvalidQuery("facet", f"{field!r} is a table; count a field of it: {below}")
        if query.nothing:
            return FacetCounts()
        if query.facet_excludes_self:
            query = replace(query, filters=without(query.filters, field))
        whole = query.match is None and not query.filters and self._has_index(sheet, field)

        def selection(tables: str) -> Sql:
            return self._selection(sheet, query, tables=tables)

        found = facet(asked, kinds, selection, whole, query.facet_values_max)
        rows = self._all(found.text, found.values)
        return FacetCounts(tuple(FacetValue(*row[:3]) for row in rows), rows[0][3] if rows else 0)

    def search(
        self, sheets: Sequence[str], match: str, limit: int, after: tuple[SortValue, ...] | None
    ) -> tuple[list[Hit], bool]:
        """The best matches of several sheets, and whether more follow; `after` is (rank, sheet, path)."""
        self._totals.clear()
        query = Query(match=match)
        if not limit:
            return [], False
        found: list[tuple[str, Match]] = []
        count = 0
        for sheet in sheets:
            best = self._best(sheet, query, Sql("1"), behind_in(sheet, after), limit + 1)
            found += [(sheet, each) for each in best]
            found.sort(key=lambda each: (each[1].rank, each[0], each[1].path))
            count = fitting((each.json for _, each in found), limit)
            del found[count + 1 :]  # no more than one page is held at a time
        snippets = self._snippets_of(match, [(sheet, each.row_id) for sheet, each in found[:count]])
        hits = [
            Hit(sheet, Row(each.path, each.blob, each.json, (each.rank, sheet, each.path)), each.rank, text)
            for (sheet, each), text in zip(found[:count], snippets, strict=True)
        ]
        return hits, len(found) > count

    def search_total(self, sheets: Sequence[str], match: str) -> int:
        """How many records of these sheets match; cheap after `search` for the same."""
        return sum(self.total(sheet, Query(match=match)) for sheet in sheets)

    def _snippets_of(self, match: str, hits: Sequence[tuple[str, int]]) -> list[str]:
        if self._snippets is None:
            self._snippets = Snippets()
        texts = (
            str(self._one(f"SELECT text FROM {self._tables[sheet]} WHERE id = ?", [row_id]))
            for sheet, row_id in hits
        )
        return self._snippets.of(match, texts, self._refuse_when_late)

    def _kinds_of(self, sheet: str, fields: Iterable[str]) -> Kinds:
        """As `kinds`, and the path of records, which may be asked for like a field."""
        return {**self.kinds(sheet, fields), PATH: frozenset({"string"})}

    def _fields_below(self, sheet: str, field: str) -> list[str]:
        """Some of the fields in a table, those that can be counted."""
        select = (
            "SELECT DISTINCT field FROM livesheets_fields"
            " WHERE sheet = ? AND field > ? AND field < ? AND kind NOT IN ('table', 'null') LIMIT ?"
        )
        named = (sheet, f"{field}.", f"{field}/", FIELDS_NAMED_MAX)  # the slash comes after the dot
        return [name for (name,) in self._all(select, named)]

    def _has_index(self, sheet: str, field: str) -> bool:
        if field == PATH:
            return False
        select = "SELECT count(*) FROM sqlite_schema WHERE type = 'index' AND instr(sql, ?)"
        return bool(self._one(select, [f" ON {self._tables[sheet]} ({json_path(field)},"]))

    def _best(self, sheet: str, query: Query, condition: Sql, after: After, limit: int) -> list[Match]:
        """The best matches; notes how many there are on all pages."""
        table, fts = self._tables[sheet], self._search_tables[sheet]
        asked = best(table, fts, query.match or "", condition, after, limit)
        found = [Match(*row) for row in self._all(asked.text, asked.values, record=3)]
        if found:
            self._totals[sheet, query.match, query.filters] = found[0].total
        return found

    def _sorted_page(self, sheet: str, query: Query, condition: Sql, order: Order) -> list[Row]:
        found = self._selection(sheet, query, condition)
        rows: list[Row] = []
        for part, own in [(Sql("1"), order)] if query.after is None else order.behind(query.after):
            select = (
                f"SELECT path, blob, record, {order.columns} {found.text} AND ({part.text})"
                f" ORDER BY {own.text} LIMIT ?"
            )
            values = [*found.values, *part.values, query.limit + 1 - len(rows)]
            rows += [Row(row[0], row[1], row[2], row[3:]) for row in self._all(select, values, 2)]
            if len(rows) > query.limit:
                break
        return rows

    def _selection(self, sheet: str, query: Query, condition: Sql | None = None, tables: str = "") -> Sql:
        """FROM and WHERE for everything that the query finds."""
        if condition is None:
            condition = conditions(query.filters, self._kinds_of(sheet, query.fields))
        text = f"FROM {self._tables[sheet]} AS t{tables} WHERE {condition.text}"
        if query.match is None:
            return Sql(text, condition.values)
        fts = self._search_tables[sheet]
        text += f" AND t.id IN (SELECT rowid FROM {fts} WHERE {fts} MATCH ?)"
        return Sql(text, [*condition.values, query.match])

    def _one(self, select: str, values: Sequence[SortValue]) -> Any:
        return self._all(select, values)[0][0]

    def _all(self, select: str, values: Sequence[SortValue], record: int | None = None) -> Rows:
        """Every row of an answer, as many as fit where `record` names their column; in time."""
        until = self._until or time.monotonic() + self._deadline_s
        is_cancelled = self._is_cancelled
        self._db.set_progress_handler(
            lambda: time.monotonic() > until or is_cancelled(), _STEPS_BETWEEN_CHECKS
        )
        try:
            rows = self._db.execute(select, values)
            return list(rows) if record is None else first_rows(rows, record)
        except apsw.InterruptError as error:
            raise self._too_slow() from error
        finally:
            self._db.set_progress_handler(None)

    def _refuse_when_late(self) -> None:
        if self._is_cancelled() or (self._until is not None and time.monotonic() > self._until):
            raise self._too_slow()

    def _too_slow(self) -> QueryTooSlow:
        return QueryTooSlow(f"the query took longer than {self._deadline_s:g} s")


def _never() -> bool:
    return False


def sortable(sorts: Sequence[Sort], indexed: Sequence[str]) -> bool:
    """Whether an index serves this order, so that a page of it is cheap."""
    return not sorts or (len(sorts) == 1 and sorts[0].field in (*indexed, PATH))
