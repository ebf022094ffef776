"""What stands in the repository's own configuration runs nothing and leads nowhere."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from reload.errors import RepositoryError
from reload.repository.clone_folder import CloneFolder
from reload.repository.configuration import COPY
from tests.gitrepo import GitRepo, run_git
from tests.reload.harness import Engine, Place

EDIT = {"notes/start.toml": 'text = "Ours"\n'}


def opened(place: Place) -> None:
    """Open the repository and close it again."""
    CloneFolder(place.git_dir, str(place.remote.path), "main", 20).open().close()


@pytest.mark.gen_test
async def test_a_planted_configuration_runs_nothing_and_leads_nowhere(place: Place) -> None:
    trap, spool = place.folder / "trap", place.folder / "sprung"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >> "{spool}"\nexit 1\n')
    trap.chmod(0o755)
    included = place.folder / "included"
    included.write_text(f'[core]\n\tfsmonitor = "{trap}"\n[include]\n\tpath = "{place.git_dir}/config"\n')
    _plant(place, trap, included)
    shutil.copytree(place.git_dir / "hooks", place.git_dir / "planted-hooks")
    async with Engine(place, timeout_s=10) as engine:
        assert (await engine.reload()).outcome == "in-sync"
        await engine.forwards(place.remote.push(EDIT))
        assert not spool.exists(), spool.read_text()
        secured = engine.noted("repository.configuration_secured")[0]
        assert {"core.sshcommand", "include.path", "remote.origin.uploadpack"} <= set(secured["keys"])
        assert "secret" not in repr(engine.notes)
    assert set(place.refs()) == {"refs/heads/main", "refs/remotes/origin/main", "refs/livesheets/accepted"}
    assert "secret" in (place.git_dir / COPY).read_text()
    assert place.git("config", "--local", "--get-all", "remote.origin.url") == str(place.remote.path)


def _plant(place: Place, trap: Path, included: Path) -> None:
    hooks = place.git_dir / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("reference-transaction", "post-update", "pre-auto-gc", "post-merge", "fsmonitor-watchman"):
        shutil.copy(trap, hooks / name)
    for key, value in {
        "core.hooksPath": str(hooks),
        "core.fsmonitor": str(trap),
        "core.sshCommand": str(trap),
        "core.gitProxy": str(trap),
        "core.askPass": str(trap),
        "core.pager": str(trap),
        "core.alternateRefsCommand": str(trap),
        "credential.helper": f"!{trap}",
        "remote.origin.uploadpack": str(trap),
        "remote.origin.fetch": "+refs/*:refs/*",
        "remote.origin.mirror": "true",
        "remote.origin.vcs": "ext",
        f"url.ext::{trap}.insteadOf": str(place.folder),
        "protocol.ext.allow": "always",
        "http.extraHeader": "Authorization: secret",
        "gc.auto": "1",
        "gpg.program": str(trap),
        "alias.fetch": f"!{trap}",
        "fetch.bundleURI": "http://127.0.0.1:1/",
        "extensions.worktreeConfig": "true",
    }.items():
        run_git(place.git_dir, "config", "--add", key, value)
    run_git(place.git_dir, "config", "core.repositoryformatversion", "1")
    with (place.git_dir / "config").open("a") as file:  # git itself fails over what includes itself
        file.write(f'[include]\n\tpath = "{included}"\n')
    (place.git_dir / "config.worktree").write_text(f'[core]\n\tsshCommand = "{trap}"\n')


@pytest.mark.gen_test
async def test_a_mirror_clone_is_not_moved_by_a_fetch(place: Place) -> None:
    shutil.rmtree(place.git_dir)
    run_git(place.folder, "clone", "-q", "--mirror", str(place.remote.path), str(place.git_dir))
    async with Engine(place) as engine:
        old = str(engine.commit)
        place.remote.push({"notes/bad.toml": "= broken\n"})
        await engine.refuses("data-rejected")
        assert place.branch == old


def test_what_an_operator_may_set_stays_as_it_is(place: Place) -> None:
    opened(place)
    for key, value in (("receive.denyDeletes", "true"), ("core.sharedRepository", "group"), ("gc.auto", "0")):
        place.git("config", key, value)
    before = (place.git_dir / "config").read_bytes()
    opened(place)
    assert (place.git_dir / "config").read_bytes() == before


def test_an_address_may_hold_anything(place: Place) -> None:
    for name in ('quo"te', "back\\slash", "semi;colon # hash", "tab\tulator", "naïve", " space "):
        remote = place.folder / name
        shutil.copytree(place.remote.path, remote)
        repository = CloneFolder(place.git_dir, str(remote), "main", 20).open()
        repository.fetch()
        repository.close()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"extensions.objectFormat": "sha3"}, "names its objects by sha3"),
        ({"extensions.refStorage": "reftable"}, "not supported"),
        ({"extensions.somethingNew": "1"}, "not supported"),
        ({"core.bare": "false"}, "working tree"),
    ],
)
def test_a_repository_of_another_kind_is_refused_in_words(
    place: Place, settings: dict[str, str], words: str
) -> None:
    for key, value in settings.items():
        place.git("config", key, value)
    (place.git_dir / "config").write_text(
        (place.git_dir / "config")
        .read_text()
        .replace("repositoryformatversion = 0", "repositoryformatversion = 1")
    )
    before = (place.git_dir / "config").read_bytes()
    with pytest.raises(RepositoryError, match=words):
        opened(place)
    assert (place.git_dir / "config").read_bytes() == before


def test_a_broken_configuration_is_refused_in_words(place: Place) -> None:
    (place.git_dir / "config").write_text("[core\n")
    with pytest.raises(RepositoryError, match="config"):
        opened(place)


@pytest.mark.gen_test
async def test_variables_of_a_git_hook_lead_nowhere(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    other = GitRepo.create(place.folder / "another")
    for name in ("GIT_DIR", "GIT_OBJECT_DIRECTORY", "GIT_INDEX_FILE", "GIT_WORK_TREE", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(other.git_dir))
    monkeypatch.setenv("GIT_NAMESPACE", "somewhere")
    monkeypatch.setenv("GIT_SHALLOW_FILE", os.devnull)
    async with Engine(place) as engine:
        old = engine.commit
        assert (await engine.reload()).outcome == "in-sync"
        assert engine.commit == old


INHERITED = {
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_GLOB_PATHSPECS": "1",
    "GIT_NOGLOB_PATHSPECS": "1",
    "GIT_ICASE_PATHSPECS": "1",
    "GIT_INTERNAL_SUPER_PREFIX": "part/",
    "GIT_FLUSH": "0",
    "GIT_ATTR_SOURCE": "nowhere",
    "GIT_DEFAULT_HASH": "sha256",
    "GIT_DEFAULT_REF_FORMAT": "reftable",
    "GIT_EXTERNAL_DIFF": "echo",
    "GIT_DIFF_OPTS": "--unified=0",
    "GIT_TRACE": "1",
    "GIT_CONFIG_PARAMETERS": "'log.follow'='true' 'diff.renames'='copies' 'core.quotePath'='true'",
}


@pytest.mark.parametrize("name", INHERITED)
def test_no_inherited_variable_changes_what_git_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    text = "text = 'Long enough to be found again after it was moved'\n"
    first = place.remote.push({"notes/a*.toml": text, "notes/A*.toml": "", "notes/ab.toml": ""})
    last = place.remote.push({"notes/a*.toml": None, "notes/moved ä.toml": text})
    place.git("fetch", "-q", str(place.remote.path), "+main:refs/remotes/origin/main")

    def answers() -> list[object]:
        repository = CloneFolder(place.git_dir, str(place.remote.path), "main", 20).open()
        found: list[object] = [
            list(repository.tree(last, "notes")),
            list(repository.versions(last, ["notes/a*.toml"])),
            list(repository.versions(last, ["notes/moved ä.toml"])),
            list(repository.difference(first, last)),
            repository.relation(first, last),
        ]
        repository.close()
        return found

    before = answers()
    monkeypatch.setenv(name, INHERITED[name])
    assert answers() == before
