"""Path templates of gitsheets: how deep the records of a sheet lie, and under which literal folders.

A template says where records are *written*; to read them only its shape matters, so expressions are
counted and never evaluated (source: gitsheets, "Path templates").
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_REFERENCE = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_DATE_BUCKET = re.compile(r"^\s*[\w-]+(?:\.[\w-]+)*\s*:(.*)$", re.ASCII | re.DOTALL)
_RECURSIVE = re.compile(r"^\s*[\w-]+/\*\*\s*$", re.ASCII)
_BUCKET_LEVELS = {"YYYY": 1, "YYYY/MM": 2, "YYYY/MM/DD": 3, "YYYY/WW": 2}


class TemplateError(ValueError):
    """A path template that gitsheets refuses too."""


@dataclass(frozen=True, slots=True)
class Template:
    """The shape of a path template: one entry a level, the literal folder name or None for any name."""

    levels: tuple[str | None, ...]
    recursive: bool

    @property
    def depth(self) -> int:
        """How many path components a record has; with `recursive`, how many it has at least."""
        return len(self.levels)

    def fits(self, components: list[str]) -> bool:
        """Whether these components (a record's last one without extension) lie where the template says."""
        return all(
            level is None or level == name for level, name in zip(self.levels, components, strict=False)
        )


def parse_template(source: str) -> Template:
    """The shape of `source`; raises TemplateError with the reason.

    A folder `.` is no level; gitsheets shows it in the paths of records, here they are plain.
    """
    trimmed = source.strip("/")
    if not trimmed:
        raise TemplateError("the path template is empty")
    if "${{" in _REFERENCE.sub("", trimmed):
        raise TemplateError(f"an expression in {source!r} is not closed with }}}}")
    levels: list[str | None] = []
    recursive = False
    *folders, name = _split(trimmed)
    for component in (*(folder for folder in folders if folder != "."), name):
        if recursive:
            raise TemplateError("a recursive component (${{ field/** }}) must be the last one")
        if not component:
            raise TemplateError(f"{source!r} has an empty component")
        found, recursive = _levels_of(component)
        levels.extend(found)
    return Template(tuple(levels), recursive)


def _split(source: str) -> list[str]:
    """The components of `source`; a slash inside an expression separates nothing."""
    components = [""]
    position = 0
    for found in _REFERENCE.finditer(source):
        _append_literal(components, source[position : found.start()])
        components[-1] += found[0]
        position = found.end()
    _append_literal(components, source[position:])
    return components


def _append_literal(components: list[str], text: str) -> None:
    first, *others = text.split("/")
    components[-1] += first
    components.extend(others)


def _levels_of(component: str) -> tuple[list[str | None], bool]:
    references = _REFERENCE.findall(component)
    if not references:
        return [component], False
    alone = len(references) == 1 and _REFERENCE.sub("", component) == ""
    for reference in references:
        bucket = _DATE_BUCKET.match(reference)
        if bucket:
            return _bucket_levels(component, bucket[1].strip(), alone), False
        if _RECURSIVE.match(reference) and not alone:
            raise TemplateError(f"a recursive field must be the only part of its component: {component!r}")
    return [None], _RECURSIVE.match(references[0]) is not None


def _bucket_levels(component: str, form: str, alone: bool) -> list[str | None]:
    levels = _BUCKET_LEVELS.get(form)
    if levels is None:
        known = ", ".join(_BUCKET_LEVELS)
        raise TemplateError(f"unknown date-bucket format {form!r} in {component!r}; known: {known}")
    if not alone:
        raise TemplateError(f"a date bucket must stand alone in its component: {component!r}")
    return [None] * levels
