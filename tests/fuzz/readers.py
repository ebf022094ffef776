"""The read API without sockets: a small snapshot, and whatever somebody asks of it."""

from __future__ import annotations

import atexit
import tempfile
from collections.abc import Callable, Coroutine
from functools import cache
from pathlib import Path
from typing import Any, TypeVar, cast
from urllib.parse import unquote

import orjson
from tornado.httputil import HTTPHeaders, HTTPInputError

from reload.snapshot.query.query import InvalidQuery, Query
from reload.snapshot.query.reader import Reader
from reload.snapshot.query.search import match_expression
from reload.snapshot.snapshot import Answer, Snapshot
from reload.snapshot.state_file import Attachment, StateFile
from server.api.cursors import make_cursor
from server.api.parameters import Fields, read_list
from server.api.read_delegate import Read, require
from server.api.reads import find_route
from server.http.errors import as_api_error
from tests.reload.engine import sheet_of, store_of

T = TypeVar("T")
_PEOPLE = sheet_of("[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n[livesheets]\nindex = ['n']\n")
_NOTES = sheet_of("[gitsheet]\nroot = 'notes'\npath = '${{ path/** }}'\n", "notes")
_FILE = bytes(range(100))
_RECORDS = {
    "ada": "n = 1\nname = 'Ada Lovelace'\ntags = ['a', 'b']\nborn = 1815-12-10\n[home]\ncity = 'London'\n",
    "bo": "n = 2.5\nname = 'Bo'\ntags = []\nactive = true\n",
    "ñandú": "n = 'three'\nname = 'Running birds 日本語'\nbig = 9007199254740993\n",
}


@cache
def _snapshot() -> Snapshot:
    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = store_of(
        Path(folder.name, "state"), {_PEOPLE: _RECORDS, _NOTES: {"a/b": "text = 'Where to begin'\n"}}
    )
    state_file = StateFile.open(path)
    state_file.begin()
    state_file.attachments.put("people", [Attachment("ada/a.png", "ada", "a.png", "b" * 40, len(_FILE))])
    state_file.finish()
    state_file.close()
    return Snapshot(path, {"people": _PEOPLE, "notes": _NOTES})


class _Api:
    """As much of the read API as a read needs, with no thread and no git."""

    branch_name = "main"
    prefix = ""
    attachment_bytes_max = 1 << 20

    async def ask(self, peer: str, snapshot: Snapshot, question: Callable[[Reader], Answer]) -> Answer:
        with snapshot.lend() as reader:
            return question(reader)

    async def in_thread(self, peer: str, function: Callable[[], T]) -> T:
        return function()

    def attachment(self, oid: str) -> bytes:
        return _FILE


def read(data: bytes) -> None:
    """A request: its target on the first line, then its headers."""
    line, _, rest = data.partition(b"\n")
    uri = line.decode("latin-1")
    path, _, query = uri.partition("?")
    route = find_route(path) if path.startswith("/api") else None
    if route is None:
        return
    try:
        headers = HTTPHeaders.parse(rest.decode("latin-1").replace("\n", "\r\n"))
    except (HTTPInputError, ValueError):
        return
    snapshot = _snapshot()
    try:
        if route.is_json:
            require(headers, "application/json")
        arguments = [unquote(part, errors="strict") for part in route.arguments]
        asked = Read(cast("Any", _Api()), snapshot, "GET", path, query, uri, headers, lambda: "peer")
        response = cast("Any", route.endpoint(asked, *arguments))
        if isinstance(response, Coroutine):
            response = _driven(response)
    except UnicodeDecodeError:
        return
    except Exception as error:
        answer = as_api_error(error)
        if answer is None or answer.status >= 500:
            raise
        return
    assert response.status in (200, 206, 304, 308)
    if (
        route.is_json
        and response.body
        and not any(name == "Content-Encoding" for name, _ in response.headers)
    ):
        orjson.loads(response.body)
    for name, value in response.headers:
        assert "\n" not in value, name
        assert "\r" not in value, name


def cursor(data: bytes) -> None:
    """A cursor that somebody made by hand, for the query on the first line: its checksum is no secret."""
    query, _, payload = data.partition(b"\n")
    reader = _snapshot().reader
    try:
        fields = Fields(lambda names: reader.kinds("people", names))
        asked = read_list(query.decode("latin-1"), fields)
        keys = orjson.loads(payload)
        made = make_cursor(asked.fingerprint, keys) if isinstance(keys, list) else ""
    except (InvalidQuery, orjson.JSONDecodeError):
        return
    read(b"/api/people?%s&cursor=%s" % (query, made.encode()))


def search(data: bytes) -> None:
    """Search text, in one sheet and in all of them."""
    match = match_expression(data.decode("utf-8", "replace"))
    if match is None:
        return
    reader = _snapshot().reader
    for sheet in ("people", "notes"):
        rows, _ = reader.page(sheet, Query(match=match))
        assert reader.total(sheet, Query(match=match)) == len(rows)
    reader.search(["notes", "people"], match, 10, None)


def _driven(work: Coroutine[Any, Any, Any]) -> Any:
    """What a coroutine gives that waits for nothing."""
    try:
        work.send(None)
    except StopIteration as done:
        return done.value
    raise AssertionError("it waits for something")
