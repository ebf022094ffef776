"""The page for people: what is served, the last reloads, and where to go on."""

from __future__ import annotations

from tornado.template import Loader

from server.handlers.base import Handler
from server.representations import rfc3339, sheet_url

POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'none'; base-uri 'none'; "
    "frame-ancestors 'none'"
)


class PageHandler(Handler):
    """`GET /`"""

    route = "/"

    def get(self) -> None:
        """Only what is public: no problem's text, no path of the machine."""
        app = self.application
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", POLICY)
        self.set_header("Referrer-Policy", "no-referrer")
        loader: Loader = app.templates
        page = loader.load("page.html").generate(
            branch=app.branch,
            current=app.snapshots.current,
            journal=app.journal,
            not_ready=app.why_not_ready(),
            moment=rfc3339,
            sheet_url=sheet_url,
        )
        self.finish(page)

    def head(self) -> None:
        """As GET."""
        self.get()
