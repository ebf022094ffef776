"""Answers as JSON: rows of a Snapshot, joined from ready-made JSON without parsing it."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote

import orjson

from reload.records.record import FIELD_BREAK, HIT_END, HIT_START
from reload.records.sheet import Sheet
from reload.snapshot.query.answers import FacetCounts, FacetValue, Hit, Row
from reload.snapshot.snapshot import Served
from reload.snapshot.state_file import Attachment
from reload.snapshot.tables.problems import Listed

Stale = Mapping[str, Listed]
_NONE: Stale = {}
_PLAIN = re.compile(r"[a-z0-9/_.-]*", re.IGNORECASE | re.ASCII).fullmatch


def sheet_url(name: str, prefix: str = "") -> str:
    """Where a sheet's records are listed; `prefix` is where the API is mounted."""
    return f"{prefix}/api/{quote(name, safe='')}"


def attachment_url(sheet: str, file: str, prefix: str = "") -> str:
    """Where an attached file is served."""
    return f"{prefix}/api/_attachments/{quote(sheet, safe='')}/{quote(file)}"


def sheets_document(
    sheets: Mapping[str, Sheet],
    served: Served,
    branch: str | None,
    prefix: str,
    notes: Sequence[str] = (),
) -> bytes:
    """The answer of `GET /api`; `notes` say why sheets have no records, or why there are none."""
    data = [
        {
            "sheet": name,
            "format": sheet.format,
            "path": sheet.path,
            "records": served.records[name],
            "url": sheet_url(name, prefix),
        }
        for name, sheet in sheets.items()
    ]
    meta: dict[str, Any] = {
        "branch": branch, "commit": served.commit, "committedAt": rfc3339(served.committed_at)
    }  # fmt: skip
    if notes:
        meta["notes"] = list(notes)
    return orjson.dumps({"data": data, "meta": meta}, option=orjson.OPT_APPEND_NEWLINE)


def record_document(
    sheet: str, row: Row, attachments: Sequence[Attachment], prefix: str, stale: Stale
) -> bytes:
    """The answer of `GET /api/{sheet}/{path}`; `stale` are the sheet's records in older versions, by path."""
    attached = b"[]"
    if attachments:
        files = [
            {"name": a.name, "size": a.size, "url": attachment_url(sheet, a.file, prefix)}
            for a in attachments
        ]
        attached = orjson.dumps(files)
    return b'{"data":{%b,"attachments":%b}}\n' % (_members(row, stale).encode(), attached)


def list_document(
    rows: Iterable[Row],
    fields: Sequence[str],
    meta: Mapping[str, Any],
    facets: Mapping[str, FacetCounts],
    stale: Stale,
) -> bytes:
    """The answer of `GET /api/{sheet}`; `fields` keeps only these fields of each record, if any are named."""
    shown = (_only(row, fields) if fields else row for row in rows)
    items = ",".join([f"{{{_members(row, stale)}}}" for row in shown]).encode()
    counted = {
        name: {
            "values": [{"value": _facet_value(each), "count": each.count} for each in counts.values],
            "distinct": counts.distinct,
        }
        for name, counts in facets.items()
    }
    return b'{"data":[%b],"meta":%b,"facets":%b}\n' % (
        items,
        orjson.dumps(meta),
        orjson.dumps(counted),
    )


def search_document(hits: Iterable[Hit], meta: Mapping[str, Any], stale: Mapping[str, Stale]) -> bytes:
    """The answer of `GET /api/_search`; `stale` by sheet."""
    items = b",".join(
        b'{"sheet":%b,%b,"score":%b,"snippet":%b}'
        % (
            orjson.dumps(hit.sheet),
            _members(hit.row, stale.get(hit.sheet, _NONE)).encode(),
            orjson.dumps(-hit.rank),
            orjson.dumps(_snippet(hit.snippet)),
        )
        for hit in hits
    )
    return b'{"data":[%b],"meta":%b}\n' % (items, orjson.dumps(meta))


def rfc3339(moment: Any) -> str:
    """A moment in UTC, to the millisecond at most."""
    text: str = moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")
    return text.replace("+00:00", "Z")


def _members(row: Row, stale: Stale) -> str:
    members = f'"path":{_quoted(row.path)},"blob":"{row.blob}","record":{row.json}'
    mark = stale.get(row.path) if stale else None
    return members if mark is None else f'{members},"stale":{_marked(mark)}'


def _marked(mark: Listed) -> str:
    """Since when and which commit an older version is served, and what is wrong with the new one."""
    since = rfc3339(mark.since) if mark.since else None
    return orjson.dumps({"since": since, "commit": mark.since_commit, "message": mark.message}).decode()


def _quoted(path: str) -> str:
    """A path as JSON; most need nothing but quotes."""
    return f'"{path}"' if _PLAIN(path) else orjson.dumps(path).decode()


def _only(row: Row, fields: Sequence[str]) -> Row:
    record = orjson.loads(row.json)
    chosen: dict[str, Any] = {}
    for field in fields:
        _copy_field(record, chosen, field.split("."))
    return Row(row.path, row.blob, orjson.dumps(chosen).decode())


def _copy_field(source: Any, target: dict[str, Any], keys: Sequence[str]) -> None:
    key, *inner = keys
    if not isinstance(source, dict) or key not in source:
        return
    if not inner:
        target[key] = source[key]
    elif isinstance(source[key], dict):
        nested = target.setdefault(key, {})
        _copy_field(source[key], nested, inner)


def _facet_value(each: FacetValue) -> Any:
    return each.value == 1 if each.kind in ("true", "false") else each.value


def _snippet(text: str) -> str:
    shown = html.escape(text.replace(FIELD_BREAK, "…"), quote=False)
    return " ".join(shown.replace(HIT_START, "<mark>").replace(HIT_END, "</mark>").split())
