"""The read API: sheets, lists, records, search, attachments, each answered from one Snapshot."""

from __future__ import annotations

import mimetypes
import re
from typing import Any

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from tornado.routing import Router

from reload.snapshot.query.query import InvalidQuery, Query
from reload.snapshot.query.reader import FacetValue, Hit, Reader
from reload.snapshot.snapshot import Answer
from server.api.documents import list_document, record_document, search_document, sheets_document
from server.api.openapi.document import describe
from server.api.parameters import (
    ListRequest,
    Parameters,
    SearchRequest,
    make_cursor,
    next_url,
    read_list,
    read_search,
    require_cursor,
)
from server.api.read_api import ReadApi
from server.api.read_delegate import Read, ReadDelegate, Replying, Route
from server.http.errors import ApiError
from server.http.exchange import HttpContext
from server.http.response import Headers, Response

# Twenty values of every facet, together; longer ones are texts, not categories.
FACET_CHARACTERS_MAX = 1_000_000
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
# What browsers may show; everything else is offered as a download, so that no script of a data
# repository runs on the API's origin.
_SHOWN_INLINE = frozenset(
    ("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "text/csv", "application/pdf")
)

READ_ROUTES = (
    "/api",
    "/api/{sheet}",
    "/api/{sheet}/{path}",
    "/api/_search",
    "/api/_openapi.json",
    "/api/_attachments/{sheet}/{path}/{name}",
)


class ReadRouter(Router):
    """Leads requests below `/api` to what answers them; a rule of any Tornado application can name it."""

    def __init__(self, api: ReadApi, context: HttpContext) -> None:
        self._api = api
        self._context = context
        self._skipped = len(api.prefix)

    def find_handler(self, request: HTTPServerRequest, **kwargs: Any) -> HTTPMessageDelegate:
        """What answers a request that Tornado has made an object of."""
        assert request.connection is not None
        line = RequestStartLine(str(request.method), str(request.uri), request.version)
        return self.delegate(request.connection, line, request.headers)

    def delegate(
        self, connection: HTTPConnection, line: RequestStartLine, headers: HTTPHeaders
    ) -> ReadDelegate:
        """The same where there is no such object, which costs more than most answers."""
        route = find_route(line.path.partition("?")[0][self._skipped :])
        return ReadDelegate(self._api, self._context, connection, line, headers, route)


def find_route(path: str) -> Route | None:
    """Where a path below `/api` leads, None where no read route knows it.

    Names that begin with an underscore belong to the API itself.
    """
    sheet, slash, rest = path[len("/api/") :].partition("/")
    if not sheet:
        return None if slash else Route("/api", sheets, ())
    if sheet == "_attachments":
        owner, _, file = rest.partition("/")
        return (
            Route("/api/_attachments/{sheet}/{path}/{name}", attachment, (owner, file), False)
            if file
            else None
        )
    if sheet.startswith("_"):
        found = None if slash else _OF_THE_API.get(sheet)
        return None if found is None else Route(f"/api/{sheet}", found, ())
    if not slash:
        return Route("/api/{sheet}", records, (sheet,))
    return Route("/api/{sheet}/{path}", record, (sheet, rest))


def sheets(read: Read) -> Replying:
    """`GET /api`: every sheet with its number of records."""
    Parameters(read.query).refuse_others("none")
    snapshot, api = read.snapshot, read.api
    document = sheets_document(snapshot.sheets, snapshot.served, api.branch_name, api.prefix)
    return read.on_loop(lambda _: Answer(document))


def records(read: Read, sheet: str) -> Replying:
    """`GET /api/{sheet}`: one page of a sheet's records."""
    _require_sheet(read, sheet)
    asked = read_list(read.query, lambda names: read.snapshot.reader.kinds(sheet, names))

    def page(reader: Reader) -> Answer:
        return _page(read, reader, sheet, asked)

    return read.on_loop(page) if read.snapshot.is_cheap(sheet, asked.query) else read.in_thread(page)


def record(read: Read, sheet: str, path: str) -> Replying:
    """`GET /api/{sheet}/{path}`: one record with its attachments."""
    _require_sheet(read, sheet)
    if read.query:
        Parameters(read.query).refuse_others("none")
    reader = read.snapshot.reader
    row = reader.get(sheet, path)
    if row is None:
        detail = f"no record {path[:200]!r} in sheet {sheet!r} at this commit"
        raise ApiError("record-not-found", detail)
    attachments = reader.attachments(sheet, path)
    return read.respond(Answer(record_document(sheet, row, attachments, read.api.prefix)))


def search(read: Read) -> Replying:
    """`GET /api/_search`: the best matches of all sheets, or of those named."""
    asked = read_search(read.query)
    for name in asked.sheets:
        _require_sheet(read, name)
    return read.in_thread(lambda reader: _hits(read, reader, asked))


def description(read: Read) -> Replying:
    """`GET /api/_openapi.json`: what there is to ask at this commit."""
    Parameters(read.query).refuse_others("none")
    snapshot = read.snapshot
    problems = snapshot.listing.counts
    return read.in_thread(
        lambda reader: Answer(describe(snapshot.sheets, problems, reader, READ_ROUTES, read.api.prefix))
    )


async def attachment(read: Read, sheet: str, file: str) -> Response:
    """`GET /api/_attachments/{sheet}/{path}/{name}`: an attached file, whole or one range of its bytes."""
    _require_sheet(read, sheet)
    found = read.snapshot.reader.attachment(sheet, file)
    if found is None:
        detail = f"no attachment {file[:200]!r} in sheet {sheet!r} at this commit"
        raise ApiError("attachment-not-found", detail)
    media = (mimetypes.guess_type(found.name)[0] or "application/octet-stream").lower()
    read.require(media)
    tag = f'"{found.blob}"'
    headers = [("ETag", tag), ("Cache-Control", "no-cache"), ("Accept-Ranges", "bytes")]
    if tag in read.request_headers.get("If-None-Match", ""):
        return Response(b"", 304, headers=headers)
    if media not in _SHOWN_INLINE:
        headers.append(("Content-Disposition", "attachment"))
    headers.append(("Content-Security-Policy", "default-src 'none'; sandbox"))
    data = await read.api.attachment(found.blob)
    charset = "; charset=utf-8" if media.startswith("text/") else ""
    return _ranged(read, Response(data, content_type=media + charset, headers=headers), tag)


_OF_THE_API = {"_search": search, "_openapi.json": description}


def _require_sheet(read: Read, name: str) -> None:
    if name not in read.snapshot.sheets:
        known = ", ".join(read.snapshot.sheets) or "none"
        raise ApiError("sheet-not-found", f"no sheet {name[:80]!r} at this commit; there are: {known}")


def _page(read: Read, reader: Reader, sheet: str, asked: ListRequest) -> Answer:
    query = asked.query
    rows, more = reader.page(sheet, query)
    cursor = make_cursor(asked.fingerprint, rows[-1].keys) if more else None
    require_cursor(cursor)
    total = reader.total(sheet, query)
    meta = _meta(read, total, query.limit, cursor)
    facets = _facets(reader, sheet, query)
    return Answer(list_document(rows, asked.fields, meta, facets), _next_url(read, cursor))


def _hits(read: Read, reader: Reader, asked: SearchRequest) -> Answer:
    sheets = asked.sheets or tuple(read.snapshot.sheets)
    hits: list[Hit] = []
    total, more = 0, False
    if asked.match is not None and sheets:
        hits, more = reader.search(sheets, asked.match, asked.limit, asked.after)
        total = reader.search_total(sheets, asked.match)
    cursor = make_cursor(asked.fingerprint, hits[-1].row.keys) if more else None
    return Answer(search_document(hits, _meta(read, total, asked.limit, cursor)), _next_url(read, cursor))


def _facets(reader: Reader, sheet: str, query: Query) -> dict[str, list[FacetValue]]:
    found: dict[str, list[FacetValue]] = {}
    room = FACET_CHARACTERS_MAX
    for field in query.facets:
        found[field] = reader.facet(sheet, query, field)
        room -= sum(len(each.value) for each in found[field] if isinstance(each.value, str))
        if room < 0:
            raise InvalidQuery("facet", f"the values of {field[:80]!r} are too long to be counted")
    return found


def _next_url(read: Read, cursor: str | None) -> str | None:
    return None if cursor is None else next_url(read.path, read.query, cursor)


def _meta(read: Read, total: int, limit: int, cursor: str | None) -> dict[str, object]:
    return {"commit": read.snapshot.commit, "total": total, "limit": limit, "nextCursor": cursor}


def _ranged(read: Read, whole: Response, tag: str) -> Response:
    """The part of a file that the client asked for, the whole file where it asked for none."""
    if read.method != "GET":
        return whole  # only of GET are there parts (RFC 9110, section 14.2)
    asked = _RANGE.fullmatch(read.request_headers.get("Range", ""))
    if asked is None or not (asked[1] or asked[2]) or read.request_headers.get("If-Range", tag) != tag:
        return whole
    if asked[1] and asked[2] and int(asked[1]) > int(asked[2]):
        return whole  # no range at all (RFC 9110, section 14.1.1), so it is as if none was asked for
    size = len(whole.body)
    first = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
    last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if first >= size or first > last:
        outside: Headers = [("Content-Range", f"bytes */{size}")]
        raise ApiError("range-not-satisfiable", f"the file has {size} bytes", dict(outside))
    whole.headers.append(("Content-Range", f"bytes {first}-{last}/{size}"))
    return Response(whole.body[first : last + 1], 206, whole.content_type, whole.headers)
