"""The repository's own configuration file: nothing in it may run a program or lead elsewhere.

git obeys the configuration of the repository it works on, and some of it names programs to run or
other places to fetch from. So the file may hold only what KEPT lists; the rest is taken out, and kept
in a copy beside it, where an operator finds it. What a server needs from git's configuration (a proxy,
a credential helper, a key) belongs into the user's or the system's.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from reload.errors import RepositoryError
from reload.repository.command import Git, GitFailed

COPY = "config.replaced"
OBJECT_FORMATS = ("sha1", "sha256")
# What only says how files are stored, who may read them, and what a push to it may do.
KEPT = frozenset(
    {
        "core.repositoryformatversion",
        "core.bare",
        "core.filemode",
        "core.symlinks",
        "core.ignorecase",
        "core.precomposeunicode",
        "core.sharedrepository",
        "core.logallrefupdates",
        "extensions.objectformat",
        "extensions.refstorage",
        "http.receivepack",
        "http.uploadpack",
    }
)
_KEPT_SECTIONS = ("gc.", "pack.", "receive.", "repack.", "user.")
# Extensions that are taken out; what else a repository needs git to understand is refused.
_OPTIONAL_EXTENSIONS = ("extensions.partialclone", "extensions.worktreeconfig", "extensions.preciousobjects")
_TRUE = (None, "true", "yes", "on", "1")
_READ_DEADLINE_S = 30.0

Setting = tuple[str, str | None]


@dataclass(frozen=True, slots=True)
class Configuration:
    """The file's settings as (key, value), in their order; a value is None where only the key stands."""

    settings: Sequence[Setting]

    @classmethod
    def read(cls, git_dir: Path) -> Configuration:
        """The settings of a repository, without what the file includes; raises RepositoryError."""
        path = git_dir / "config"
        if not path.is_file():
            return cls(())
        git = Git(Path(os.devnull))  # the file is only read: nothing in it counts for this command
        try:
            listing = git.run(
                "config",
                "--file",
                str(path.absolute()),
                "--no-includes",
                "--null",
                "--list",
                deadline_s=_READ_DEADLINE_S,
            )
        except GitFailed as error:
            raise RepositoryError(f"{path} cannot be read: {error.stderr}") from error
        return cls(
            [_setting(item) for item in listing.decode("utf-8", "surrogateescape").split("\0") if item]
        )

    @property
    def object_format(self) -> str:
        """How the repository names its objects: one of OBJECT_FORMATS, or what it says instead."""
        return dict(self.settings).get("extensions.objectformat") or "sha1"

    def require_supported(self, git_dir: Path) -> None:
        """Raise RepositoryError where this is no bare repository, or of a kind that is not supported."""
        values = dict(self.settings)
        if "core.worktree" in values or not _is_true(values.get("core.bare", "true")):
            raise RepositoryError(
                f"{git_dir} has a working tree; give the path of a bare repository that the server may own"
            )
        if self.object_format not in OBJECT_FORMATS:
            message = f"{git_dir} names its objects by {self.object_format}, which is not supported"
            raise RepositoryError(message)
        for key, value in self.settings:
            if not key.startswith("extensions.") or key in (*_OPTIONAL_EXTENSIONS, "extensions.objectformat"):
                continue
            if (key, value) != ("extensions.refstorage", "files"):
                raise RepositoryError(
                    f"{git_dir} uses {key} = {value}, which is not supported; clone it again"
                )

    def secured(self, remote: str | None) -> Configuration:
        """What of it may stay, with `remote` as the only place to fetch from."""
        kept = [setting for setting in self.settings if _may_stay(setting[0], remote)]
        if all(key != "core.bare" for key, _ in kept):
            kept.append(("core.bare", "true"))
        if remote is not None:
            kept.append(("remote.origin.url", remote))
        return Configuration(kept)

    def keys_without(self, other: Configuration) -> list[str]:
        """The keys that `other` lacks, without their values, which may be secret."""
        left = {key for key, _ in other.settings}
        return sorted({key for key, _ in self.settings if key not in left})

    def write(self, git_dir: Path) -> None:
        """Put it in the place of the repository's file, of which a copy stays beside it."""
        path, partial = git_dir / "config", git_dir / "config.new"
        if path.exists():
            shutil.copy2(path, git_dir / COPY)
        text = "".join(_lines(self.settings))
        partial.write_text(text, encoding="utf-8", errors="surrogateescape")
        if path.exists():
            shutil.copymode(path, partial)
        partial.replace(path)


def secure(git_dir: Path, remote: str | None) -> list[str]:
    """See to it that the file holds only what may stay, and `remote`; the keys that were taken out.

    Raises RepositoryError where the repository is of a kind that cannot be served.
    """
    found = Configuration.read(git_dir)
    found.require_supported(git_dir)
    wanted = found.secured(remote)
    if sorted(map(repr, wanted.settings)) == sorted(map(repr, found.settings)):
        return []
    wanted.write(git_dir)
    return found.keys_without(wanted)


def _may_stay(key: str, remote: str | None) -> bool:
    if key in KEPT or key.startswith(_KEPT_SECTIONS):
        return True
    return remote is None and key.startswith(("remote.", "branch."))  # nothing is fetched then


def _setting(item: str) -> Setting:
    key, separator, value = item.partition("\n")
    return key, value if separator else None


def _is_true(value: str | None) -> bool:
    return value is None or value.lower() in _TRUE


def _lines(settings: Iterable[Setting]) -> Iterable[str]:
    for key, value in settings:
        section, _, name = key.rpartition(".")
        section, _, part = section.partition(".")
        yield f"[{section} {_quoted(part)}]\n" if part else f"[{section}]\n"
        yield f"\t{name}\n" if value is None else f"\t{name} = {_quoted(value)}\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t")
    return f'"{escaped}"'
