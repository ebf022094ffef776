"""Sheet definitions: what `.gitsheets/<name>.toml` says, and which record a file belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from reload.errors import Problem
from reload.records import toml
from reload.records.template import Template, TemplateError, parse_template

DEFINITIONS_FOLDER = ".gitsheets/"
EXTENSIONS = {"toml": ".toml", "markdown": ".md", "mdx": ".mdx"}

# Field names go into SQL as JSON path literals, so only names that need no escape there can be asked for.
FIELD_NAME = re.compile(r"[^\x00-\x1f\"\\.\[\]]+(?:\.[^\x00-\x1f\"\\.\[\]]+)*\Z")


class Place(NamedTuple):
    """What a file is to a sheet: a record (`attachment` is None), or a file attached to `record`.

    `record` is None for a loose file below a recursive sheet, which becomes an attachment as soon as
    a record of its folder's name arrives.
    """

    record: str | None
    attachment: str | None = None


@dataclass(frozen=True)
class Sheet:
    """One sheet definition at a commit; equal definitions read every file alike."""

    name: str
    definition: str
    path: str
    root: str
    template: Template
    format: str = "toml"
    body: str | None = None
    title: str | None = None
    schema: Mapping[str, Any] | None = field(default=None, compare=False)
    search: tuple[str, ...] | None = None
    index: tuple[str, ...] = ()

    @cached_property
    def _is_plain(self) -> bool:
        """Whether every file at the template's depth with the right ending is a record, as it mostly is."""
        return not self.template.recursive and not any(self.template.levels)

    @cached_property
    def _slashes(self) -> int:
        return self.template.depth - 1

    @cached_property
    def extension(self) -> str:
        """The ending of record files, with its dot."""
        return EXTENSIONS[self.format]

    @property
    def prefix(self) -> str:
        """What every path of this sheet starts with: the root folder with a slash, or nothing."""
        return f"{self.root}/" if self.root else ""

    def file_of(self, record: str) -> str:
        """The path in the repository of a record."""
        return f"{self.prefix}{record}{self.extension}"

    def place(self, file: str, is_file: Callable[[str], bool]) -> Place | None:
        """What `file` (relative to the root) is to this sheet, None where it is nothing.

        `is_file` tells whether a path relative to the root is a file of the commit; only recursive
        sheets ask, since there a folder named like a record holds attachments at any depth. Files that
        define sheets are no attachments.
        """
        if self._is_plain and file.count("/") == self._slashes:
            return Place(file[: -len(self.extension)]) if file.endswith(self.extension) else None
        found = self._place(file, is_file)
        is_attachment = found is not None and found.attachment is not None
        return None if is_attachment and (self.prefix + file).startswith(DEFINITIONS_FOLDER) else found

    def _place(self, file: str, is_file: Callable[[str], bool]) -> Place | None:
        components = file.split("/")
        depth = self.template.depth
        if len(components) < depth:
            return None
        is_record = file.endswith(self.extension)
        if len(components) == depth and is_record:
            components[-1] = components[-1][: -len(self.extension)]
        if not self.template.fits(components):
            return None
        if self.template.recursive:
            return self._place_recursive(file, components, is_record, is_file)
        if len(components) == depth:
            return Place("/".join(components)) if is_record else None
        return Place("/".join(components[:depth]), "/".join(components[depth:]))

    def _place_recursive(
        self, file: str, components: list[str], is_record: bool, is_file: Callable[[str], bool]
    ) -> Place:
        for cut in range(self.template.depth, len(components)):
            owner = "/".join(components[:cut])
            if is_file(owner + self.extension):
                return Place(owner, "/".join(components[cut:]))
        return Place(file[: -len(self.extension)]) if is_record else Place(None, file)


def sheet_name(path: str) -> str | None:
    """The name of the sheet that the file at `path` defines, None where it defines none."""
    if not path.startswith(DEFINITIONS_FOLDER) or not path.endswith(".toml"):
        return None
    name = path[len(DEFINITIONS_FOLDER) : -len(".toml")]
    return name if name and "/" not in name else None


