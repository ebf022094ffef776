"""The API reference: a page on which Swagger UI shows the description, and the files that the page needs."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from swagger_ui_bundle import swagger_ui_path
from tornado.template import Loader

_TEMPLATES: Final = Path(__file__).parent / "templates"
_TYPES: Final = {".css": "text/css", ".js": "text/javascript"}
# Swagger UI sets styles by script, which this policy allows, and has its icons as data URLs.
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class StaticFile:
    """A file as clients get it; its URL changes with its bytes, so that it may be stored for ever."""

    path: Path

    @property
    def content_type(self) -> str:
        """The media type by the file's ending."""
        return f"{_TYPES[self.path.suffix]}; charset=utf-8"

    @cached_property
    def body(self) -> bytes:
        """The bytes."""
        return self.path.read_bytes()

    @cached_property
    def compressed(self) -> bytes:
        """The bytes in gzip; the first call takes some 0.1 s for a megabyte."""
        return gzip.compress(self.body, mtime=0)

    @cached_property
    def digest(self) -> str:
        """A name for these bytes."""
        return hashlib.sha256(self.body).hexdigest()[:16]


class ApiReference:
    """The page and its files by name."""

    def __init__(self) -> None:
        viewer = Path(str(swagger_ui_path))
        self.files: Mapping[str, StaticFile] = {
            path.name: StaticFile(path)
            for path in (
                viewer / "swagger-ui.css",
                viewer / "swagger-ui-bundle.js",
                _TEMPLATES / "docs.js",
            )
        }

    @cached_property
    def page(self) -> bytes:
        """The page; nothing in it comes from the data."""
        return Loader(str(_TEMPLATES)).load("docs.html").generate(url=self._url)

    def _url(self, name: str) -> str:
        return f"/docs/{name}?v={self.files[name].digest}"
