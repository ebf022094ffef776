"""What the answers of Tornado's handlers have in common: request id, problem documents, one account each."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import structlog
from tornado.web import HTTPError, RequestHandler, stream_request_body

from server.http.access_log import clock
from server.http.errors import PROBLEM_TYPE, ApiError, as_api_error, for_status, problem_document
from server.http.response import JSON_TYPE

if TYPE_CHECKING:
    from server.application import LivesheetsApplication

log = structlog.get_logger()


class Handler(RequestHandler):
    """The base of all handlers; `route` is the label that metrics and logs know it by."""

    route: ClassVar[str] = "none"
    application: LivesheetsApplication

    def initialize(self) -> None:
        """Note the beginning."""
        self.begun = clock()
        self.log_values: dict[str, Any] = {}
        self.application.in_flight += 1

    def set_default_headers(self) -> None:
        """No version, no sniffing, and the request's id, on errors too."""
        if not hasattr(self, "request_id"):
            self.request_id = self.application.request_id(self.request.headers)
        self.clear_header("Server")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("X-Request-Id", self.request_id)
        if self.application.stopping:
            self.set_header("Connection", "close")

    def on_finish(self) -> None:
        """Account for the request."""
        method, path = self.request.method or "", self.request.path
        self.application.access_log.finished(
            self.route, method, path, self.get_status(), self.begun, self.request_id, self.log_values
        )
        self.application.request_ended()

    def compute_etag(self) -> None:
        """Nothing here is worth a tag; reads have theirs."""

    def write_json(self, body: bytes, status: int = 200) -> None:
        """Finish with a JSON document."""
        self.set_status(status)
        self.set_header("Content-Type", JSON_TYPE)
        self.finish(body)

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """Every error leaves as a problem document."""
        error = kwargs.get("exc_info", (None, None, None))[1]
        answer = as_api_error(error) or for_status(status_code, _detail_of(error, status_code))
        self.set_status(answer.status)
        if answer.code == "method-not-allowed":
            self.set_header("Allow", ", ".join(self.allowed_methods()))
        for name, value in answer.headers.items():
            self.set_header(name, value)
        self.set_header("Content-Type", PROBLEM_TYPE)
        self.log_values["code"] = answer.code
        self.finish(problem_document(answer, self.request_id))

    def log_exception(self, typ: Any, value: BaseException | None, tb: Any) -> None:
        """Only bugs are logged with a trace; refusals are in the request's own line."""
        if as_api_error(value) is None and not isinstance(value, HTTPError):
            log.error("request.crashed", request_id=self.request_id, exc_info=(typ, value, tb))

    def allowed_methods(self) -> list[str]:
        """The methods that this handler implements."""
        names = ("get", "head", "post", "options")
        return [
            name.upper() for name in names if getattr(type(self), name) is not getattr(RequestHandler, name)
        ]


def _detail_of(error: BaseException | None, status_code: int) -> str:
    if isinstance(error, HTTPError) and error.log_message and status_code < 500:
        return error.log_message % error.args if error.args else error.log_message
    return "the request could not be answered; the log has its trace" if status_code >= 500 else ""


@stream_request_body
class MisdirectedHandler(Handler):
    """Whatever is asked of a host that this server does not answer for; the body is never read."""

    def prepare(self) -> Any:
        """Refused, whatever the route."""
        raise ApiError("misdirected-request", "the name in Host is not one that CFP_ALLOWED_HOSTS lists")

    def data_received(self, chunk: bytes) -> None:
        """Nothing is taken."""

    def write_error(self, status_code: int, **kwargs: Any) -> None:
        """As ever; the connection ends with the answer, since the body was not read."""
        self.set_header("Connection", "close")
        super().write_error(status_code, **kwargs)


class NotFoundHandler(Handler):
    """Whatever no route knows."""

    def prepare(self) -> Any:
        """Nothing is here, whatever the method."""
        raise ApiError("not-found", f"no route {self.request.path[:200]!r}; GET /api lists the sheets")
