"""What is fuzzed: each target takes any bytes, and whatever it raises is a fault.

An answer that a caller would get, such as a refused request or an unreadable record, is none.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import gitsheets
import orjson
from tornado.httputil import HTTPHeaders, HTTPInputError

from reload.errors import Problem
from reload.records.record import Record, read_record
from reload.records.sheet import read_sheet
from reload.records.template import TemplateError, parse_template
from server.auth.forges import AZURE, FORGES, STANDARD
from server.http.errors import ApiError
from server.webhook.events import PayloadFault, announcement, read_event
from server.webhook.reload_request import decode, read_request
from tests.fuzz.authentication import authenticate
from tests.fuzz.readers import cursor, read, search
from tests.histories import matches
from tests.reload.engine import sheet_of

Target = Callable[[bytes], None]

CORPUS: Final = Path(__file__).parent / "corpus"
_FLAT: Final = sheet_of()
_MARKDOWN: Final = sheet_of(
    "[gitsheet]\nroot = 'posts'\npath = '${{ slug }}'\n[gitsheet.format]\ntype = 'markdown'\nbody = 'body'\n"
    "[livesheets]\nsearch = ['title', 'body', 'a.b']\n"
)
# What gitsheets' binding to Python cannot hold: moments that UTC takes out of Python's years.
_BEYOND_PYTHON: Final = ("year 0 is out of range", "year 10000 is out of range")


def toml(data: bytes) -> None:
    """A record: it is read exactly as gitsheets reads it, or refused by both."""
    found = read_record(_FLAT, "ada", "0" * 40, data)
    ours = orjson.loads(found.json) if isinstance(found, Record) else None
    limited = isinstance(found, Problem) and found.message.startswith(_OUR_LIMITS)
    try:
        theirs = gitsheets.parse_records([data.decode()])[0]
    except Exception as error:
        theirs = None
        limited = limited or str(error) in _BEYOND_PYTHON
    assert limited or matches(ours, theirs), (found, theirs)


# Where gitsheets has no limit, or one of its own elsewhere.
_OUR_LIMITS: Final = ("nested", "more than", "larger than", "too")


def markdown(data: bytes) -> None:
    """A record with a body."""
    found = read_record(_MARKDOWN, "ada", "0" * 40, data)
    if isinstance(found, Record):
        assert isinstance(orjson.loads(found.json)["body"], str)


def sheet(data: bytes) -> None:
    """A sheet's definition, with its schema."""
    read_sheet("people", data)


def template(data: bytes) -> None:
    """A path template."""
    source = data.decode("utf-8", "replace")
    try:
        found = parse_template(source)
    except TemplateError:
        return
    assert found.depth >= 1
    found.fits(source.split("/"))


def webhook(data: bytes) -> None:
    """The body of a direct call."""
    try:
        request = read_request(decode(data))
    except ApiError as error:
        if error.code != "invalid-request":
            raise
        return
    assert request.commit is None or set(request.commit) <= set("0123456789abcdef")


def forge(data: bytes) -> None:
    """What a forge sends: its event on the first line, then its payload."""
    event, _, body = data.partition(b"\n")
    try:
        payload = decode(body)
    except ApiError:
        return
    for each in (*FORGES, AZURE, STANDARD):
        try:
            announced = announcement(read_event(each, event.decode("latin-1"), payload), "main")
        except PayloadFault:
            continue
        assert announced.commit is None or len(announced.commit) in (40, 64)


def door(data: bytes) -> None:
    """Who calls: headers up to an empty line, then a body. None of them knows a secret."""
    head, _, body = data.partition(b"\n\n")
    try:
        headers = HTTPHeaders.parse(head.decode("latin-1").replace("\n", "\r\n"))
    except (HTTPInputError, ValueError):
        return
    authenticate(headers, body)


_ALL: Final = (toml, markdown, sheet, template, webhook, forge, door, read, cursor, search)
TARGETS: Final[dict[str, Target]] = {each.__name__: each for each in _ALL}


def everything(data: bytes) -> None:
    """Any target, which the first byte chooses."""
    if data:
        list(TARGETS.values())[data[0] % len(TARGETS)](data[1:])


def seeds(target: str) -> Iterator[bytes]:
    """What a target starts from."""
    for path in sorted((CORPUS / target).iterdir()):
        yield path.read_bytes()