def is_reserved(name: str | None) -> bool:
    """Whether a sheet of this name could not be asked for: the API's own names begin with an underscore."""
    return name is not None and name.startswith("_")


def definition_path(name: str) -> str:
    """Where the sheet `name` is defined."""
    return f"{DEFINITIONS_FOLDER}{name}.toml"


class _Refused(ValueError):
    """A definition that is TOML but no sheet; the message names the key."""


def read_sheet(name: str, data: bytes) -> Sheet | Problem:
    """The sheet that a definition file declares, or the Problem that makes it unreadable."""
    path = definition_path(name)
    try:
        text = toml.decode(data)
        return _sheet_of(name, text, toml.parse(text))
    except toml.Unreadable as error:
        return Problem(path, error.line, error.column, error.message)
    except (_Refused, TemplateError) as error:
        line = _line_of_table(data)
        return Problem(path, line, 1 if line else 0, str(error))


def _line_of_table(data: bytes) -> int:
    position = data.find(b"[gitsheet]")
    return data.count(b"\n", 0, position) + 1 if position >= 0 else 1


def _sheet_of(name: str, text: str, document: dict[str, Any]) -> Sheet:
    table = document.get("gitsheet")
    if not isinstance(table, dict):
        raise _Refused("the table [gitsheet] is missing")
    path = table.get("path")
    if not isinstance(path, str) or not path:
        raise _Refused("gitsheet.path must be a non-empty string, the path template of the records")
    schema = table.get("schema")
    if schema is not None and not isinstance(schema, dict):
        raise _Refused("gitsheet.schema must be a table, a JSON Schema")
    form, body, title = _format_of(table.get("format"))
    search, index = _livesheets_of(document.get("livesheets"))
    return Sheet(
        name=name,
        definition=text,
        path=path,
        root=_root_of(table.get("root", ".")),
        template=parse_template(path),
        format=form,
        body=body,
        title=title,
        schema=schema,
        search=search,
        index=index,
    )


def _root_of(root: object) -> str:
    if not isinstance(root, str):
        raise _Refused("gitsheet.root must be a string, a folder of the repository")
    components = [part for part in root.split("/") if part not in ("", ".")]
    if ".." in components:
        raise _Refused(f"gitsheet.root {root!r} leads out of the repository")
    return "/".join(components)


def _format_of(table: object) -> tuple[str, str | None, str | None]:
    if table is None:
        return "toml", None, None
    if not isinstance(table, dict):
        raise _Refused("gitsheet.format must be a table")
    kind = table.get("type", "toml")
    kind = kind if isinstance(kind, str) else "toml"
    if kind not in EXTENSIONS:
        raise _Refused(f"gitsheet.format.type {kind!r} is unknown; known: {', '.join(EXTENSIONS)}")
    body, title = (
        value if isinstance(value, str) else None for value in (table.get("body"), table.get("title"))
    )
    if kind == "toml" and body is not None:
        raise _Refused("gitsheet.format.body belongs to markdown and mdx sheets only")
    if kind != "toml" and not body:
        raise _Refused(f"gitsheet.format.body must name the field that holds the body of a {kind} record")
    return kind, body, title


# What the table [livesheets] may hold.
LIVESHEETS_KEYS = ("search", "index")


def _livesheets_of(table: object) -> tuple[tuple[str, ...] | None, tuple[str, ...]]:
    if table is None:
        return None, ()
    if not isinstance(table, dict):
        raise _Refused("livesheets must be a table")
    search = _field_names("livesheets.search", table["search"]) if "search" in table else None
    return search, _field_names("livesheets.index", table.get("index", []))


def _field_names(key: str, names: object) -> tuple[str, ...]:
    if not isinstance(names, list) or not all(isinstance(n, str) and FIELD_NAME.match(n) for n in names):
        raise _Refused(f'{key} must be a list of field names, such as ["title", "links.home"]')
    return tuple(dict.fromkeys(names))
