"""Filters of a list, as URL parameters say them: `stage=live`, `age__gt=3`, `or=(a=1,and=(b=2,c=3))`.

In a group, terms are separated by commas. A value with a comma, a parenthesis or a quote is put in double
quotes, in which a backslash stands before a quote or a backslash.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from reload.snapshot.query.query import OPERATORS, Condition, Filter, Group, InvalidQuery, Kinds
from server.api.meant import meant

# What a list takes besides filters; a field of such a name is asked for with an operator.
RESERVED: Final = frozenset(
    ("q", "sort", "limit", "cursor", "fields", "facet", "facet_limit", "facet_exclude", "or", "and")
)
GROUP_DEPTH_MAX: Final = 5
GROUP_TERMS_MAX: Final = 50
_NAME: Final = re.compile(r"[^=,()\"]+")
_BARE: Final = re.compile(r"[^,()\"]*")
_QUOTED: Final = re.compile(r'"((?:[^"\\]|\\.)*)"', re.DOTALL)
_ESCAPED: Final = re.compile(r"\\(.)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Term:
    """A filter as it is written: a parameter's name and value."""

    name: str
    value: str


@dataclass(frozen=True, slots=True)
class TermGroup:
    """A group as it is written."""

    operator: Literal["or", "and"]
    terms: tuple[Term | TermGroup, ...]

    @property
    def names(self) -> Iterator[str]:
        """The names of all terms in it."""
        for each in self.terms:
            if isinstance(each, Term):
                yield each.name
            else:
                yield from each.names


def read_group(operator: Literal["or", "and"], text: str) -> TermGroup:
    """The group that a parameter `or` or `and` holds; raises InvalidQuery."""
    reader = _GroupReader(operator, text)
    group = reader.group(operator, 1)
    reader.end()
    return group


class _GroupReader:
    """Reads one parameter from left to right."""

    def __init__(self, parameter: str, text: str) -> None:
        self._parameter = parameter
        self._text = text
        self._at = 0
        self._terms = 0

    def group(self, operator: Literal["or", "and"], depth: int) -> TermGroup:
        """A parenthesis with terms in it, from here on."""
        if depth > GROUP_DEPTH_MAX:
            raise self._fault(f"groups may be nested {GROUP_DEPTH_MAX} deep at most")
        self._expect("(")
        terms = [self._term(depth)]
        while self._text[self._at : self._at + 1] == ",":
            self._at += 1
            terms.append(self._term(depth))
        self._expect(")")
        return TermGroup(operator, tuple(terms))

    def end(self) -> None:
        """Nothing may follow."""
        if self._at < len(self._text):
            raise self._fault("nothing may follow the last parenthesis")

    def _term(self, depth: int) -> Term | TermGroup:
        self._terms += 1
        if self._terms > GROUP_TERMS_MAX:
            raise self._fault(f"a group may have {GROUP_TERMS_MAX} terms at most")
        name = _NAME.match(self._text, self._at)
        if name is None:
            raise self._fault("a term is name=value")
        self._at = name.end()
        self._expect("=")
        opens = self._text[self._at : self._at + 1] == "("
        if name[0] == "or" and opens:
            return self.group("or", depth + 1)
        if name[0] == "and" and opens:
            return self.group("and", depth + 1)
        return Term(name[0], self._value())

    def _value(self) -> str:
        quoted = _QUOTED.match(self._text, self._at)
        if quoted is not None:
            self._at = quoted.end()
            return _ESCAPED.sub(r"\1", quoted[1])
        bare = _BARE.match(self._text, self._at)
        assert bare is not None
        self._at = bare.end()
        return bare[0]

    def _expect(self, sign: str) -> None:
        if self._text[self._at : self._at + 1] != sign:
            raise self._fault(f"{sign!r} is missing")
        self._at += 1

    def _fault(self, message: str) -> InvalidQuery:
        place = f"at character {self._at + 1}: {message}; write {self._parameter}=(a=1,b__gt=2)"
        return InvalidQuery(self._parameter, place)


def conditions_of(
    terms: Sequence[Term | TermGroup], kinds: Kinds, names: Callable[[], Collection[str]]
) -> tuple[Condition, ...]:
    """The conditions that are written; `names` gives all fields, for a hint where one is unknown.

    Raises InvalidQuery where a name or an operator is unknown.
    """
    return tuple(_condition(each, kinds, names) for each in terms)


def require_single(terms: Sequence[Term], kinds: Kinds) -> None:
    """Raise InvalidQuery where a field is to equal two values and holds no arrays, so that nothing could."""
    seen: dict[str, str] = {}
    for each in terms:
        field = each.name if each.name in kinds else each.name.removesuffix("__eq")
        if "array" in kinds.get(field, ("array",)):
            continue
        if seen.setdefault(each.name, each.value) != each.value:
            values = f"{seen[each.name]},{each.value}"
            raise InvalidQuery(
                each.name, f"no record has two values at once; for either use {field}__in={values[:100]}"
            )


def field_names(names: Sequence[str]) -> set[str]:
    """What may be a field in these parameter names: the whole name, or what stands before an operator."""
    return {*names} | {name.rpartition("__")[0] for name in names}


def _condition(term: Term | TermGroup, kinds: Kinds, names: Callable[[], Collection[str]]) -> Condition:
    if isinstance(term, TermGroup):
        return Group(term.operator, conditions_of(term.terms, kinds, names))
    return _filter(term.name, term.value, kinds, names)


def _filter(parameter: str, value: str, kinds: Kinds, names: Callable[[], Collection[str]]) -> Filter:
    """A parameter as a condition: a field's whole name first, then a field and an operator."""
    if parameter in kinds:
        return Filter(parameter, "eq", value, parameter)
    field, separator, operator = parameter.rpartition("__")
    if separator and field in kinds:
        for known in OPERATORS:
            if operator == known:
                return Filter(field, known, value, parameter)
        raise InvalidQuery(parameter, f"no such operator; known are {', '.join(OPERATORS)}")
    hint = meant(parameter, {*RESERVED, *names()})
    others = ", ".join(sorted(RESERVED))
    raise InvalidQuery(
        parameter, f"neither a field of this sheet nor a parameter of lists{hint}; those are {others}"
    )
