"""Local commits and refs of a damaged repository, copied into the new clone."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from reload.errors import RepositoryError
from reload.repository.command import Git, GitFailed
from reload.repository.refs import BRANCHES, refs_below
from reload.repository.repository import Repository

BUNDLE = "unpushed.bundle"
_OWN_REFS = "refs/livesheets/"
_NOTHING = "empty bundle"


def recover(damaged: Path, fresh: Repository, note: Callable[..., None]) -> None:
    """Copy the branch, unpushed commits and this program's own refs into `fresh`.

    Commits that the remote lacks are bundled first, in the damaged repository, which is kept. What
    cannot be read is left out and noted.
    """
    old, new = Git(damaged), Git(fresh.git_dir)
    try:
        refs = _refs(damaged, fresh)
        try:
            _carry(
                old, new, [ref for ref in (fresh.local_ref, *sorted(refs)) if ref in refs], fresh.remote_ref
            )
        except GitFailed as error:
            note("repository.nothing_bundled", reason=error.stderr)
        for ref, commit in refs.items():
            if fresh.resolve(commit) == commit:
                new.run("update-ref", ref, commit)
            else:
                note("repository.commit_lost", ref=ref, commit=commit, saved_in=str(damaged))
    finally:
        old.stop()
        new.stop()


def _refs(damaged: Path, fresh: Repository) -> dict[str, str]:
    """The branch and this program's own refs, with what they name."""
    try:
        branches = refs_below(damaged, BRANCHES)
        own = refs_below(damaged, _OWN_REFS)
    except RepositoryError:
        return {}
    return {ref: commit for ref, commit in branches.items() if ref == fresh.local_ref} | own


def _carry(old: Git, new: Git, refs: list[str], pushed: str) -> None:
    """Bundle what these refs have beyond `pushed`, or failing that the first one alone, and unpack it."""
    bundle = str(old.git_dir.absolute() / BUNDLE)
    try:
        old.run("bundle", "create", "--quiet", bundle, *refs, *_beyond(old, pushed))
    except GitFailed as error:
        if not refs or _NOTHING in error.stderr:
            return
        old.run("bundle", "create", "--quiet", bundle, refs[0], *_beyond(old, pushed))
    heads = [line.split()[1] for line in old.run("bundle", "list-heads", bundle).decode().splitlines()]
    new.run("fetch", "--quiet", "--no-tags", bundle, *(f"+{ref}:{ref}" for ref in heads))


def _beyond(old: Git, pushed: str) -> tuple[str, ...]:
    try:
        old.run("rev-parse", "--quiet", "--verify", f"{pushed}^{{commit}}")
    except GitFailed:
        return ()
    return ("--not", pushed)
