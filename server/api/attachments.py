"""Attached files: whole, or one range of their bytes, in pieces that a client takes at its own speed.

What needs no bytes (HEAD, 304, a range outside the file) is answered from the size and the id that the state
file has. Small files are read from git, large ones are sent from a file on disk.
"""

from __future__ import annotations

import mimetypes
import re
from dataclasses import dataclass

from reload.snapshot.state_file import Attachment
from server.api.read_delegate import Read
from server.http.errors import ApiError
from server.http.response import Headers, Part, Response

# Up to here a file is read into memory.
SMALL_BYTES_MAX = 64 << 10
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})", re.ASCII)
# What browsers may show; everything else is offered as a download, so that no script of a data
# repository runs on the API's origin.
_SHOWN_INLINE = frozenset(
    ("image/png", "image/jpeg", "image/gif", "image/webp", "text/plain", "text/csv", "application/pdf")
)


@dataclass(frozen=True, slots=True)
class Span:
    """The bytes that a client asks for, `first` to `last`; `partial` where that is a range."""

    first: int
    last: int
    partial: bool

    @property
    def length(self) -> int:
        """How many bytes these are."""
        return self.last - self.first + 1


async def attachment(read: Read, sheet: str, file: str) -> Response:
    """`GET /api/_attachments/{sheet}/{path}/{name}`: an attached file, whole or one range of its bytes."""
    read.require_sheet(sheet)
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
    _require_allowed_size(read, found)
    if media not in _SHOWN_INLINE:
        headers.append(("Content-Disposition", "attachment"))
    headers.append(("Content-Security-Policy", "default-src 'none'; sandbox"))
    charset = "; charset=utf-8" if media.startswith("text/") else ""
    span = _span(read, found.size, tag)
    if span.partial:
        headers.append(("Content-Range", f"bytes {span.first}-{span.last}/{found.size}"))
    response = Response(b"", 206 if span.partial else 200, media + charset, headers)
    await _fill(read, found, span, response)
    return response


async def _fill(read: Read, found: Attachment, span: Span, response: Response) -> None:
    """Give a response its bytes, or their number where none are sent."""
    if read.method == "HEAD":
        response.announced = found.size
    elif found.size <= SMALL_BYTES_MAX:
        data = await read.api.in_thread(read.peer(), lambda: read.api.attachment(found.blob))
        response.body = data[span.first : span.last + 1]
    else:
        descriptor = await read.api.attachment_file(found.blob)
        response.part = Part(descriptor, span.first, span.length)


def _require_allowed_size(read: Read, found: Attachment) -> None:
    bytes_max = read.api.attachment_bytes_max
    if found.size > bytes_max:
        detail = f"the file has {found.size} bytes; this server sends {bytes_max} at most"
        raise ApiError("attachment-too-large", detail)


def _span(read: Read, size: int, tag: str) -> Span:
    """The range that the client asked for, the whole file where it asked for none that counts."""
    whole = Span(0, size - 1, partial=False)
    if read.method != "GET":
        return whole  # only of GET are there parts (RFC 9110, section 14.2)
    asked = _RANGE.fullmatch(read.request_headers.get("Range", ""))
    if asked is None or not (asked[1] or asked[2]) or read.request_headers.get("If-Range", tag) != tag:
        return whole
    if asked[1] and asked[2] and int(asked[1]) > int(asked[2]):
        return whole  # no range at all (RFC 9110, section 14.1.1), so it is as if none was asked for
    first = int(asked[1]) if asked[1] else max(size - int(asked[2]), 0)
    last = min(int(asked[2]), size - 1) if asked[1] and asked[2] else size - 1
    if first >= size or first > last:
        outside: Headers = [("Content-Range", f"bytes */{size}")]
        raise ApiError("range-not-satisfiable", f"the file has {size} bytes", dict(outside))
    return Span(first, last, partial=True)
