"""`livesheets check` in the hooks of git looks at the repository it is given, also before a push counts."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from reload.records.policy import DataPolicy
from server.commands.check import check_repository
from tests.end_to_end.server_process import PROJECT
from tests.gitrepo import GitRepo, run_git

SHEET = '[gitsheet]\nroot = "people"\npath = "${{ slug }}"\n'
HOOK = """#!/bin/sh
while read old new ref; do
    PYTHONPATH='{project}' '{python}' -m server check . --ref "$new" --base main >> '{told}' 2>&1 || exit 1
done
"""


@pytest.fixture
def repo(tmp_git: Callable[..., GitRepo]) -> GitRepo:
    """A data repository with one person."""
    made = tmp_git()
    made.write({".gitsheets/people.toml": SHEET, "people/jane.toml": 'slug = "jane"\n'})
    made.commit()
    return made


@pytest.fixture
def bare(repo: GitRepo, tmp_path: Path) -> Path:
    """Where `repo` pushes to."""
    return repo.bare_clone(tmp_path / "bare.git")


def add_hook(bare: Path, name: str) -> Path:
    """Have a hook check what is pushed; the file in which it notes what it was told."""
    told = bare.parent / "told"
    told.touch()
    hook = bare / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(HOOK.format(project=PROJECT, python=sys.executable, told=told))
    hook.chmod(0o755)
    return told


def push(repo: GitRepo, bare: Path) -> bool:
    """Whether git took the branch."""
    done = subprocess.run(
        ["git", f"--git-dir={repo.git_dir}", "push", "-q", str(bare), "main"], capture_output=True, timeout=60
    )
    return done.returncode == 0


@pytest.mark.parametrize("name", ["GIT_DIR", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY"])
def test_the_repository_that_is_named_counts_and_not_the_one_of_the_surroundings(
    repo: GitRepo, tmp_git: Callable[..., GitRepo], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_git("other")
    other.write({"README.md": "nothing\n"})
    other.commit()
    folder = other.git_dir / "objects" if name == "GIT_OBJECT_DIRECTORY" else other.git_dir
    monkeypatch.setenv(name, str(folder))
    report = check_repository(repo.path, "HEAD", None, DataPolicy(), lambda done, total: None)
    assert report.records == {"people": 1}


@pytest.mark.parametrize("unpack", ["1", "1000"])
def test_a_push_is_checked_before_it_counts(repo: GitRepo, bare: Path, unpack: str) -> None:
    run_git(bare, "config", "receive.unpackLimit", unpack)
    told = add_hook(bare, "pre-receive")
    before = repo.rev()
    repo.write({"people/joe.toml": "slug = = 1\n"})
    repo.commit()
    assert not push(repo, bare)
    assert "people/joe.toml:1: " in told.read_text()
    assert run_git(bare, "rev-parse", "main").decode().strip() == before
    repo.write({"people/joe.toml": 'slug = "joe"\n'})
    commit = repo.commit()
    assert push(repo, bare), told.read_text()
    assert "  people: 1 added, 0 modified, 0 removed" in told.read_text()
    assert run_git(bare, "rev-parse", "main").decode().strip() == commit


def test_a_push_is_checked_after_it_counts(repo: GitRepo, bare: Path) -> None:
    told = add_hook(bare, "post-receive")
    repo.write({"people/joe.toml": 'slug = "joe"\n'})
    commit = repo.commit()
    assert push(repo, bare)
    assert f"ok: commit {commit[:12]} can be served (records: people 2)" in told.read_text()


def test_a_push_elsewhere_that_waits_does_not_count(
    repo: GitRepo, bare: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_QUARANTINE_PATH", str(bare / "objects" / "tmp_objdir-incoming-x"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(bare / "objects" / "tmp_objdir-incoming-x"))
    report = check_repository(repo.path, "HEAD", None, DataPolicy(), lambda done, total: None)
    assert report.records == {"people": 1}
