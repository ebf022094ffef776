"""The API reference at `/docs`, and the files of its viewer."""

from __future__ import annotations

import asyncio
from typing import Any

from server.http.errors import ApiError
from server.http.exchange import HttpContext
from server.http.handler import Handler
from server.http.negotiation import takes_gzip
from server.pages.api_reference import POLICY, ApiReference


class DocsHandler(Handler):
    """`GET /docs`"""

    route = "/docs"

    def initialize(self, context: HttpContext, reference: ApiReference) -> None:  # type: ignore[override]
        """Take what is shown."""
        super().initialize(context)
        self.reference = reference

    async def get(self) -> None:
        """The page."""
        page = await asyncio.to_thread(lambda: self.reference.page)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-cache")
        await self.finish(page)


class DocsFileHandler(Handler):
    """`GET /docs/{name}`"""

    route = "/docs/{name}"

    def initialize(self, context: HttpContext, reference: ApiReference) -> None:  # type: ignore[override]
        """Take the files."""
        super().initialize(context)
        self.reference = reference

    async def get(self, name: str) -> None:
        """A script or style sheet; one whose URL has its digest never changes."""
        file = self.reference.files.get(name)
        if file is None:
            raise ApiError("not-found", f"no file {name[:80]!r} belongs to the API reference")
        fixed = self.get_query_argument("v", "") == file.digest
        self.set_header("Content-Type", file.content_type)
        self.set_header("Cache-Control", "public, max-age=31536000, immutable" if fixed else "no-cache")
        self.set_header("Vary", "Accept-Encoding")
        self.set_header("ETag", f'W/"{file.digest}"')
        if self.check_etag_header():
            self.set_status(304)
            return
        packed = takes_gzip(self.request.headers.get("Accept-Encoding", ""))
        body = await asyncio.to_thread(lambda: file.compressed if packed else file.body)
        if packed:
            self.set_header("Content-Encoding", "gzip")
        self._send(body)

    def _send(self, body: bytes) -> None:
        """Finish, and have the connection closed where the client does not take the body."""
        connection: Any = self.request.connection
        self.exchange.watch(connection.stream, self.finish(body), len(body))
