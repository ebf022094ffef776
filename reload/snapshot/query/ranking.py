"""The best matches of a search, as SQL: each match is ranked once, only the best are read."""

from __future__ import annotations

from typing import NamedTuple

from reload.snapshot.query.query import SortValue, Sql

# A condition on `m.rank` and `t.path` for the rows behind a page, and the rank of that page's last row.
After = tuple[Sql, float | None]

# A name that no sheet's table has.
_MATCHES = "livesheets_matches"
# No rank is as low, none as high.
_LOWEST, _HIGHEST = -9e999, 9e999


class Match(NamedTuple):
    """One record that a search finds; `total` is the number of matches on all pages."""

    rank: float
    path: str
    blob: str
    json: str
    row_id: int
    total: int


def best(table: str, search_table: str, match: str, condition: Sql, after: After, limit: int) -> Sql:
    """The statement whose rows are those of a Match, the best first.

    Among equal ranks the path decides; it is read of those matches only that may be among the first
    `limit`.
    """
    if condition.text == "1":
        matches = f"SELECT rank AS rank, rowid AS id FROM {search_table} WHERE {search_table} MATCH ?"
    else:
        matches = (
            f"SELECT f.rank AS rank, f.rowid AS id FROM {search_table} AS f"
            f" JOIN {table} AS t ON t.id = f.rowid WHERE {search_table} MATCH ? AND {condition.text}"
        )
    following, rank = after
    last = f"SELECT rank FROM {_MATCHES} WHERE rank > ? ORDER BY rank LIMIT 1 OFFSET ?"
    text = (
        f"WITH {_MATCHES} AS MATERIALIZED ({matches})"
        f" SELECT m.rank, t.path, t.blob, t.record, m.id, (SELECT count(*) FROM {_MATCHES})"
        f" FROM {_MATCHES} AS m JOIN {table} AS t ON t.id = m.id"
        f" WHERE m.rank <= coalesce(({last}), ?) AND ({following.text}) ORDER BY m.rank, t.path LIMIT ?"
    )
    lowest = _LOWEST if rank is None else rank
    values: list[SortValue] = [match, *condition.values, lowest, limit - 1, _HIGHEST]
    return Sql(text, [*values, *following.values, limit])


def behind(after: tuple[SortValue, ...] | None) -> After:
    """What comes after the row with this (rank, path), of one sheet."""
    if after is None:
        return Sql("1"), None
    return _with_rank(Sql("m.rank >= ? AND (m.rank, t.path) > (?, ?)", [after[0], *after]), after[0])


def behind_in(sheet: str, after: tuple[SortValue, ...] | None) -> After:
    """What comes after the row with this (rank, sheet, path), in one of the sheets that are searched."""
    if after is None:
        return Sql("1"), None
    rank, last_sheet, path = after
    if sheet == last_sheet:
        return behind((rank, path))
    sign = ">=" if sheet > str(last_sheet) else ">"
    return _with_rank(Sql(f"m.rank {sign} ?", [rank]), rank)


def _with_rank(condition: Sql, rank: SortValue) -> After:
    return condition, float(rank) if isinstance(rank, int | float) else None
