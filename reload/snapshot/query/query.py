"""A question about one sheet: filters and groups of them, order, facets and page.

Field names reach SQL only after they were found in the sheet's list of fields; values are always bound.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from reload.records.sheet import FIELD_NAME

LIMIT_MAX = 1000
LIMIT_DEFAULT = 50
SORT_KEYS_MAX = 16
FACET_VALUES_DEFAULT = 20
FACET_VALUES_MAX = 1000
# The path of a record, which is asked for like a field; a field of the same name is not.
PATH: Final = "path"

Operator = Literal[
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "startswith", "exists"
]
OPERATORS: tuple[Operator, ...] = (
    "eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "contains", "icontains", "startswith", "exists",
)  # fmt: skip
DatePart = Literal["year", "month"]
DATE_PARTS: tuple[DatePart, ...] = ("year", "month")
Kinds = Mapping[str, frozenset[str]]
KindCounts = Mapping[str, int]  # how many records hold a value of a kind in a field
SortValue = str | int | float | None


class InvalidQuery(ValueError):
    """A parameter or value that is not understood; `parameter` names it as the caller wrote it."""

    def __init__(self, parameter: str, message: str) -> None:
        super().__init__(f"{parameter}: {message}")
        self.parameter = parameter


@dataclass(frozen=True, slots=True)
class Filter:
    """A condition on one field; `parameter` is how the caller wrote it."""

    field: str
    operator: Operator
    value: str
    parameter: str


@dataclass(frozen=True, slots=True)
class Group:
    """Conditions of which one must hold (`or`), or all (`and`)."""

    operator: Literal["or", "and"]
    conditions: tuple[Condition, ...]


Condition = Filter | Group


@dataclass(frozen=True, slots=True)
class Sort:
    """One key of an order: texts folded and natural, or `binary` by code point."""

    field: str
    descending: bool = False
    binary: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """A field whose values are counted, or the years or months of its dates."""

    field: str
    part: DatePart | None = None

    @property
    def name(self) -> str:
        """How an answer names it."""
        return self.field if self.part is None else f"{self.field}:{self.part}"


@dataclass(frozen=True, slots=True)
class Query:
    """What to list of a sheet.

    `match` is an FTS5 expression; `after` has the sort values and path of the last row of the page before.
    With `facet_excludes_self` a facet counts what the query finds without the filters on its own field.
    """

    filters: tuple[Condition, ...] = ()
    match: str | None = None
    sorts: tuple[Sort, ...] = ()
    limit: int = LIMIT_DEFAULT
    after: tuple[SortValue, ...] | None = None
    facets: tuple[Facet, ...] = ()
    facet_values_max: int = FACET_VALUES_DEFAULT
    facet_excludes_self: bool = False
    nothing: bool = False  # a search text without any word in it finds nothing

    @property
    def ranked(self) -> bool:
        """Whether the best match comes first."""
        return self.match is not None and not self.sorts

    @property
    def fields(self) -> Iterator[str]:
        """Every field that is asked about."""
        yield from fields_of(self.filters)
        yield from (each.field for each in self.sorts)
        yield from (each.field for each in self.facets)


@dataclass(slots=True)
class Sql:
    """A piece of SQL with the values bound to it, in order."""

    text: str
    values: list[SortValue] = field(default_factory=list)


def fields_of(conditions: Iterable[Condition]) -> Iterator[str]:
    """The fields that conditions look at."""
    for each in conditions:
        if isinstance(each, Group):
            yield from fields_of(each.conditions)
        else:
            yield each.field


def require_field(parameter: str, name: str, kinds: Kinds) -> frozenset[str]:
    """The kinds of values that a field holds in this sheet; raises InvalidQuery where no record has it."""
    known = kinds.get(name)
    if known is None or not FIELD_NAME.match(name):
        raise InvalidQuery(parameter, f"no record of this sheet has a field {name!r}")
    return known
