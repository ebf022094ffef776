"""The demo's folder: a local bare "remote" with sample data, a clone to edit in, and a secret.

    demo-data/
        .gitignore     keeps the folder out of a surrounding repository; marks it as the demo's
        remote.git     what the server fetches from
        workdir        a clone of it, to edit and push from
        data.git       the server's own clone, made by the server
        secret         the webhook's secret, mode 0600

Every part is made under another name and then renamed, so that a part is there whole or not at all.
"""

from __future__ import annotations

import os
import re
import secrets
import shlex
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from server.demo.records import write_sample_records
from server.settings.variables import VARIABLES

DEFAULT_FOLDER = Path("demo-data")
BRANCH = "main"
EDITED_RECORD = "projects/food-access-map"

_MARK = "# Made by `livesheets demo`; this folder may be deleted at any time.\n*\n"
_SECRET_FORM = re.compile(r"[0-9a-f]{48}")
_GIT_TIMEOUT_S = 60
_AUTHOR = ("Livesheets demo", "demo@example.org")
_GIT_ENVIRONMENT = {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_TERMINAL_PROMPT": "0",
    "LC_ALL": "C",
    "GIT_AUTHOR_NAME": _AUTHOR[0],
    "GIT_AUTHOR_EMAIL": _AUTHOR[1],
    "GIT_COMMITTER_NAME": _AUTHOR[0],
    "GIT_COMMITTER_EMAIL": _AUTHOR[1],
}
# The commits of the remote, oldest first: what each adds, its message and its date.
_HISTORY = (
    ((".gitsheets", "README.md"), "Declare the sheets", "2025-09-01T18:00:00Z"),
    (("people",), "people: import the member list", "2025-09-02T18:10:00Z"),
    (("projects",), "projects: import the project list", "2025-09-09T18:20:00Z"),
    (("events",), "events: import the calendar", "2025-09-16T18:30:00Z"),
    (("posts",), "posts: move the blog here", "2025-09-23T18:40:00Z"),
    (("projects",), "projects: more hands for the Food Access Map", "2025-09-30T18:50:00Z"),
)


class DemoError(Exception):
    """The demo can't be prepared; the message says which folder or command, and what to do."""


@dataclass(frozen=True)
class Demo:
    """A prepared demo: absolute paths, and the webhook's secret (not shown in a repr)."""

    folder: Path
    remote: Path
    workdir: Path
    repo_path: Path
    secret: str = field(repr=False)


def prepare_demo(folder: Path = DEFAULT_FOLDER) -> Demo:
    """Make the demo below `folder`, or reuse the one that is there.

    A missing or broken part is made again; with the remote, everything that was cloned from it.
    Edits pushed to a whole remote are kept. Raises DemoError where `folder` holds something else
    or git fails, OSError where it can't be written.
    """
    folder = folder.resolve()
    remote, workdir, repo_path = folder / "remote.git", folder / "workdir", folder / "data.git"
    _claim(folder)
    if not _is_whole_remote(remote):
        for path in (remote, workdir, repo_path, folder / "data.git.state"):
            _remove(path)
        _make_remote(remote)
    if not _is_whole_workdir(workdir):
        _make_workdir(workdir, remote)
    _git(workdir, "remote", "set-url", "origin", str(remote))
    return Demo(folder, remote, workdir, repo_path, _secret(folder / "secret"))


def demo_settings(demo: Demo, environ: Mapping[str, str], port: int) -> dict[str, str]:
    """The environment that serves the demo at `port`; of the operator's settings those of the log count."""
    names = {name for variable in VARIABLES for name in variable.names}
    kept = {
        name: value
        for name, value in environ.items()
        if name.startswith("CFP_LOG_") or not (name in names or name.startswith("CFP_"))
    }
    kept.setdefault("CFP_LOG_LEVEL", "warning")
    return kept | {
        "CFP_DATA_REPO_PATH": str(demo.repo_path),
        "CFP_DATA_REMOTE": str(demo.remote),
        "CFP_DATA_RELOAD_SECRET": demo.secret,
        "PORT": str(port),
        "HOST": "127.0.0.1",
    }


def three_commands(demo: Demo, url: str) -> tuple[str, str, str]:
    """Shell commands to paste into another terminal: list, search, and edit + push + reload.

    They work in any directory, need git and curl only, and print no secret. `url` is where the
    server listens, such as `http://127.0.0.1:8080`.
    """
    base = url.rstrip("/")
    return (
        f"curl -s {shlex.quote(f'{base}/api/people?limit=3')}",
        f"curl -s {shlex.quote(f'{base}/api/_search?q=food+access')}",
        _edit_command(demo, base),
    )


