"""The read API: sheets, lists, records, search, attachments, each answered from one Snapshot."""

from __future__ import annotations

from typing import Any

from tornado.httputil import (
    HTTPConnection,
    HTTPHeaders,
    HTTPMessageDelegate,
    HTTPServerRequest,
    RequestStartLine,
)
from tornado.routing import Router

from reload.snapshot.query.answers import FacetCounts, Hit
from reload.snapshot.query.query import InvalidQuery, Query
from reload.snapshot.query.reader import Reader
from reload.snapshot.snapshot import Answer
from server.api.attachments import attachment
from server.api.cursors import make_cursor, require_cursor
from server.api.documents import list_document, record_document, search_document, sheets_document
from server.api.openapi.document import describe
from server.api.parameters import (
    Fields,
    ListRequest,
    Parameters,
    SearchRequest,
    next_url,
    read_list,
    read_search,
)
from server.api.read_api import ReadApi
from server.api.read_delegate import MOVED, Read, ReadDelegate, Replying, Route
from server.http.errors import ApiError
from server.http.exchange import HttpContext
from server.http.response import Response

# Of hints for a field that is not there.
FIELDS_LOOKED_AT_MAX = 1_000
# The values of every facet, together; longer ones are texts, not categories.
FACET_CHARACTERS_MAX = 1_000_000
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
    if not rest:
        return Route("/api/{sheet}", without_slash, (sheet,))
    return Route("/api/{sheet}/{path}", record, (sheet, rest))


def sheets(read: Read) -> Replying:
    """`GET /api`: every sheet with its number of records."""
    Parameters(read.query).refuse_others()
    snapshot, api = read.snapshot, read.api
    document = sheets_document(snapshot.sheets, snapshot.served, api.branch_name, api.prefix, snapshot.notes)
    return read.on_loop(lambda _: Answer(document))


def records(read: Read, sheet: str) -> Replying:
    """`GET /api/{sheet}`: one page of a sheet's records."""
    read.require_sheet(sheet)
    reader = read.snapshot.reader
    fields = Fields(
        lambda names: reader.kinds(sheet, names), lambda: reader.fields(sheet, FIELDS_LOOKED_AT_MAX)
    )
    asked = read_list(read.query, fields)

    def page(reader: Reader) -> Answer:
        return _page(read, reader, sheet, asked)

    return read.on_loop(page) if read.snapshot.is_cheap(sheet, asked.query) else read.in_thread(page)


def without_slash(read: Read, sheet: str) -> Replying:
    """`GET /api/{sheet}/`: the list is at the same URL without the slash."""
    read.require_sheet(sheet)
    query = f"?{read.query}" if read.query else ""
    return Response(b"", MOVED, headers=[("Location", read.path[:-1] + query)])


def record(read: Read, sheet: str, path: str) -> Replying:
    """`GET /api/{sheet}/{path}`: one record with its attachments."""
    read.require_sheet(sheet)
    if read.query:
        Parameters(read.query).refuse_others()
    reader = read.snapshot.reader
    row = reader.get(sheet, path)
    if row is None:
        detail = f"no record {path[:200]!r} in sheet {sheet!r} at this commit"
        raise ApiError("record-not-found", detail)
    attachments = reader.attachments(sheet, path)
    return read.respond(
        Answer(record_document(sheet, row, attachments, read.api.prefix, read.snapshot.stale.get(sheet, {})))
    )


def search(read: Read) -> Replying:
    """`GET /api/_search`: the best matches of all sheets, or of those named."""
    asked = read_search(read.query)
    for name in asked.sheets:
        read.require_sheet(name)
    return read.in_thread(lambda reader: _hits(read, reader, asked))


def description(read: Read) -> Replying:
    """`GET /api/_openapi.json`: what there is to ask at this commit."""
    Parameters(read.query).refuse_others()
    snapshot = read.snapshot
    problems = snapshot.listing.counts
    return read.in_thread(
        lambda reader: Answer(describe(snapshot.sheets, problems, reader, READ_ROUTES, read.api.prefix))
    )


_OF_THE_API = {"_search": search, "_openapi.json": description}


def _page(read: Read, reader: Reader, sheet: str, asked: ListRequest) -> Answer:
    query = asked.query
    rows, more = reader.page(sheet, query)
    cursor = make_cursor(asked.fingerprint, rows[-1].keys) if more else None
    require_cursor(cursor)
    total = reader.total(sheet, query)
    meta = _meta(read, total, query.limit, cursor)
    facets = _facets(reader, sheet, query)
    return Answer(
        list_document(rows, asked.fields, meta, facets, read.snapshot.stale.get(sheet, {})),
        _next_url(read, cursor),
    )


def _hits(read: Read, reader: Reader, asked: SearchRequest) -> Answer:
    sheets = asked.sheets or tuple(read.snapshot.sheets)
    hits: list[Hit] = []
    total, more = 0, False
    if asked.match is not None and sheets:
        hits, more = reader.search(sheets, asked.match, asked.limit, asked.after)
        total = reader.search_total(sheets, asked.match)
    cursor = make_cursor(asked.fingerprint, hits[-1].row.keys) if more else None
    meta = _meta(read, total, asked.limit, cursor)
    return Answer(search_document(hits, meta, read.snapshot.stale), _next_url(read, cursor))


def _facets(reader: Reader, sheet: str, query: Query) -> dict[str, FacetCounts]:
    found: dict[str, FacetCounts] = {}
    room = FACET_CHARACTERS_MAX
    for each in query.facets:
        counts = found[each.name] = reader.facet(sheet, query, each)
        room -= sum(len(value.value) for value in counts.values if isinstance(value.value, str))
        if room < 0:
            raise InvalidQuery("facet", f"the values of {each.field[:80]!r} are too long to be counted")
    return found


def _next_url(read: Read, cursor: str | None) -> str | None:
    return None if cursor is None else next_url(read.path, read.query, cursor)


def _meta(read: Read, total: int, limit: int, cursor: str | None) -> dict[str, object]:
    snapshot = read.snapshot
    meta: dict[str, object] = {
        "commit": snapshot.commit, "total": total, "limit": limit, "nextCursor": cursor
    }  # fmt: skip
    if snapshot.listing.quarantined_count:
        meta["quarantined"] = snapshot.listing.quarantined_count
    return meta
