"""The page for people: how things stand, the last reloads, and where to go on."""

from __future__ import annotations

from datetime import UTC, datetime

from reload.lane.branch import Branch
from reload.snapshot.snapshot import Snapshot
from server.auth.authenticator import Authenticator
from server.auth.credentials import KEY_HEADER
from server.http.exchange import HttpContext
from server.http.handler import Handler
from server.operations.status import public_status, status_document
from server.pages.status_page import Page, SheetRow


class PageHandler(Handler):
    """`GET /`"""

    route = "/"

    def initialize(  # type: ignore[override]
        self, context: HttpContext, authenticator: Authenticator, branch: Branch, page: Page
    ) -> None:
        """Take what is shown."""
        super().initialize(context)
        self.authenticator = authenticator
        self.branch = branch
        self.page = page

    def get(self) -> None:
        """The public part to all; with the webhook's credential the texts of problems too."""
        detailed = self._knows_the_secret()
        current = self.branch.snapshot
        document = status_document(self.branch)
        sheets = [] if current is None else _sheet_rows(current)
        shown = document if detailed else public_status(document)
        notes = () if current is None else current.notes
        page = self.page.render(shown, sheets, datetime.now(UTC), notes=notes, detailed=detailed)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", self.page.policy)
        self.set_header("Referrer-Policy", "no-referrer")
        self.set_header("Cache-Control", "no-store")
        self.finish(page)

    def _knows_the_secret(self) -> bool:
        """Whether a credential is given; a wrong one is refused.

        At `/?details` a browser is asked for it. Elsewhere HTTP Basic is a proxy's own affair.
        """
        headers = self.request.headers
        asked = "details" in self.request.query_arguments
        scheme = headers.get("Authorization", "").partition(" ")[0].lower()
        if not asked and scheme != "bearer" and KEY_HEADER not in headers:
            return False
        self.authenticator.admit(self.request, self.exchange.request_id, as_password=asked)
        return True


def _sheet_rows(current: Snapshot) -> list[SheetRow]:
    records, problems = current.served.records, current.listing.counts
    return [
        SheetRow(name, sheet.format, records[name], problems.get(name, 0))
        for name, sheet in current.sheets.items()
    ]