def _edit_command(demo: Demo, base: str) -> str:
    """Edits a record, pushes, calls the webhook and shows the record; stops where a step fails.

    The number of commits makes every edit a change, even two in the same second.
    """
    file = f"{EDITED_RECORD}.toml"
    text = "Edit $(git rev-list --count HEAD), made at $(date -u +%FT%TZ)"
    steps = (
        f"(cd {shlex.quote(str(demo.workdir))}",
        f'sed -i.bak "s/^summary = .*/summary = \\"{text}\\"/" {file}',
        f"rm {file}.bak",
        "git -c user.name='Demo visitor' -c user.email=visitor@example.org -c commit.gpgsign=false "
        f"commit -q -m 'projects: edit the Food Access Map' {file}",
        f"git push -q origin HEAD:{BRANCH}",
        'curl -fsS -X POST -H "Authorization: Bearer $(cat ../secret)" '
        "-H 'Content-Type: application/json' "
        f'-d "{{\\"branch\\": \\"{BRANCH}\\", \\"commitHash\\": \\"$(git rev-parse HEAD)\\"}}" '
        f"{shlex.quote(f'{base}/api/_internal/reload-data')}",
        f"curl -fsS {shlex.quote(f'{base}/api/{EDITED_RECORD}')})",
    )
    return " &&\n  ".join(steps)


def _claim(folder: Path) -> None:
    """Mark `folder` as the demo's; refuse one that holds anything else."""
    mark = folder / ".gitignore"
    try:
        if mark.read_text(errors="replace") == _MARK:
            return
    except FileNotFoundError:
        pass
    folder.mkdir(parents=True, exist_ok=True)
    if any(folder.iterdir()):
        raise DemoError(
            f"{folder} is not empty and was not made by `livesheets demo`; "
            "name another folder with --dir, or empty this one"
        )
    mark.write_text(_MARK)


def _is_whole_remote(remote: Path) -> bool:
    branch = f"refs/heads/{BRANCH}^{{commit}}"
    return _succeeds(remote, "--git-dir=.", "rev-parse", "-q", "--verify", branch) and _succeeds(
        remote, "--git-dir=.", "fsck", "--connectivity-only", "--no-dangling", "--no-progress"
    )


def _is_whole_workdir(workdir: Path) -> bool:
    return _succeeds(workdir, "--git-dir=.git", "rev-parse", "-q", "--verify", "HEAD^{tree}")


def _make_remote(remote: Path) -> None:
    draft = _fresh(remote.with_name("draft"))
    bare = _fresh(remote.with_name("remote.git.new"))
    _git(draft, "init", "-q", "--template=", "-b", BRANCH)
    write_sample_records(draft)
    edited = draft / f"{EDITED_RECORD}.toml"
    final = edited.read_bytes()
    edited.write_bytes(re.sub(rb"(?m)^volunteers = .*$", b"volunteers = 2", final))
    for paths, message, date in _HISTORY:
        _git(draft, "add", "--", *paths)
        _commit(draft, message, date)
        if EDITED_RECORD.startswith(paths):
            edited.write_bytes(final)
    _git(bare, "init", "-q", "--bare", "--template=", "-b", BRANCH)
    _git(draft, "push", "-q", str(bare), f"HEAD:refs/heads/{BRANCH}")
    bare.rename(remote)
    _remove(draft)


def _make_workdir(workdir: Path, remote: Path) -> None:
    clone = _fresh(workdir.with_name("workdir.new"))
    _git(clone, "clone", "-q", "--template=", "-b", BRANCH, str(remote), ".")
    _remove(workdir)
    clone.rename(workdir)


def _commit(repository: Path, message: str, date: str) -> None:
    dates = {"GIT_AUTHOR_DATE": date, "GIT_COMMITTER_DATE": date}
    _git(repository, "commit", "-q", "-m", message, environment=dates)


def _secret(path: Path) -> str:
    """The secret in the file at `path`, which is made with mode 0600 where it holds none."""
    try:
        secret = path.read_text(errors="replace").strip()
    except FileNotFoundError:
        secret = ""
    if _SECRET_FORM.fullmatch(secret):
        path.chmod(0o600)
        return secret
    secret = secrets.token_hex(24)
    new = path.with_name("secret.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(secret + "\n")
    new.replace(path)
    return secret


def _fresh(folder: Path) -> Path:
    _remove(folder)
    folder.mkdir()
    return folder


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def _succeeds(folder: Path, *arguments: str) -> bool:
    if not folder.is_dir():
        return False
    status = _run(folder, arguments, {}).returncode
    if status < 0:
        raise DemoError(f"git was killed by signal {-status} in {folder}; try again")
    return status == 0


def _git(folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
    done = _run(folder, arguments, environment or {})
    if done.returncode:
        raise DemoError(f"`git {shlex.join(arguments)}` failed in {folder}: {done.stderr.strip()}")


def _run(
    folder: Path, arguments: tuple[str, ...], environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run git in `folder`, knowing nothing of the user's configuration or environment."""
    git = shutil.which("git")
    if git is None:
        raise DemoError("git was not found; install it, or put its folder on PATH")
    try:
        return subprocess.run(
            [git, *arguments],
            cwd=folder,
            env=_GIT_ENVIRONMENT | environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=_GIT_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise DemoError(f"git took more than {_GIT_TIMEOUT_S} s in {folder}") from error
