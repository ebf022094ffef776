"""The types of records as components of the document: for each sheet one of whole records, one of parts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

import orjson

from reload.records.sheet import FIELD_NAME, Sheet
from reload.snapshot.query.query import KindCounts
from reload.snapshot.query.reader import Reader
from server.api.openapi.record_schema import part_type, seen_type, whole_type
from server.api.openapi.schemas import component

# Bounds of the document: a field takes less room in a type than as parameters.
TYPED_FIELDS_MAX: Final = 600
SHEET_TYPED_FIELDS_MAX: Final = 100
FIELD_CHARACTERS_MAX: Final = 60
SCHEMA_BYTES_TOTAL_MAX: Final = 96 << 10
# Records are read, once for each field with arrays, to find the kinds of the members.
READ_BYTES_MAX: Final = 16 << 20


def whole_name(identifier: str) -> str:
    """The component that whole records of a sheet fit."""
    return f"record.{identifier}"


def part_name(identifier: str) -> str:
    """The component that records in lists fit, which may be asked for in part."""
    return f"partial.{identifier}"


class RecordTypes:
    """Makes the components of up to `sheets` sheets, within bounds for all of them together."""

    def __init__(self, reader: Reader, sheets: int) -> None:
        self.schemas: dict[str, Any] = {}
        self._reader = reader
        self._fields_max = min(SHEET_TYPED_FIELDS_MAX, TYPED_FIELDS_MAX // max(sheets, 1))
        self._schema_bytes_left = SCHEMA_BYTES_TOTAL_MAX
        self._read_bytes_left = READ_BYTES_MAX

    def add(self, sheet: Sheet, identifier: str, fits: bool) -> None:
        """Add the components of a sheet; its own schema counts where all records fit it."""
        name = whole_name(identifier)
        seen = self._seen(sheet.name)
        own = self._own(sheet, f"#/components/schemas/{name}") if fits else None
        start = seen if own is None else own
        title = f"A record of the sheet {sheet.name}"
        self.schemas[name] = {"description": f"{title}.", **whole_type(start, seen)}
        self.schemas[part_name(identifier)] = {
            **part_type(start, seen),
            "description": f"{title}, or the fields of it that `fields` names.",
        }

    def _own(self, sheet: Sheet, place: str) -> dict[str, Any] | None:
        """The sheet's own schema, if there is one that is fit and room for it."""
        shown = component(sheet, place)
        if shown is None or (size := len(orjson.dumps(shown))) > self._schema_bytes_left:
            return None
        self._schema_bytes_left -= size
        return shown

    def _seen(self, sheet: str) -> dict[str, Any]:
        fields = {
            name: kinds
            for name, kinds in self._reader.fields(sheet, self._fields_max).items()
            if len(name) <= FIELD_CHARACTERS_MAX
        }
        members = dict(self._members(sheet, fields))
        return seen_type(fields, self._reader.counts[sheet], members)

    def _members(self, sheet: str, fields: Mapping[str, KindCounts]) -> Iterator[tuple[str, frozenset[str]]]:
        """The kinds of the members of arrays, for as many fields as may be read."""
        arrays = [name for name, kinds in fields.items() if "array" in kinds and FIELD_NAME.match(name)]
        size = self._reader.data_bytes(sheet) if arrays else 0
        for name in arrays:
            if size > self._read_bytes_left:
                return
            self._read_bytes_left -= size
            yield name, self._reader.member_kinds(sheet, name)
