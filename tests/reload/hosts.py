"""Hosts that go wrong: git over a line that breaks in the midst, and HTTP that only ever says no."""

from __future__ import annotations

import contextlib
import http.server
import os
import socket
import subprocess
import threading
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, Self

from tests.gitrepo import ISOLATION, run_git

# In the environment of what runs on the host, and so is none of the server's.
HOST_MARK = "LIVESHEETS_TEST_HOST"
_DRIP_S = 0.02
_PIECE_BYTES = 4096
_BLOB_BYTES = 65_536


@dataclass(frozen=True)
class Fault:
    """After `after` bytes of its answer the host is silent, drips, hangs up, or garbles what follows.

    A pause lasts until the host is told to go on.
    """

    kind: Literal["none", "silence", "drip", "hang-up", "garble", "pause"]
    after: int = 0


class GitHost:
    """A host that serves the repositories in `folder` by git's own protocol, with a fault on the line."""

    def __init__(self, folder: Path, fault: Fault) -> None:
        self.fault = fault
        self.sent = 0
        self.paused = threading.Event()
        self._going_on = threading.Event()
        self._folder = folder
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._ended = threading.Event()
        self._threads: list[threading.Thread] = []

    def url(self, name: str) -> str:
        """The address of one repository."""
        return f"git://127.0.0.1:{self._listener.getsockname()[1]}/{name}"

    def go_on(self) -> None:
        """Send the rest of every answer that is, or would be, held back."""
        self._going_on.set()

    def __enter__(self) -> GitHost:
        self._run(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.go_on()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        while self._threads:  # the one that starts others first
            self._threads.pop(0).join()

    def _run(self, function: object, *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._run(self._serve, self._listener.accept()[0])

    def _serve(self, caller: socket.socket) -> None:
        command = ["git", "daemon", "--inetd", "--export-all", f"--base-path={self._folder}"]
        daemon = subprocess.Popen(
            command,
            stdin=caller,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=os.environ | ISOLATION | {HOST_MARK: "1"},
        )
        assert daemon.stdout is not None
        try:
            self._send(caller, daemon.stdout.fileno())
        except OSError:
            pass  # the caller has gone
        finally:
            daemon.kill()
            daemon.wait()
            daemon.stdout.close()
            with contextlib.suppress(OSError):
                caller.shutdown(socket.SHUT_RDWR)
            caller.close()

    def _send(self, caller: socket.socket, answer: int) -> None:
        self.sent = 0
        while piece := os.read(answer, _PIECE_BYTES):
            good = piece[: max(0, self.fault.after - self.sent)] if self.fault.kind != "none" else piece
            caller.sendall(good)
            self.sent += len(good)
            rest = piece[len(good) :]
            if rest and self.fault.kind == "pause":
                self.paused.set()
                self._going_on.wait()
                caller.sendall(rest)
            elif rest and self.fault.kind == "garble":
                caller.sendall(bytes(each ^ 0x55 for each in rest))
            elif rest:
                self._fail(caller, rest)
                return

    def _fail(self, caller: socket.socket, rest: bytes) -> None:
        if self.fault.kind == "hang-up":
            return
        for each in rest if self.fault.kind == "drip" else b"":
            if self._ended.wait(_DRIP_S):
                return
            caller.sendall(bytes([each]))
        caller.settimeout(0.05)
        while not self._ended.is_set():  # silent, until either side has had enough
            with contextlib.suppress(TimeoutError):
                if not caller.recv(1):
                    return


class _Listening:
    """A host that takes every call, and does with it what a subclass says; `url` is a repository on it."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._accept, daemon=True)

    @property
    def url(self) -> str:
        """The address of a repository."""
        return f"git://127.0.0.1:{self._listener.getsockname()[1]}/data"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                self._serve(self._listener.accept()[0])

    def _serve(self, caller: socket.socket) -> None:
        raise NotImplementedError


class SilentHost(_Listening):
    """A host that accepts every connection and then says nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.called = threading.Event()
        self._accepted: list[socket.socket] = []

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        for connection in self._accepted:
            connection.close()

    def _serve(self, caller: socket.socket) -> None:
        self._accepted.append(caller)
        self.called.set()


class EndlessHost(_Listening):
    """A host that promises a commit and sends a pack that never ends."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = 0

    def _serve(self, caller: socket.socket) -> None:
        with contextlib.suppress(OSError), caller, caller.makefile("rwb") as line:
            self._answer(line)

    def _answer(self, line: BinaryIO) -> None:
        _packet(line)  # what is asked for
        advertised = b"%s refs/heads/main\0agent=test\n" % (b"1" * 40)
        line.write(b"%04x%s0000" % (len(advertised) + 4, advertised))
        line.flush()
        pauses = 0
        while (packet := _packet(line)) != b"done\n":
            pauses += packet == b""
            if packet == b"" and pauses > 1:  # the first one ends the wants and has no answer
                line.write(b"0008NAK\n")
                line.flush()
        line.write(b"0008NAK\nPACK\0\0\0\2\0\x0f\xff\xff")
        while True:
            blob = os.urandom(_BLOB_BYTES)
            # Type and size, then the content: 3 for a blob, four bits of size, seven in each byte more.
            line.write(bytes([0xB0 | _BLOB_BYTES & 15, 0x80 | _BLOB_BYTES >> 4 & 127, _BLOB_BYTES >> 11]))
            line.write(zlib.compress(blob, 0))
            self.sent += _BLOB_BYTES


def _packet(line: BinaryIO) -> bytes:
    """The next packet of git's protocol, empty for a pause; raises OSError at the end."""
    length = line.read(4)
    if len(length) < 4:
        raise ConnectionError("the caller has gone")
    return line.read(max(0, int(length, 16) - 4))


class HttpHost:
    """A host that answers every request with one status; `url` is a repository on it.

    With `offers` it tells first what that repository has, and answers so when it is asked for that.
    """

    def __init__(self, status: int, *, offers: Path | None = None, **headers: str) -> None:
        self.paths: list[str] = []
        paths = self.paths
        refs = b"" if offers is None else _offer(offers)

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                if not refs:
                    self.do_POST()
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/x-git-upload-pack-advertisement")
                self.send_header("Content-Length", str(len(refs)))
                self.end_headers()
                self.wfile.write(refs)

            def do_POST(self) -> None:
                paths.append(self.path)
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name.replace("_", "-"), value)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    @property
    def url(self) -> str:
        """The address of a repository."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/data.git"

    def __enter__(self) -> HttpHost:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


def _offer(repository: Path) -> bytes:
    """What git's HTTP protocol begins with: the refs of a repository."""
    refs = run_git(repository, "upload-pack", "--stateless-rpc", "--advertise-refs", ".")
    return b"001e# service=git-upload-pack\n0000" + refs
