"""The doctor's checks of the repository and the remote; nothing is changed."""

from __future__ import annotations

import os
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path
from typing import Final

from reload.errors import RepositoryError
from reload.repository.command import Git, GitFailed, GitTimedOut
from reload.repository.fetch_failure import fetch_failure, untrusted_owner
from server.commands.doctor.findings import Finding, unseen
from server.settings.settings import Settings

_REMEDIES: Final[Mapping[str, str]] = {
    "auth-failed": "give uid {uid} a key or credential that may read it: a deploy key in ~/.ssh, or for "
    "https a token in CFP_DATA_REMOTE_TOKEN_FILE",
    "host-key-changed": "compare the host's fingerprint with what it publishes, then add its key: "
    "ssh-keyscan HOST >> ~/.ssh/known_hosts",
    "not-found": "check CFP_DATA_REMOTE, and that uid {uid} may see it: hosts say 'not found' to strangers",
    "timeout": "check the network and the firewall, or give more time with CFP_GIT_TIMEOUT",
    "redirected": "set CFP_DATA_REMOTE to the address that it redirects to",
    "host-error": "the host answers, but is broken or overloaded: wait, and look at its status page",
    "rate-limited": "ask less often: raise CFP_DATA_POLL_INTERVAL",
}
_REMEDY: Final = "check CFP_DATA_REMOTE, the network, and name resolution"


def examine_sources(settings: Settings, repo_path: Path) -> Iterator[Finding]:
    """The server's repository, then the remote and its branch."""
    git = Git(repo_path)
    try:
        local = yield from _local(git, settings, repo_path)
        if settings.remote is None:
            yield Finding("remote", True, "none is set; the local branch is served as it is")
        else:
            yield from _remote(git, settings, settings.remote, local)
    finally:
        git.stop()


def _local(git: Git, settings: Settings, path: Path) -> Generator[Finding, None, str | None]:
    try:
        return (yield from _repository(git, settings, path))
    except OSError as error:
        yield unseen("repository", error)
        return settings.branch


def _repository(git: Git, settings: Settings, path: Path) -> Generator[Finding, None, str | None]:
    """Findings on the repository; returns the name of its branch, if that is known."""
    if not (path / "HEAD").is_file():
        yield _absent(settings, path)
        return settings.branch
    shallow = path / "shallow"
    if shallow.exists() and shallow.stat().st_size:
        remedy = f"git -C {path} fetch --unshallow (where a remote is set, the server clones it again itself)"
        yield Finding("repository", False, f"{path} is a shallow clone, which lacks history", remedy)
    gone = [alternate for alternate in _alternates(path) if not alternate.is_dir()]
    for alternate in gone:
        remedy = f"bring {alternate} back, or clone {path} again without --reference"
        yield Finding("repository", False, f"{path} borrows objects from {alternate}, which is gone", remedy)
    branch = settings.branch or _said(git, "symbolic-ref", "--quiet", "--short", "HEAD")
    if not gone:
        yield _head(git, path, branch)
    return branch


def _absent(settings: Settings, path: Path) -> Finding:
    if (path / ".git").exists():
        remedy = "give a path of its own, where the server makes a bare clone"
        return Finding("repository", False, f"{path} has a working tree", remedy, configuration=True)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        remedy = "give an empty or absent path"
        return Finding("repository", False, f"{path} is no git repository", remedy, configuration=True)
    if settings.remote is None:
        detail = f"{path} {'is an empty folder' if path.exists() else 'does not exist'}"
        remedy = "set CFP_DATA_REMOTE to clone from, or make the repository"
        return Finding("repository", False, detail, remedy, configuration=True)
    return Finding("repository", True, f"{path} is cloned when the server starts")


def _alternates(path: Path) -> list[Path]:
    noted = path / "objects" / "info" / "alternates"
    lines = noted.read_text().splitlines() if noted.is_file() else []
    return [path / "objects" / line for line in lines if line and not line.startswith("#")]


def _head(git: Git, path: Path, branch: str | None) -> Finding:
    if branch is None:
        remedy = "name the branch to serve in CFP_DATA_BRANCH"
        return Finding("repository", False, f"{path} has no branch at HEAD", remedy)
    commit = _said(git, "rev-parse", "--verify", "--quiet", f"refs/heads/{branch}^{{commit}}")
    if commit is None:
        return Finding("repository", True, f"{path}, branch {branch} has no commit yet")
    try:
        git.run("ls-tree", "-r", "-t", "--full-tree", "--name-only", "-z", commit)
    except GitFailed as error:
        remedy = "nothing: where a remote is set, the server saves it aside and clones it again by itself"
        return Finding(
            "repository",
            False,
            f"{path} is damaged: {(error.stderr.splitlines() or ['without a word'])[-1]}",
            remedy,
        )
    return Finding("repository", True, f"{path}, branch {branch} at {commit[:12]}")


def _said(git: Git, *arguments: str) -> str | None:
    try:
        return git.run(*arguments).decode("utf-8", "replace").strip() or None
    except RepositoryError:
        return None


def _remote(git: Git, settings: Settings, remote: str, branch: str | None) -> Iterator[Finding]:
    wanted = f"refs/heads/{branch}" if branch else "HEAD"
    try:
        output = git.run(
            *("ls-remote", "--", remote, wanted),
            deadline_s=settings.git_timeout_s,
            credential=settings.remote_credential,
        )
    except GitTimedOut as error:
        yield Finding("remote", False, str(error), _REMEDIES["timeout"])
        return
    except GitFailed as error:
        yield _unreachable(error, remote)
        return
    found = [line.partition("\t") for line in output.decode("utf-8", "replace").splitlines()]
    commits = [commit for commit, _, name in found if name == wanted]
    named = f"branch {branch}" if branch else "its default branch"
    if commits:
        yield Finding("remote", True, f"{remote} answers, {named} is at {commits[0][:12]}")
    else:
        remedy = "push the branch, or name the one to serve in CFP_DATA_BRANCH"
        yield Finding("remote", False, f"{remote} answers, but there is no commit on {named}", remedy)


def _unreachable(error: GitFailed, remote: str) -> Finding:
    if untrusted := untrusted_owner(error.stderr):
        detail, remedy = untrusted
        return Finding("remote", False, detail, remedy)
    failure = fetch_failure(error)
    remedy = _REMEDIES.get(failure.reason, _REMEDY).format(uid=os.geteuid())
    return Finding("remote", False, f"{remote} ({failure.reason}): {failure}", remedy)
