"""The status page: a status document as HTML that works without scripts, with a strict CSP."""

from __future__ import annotations

import base64
import hashlib
import html
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from tornado.template import Loader

from server.api.documents import sheet_url
from server.operations.advice import advice_on
from server.operations.headline import Level, standing
from server.operations.logs.printable import printable
from server.operations.time_text import absolute, duration, relative
from server.pages.timeline import SIGNS, WORDS, timeline

_FOLDER: Final = Path(__file__).parent / "templates"
_ICON_COLOURS: Final[Mapping[Level, str]] = {
    Level.GOOD: "#1a7f4b",
    Level.WAIT: "#3b5bdb",
    Level.WARN: "#b35c00",
    Level.BAD: "#c92a2a",
}
_LOST_COLOUR: Final = "#868e96"
_DETAILS: Final = (
    '<p class="note">Files and lines are shown to those who know the reload secret: '
    '<a href="/?details">log in</a> with any user name and the secret as the password, '
    "or run <code>livesheets status</code>.</p>"
)


@dataclass(frozen=True, slots=True)
class SheetRow:
    """A sheet as the page lists it; `problems` are those of files that are served all the same."""

    name: str
    format: str
    records: int
    problems: int = 0

    @property
    def url(self) -> str:
        """Where its records are listed."""
        return sheet_url(self.name)


class Page:
    """Renders the page; `policy` is the Content-Security-Policy that allows what is in it and no more."""

    def __init__(self) -> None:
        self._style = (_FOLDER / "page.css").read_text("utf-8")
        self._script = (_FOLDER / "page.js").read_text("utf-8")
        self._template = Loader(str(_FOLDER), autoescape="xhtml_escape").load("page.html")
        self.policy = (
            f"default-src 'none'; style-src {_hash(self._style)}; script-src {_hash(self._script)}; "
            "connect-src 'self'; img-src data:; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
        )

    def render(
        self,
        document: Mapping[str, Any],
        sheets: Iterable[SheetRow],
        now: datetime,
        *,
        notes: Iterable[str] = (),
        detailed: bool,
    ) -> bytes:
        """The page for a status document; `notes` say why sheets have no records, or why there are none.

        Where it is not `detailed`, the document must be what `public_status` makes: everything in it
        may be shown to anybody.
        """
        stands = standing(document, now)
        return self._template.generate(
            style=self._style,
            script=self._script,
            icon=_icon(_ICON_COLOURS[stands.level]),
            lost_icon=_icon(_LOST_COLOUR),
            details=_DETAILS,
            document=document,
            stands=stands,
            sheets=tuple(sheets),
            notes=tuple(notes),
            plot=timeline(document["history"]),
            detailed=detailed,
            moment=lambda text: _Moment(datetime.fromisoformat(text), now),
            now=_Moment(now, now),
            advice_on=advice_on,
            duration=duration,
            signs=SIGNS,
            words=WORDS,
            with_code=_with_code,
            printable=printable,
        )


def _with_code(text: str) -> str:
    """A text of ours as HTML, what stands between backticks as code."""
    return re.sub(r"`([^`]*)`", r"<code>\1</code>", html.escape(text))


class _Moment:
    """A moment, ready to be shown."""

    def __init__(self, moment: datetime, now: datetime) -> None:
        self.machine = moment.isoformat()
        self.absolute = absolute(moment)
        self.relative = relative(moment, now)


def _hash(text: str) -> str:
    """The source expression that allows exactly this inline text."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"


def _icon(colour: str) -> str:
    """A dot in this colour, so that a tab among many tells how things stand."""
    drawing = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 16 16">'
        f'<circle cx="8" cy="8" r="7" fill="{colour}"/></svg>'
    )
    return f"data:image/svg+xml,{quote(drawing)}"
