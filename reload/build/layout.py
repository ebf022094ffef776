"""Why a commit serves nothing: sheets without records, and files that were meant to define sheets."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from itertools import islice

from reload.records.sheet import DEFINITIONS_FOLDER, Sheet, definition_path

# So many files below the root of an empty sheet are looked at, in git's order.
FILES_MAX = 1_000
NAMED_FILES_MAX = 3
NO_SHEETS = (
    "the commit defines no sheet, so nothing is served. A sheet is a file .gitsheets/NAME.toml"
    ' with [gitsheet] and path = "${{ slug }}", the path of its records below root'
)
_DEFINITION_ENDINGS = (".yaml", ".yml", ".json", ".tml", ".txt")
# What people write who know other templates: {{ slug }}, ${ slug }, {slug}, <slug>, :slug, %slug%.
_OTHER_TEMPLATE = re.compile(r"\$?\{{1,2}\s*([\w.-]+)\s*\}{1,2}|<([\w.-]+)>|(?:^|/):([\w.-]+)|%([\w.-]+)%")


def unread_definitions(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path, message) of each file that was meant to define a sheet, and does not."""
    for path in paths:
        if not path.startswith(DEFINITIONS_FOLDER):
            continue
        name = path[len(DEFINITIONS_FOLDER) :]
        stem, dot, ending = name.rpartition(".")
        if "/" in name and ending == "toml":
            yield (
                path,
                f"is not read: a sheet is defined directly in {DEFINITIONS_FOLDER}, not in a folder of it",
            )
        elif stem and dot + ending.lower() in (*_DEFINITION_ENDINGS, ".toml") and ending != "toml":
            yield path, f"is not read: name it {definition_path(stem)}"


def template_hint(source: str) -> str | None:
    """What a template was meant to be that names no field, None where it is as it should be."""
    if "${{" in source:
        return None
    meant, found = _OTHER_TEMPLATE.subn(_as_field, source)
    return f"gitsheet.path {source!r} names no field: did you mean {meant!r}?" if found else None


def empty_sheet(sheet: Sheet, files: Iterable[str], folders: Iterable[str]) -> str:
    """Why a sheet has no records.

    `files` are the paths of the files below its root, relative to that; the first FILES_MAX count.
    `folders` are the folders of the commit that a misspelt root may have meant.
    """
    found = list(islice(files, FILES_MAX))
    if not found:
        return _no_root(sheet, folders)
    fitting = [file for file in found if file.endswith(sheet.extension)]
    if not fitting:
        return f"no file fits: {_place(sheet)} holds {_listed(found)}, only {sheet.extension} is read"
    return f"no file fits: {_misplaced(sheet, fitting)}"


def _as_field(found: re.Match[str]) -> str:
    name = next(group for group in found.groups() if group)
    slash = "/" if found[0].startswith("/") else ""
    return f"{slash}${{{{ {name} }}}}"


def _no_root(sheet: Sheet, folders: Iterable[str]) -> str:
    if not sheet.root:
        return "no file fits: the commit holds no other file"
    close = get_close_matches(sheet.root, sorted(set(folders)), n=1)
    meant = f": did you mean {close[0] + '/'!r}?" if close else ""
    return f"no file fits: gitsheet.root {sheet.root + '/'!r} is not in the commit{meant}"


def _misplaced(sheet: Sheet, files: Sequence[str]) -> str:
    """Why files with the right ending are no records: their depth, or the folders that they lie in."""
    depths = Counter(file.count("/") + 1 for file in files)
    wanted = sheet.template.depth
    if wanted not in depths or sheet.template.recursive:
        depth, _ = depths.most_common(1)[0]
        return (
            f"{_listed(files)} {_lie(files)} {_levels(depth)} below {_place(sheet)},"
            f" the template {sheet.path!r} puts records {_levels(wanted)} below it"
        )
    literal = [level for level in sheet.template.levels if level is not None]
    folders = ", ".join(repr(level) for level in literal)
    return (
        f"{_listed(files)} {_lie(files)} outside the folder {folders} that the template {sheet.path!r} names"
    )


def _lie(files: Sequence[str]) -> str:
    return "lies" if len(files) == 1 else "lie"


def _levels(count: int) -> str:
    return "1 level" if count == 1 else f"{count} levels"


def _place(sheet: Sheet) -> str:
    return sheet.prefix or "the commit"


def _listed(files: Sequence[str]) -> str:
    named = ", ".join(files[:NAMED_FILES_MAX])
    more = len(files) - NAMED_FILES_MAX
    return f"{named} and {more} more" if more > 0 else named
