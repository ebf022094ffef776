"""The proxies that the documentation shows work as they stand there, with TLS before a real server."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.docs.pages import blocks
from tests.end_to_end.client import RELOAD_PATH, SECRET
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.server_process import Serve, ServerProcess
from tests.end_to_end.waiting import eventually
from tests.ports import free_port

NAME = "records.example.org"
STRANGER = "127.0.0.5"
SPOOFED = "198.51.100.77"
HIDDEN = ("/metrics", "//metrics", "/%6detrics", "/./metrics", "/metrics/")


def example(beginning: str) -> str:
    """The block of the page on deployment that begins so."""
    (found,) = (block.text for block in blocks("docs/how-to/deploy.md") if block.text.startswith(beginning))
    return found


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of the name in the examples, signed by itself, and its key."""
    chain, key = folder / "fullchain.pem", folder / "privkey.pem"
    subject = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:prime256v1",
        "-nodes",
    ]
    files = ["-keyout", str(key), "-out", str(chain)]
    subprocess.run([*command, *subject, *files, "-days", "2"], check=True, capture_output=True)
    return chain, key


def nginx(folder: Path, port: int, upstream: int) -> tuple[list[str], list[str]]:
    """What checks the example's configuration, and what runs it, on other ports."""
    chain, key = certificate(folder)
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n"
        for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    server = example("server {").replace("listen 443 ssl", f"listen 127.0.0.1:{port} ssl")
    server = server.replace("/etc/ssl/records.example.org/fullchain.pem", str(chain))
    server = server.replace("/etc/ssl/records.example.org/privkey.pem", str(key))
    server = server.replace("127.0.0.1:8080", f"127.0.0.1:{upstream}")
    text = (
        f"daemon off; master_process off; pid {folder}/pid; error_log stderr;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}{server}}}\n"
    )
    (folder / "nginx.conf").write_text(text)
    command = ["nginx", "-p", str(folder), "-e", "stderr", "-c", str(folder / "nginx.conf")]
    return [*command, "-t"], command


def caddy(folder: Path, port: int, upstream: int) -> tuple[list[str], list[str]]:
    """The same for Caddy, which would get a certificate by itself."""
    chain, key = certificate(folder)
    site = example(f"{NAME} {{").replace(f"{NAME} {{", f"{NAME}:{port} {{\n    tls {chain} {key}")
    site = site.replace("127.0.0.1:8080", f"127.0.0.1:{upstream}")
    options = f"{{\n    admin off\n    auto_https off\n    storage file_system {folder}\n}}\n"
    (folder / "Caddyfile").write_text(options + site)
    given = ["--config", str(folder / "Caddyfile"), "--adapter", "caddyfile"]
    return ["caddy", "validate", *given], ["caddy", "run", *given]


PROXIES = {"nginx": nginx, "caddy": caddy}


@contextmanager
def running(command: list[str], folder: Path, port: int) -> Iterator[None]:
    """The proxy, from when it listens."""
    with open(folder / "messages", "wb") as messages:
        process = subprocess.Popen(command, cwd=folder, env=_quiet(folder), stdout=messages, stderr=messages)
    try:
        eventually(lambda: process.poll() is not None or _listens(port), "the proxy listens")
        assert process.poll() is None, (folder / "messages").read_text()
        yield
    finally:
        process.terminate()
        process.wait(30)


def _quiet(folder: Path) -> dict[str, str]:
    """An environment in which a proxy writes nothing elsewhere."""
    homes = ("HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME")
    return {"PATH": os.environ["PATH"]} | {name: str(folder) for name in homes}


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.mark.parametrize("name", PROXIES)
def test_the_documented_proxy_serves_refuses_and_hides(
    serve: Serve, remote: DataRemote, tmp_path: Path, name: str
) -> None:
    for program in (name, "openssl", "curl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed")
    server = serve(tmp_path, remote.path, CFP_TRUSTED_PROXIES="127.0.0.1")
    server.ready(remote.head)
    folder = tmp_path / name
    folder.mkdir()
    port = free_port()
    check, run = PROXIES[name](folder, port, server.client.port)
    checked = subprocess.run(check, cwd=folder, env=_quiet(folder), capture_output=True, text=True)
    assert checked.returncode == 0, checked
    with running(run, folder, port):

        def ask(path: str, *options: str) -> str:
            resolve = ["--resolve", f"{NAME}:{port}:127.0.0.1", "--cacert", str(folder / "fullchain.pem")]
            command = ["curl", "-sS", "-i", "--path-as-is", "--interface", STRANGER, *resolve, *options]
            url = f"https://{NAME}:{port}{path}"
            return subprocess.run([*command, url], check=True, capture_output=True, text=True).stdout

        _is_served(server, remote, ask("/api"))
        _is_guarded(server, ask)
        for path in HIDDEN:
            answer = ask(path)
            assert "livesheets_" not in answer, path
            assert " 404" in answer.splitlines()[0], answer


def _is_served(server: ServerProcess, remote: DataRemote, answer: str) -> None:
    head, _, body = answer.replace("\r", "").partition("\n\n")
    lines = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:])
    assert lines["x-data-commit"] == remote.head
    assert lines.get("server", "nginx") == "nginx"  # no version
    assert server.log.wait_for("request.finished", request_id=lines["x-request-id"])
    assert '"data"' in body


def _is_guarded(server: ServerProcess, ask: object) -> None:
    assert callable(ask)
    spoofed = ("-X", "POST", "-H", f"X-Forwarded-For: {SPOOFED}")
    assert " 401" in ask(RELOAD_PATH, *spoofed).splitlines()[0]
    assert server.log.wait_for("attempt.refused")["peer"] == STRANGER
    credential = ("-H", f"Authorization: Bearer {SECRET}")
    assert " 200" in ask(RELOAD_PATH, *spoofed, *credential).splitlines()[0]
    large = ("-X", "POST", "--data-binary", " " * 100_000)
    # The server does not listen to the end; a proxy that still sends then may take that for a failure.
    assert ask(RELOAD_PATH, *large).split()[1] in ("401", "502")
    assert ask(RELOAD_PATH, *large, *credential).split()[1] in ("413", "502")
