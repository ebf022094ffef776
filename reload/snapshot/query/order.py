"""The order of a list as SQL, and what follows a row in it.

Texts are ordered by a key that SQLite cannot make itself: a function of ours makes it while a list is
read. Of fields with a declared index the keys are stored and indexed, so that other programs can still
open and change the file, which an index over our function would not let them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from reload.snapshot.folding import sort_value
from reload.snapshot.query.conditions import SORT_KEY, value_of
from reload.snapshot.query.query import PATH, Kinds, Sort, SortValue, Sql, require_field
from reload.snapshot.state_file import stored_sort_key


class Key(NamedTuple):
    """One expression to order by; a `derived` one is made of the value in the key behind it."""

    text: str
    descending: bool
    derived: bool = False


@dataclass(frozen=True, slots=True)
class Order:
    """The order of a list: SQL expressions with their direction, the path last so that no two rows tie."""

    keys: tuple[Key, ...]

    @classmethod
    def of(cls, sorts: Sequence[Sort], kinds: Kinds, indexed: Callable[[str], bool]) -> Order:
        """By the sort keys and then by path, in the last key's direction so that an index serves both."""
        keys: list[Key] = []
        for sort in sorts:
            keys += _keys(sort, require_field("sort", sort.field, kinds), indexed)
        return cls((*keys, Key("t.path", bool(sorts) and sorts[-1].descending)))

    @property
    def columns(self) -> str:
        """What places a row in this order: the values sorted by, and the path."""
        return ", ".join(key.text for key in self.keys if not key.derived)

    @property
    def text(self) -> str:
        """The ORDER BY list."""
        return ", ".join(f"{key.text} DESC" if key.descending else key.text for key in self.keys)

    def behind(self, values: Sequence[SortValue]) -> list[tuple[Sql, Order]]:
        """What comes after the row that has these `columns`, as `after` says it."""
        left = list(values)
        return self.after([sort_value(left[0]) if key.derived else left.pop(0) for key in self.keys])

    def after(self, values: Sequence[SortValue]) -> list[tuple[Sql, Order]]:
        """What comes after the row with these values of all keys: conditions, with the order of their rows.

        The rows of one condition follow those of the one before; together they are in this order, in
        which empty values come first, or last where it descends. Each condition bounds the first key,
        so that an index leads straight to its rows.
        """
        (key, descending, derived), *keys = self.keys
        value, *others = values
        # A derived key is empty where the value behind it is, and rows without it are ordered by the others.
        empty = keys[0].text if derived else key
        alike = Order(tuple(keys[1:] if derived else keys))
        if value is None and keys:
            tied = alike._beyond(others[1:] if derived else others)
            ties = Sql(f"{empty} IS NULL AND ({tied.text})", tied.values)
            return [(ties, alike)] if descending else [(ties, alike), (Sql(f"{empty} IS NOT NULL"), self)]
        tied = Order(tuple(keys))._beyond(others) if keys else Sql("0")
        sign = "<" if descending else ">"
        text = f"{key} {sign}= ? AND ({key} {sign} ? OR ({tied.text}))"
        following = (Sql(text, [value, value, *tied.values]), self)
        return [following, (Sql(f"{empty} IS NULL"), alike)] if descending and keys else [following]

    def _beyond(self, values: Sequence[SortValue]) -> Sql:
        """The conditions of `after` as one."""
        parts = [part for part, _ in self.after(values)]
        return Sql(
            " OR ".join(f"({part.text})" for part in parts), [v for part in parts for v in part.values]
        )


def _keys(sort: Sort, kinds: frozenset[str], indexed: Callable[[str], bool]) -> Sequence[Key]:
    """What one sort key means to SQLite; texts that are alike when folded are ordered by themselves."""
    value = Key(value_of(sort.field), sort.descending)
    if sort.binary or sort.field == PATH or not kinds & {"string", "array", "table"}:
        return [value]
    key = stored_sort_key(sort.field) if indexed(sort.field) else f"{SORT_KEY}({value.text})"
    return [Key(key, sort.descending, derived=True), value]
