"""Maintenance of a repository's object files: finding damage, and packing."""

from __future__ import annotations

import re
from pathlib import Path

from reload.repository.command import Git, GitFailed

CHECK_DEADLINE_S = 600.0
PACK_DEADLINE_S = 600.0
# git's own measure for "many": this many files in one of 256 folders is some 7,000 loose objects.
LOOSE_IN_ONE_FOLDER_MAX = 27
PACKS_MAX = 50
# The other processors are the readers'; by the list that is written, other gits know that packs are gone.
_PACK_SETTINGS = ("pack.threads=1", "repack.updateServerInfo=true")

_LOST = 2 | 4  # the bits of git fsck's exit status for objects that are missing, and for packs
# What git says of a repository that lost or garbled objects; what the remote says of itself does not count.
_DAMAGE = re.compile(
    r"^(?!remote:).*(?:corrupt|bad object|object file .* is empty"
    r"|unable to read (?:tree|sha1|[0-9a-f]{40,64})"
    r"|inflate: |missing (?:blob|tree|commit)|broken link|(?:sha1|hash) mismatch"
    r"|pack .* (?:does not match|is garbage|has bad)|packfile .* cannot"
    r"|ObjectMissing|did not find object|Could not read [0-9a-f]{40,64})",
    re.MULTILINE,
)


def tells_of_damage(words: str) -> bool:
    """Whether git's words say that objects are lost or garbled."""
    return _DAMAGE.search(words) is not None


def is_damaged(git: Git) -> bool:
    """Whether git, reading every object there is, finds one lost or garbled; takes its time."""
    try:
        git.run("fsck", "--full", "--no-dangling", "--no-progress", deadline_s=CHECK_DEADLINE_S)
    except GitFailed as error:
        # Objects that break git's own rules for them, as old histories do, are no damage.
        found = re.sub(r"(?m)^(?:error|warning) in .*", "", error.stderr)
        return bool(error.status & _LOST) or tells_of_damage(found)
    return False


def pack(git: Git) -> bool:
    """Gather loose objects and small packs into one where there are many; whether there were."""
    objects = git.git_dir / "objects"
    loose = _count(objects / "17")
    if loose <= LOOSE_IN_ONE_FOLDER_MAX and _count(objects / "pack", ".pack") <= PACKS_MAX:
        return False
    options = ("--geometric=2", "-d", "-l", "-q")
    git.run("repack", *options, settings=_PACK_SETTINGS, deadline_s=PACK_DEADLINE_S)
    return True


def _count(folder: Path, ending: str = "") -> int:
    return sum(path.name.endswith(ending) for path in folder.iterdir()) if folder.is_dir() else 0
