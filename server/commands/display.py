"""What the commands show on a terminal: status, outcomes and problems, for people.

Texts from elsewhere are never markup, and their control characters are escaped.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final, TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from reload.errors import FIRST
from server.commands.doctor.findings import Finding
from server.operations.advice import Kind, advice_on
from server.operations.headline import Level, standing
from server.operations.logs.printable import printable
from server.operations.time_text import absolute, duration, relative
from server.pages.timeline import SIGNS

RELOADS_MAX: Final = 8
PROBLEMS_MAX: Final = 20
PIPE_COLUMNS: Final = 1_000
_STYLES: Final = {Level.GOOD: "green", Level.WAIT: "blue", Level.WARN: "yellow", Level.BAD: "red"}
_KIND_STYLES: Final = {
    Kind.CHANGED: "green",
    Kind.UNCHANGED: "",
    Kind.REFUSED: "red",
    Kind.FAILED: "magenta",
}


def make_console(stream: TextIO) -> Console:
    """A console that takes nothing for markup; into a file or a pipe lines are not folded."""
    on_terminal = stream.isatty()
    width = None if on_terminal else PIPE_COLUMNS
    return Console(
        file=stream, highlight=False, soft_wrap=not on_terminal, markup=False, emoji=False, width=width
    )


def status_view(document: Mapping[str, Any], now: datetime) -> RenderableType:
    """A status document for a person."""
    stands = standing(document, now)
    style = _STYLES[stands.level]
    parts: list[RenderableType] = [
        Text.assemble(("● ", style), (stands.headline, f"bold {style}")),
        _indented(Text(printable(stands.detail))),
    ]
    if stands.next_step:
        parts.append(_indented(Text.assemble(("Next step: ", "bold"), printable(stands.next_step))))
    parts += ["", _indented(_facts(document, now))]
    if document["rejected"]:
        parts += ["", _indented(_rejected(document["rejected"], now))]
    if document["quarantined"]:
        parts += ["", _indented(_quarantined(document["quarantined"]))]
    if document["served"] and document["served"]["records"]:
        parts += ["", _indented(_sheets(document["served"]["records"]))]
    if document["history"]:
        parts += ["", _indented(_reloads(document["history"], now))]
    return Group(*parts)


def _indented(inner: RenderableType) -> RenderableType:
    return Padding(inner, (0, 0, 0, 2), expand=False)


def _grid(*styles: str) -> Table:
    grid = Table.grid(padding=(0, 3, 0, 0), pad_edge=False)
    for style in styles:
        grid.add_column(style=style, overflow="fold")
    return grid


def _facts(document: Mapping[str, Any], now: datetime) -> RenderableType:
    served, remote, poll = document["served"], document["remote"], document["poll"]
    facts = _grid("dim", "")
    facts.add_row("branch", printable(document["branch"] or "not known yet"))
    facts.add_row("commit", served["commit"] if served else "none")
    if served:
        facts.add_row("committed", _moment(served["committedAt"], now))
        facts.add_row("served since", _moment(served["servedAt"], now))
    facts.add_row("remote answered", _moment(remote["lastReachedAt"], now))
    if remote["lastError"]:
        facts.add_row("last error", printable(remote["lastError"]))
    off = "after the first load" if poll["intervalSeconds"] else "off"
    facts.add_row("next poll", _moment(poll["nextAt"], now) if poll["nextAt"] else off)
    if poll["consecutiveFailures"]:
        facts.add_row("failed in a row", str(poll["consecutiveFailures"]))
    return facts


def _moment(text: str | None, now: datetime) -> Text:
    if text is None:
        return Text("never")
    moment = datetime.fromisoformat(text)
    return Text.assemble(f"{relative(moment, now):<16}", (absolute(moment), "dim"))


def _rejected(rejected: Mapping[str, Any], now: datetime) -> RenderableType:
    since = relative(datetime.fromisoformat(rejected["at"]), now)
    title = f"refused {rejected['commit']}: {rejected['code']}, since {since}"
    return Group(Text(printable(title), "bold"), *problem_lines(rejected["problems"], PROBLEMS_MAX))


def problem_lines(problems: Iterable[Mapping[str, Any]], shown_max: int) -> list[Text]:
    """Problems as `path:line:column: message`, the first `shown_max` of them."""
    texts = [
        printable(f"{place(each['path'], each['line'], each['column'])}: {each['message']}")
        for each in problems
    ]
    lines = [Text(f"  {text}") for text in texts[:shown_max]]
    if len(texts) > shown_max:
        lines.append(Text(f"  and {len(texts) - shown_max} more"))
    return lines


def place(path: str, line: int, column: int = 0) -> str:
    """Where a problem is: `path:line:column`, or the path alone where the line is not known."""
    if not line:
        return path
    return f"{path}:{line}:{column}" if column else f"{path}:{line}"


def _quarantined(quarantined: list[dict[str, Any]]) -> RenderableType:
    lines = [Text(printable(f"  {each['path']}: {each['message']}")) for each in quarantined[:PROBLEMS_MAX]]
    hidden = len(quarantined) - len(lines)
    more = [Text(f"  and {hidden} more")] if hidden else []
    return Group(Text(f"in quarantine: {len(quarantined)}", "bold"), *lines, *more)


def _sheets(records: Mapping[str, int]) -> RenderableType:
    table = _grid("")
    table.add_column(justify="right")
    table.add_row(Text("sheet", "dim"), Text("records", "dim"))
    for name, count in records.items():
        table.add_row(Text(printable(name)), f"{count:,}")
    return table


def _reloads(history: list[dict[str, Any]], now: datetime) -> RenderableType:
    table = _grid("dim", "")
    table.add_column(justify="right")
    table.add_column(style="dim")
    table.add_row(*(Text(title, "dim") for title in ("last reloads", "outcome", "took", "asked by")))
    for each in history[:RELOADS_MAX]:
        kind = advice_on(each["outcome"]).kind
        table.add_row(
            relative(datetime.fromisoformat(each["startedAt"]), now),
            Text(f"{SIGNS[kind]} {printable(each['outcome'])}", _KIND_STYLES[kind]),
            duration(each["durationMs"]),
            printable(each["trigger"]),
        )
    return table


def outcome_view(document: Mapping[str, Any]) -> RenderableType:
    """A reload that succeeded, for a person."""
    what = "nothing to do" if document["noChanges"] else "now served"
    lines = [
        f"{document['outcome']}: {what}, commit {document['newCommit']}, {document['durationMs']:.0f} ms"
    ]
    lines += [
        f"  {name}: {', '.join(f'{count} {word}' for word, count in counts.items())}"
        for name, counts in document.get("changes", {}).items()
    ]
    phases = document.get("phasesMs", {})
    if phases:
        lines.append("  " + ", ".join(f"{name} {took:.0f} ms" for name, took in phases.items()))
    warnings = problem_lines(document.get("problems", []), PROBLEMS_MAX)
    if warnings:
        lines.append("  served, although:")
    return Group(*(Text(printable(line)) for line in lines), *warnings)


def problem_view(http_status: int, document: Mapping[str, Any]) -> RenderableType:
    """An answer that is an error, for a person: what, where, what is still served, what to do."""
    code = str(document.get("code", http_status))
    problems = document.get("problems", [])
    detail = str(document.get("detail", "no detail"))
    lines = [Text(printable(f"{code}: {detail.partition(FIRST)[0] if problems else detail}"))]
    lines += problem_lines(problems, PROBLEMS_MAX)
    if document.get("oldCommit"):
        lines.append(Text(printable(f"  still served: {document['oldCommit']}")))
    if document.get("outcome") == code and advice_on(code).next_step:
        lines.append(Text(f"  next step: {advice_on(code).next_step}"))
    return Group(*lines)


def findings_view(findings: Iterable[Finding]) -> RenderableType:
    """What the doctor found, each fault with what fixes it."""
    lines = []
    for finding in findings:
        mark, style = ("ok", "green") if finding.ok else ("fault", "red")
        if finding.ok and finding.remedy:
            mark, style = "note", "yellow"
        words = printable(f"{finding.subject}: {finding.detail}")
        lines.append(Text.assemble((f"{mark:6}", style), words))
        if finding.remedy:
            lines.append(Text(f"      {printable(finding.remedy)}"))
    return Group(*lines)
