"""What the doctor finds."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at: what it is, whether it is well, and how it stands.

    `remedy` mends a fault; beside something that is well it is advice. `configuration` says that a
    setting is at fault.
    """

    subject: str
    ok: bool
    detail: str
    remedy: str = ""
    configuration: bool = False
