"""The program in the how-to on the library does what the page says, with the installed package."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import sysconfig
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest

from tests.docs.pages import ROOT, blocks
from tests.docs.running import START_TIMEOUT_S, wait_until_ready
from tests.end_to_end.remotes import DataRemote
from tests.ports import free_port

LINES_MAX = 40
SECRET = "0123456789abcdef0123456789abcdef"
(PROGRAM,) = [block.text for block in blocks("docs/how-to/use-as-a-library.md") if block.language == "python"]
SHEET = "[gitsheet]\nroot = 'projects'\npath = '${{ slug }}'\n"
FILES = {
    ".gitsheets/projects.toml": SHEET,
    "projects/a.toml": "slug = 'a'\nstage = 'live'\n",
    "projects/b.toml": "slug = 'b'\nstage = 'beta'\n",
}
# Modules of the user's own, which must not come in the way of the package's.
HOSTILE = {"server.py": "raise SystemExit('the wrong server')\n", "reload.py": "raise SystemExit('no')\n"}


class Program:
    """The program while it runs."""

    def __init__(self, url: str, folder: Path, remote: DataRemote) -> None:
        self.url = url
        self.folder = folder
        self.remote = remote

    def get(self, path: str) -> Any:
        with urlopen(self.url + path, timeout=START_TIMEOUT_S) as answer:
            return json.load(answer)

    def reload(self) -> dict[str, Any]:
        request = Request(
            f"{self.url}/data/api/_internal/reload-data", b"", {"Authorization": f"Bearer {SECRET}"}
        )
        try:
            with urlopen(request, timeout=START_TIMEOUT_S) as answer:
                document: dict[str, Any] = json.load(answer)
        except HTTPError as error:
            with error:
                document = json.load(error)
        return document


@pytest.fixture
def program(tmp_path: Path) -> Iterator[Program]:
    remote = DataRemote(tmp_path / "host", FILES)
    folder = tmp_path / "program"
    folder.mkdir()
    for name, text in {**HOSTILE, "projects.py": PROGRAM}.items():
        (folder / name).write_text(text)
    port = free_port()
    variables = {"DATA_REMOTE": str(remote.path), "DATA_SECRET": SECRET, "PORT": str(port)}
    with open(tmp_path / "log", "w+b") as log:
        process = subprocess.Popen(
            [sys.executable, "projects.py"], cwd=folder, env=os.environ | variables, stderr=log, stdout=log
        )
        try:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(url + "/data")
            yield Program(url, folder, remote)
            process.send_signal(signal.SIGINT)
            assert process.wait(START_TIMEOUT_S) in (1, 130, -signal.SIGINT)
        finally:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            process.wait()


def test_the_program_is_short() -> None:
    assert len(PROGRAM.splitlines()) <= LINES_MAX


def test_records_and_derived_state_change_together(program: Program) -> None:
    first = program.get("/stages")
    assert first == {"commit": program.remote.head, "stages": {"live": 1, "beta": 1}}
    new = program.remote.push({"projects/c.toml": "slug = 'c'\nstage = 'live'\n"})
    assert program.reload()["newCommit"] == new
    assert program.get("/stages") == {"commit": new, "stages": {"live": 2, "beta": 1}}
    listing = program.get("/data/api/projects?limit=2")
    assert (listing["meta"]["commit"], listing["meta"]["total"]) == (new, 3)


def test_every_address_in_an_answer_has_the_prefix(program: Program) -> None:
    program.remote.push({"projects/a/plan.txt": "the plan"})
    program.reload()
    (sheet,) = program.get("/data/api")["data"]
    assert sheet["url"] == "/data/api/projects"
    (attachment,) = program.get("/data/api/projects/a")["data"]["attachments"]
    assert attachment["url"] == "/data/api/_attachments/projects/a/plan.txt"
    with urlopen(program.url + attachment["url"], timeout=START_TIMEOUT_S) as answer:
        assert answer.read() == b"the plan"
    with urlopen(f"{program.url}/data/api/projects?limit=1", timeout=START_TIMEOUT_S) as answer:
        assert answer.headers["Link"].startswith("</data/api/projects?")
    assert program.get("/data/api/_openapi.json")["servers"] == [{"url": "/data"}]
    for path in ("/api", "/api/projects", "/data/nothing"):
        with pytest.raises(HTTPError) as refused:
            program.get(path)
        refused.value.close()
        assert refused.value.code == 404


def test_a_derivation_that_fails_refuses_the_commit(program: Program) -> None:
    before = program.get("/stages")
    program.remote.push({"projects/bad.toml": "slug = 'bad'\n"})
    answer = program.reload()
    assert (answer["code"], answer["oldCommit"]) == ("build-failed", before["commit"])
    assert "the derivation 'stages' failed: KeyError: 'stage'" in answer["detail"]
    assert program.get("/stages") == before
    assert program.get("/data/api/projects")["meta"]["commit"] == before["commit"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A virtual environment with the package installed from a wheel, and its dependencies from this one."""
    folder = tmp_path_factory.mktemp("installed")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "venv"], check=True)
    purelib = sysconfig.get_path("purelib", vars={"base": str(folder / "venv")})
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check"]
    options = ["--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    source = folder / "source"
    ignored = subprocess.run(
        ["git", "ls-files", "--others", "--exclude-standard", "--cached"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in ignored.splitlines():
        if name.startswith(("reload/", "server/")) or name in ("setup.py", "pyproject.toml", "LICENSE"):
            target = source / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).exists():
                target.write_bytes((ROOT / name).read_bytes())
    subprocess.run([*pip, "install", *options, "--target", purelib, source], check=True)
    Path(purelib, "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder / "venv" / "bin" / "python"


def test_the_package_is_typed_for_its_users(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "projects.py").write_text(PROGRAM)
    checked = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--python-executable", installed, "projects.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert checked.stdout.startswith("Success"), checked.stdout + checked.stderr


def test_a_module_of_the_user_s_that_hides_ours_is_named(installed: Path, tmp_path: Path) -> None:
    for name in HOSTILE:
        (tmp_path / name).write_text("")
    python = [str(installed)]
    (tmp_path / "late.py").write_text("import server\nimport livesheets\n")
    late = subprocess.run([*python, "late.py"], cwd=tmp_path, capture_output=True, text=True)
    assert late.returncode == 1
    assert f"ImportError: {tmp_path / 'server.py'} hides the package 'server' of livesheets" in late.stderr
    (tmp_path / "early.py").write_text("import livesheets\nprint(livesheets.open_branch.__module__)\n")
    early = subprocess.run([*python, "early.py"], cwd=tmp_path, capture_output=True, text=True)
    assert (early.returncode, early.stdout) == (0, "reload.lane.branch\n"), early.stderr


def test_the_module_is_the_command(installed: Path, tmp_path: Path) -> None:
    for name, text in HOSTILE.items():
        (tmp_path / name).write_text(text)
    ran = subprocess.run(
        [installed, "-m", "livesheets", "--version"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (ran.returncode, ran.stdout.split()[0]) == (0, "livesheets"), ran.stderr
