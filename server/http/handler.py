"""The base of Tornado's handlers: problem documents for errors, and one line in the access log."""

from __future__ import annotations

from typing import Any, ClassVar

from tornado.web import RequestHandler, stream_request_body

from server.http.errors import PROBLEM_TYPE, ApiError, Refused, for_status, problem_document
from server.http.exchange import Exchange, HttpContext
from server.http.response import JSON_TYPE


class Handler(RequestHandler):
    """The base of all handlers; `route` is the label that metrics and logs know it by.

    A subclass that needs more than the context takes it as arguments of its `initialize`.
    """

    route: ClassVar[str] = "none"
    _exchange: Exchange | None = None
    _refused = False

    def initialize(self, context: HttpContext) -> None:
        """Note the beginning."""
        self.context = context
        self.exchange = self._exchange = Exchange(
            context,
            self.request.method or "",
            self.request.path,
            self.request.headers,
            str(self.request.remote_ip),
        )
        self.clear()

    def set_default_headers(self) -> None:
        """No version, no sniffing, and what every answer says."""
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        for name, value in self._exchange.headers() if self._exchange is not None else ():
            self.set_header(name, value)

    def on_finish(self) -> None:
        """Count and log the request; refused attempts have a log of their own, many in one line."""
        if self.request.method != "HEAD":
            self.exchange.sent = int(self._headers.get("Content-Length", 0))
        self.exchange.finished(self.route, self.get_status(), logged=not self._refused)

    def compute_etag(self) -> None:
        """Nothing here is worth a tag; reads have theirs."""

    def head(self, *arguments: str) -> Any:
        """As GET, where there is one."""
        if type(self).get is RequestHandler.get:
            raise ApiError("method-not-allowed", "HEAD is not allowed here")
        return self.get(*arguments)

    def write_json(self, body: bytes, status: int = 200) -> None:
        """Finish with a JSON document."""
        self.set_status(status)
        self.set_header("Content-Type", JSON_TYPE)
        self.finish(body + b"\n")

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error leaves as a problem document."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        answer = for_status(status_code, "") if error is None else self.exchange.problem(error)
        self._refused = isinstance(answer, Refused)
        self.set_status(answer.status)
        if answer.code == "method-not-allowed":
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", PROBLEM_TYPE)
        self.exchange.log_values["code"] = answer.code
        self.finish(problem_document(answer, self.exchange.request_id))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Log a bug that no problem document can tell of; others are logged with theirs."""
        if value is not None and self._headers_written:
            self.exchange.problem(value)

    def allowed_methods(self) -> list[str]:
        """The methods that this handler implements."""
        own = [
            name for name in ("get", "post") if getattr(type(self), name) is not getattr(RequestHandler, name)
        ]
        return [name.upper() for each in own for name in ((each, "head") if each == "get" else (each,))]


@stream_request_body
class MisdirectedHandler(Handler):
    """Whatever is asked of a host that this server does not answer for; the body is never read."""

    def prepare(self) -> Any:
        """Refused, whatever the route."""
        raise ApiError("misdirected-request", "the name in Host is not one that CFP_ALLOWED_HOSTS lists")

    def data_received(self, chunk: bytes) -> None:
        """Nothing is taken."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As always; the connection ends with the answer, since the body was not read."""
        self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)


class NotFoundHandler(Handler):
    """Whatever no route knows."""

    def prepare(self) -> Any:
        """Nothing is here, whatever the method."""
        raise ApiError("not-found", f"no route {self.request.path[:200]!r}; GET /api lists the sheets")
