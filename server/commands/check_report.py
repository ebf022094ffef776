"""How the report of a check is written: for people, or as annotations for GitHub."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

from reload.errors import Problem
from server.commands.check import Report, SheetDifference
from server.commands.display import place
from server.operations.logs.printable import printable

UNCOMMITTED_SHOWN_MAX = 20
UNCOMMITTED = "not committed, so the server does not see it"
_SIGNS = {"added": "+", "modified": "~", "removed": "-"}


def fails(report: Report, *, strict: bool) -> bool:
    """Whether the server would keep serving the commit before, or would serve nothing; also a warning."""
    return bool(report.total or report.held or not report.records or (strict and report.warned))


def text_lines(report: Report) -> Iterator[str]:
    """The report for people; problems as `path:line: message`, with the column behind it."""
    for problem in report.problems:
        yield _line(problem)
    for problem in report.quarantined:
        yield _line(problem, "in quarantine: ")
    for problem in report.listed:
        yield _line(problem, "warning: ")
    for path in report.uncommitted[:UNCOMMITTED_SHOWN_MAX]:
        yield printable(f"{path}: warning: {UNCOMMITTED}")
    if (hidden := len(report.uncommitted) - UNCOMMITTED_SHOWN_MAX) > 0:
        yield f"warning: {_counted(hidden, 'more file')} not committed"
    yield from _summary(report)


def _line(problem: Problem, kind: str = "") -> str:
    """A problem as `path:line: message`, which programs read, too."""
    column = f" (column {problem.column})" if problem.column else ""
    return printable(f"{place(problem.path, problem.line)}: {kind}{problem.message}{column}")


def github_lines(report: Report) -> Iterator[str]:
    """The report as workflow commands of GitHub Actions, and the summary as plain text.

    Nothing in the data is taken for a command: values are escaped, and commands are off during the text.
    """
    for problem in report.problems:
        yield _annotation("error", problem)
    for problem in (*report.quarantined, *report.listed):
        yield _annotation("warning", problem)
    for path in report.uncommitted[:UNCOMMITTED_SHOWN_MAX]:
        yield _annotation("warning", Problem(path, 0, 0, UNCOMMITTED))
    for name, (removed, before) in report.held.items():
        yield f"::error title=Livesheets::{_escaped(_held(name, removed, before))}"
    mark = secrets.token_hex(16)
    yield f"::stop-commands::{mark}"
    yield from _summary(report)
    yield f"::{mark}::"


def _annotation(level: str, problem: Problem) -> str:
    values = {"file": problem.path, "line": problem.line, "col": problem.column, "title": "Livesheets"}
    known = ",".join(f"{key}={_property(str(value))}" for key, value in values.items() if value)
    return f"::{level} {known}::{_escaped(problem.message)}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")


def _summary(report: Report) -> Iterator[str]:
    commit = report.commit[:12]
    if report.total:
        hidden = report.total - len(report.problems)
        more = f" ({hidden} more not shown)" if hidden else ""
        yield f"{_counted(report.total, 'problem')}{more}: the server would refuse commit {commit}"
    else:
        counts = ", ".join(f"{printable(name)} {count}" for name, count in report.records.items())
        verdict = "held: commit {} waits" if report.held else "ok: commit {} can be served"
        yield f"{verdict.format(commit)} ({f'records: {counts}' if counts else 'no sheets'})"
    yield f"policy: invalid={report.policy.invalid}, schema={report.policy.schema}"
    if report.listed_total:
        yield f"{_counted(report.listed_total, 'problem')} in what is served all the same"
    if report.quarantined:
        yield "quarantined records are served as they were last readable, or not at all"
        if report.shallow:
            yield "this clone is shallow, so it does not tell which: the server looks at the whole history"
    if report.base is not None and not report.total:
        yield from _difference(report, report.base)
    yield from (f"held: {_held(name, *counts)}" for name, counts in report.held.items())


def _difference(report: Report, base: str) -> Iterator[str]:
    if report.difference is None:
        yield f"against {base[:12]}: not compared, since that commit itself cannot be served"
        return
    yield f"against {base[:12]}:" if report.difference else f"against {base[:12]}: nothing changes"
    for name, sheet in report.difference.items():
        yield f"  {printable(name)}: {_changes(sheet)}"
        yield from (f"    {_SIGNS[kind]} {printable(path)}" for kind, path in sheet.names)
        changes = sheet.changes
        hidden = changes.added + changes.modified + changes.removed - len(sheet.names)
        if hidden and sheet.names:
            yield f"    and {hidden} more"


def _changes(sheet: SheetDifference) -> str:
    counts = sheet.changes
    words = f"{counts.added} added, {counts.modified} modified, {counts.removed} removed"
    return f"{words} ({sheet.event})" if sheet.event else words


def _held(name: str, removed: int, before: int) -> str:
    return (
        f"{removed} of {before} records of the sheet {printable(name)} are removed; the server waits for "
        "consent (livesheets reload --accept-deletions), unless CFP_DATA_MASS_DELETE=allow"
    )


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"
