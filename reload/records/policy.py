"""The operator's policy for invalid data."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

# A tree of a few kilobytes can name any number of files; git lists some two million a second.
ENTRIES_MAX = 5_000_000

Invalid = Literal["reject", "quarantine"]
SchemaUse = Literal["off", "warn", "enforce"]


@dataclass(frozen=True, slots=True)
class DataPolicy:
    """How a commit is read; together with the commit it determines everything that is served.

    `invalid`: an unreadable record refuses the commit, or is replaced by its last readable version.
    `schema`: a record that breaks its sheet's JSON Schema is not looked for, listed, or unreadable.
    `entries_max`: a commit with more files than this is refused.
    """

    invalid: Invalid = "reject"
    schema: SchemaUse = "warn"
    entries_max: int = ENTRIES_MAX

    @property
    def noted(self) -> str:
        """The policy as a state file notes it; one that notes another is unfit."""
        return f"invalid={self.invalid} schema={self.schema} entries_max={self.entries_max}"
