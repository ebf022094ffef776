"""Why a commit serves nothing: sheets without records, and files that were meant to define sheets.

What is listed is a function of the commit alone, so that a difference lists what a full build lists.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from itertools import islice

from reload.build.findings import is_utf8
from reload.records import toml
from reload.records.schema import locate
from reload.records.sheet import (
    DEFINITIONS_FOLDER,
    LIVESHEETS_KEYS,
    Sheet,
    definition_path,
    is_reserved,
    sheet_name,
)
from reload.repository.repository import Repository
from reload.snapshot.state_file import StateFile
from reload.snapshot.tables.problems import Listed

# So many files below the root of an empty sheet are looked at, in git's order.
FILES_MAX = 1_000
NAMED_FILES_MAX = 3
FOLDERS_MAX = 1_000
NO_SHEETS = (
    "the commit defines no sheet, so nothing is served. A sheet is a file .gitsheets/NAME.toml"
    ' with [gitsheet] and path = "${{ slug }}", the path of its records below root'
)
_RECORD_ENDING = ".toml"
_DEFINITION_ENDINGS = (".yaml", ".yml", ".json", ".tml", ".txt")
# What people write who know other templates: {{ slug }}, ${ slug }, {slug}, <slug>, :slug, %slug%.
_OTHER_TEMPLATE = re.compile(r"\$?\{{1,2}\s*([\w.-]+)\s*\}{1,2}|<([\w.-]+)>|(?:^|/):([\w.-]+)|%([\w.-]+)%")


def unread_definitions(paths: Iterable[str]) -> Iterator[tuple[str, str]]:
    """(path, message) of each file that was meant to define a sheet, and does not."""
    for path in paths:
        if not path.startswith(DEFINITIONS_FOLDER):
            continue
        name = path[len(DEFINITIONS_FOLDER) :]
        if is_reserved(sheet_name(path)):
            yield path, "is not served: names that begin with _ belong to the API; rename it"
            continue
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


def empty_sheet(sheet: Sheet, files: Iterable[str], folders: Iterable[str]) -> str | None:
    """Why a sheet has no records, None where it has files that fit and cannot be read.

    `files` are the paths of the files below its root, relative to that; the first FILES_MAX count.
    `folders` are the folders of the commit that a misspelt root may have meant.
    """
    found = list(islice(files, FILES_MAX))
    if not found:
        return _no_root(sheet, folders)
    if any(is_record(sheet, file) for file in found):
        return None
    fitting = [file for file in found if file.endswith(sheet.extension)]
    if not fitting:
        return f"no file fits: {_place(sheet)} holds {_listed(found)}, only {sheet.extension} is read"
    return f"no file fits: {_misplaced(sheet, fitting)}"


def list_layout(
    repository: Repository, state_file: StateFile, commit: str, changed: Iterable[str] | None = None
) -> None:
    """List again what is wrong with a commit's layout, after its sheets are in the state file.

    `changed` are the paths that differ from the commit before; without them everything is looked at.
    Where all sheets have records, no definition changed and nothing was listed, git is not asked.
    """
    sheets = state_file.sheets
    unused = list(_unused_fields(state_file))
    empty = [sheet for name, sheet in sheets.items() if not state_file.count(name)]
    defined_again = changed is None or any(path.startswith(DEFINITIONS_FOLDER) for path in changed)
    if sheets and not (empty or unused or defined_again) and not state_file.problems.has_kind("layout"):
        return
    state_file.problems.forget_kind("layout")
    found = [*_found(repository, sheets, commit, empty), *_unknown_keys(sheets.values()), *unused]
    state_file.problems.add(sorted(found, key=_position))


def _unused_fields(state_file: StateFile) -> Iterator[Listed]:
    """The fields that a sheet names for search or an index, and that none of its records has."""
    for name, sheet in state_file.sheets.items():
        if not (sheet.search or sheet.index) or not state_file.count(name):
            continue
        for key, fields in (("search", sheet.search or ()), ("index", sheet.index)):
            for field in fields:
                if field != sheet.body and not state_file.has_field(name, field):
                    yield _of_definition(sheet, key, f"livesheets.{key}: no record has a field {field!r}")


def _unknown_keys(sheets: Iterable[Sheet]) -> Iterator[Listed]:
    """What is written in the table [livesheets] and means nothing."""
    for sheet in sheets:
        for key in toml.parse(sheet.definition).get("livesheets", {}):
            if key in LIVESHEETS_KEYS:
                continue
            close = get_close_matches(key, LIVESHEETS_KEYS, n=1)
            meant = f": did you mean {close[0]!r}?" if close else f"; known are {', '.join(LIVESHEETS_KEYS)}"
            yield _of_definition(sheet, key, f"livesheets.{key} is not known{meant}")


def _found(
    repository: Repository, sheets: Mapping[str, Sheet], commit: str, empty: Sequence[Sheet]
) -> Iterator[Listed]:
    for path, message in unread_definitions(_files(repository, commit, DEFINITIONS_FOLDER.rstrip("/"))):
        yield Listed("", "layout", path, 0, 0, message)
    if not sheets:
        files = _files(repository, commit, "")
        yield Listed("", "layout", DEFINITIONS_FOLDER, 0, 0, f"{NO_SHEETS}{_proposal(files)}")
    hints = {name: hint for name, sheet in sheets.items() if (hint := template_hint(sheet.path))}
    for name, hint in hints.items():
        yield _of_definition(sheets[name], "path", hint)
    folders: list[str] | None = None
    for sheet in empty:
        if sheet.name in hints:
            continue
        files = [path[len(sheet.prefix) :] for path in _files(repository, commit, sheet.root)]
        if not files and folders is None:
            folders = list(repository.folders(commit, FOLDERS_MAX))
        reason = empty_sheet(sheet, files, folders or ())
        if reason is not None:
            yield _of_definition(sheet, "path" if files else "root", reason)


def _proposal(files: Iterable[str]) -> str:
    """The definition that would serve the folder with the most records, as the end of a message."""
    folders = Counter(file.rpartition("/")[0] for file in files if file.endswith(_RECORD_ENDING))
    if not folders:
        return ""
    folder, count = folders.most_common(1)[0]
    name = folder.rpartition("/")[2] or "records"
    root = f' and root = "{folder}"' if folder else ""
    counted = "1 .toml file" if count == 1 else f"{count} .toml files"
    return f". {folder or 'The top folder'} holds {counted}: call it .gitsheets/{name}.toml{root}"


def _files(repository: Repository, commit: str, folder: str) -> list[str]:
    """The first files below a folder; of the whole commit without the definitions."""
    with contextlib.closing(repository.tree(commit, folder)) as tree:
        paths = (entry.path for entry in tree if is_utf8(entry.path))
        if not folder:
            paths = (path for path in paths if not path.startswith(DEFINITIONS_FOLDER))
        return list(islice(paths, FILES_MAX))


def _of_definition(sheet: Sheet, key: str, message: str) -> Listed:
    line, column = locate(sheet.definition, [key])
    return Listed(sheet.name, "layout", definition_path(sheet.name), line, column, message)


def _position(listed: Listed) -> tuple[str, str, str]:
    return listed.sheet, listed.path, listed.message


def is_record(sheet: Sheet, file: str) -> bool:
    """Whether a file, relative to a sheet's root, is in the place of a record."""
    place = sheet.place(file, lambda _: False)
    return place is not None and place.record is not None and place.attachment is None


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
