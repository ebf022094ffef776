"""A host of private repositories: git's smart HTTP, for those who send the right name and token."""

from __future__ import annotations

import base64
import http.server
import os
import subprocess
import threading
from pathlib import Path
from typing import Literal

from tests.gitrepo import ISOLATION, run_git

Mood = Literal["willing", "forbidding", "moving", "broken", "telling"]


class PrivateHost:
    """Serves the bare repositories in `folder` to whoever sends `username` and `token`.

    `mood` is how it answers to them: it may also forbid (403), redirect to `elsewhere`, fail (500), or
    fail and tell the credential again. `offered` are the Authorization headers that came, None for none.
    """

    def __init__(self, folder: Path, username: str, token: str) -> None:
        self.folder, self.username, self.token = folder, username, token
        self.mood: Mood = "willing"
        self.elsewhere = ""
        self.offered: list[str | None] = []
        self._backend = f"{run_git(folder, '--exec-path').decode().strip()}/git-http-backend"
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def url(self, name: str) -> str:
        """The address of one repository."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/{name}"

    @property
    def wanted(self) -> str:
        """The header that opens."""
        return "Basic " + base64.b64encode(f"{self.username}:{self.token}".encode()).decode()

    def __enter__(self) -> PrivateHost:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def serve(self, request: http.server.BaseHTTPRequestHandler, body: bytes) -> tuple[bytes, bytes]:
        """The head and the body of git's own answer."""
        path, _, query = request.path.partition("?")
        cgi = {
            "GIT_PROJECT_ROOT": str(self.folder), "GIT_HTTP_EXPORT_ALL": "1", "PATH_INFO": path,
            "QUERY_STRING": query, "REQUEST_METHOD": request.command, "REMOTE_USER": self.username,
            "CONTENT_TYPE": request.headers.get("Content-Type", ""), "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": request.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": request.headers.get("Git-Protocol", ""),
        }  # fmt: skip
        done = subprocess.run(
            [self._backend], input=body, capture_output=True, env=os.environ | ISOLATION | cgi, check=True
        )
        head, _, rest = done.stdout.partition(b"\r\n\r\n")
        return head, rest


def _handler(host: PrivateHost) -> type[http.server.BaseHTTPRequestHandler]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            offered = self.headers.get("Authorization")
            host.offered.append(offered)
            if offered != host.wanted:
                self._answer(401, {"WWW-Authenticate": 'Basic realm="private"'})
            elif host.mood == "willing":
                self._git(body)
            elif host.mood == "moving":
                self._answer(302, {"Location": f"{host.elsewhere}{self.path}"})
            else:
                told = f"{host.token} was not found: {offered}\n" if host.mood == "telling" else ""
                self._answer(403 if host.mood == "forbidding" else 500, body=told.encode())

        def do_POST(self) -> None:
            self.do_GET()

        def _git(self, body: bytes) -> None:
            head, answer = host.serve(self, body)
            headers = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
            self._answer(int(headers.pop("Status", "200")[:3]), headers, answer)

        def _answer(self, status: int, headers: dict[str, str] | None = None, body: bytes = b"") -> None:
            self.send_response(status)
            plain = {"Content-Type": "text/plain", "Content-Length": str(len(body))}
            for name, value in (plain | (headers or {})).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    return Handler
