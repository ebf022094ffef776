"""The read API: sheets, lists, records, search, attachments, each from one Snapshot."""

from __future__ import annotations

import mimetypes
import re

from reload.reader import Hit, Reader
from reload.snapshot import Answer
from server.errors import ApiError
from server.handlers.base import ReadHandler
from server.query import ListRequest, Parameters, SearchRequest, make_cursor, read_list, read_search
from server.representations import list_document, record_document, search_document, sheets_document

_RANGE = re.compile(r"bytes=(\d*)-(\d*)", re.ASCII)
# What browsers may show; everything else is offered as a download, so that no script of a data
# repository runs on the API's origin.
_SHOWN_INLINE = (
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "text/plain",
    "text/csv",
    "application/pdf",
)


class SheetsHandler(ReadHandler):
    """`GET /api`"""

    route = "/api"

    async def get(self) -> None:
        """Every sheet with its number of records."""
        Parameters(self.request.query).refuse_others("none")
        snapshot, branch = self.snapshot, self.application.branch
        await self.answer(
            lambda _: Answer(sheets_document(snapshot.sheets, snapshot.served, branch)), cheap=True
        )


class ListHandler(ReadHandler):
    """`GET /api/{sheet}`"""

    route = "/api/{sheet}"

    async def get(self, sheet: str) -> None:
        """One page of a sheet's records."""
        self.require_sheet(sheet)
        asked = read_list(self.request.query, lambda names: self.snapshot.reader.kinds(sheet, names))
        cheap = self.snapshot.is_cheap(sheet, asked.query)
        await self.answer(lambda reader: self._page(reader, sheet, asked), cheap=cheap)

    def require_sheet(self, name: str) -> None:
        """Raise `sheet-not-found` where the snapshot has no such sheet."""
        if name not in self.snapshot.sheets:
            known = ", ".join(self.snapshot.sheets) or "none"
            raise ApiError("sheet-not-found", f"no sheet {name[:80]!r} at this commit; there are: {known}")

    def _page(self, reader: Reader, sheet: str, asked: ListRequest) -> Answer:
        query = asked.query
        rows, more = reader.page(sheet, query)
        cursor = make_cursor(asked.fingerprint, rows[-1].keys) if more else None
        meta = {
            "commit": self.snapshot.commit,
            "total": reader.total(sheet, query),
            "limit": query.limit,
            "nextCursor": cursor,
        }
        facets = {field: reader.facet(sheet, query, field) for field in query.facets}
        return Answer(list_document(rows, asked.fields, meta, facets), cursor)


class RecordHandler(ListHandler):
    """`GET /api/{sheet}/{path}`"""

    route = "/api/{sheet}/{path}"

    async def get(self, sheet: str, path: str = "") -> None:
        """One record with its attachments."""
        self.require_sheet(sheet)
        if self.request.query:
            Parameters(self.request.query).refuse_others("none")
        reader = self.snapshot.reader
        row = reader.get(sheet, path)
        if row is None:
            raise ApiError("record-not-found", f"no record {path[:200]!r} in sheet {sheet!r} at this commit")
        self.write_answer(Answer(record_document(sheet, row, reader.attachments(sheet, path))))


class SearchHandler(ListHandler):
    """`GET /api/_search`"""

    route = "/api/_search"

    async def get(self, sheet: str = "") -> None:
        """The best matches of all sheets, or of those named."""
        asked = read_search(self.request.query)
        for name in asked.sheets:
            self.require_sheet(name)
        await self.answer(lambda reader: self._hits(reader, asked))

    def _hits(self, reader: Reader, asked: SearchRequest) -> Answer:
        sheets = asked.sheets or tuple(self.snapshot.sheets)
        hits: list[Hit] = []
        total, more = 0, False
        if asked.match is not None and sheets:
            hits, more = reader.search(sheets, asked.match, asked.limit, asked.after)
            total = reader.search_total(sheets, asked.match)
        cursor = make_cursor(asked.fingerprint, hits[-1].row.keys) if more else None
        meta = {
            "commit": self.snapshot.commit,
            "total": total,
            "limit": asked.limit,
            "nextCursor": cursor,
        }
        return Answer(search_document(hits, meta), cursor)


class AttachmentHandler(ListHandler):
    """`GET /api/_attachments/{sheet}/{path}/{name}`"""

    route = "/api/_attachments/{sheet}/{path}/{name}"

    async def get(self, sheet: str, file: str = "") -> None:
        """The bytes of an attached file, whole or one range of them."""
        self.require_sheet(sheet)
        found = self.snapshot.reader.attachment(sheet, file)
        if found is None:
            raise ApiError(
                "attachment-not-found",
                f"no attachment {file[:200]!r} in sheet {sheet!r} at this commit",
            )
        tag = f'"{found.blob}"'
        self.set_header("ETag", tag)
        if tag in self.request.headers.get("If-None-Match", ""):
            self.set_status(304)
            self.finish()
            return
        data = await self.application.read_attachment(found.blob)
        media = mimetypes.guess_type(found.name)[0] or "application/octet-stream"
        self.set_header("Content-Type", media + ("; charset=utf-8" if media.startswith("text/") else ""))
        self.set_header("Content-Security-Policy", "default-src 'none'; sandbox")
        if media not in _SHOWN_INLINE:
            self.set_header("Content-Disposition", "attachment")
        self.set_header("Accept-Ranges", "bytes")
        self.finish(self._range_of(data, tag))

    def _range_of(self, data: bytes, tag: str) -> bytes:
        asked = _RANGE.fullmatch(self.request.headers.get("Range", ""))
        unless = self.request.headers.get("If-Range")
        if asked is None or not (asked[1] or asked[2]) or unless not in (None, tag):
            return data
        size = len(data)
        if asked[1]:
            first, last = int(asked[1]), min(int(asked[2] or size), size - 1)
        else:
            first, last = max(size - int(asked[2]), 0), size - 1
        if first >= size or first > last:
            message = f"the file has {size} bytes"
            raise ApiError("range-not-satisfiable", message, {"Content-Range": f"bytes */{size}"})
        self.set_status(206)
        self.set_header("Content-Range", f"bytes {first}-{last}/{size}")
        return data[first : last + 1]
