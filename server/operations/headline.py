"""The state in one headline, for the page, the command and notifications."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from reload.snapshot.tables.problems import LISTED_MAX
from server.operations.advice import Kind, advice_on
from server.operations.time_text import relative

_PHASES: Final = {
    "fetch": "The remote is being asked",
    "compare": "The history is being compared",
    "build": "The records are being read",
    "swap": "The records are about to be served",
}


class Level(StrEnum):
    """How much it matters: nothing to do, wait, look soon, look now."""

    GOOD = "good"
    WAIT = "wait"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Standing:
    """A headline, what explains it, and what an operator should do, empty where that is nothing."""

    level: Level
    headline: str
    detail: str
    next_step: str = ""


def standing(document: Mapping[str, Any], now: datetime) -> Standing:
    """The standing that a status document shows; needs nothing that is private in it."""
    if document["served"] is None:
        return _nothing_served(document, now)
    if document["rejected"] is not None:
        advice = advice_on(document["rejected"]["code"])
        detail = f"{advice.meaning} Readers stay on the commit that was served before."
        return Standing(Level.BAD, advice.headline, detail, advice.next_step)
    if document["remote"]["announced"] is not None:
        return _awaiting(document["remote"]["announced"], now)
    return _current(document, now) if document["fresh"] else _stale(document, now)


def _nothing_served(document: Mapping[str, Any], now: datetime) -> Standing:
    last = document["lastReload"]
    advice = advice_on(last["outcome"]) if last is not None else None
    if advice is None or advice.kind in (Kind.CHANGED, Kind.UNCHANGED):
        detail = f"{_doing(document.get('running'), now)}It is served as soon as it is whole."
        return Standing(Level.WAIT, "The data is being loaded", detail)
    detail = f"{advice.headline}: {_lowered(advice.meaning)} The server tries again by itself."
    return Standing(Level.BAD, "Nothing is served yet", detail, advice.next_step)


def _doing(running: Mapping[str, Any] | None, now: datetime) -> str:
    """What a reload is doing, and since when."""
    if running is None or running["phase"] not in _PHASES:
        return ""
    since = relative(datetime.fromisoformat(running["since"]), now)
    return f"{_PHASES[running['phase']]}; the reload began {since}. "


def _current(document: Mapping[str, Any], now: datetime) -> Standing:
    count = len(document["quarantined"])
    if count:
        more = " or more" if count >= LISTED_MAX else ""
        records = "1 record" if count == 1 else f"{count}{more} records"
        detail = f"{records} in it cannot be read; what was last readable of them is served, or nothing."
        step = "Fix them and push; they leave the quarantine by themselves."
        return Standing(Level.WARN, "The newest commit is served in part", detail, step)
    last, reached = document["lastReload"], document["remote"]["lastReachedAt"]
    advice = advice_on(last["outcome"] if last is not None else "in-sync")
    detail = "The newest commit of the branch is served."
    if advice.next_step:
        detail = advice.meaning
    if reached is not None:
        detail = f"{detail} The remote answered {relative(datetime.fromisoformat(reached), now)}."
    return Standing(Level.GOOD, "The data is current", detail, advice.next_step)


def _awaiting(announced: Mapping[str, Any], now: datetime) -> Standing:
    since = relative(datetime.fromisoformat(announced["since"]), now)
    advice = advice_on("commit-not-on-branch")
    detail = f"A webhook named {announced['commit'][:12]} {since}; the branch does not hold it."
    return Standing(Level.WARN, advice.headline, detail, advice.next_step)


def _stale(document: Mapping[str, Any], now: datetime) -> Standing:
    remote, last = document["remote"], document["lastReload"]
    advice = advice_on(last["outcome"] if last is not None else "in-sync")
    if advice.kind in (Kind.REFUSED, Kind.FAILED):
        level = Level.BAD if advice.kind is Kind.REFUSED else Level.WARN
        detail = f"{advice.meaning} What is served may be out of date."
        return Standing(level, advice.headline, detail, advice.next_step)
    if remote["lastReachedAt"] is None:
        detail = "The remote is being asked whether that is the newest commit."
        return Standing(Level.WAIT, "What was served last is served again", detail)
    since = relative(datetime.fromisoformat(remote["lastReachedAt"]), now)
    detail = f"The remote answered {since}, longer ago than it should have."
    return Standing(Level.WARN, "The data may be out of date", detail, advice_on("fetch-failed").next_step)


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]
