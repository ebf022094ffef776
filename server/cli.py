"""The commands: what a person types, and what a person reads."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, NoReturn

import orjson
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from reload.errors import RepositoryError
from server import __version__
from server.check import Report, check_repository
from server.client import Client, Unreachable
from server.demo import DEFAULT_FOLDER, DemoError, prepare_demo, three_commands
from server.doctor import examine
from server.lock import InUse
from server.logs import configure
from server.main import Service, forget_secrets, run
from server.redaction import Redactor
from server.secret import Secret
from server.settings import Settings, SettingsError, read_settings

FAILED, USAGE, IN_USE, BAD_CONFIGURATION = 1, 2, 75, 78

app = typer.Typer(
    name="livesheets",
    help="Serve a git branch as a live, searchable HTTP API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
out = Console(highlight=False, soft_wrap=True)
err = Console(stderr=True, highlight=False, soft_wrap=True)

Url = Annotated[str, typer.Option(help="Where the server listens; default: from HOST and PORT.")]


def main() -> None:
    """The console script."""
    app()


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Serve a git branch as a live, searchable HTTP API."""
    if version:
        out.print(f"livesheets {__version__}")
        raise typer.Exit


@app.command()
def serve(
    host: Annotated[str, typer.Option(help="Listen address; default: HOST or 127.0.0.1.")] = "",
    port: Annotated[
        int, typer.Option(help="Port, 0 for any free one; default: PORT or 8080.", max=65535)
    ] = -1,
) -> None:
    """Clone if needed, load, and serve until SIGTERM or SIGINT."""
    settings = _settings(required=("CFP_DATA_REPO_PATH",))
    changed: dict[str, Any] = {"host": host} if host else {}
    if port >= 0:
        changed["port"] = port
    _serve(replace(settings, **changed), lambda _: None)


@app.command()
def demo(
    port: Annotated[int, typer.Option(help="Port, 0 for any free one.", min=0, max=65535)] = 8080,
    folder: Annotated[Path, typer.Option("--dir", help="Where the sample data lives.")] = DEFAULT_FOLDER,
) -> None:
    """Make a sample data repository with a local remote, serve it, and print three commands to try."""
    try:
        made = prepare_demo(folder)
    except DemoError as error:
        _fail(str(error))
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CFP_") or name.startswith("CFP_LOG_")
    }
    environment |= {
        "CFP_DATA_REPO_PATH": str(made.repo_path),
        "CFP_DATA_REMOTE": str(made.remote),
        "CFP_DATA_RELOAD_SECRET": made.secret,
        "PORT": str(port),
        "HOST": "127.0.0.1",
    }
    environment.setdefault("CFP_LOG_LEVEL", "warning")

    def announce(bound: int) -> None:
        url = f"http://127.0.0.1:{bound}"
        out.print(f"\nLivesheets serves {made.remote} at {url}\n", markup=False)
        titles = (
            "List records:",
            "Search everything:",
            "Edit a record, push it, reload, and read it back:",
        )
        for title, command in zip(titles, three_commands(made, url), strict=True):
            out.print(f"{title}\n", markup=False)
            sys.stdout.write(f"{command}\n\n")
        out.print("Stop with Ctrl+C.", markup=False)
        sys.stdout.flush()

    _serve(_settings(environ=environment), announce)


@app.command()
def reload(
    commit: Annotated[str, typer.Option(help="A commit that must be served afterwards, 4 to 40 hex.")] = "",
    url: Url = "",
    accept_rewrite: Annotated[bool, typer.Option(help="Follow rewritten history, this once.")] = False,
    accept_deletions: Annotated[
        bool, typer.Option(help="Serve a commit that removes most of a sheet, this once.")
    ] = False,
) -> None:
    """Call a running server's webhook and print the outcome; exit 0 only if the data is current."""
    settings = _settings()
    request: dict[str, Any] = {"commitHash": commit} if commit else {}
    consent = [
        word for word, given in (("rewrite", accept_rewrite), ("deletions", accept_deletions)) if given
    ]
    if consent:
        request["accept"] = consent
    with err.status("reloading ..."):
        reply = _ask(lambda client: client.reload(request), settings, url)
    document = reply.document
    if reply.status == 200 and document.get("ok"):
        what = "nothing to do" if document.get("noChanges") else "now served"
        out.print(
            f"{document['outcome']}: {what}, commit {document['newCommit']}, {document['durationMs']:.0f} ms"
        )
        for sheet, counts in document.get("changes", {}).items():
            out.print(
                f"  {sheet}: " + ", ".join(f"{n} {word}" for word, n in counts.items()),
                markup=False,
            )
        return
    _print_problem(reply.status, document)
    raise typer.Exit(FAILED)


@app.command()
def status(
    url: Url = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the status document as it is.")] = False,
) -> None:
    """What is served, how fresh, what was refused and why; exit 0 only if the data is fresh."""
    reply = _ask(lambda client: client.status(), _settings(), url)
    document = reply.document
    if reply.status != 200:
        _print_problem(reply.status, document)
        raise typer.Exit(FAILED)
    if as_json:
        sys.stdout.write(orjson.dumps(document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        _print_status(document)
    raise typer.Exit(0 if document["fresh"] else FAILED)


@app.command()
def check(
    repository: Annotated[
        Path, typer.Argument(metavar="[REPO]", help="A git repository, bare or not.")
    ] = Path(),
    ref: Annotated[str, typer.Option(help="The branch or commit to load.")] = "HEAD",
    base: Annotated[str, typer.Option(help="Also tell what changes against this branch or commit.")] = "",
) -> None:
    """Load the branch as the server would and report every problem as path:line: message."""
    try:
        report = _with_progress(lambda progress: check_repository(repository, ref, base or None, progress))
    except RepositoryError as error:
        _fail(str(error))
    for problem in report.problems:
        out.print(f"{problem.path}:{problem.line}: {problem.message}", markup=False)
    if report.total:
        hidden = report.total - len(report.problems)
        more = f" ({hidden} more not shown)" if hidden else ""
        _fail(f"{report.total} problems{more}: the server would refuse commit {report.commit[:12]}")
    _print_report(report)


@app.command()
def doctor() -> None:
    """Check settings, repository, remote, permissions and versions, and say how to mend each fault."""
    findings = examine(os.environ)
    for finding in findings:
        mark = "[green]ok[/]  " if finding.ok else "[red]fault[/]"
        err_or_out = out
        err_or_out.print(mark, end=" ")
        err_or_out.print(f"{finding.subject}: {finding.detail}", markup=False)
        if finding.remedy:
            err_or_out.print(f"      {finding.remedy}", markup=False)
    if any(finding.configuration for finding in findings):
        raise typer.Exit(BAD_CONFIGURATION)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)


def _serve(settings: Settings, announce: Callable[[int], None]) -> None:
    assert settings.repo_path is not None
    logs = configure(settings.log_format, settings.log_level, redactor=Redactor(settings.secrets))
    forget_secrets()
    for warning in settings.warnings:
        err.print(f"warning: {warning}", markup=False)
    try:
        service = Service(settings, settings.repo_path.absolute(), logs)
    except InUse as error:
        logs.close()
        _fail(str(error), IN_USE)
    except OSError as error:
        logs.close()
        _fail(f"the data directory cannot be used: {error}")
    try:
        asyncio.run(run(service, announce))
    except OSError as error:
        _fail(f"cannot listen on {settings.host} port {settings.port}: {error.strerror or error}")
    finally:
        logs.close()


def _settings(environ: Any = None, required: tuple[str, ...] = ()) -> Settings:
    try:
        return read_settings(os.environ if environ is None else environ, required)
    except SettingsError as error:
        for fault in error.faults:
            err.print(f"configuration: {fault}", markup=False)
        raise typer.Exit(BAD_CONFIGURATION) from None


def _ask(call: Callable[[Client], Any], settings: Settings, url: str) -> Any:
    host = "127.0.0.1" if settings.host in ("0.0.0.0", "::") else settings.host
    address = f"[{host}]" if ":" in host else host
    secret: Secret | None = settings.reload_secret
    client = Client(url or f"http://{address}:{settings.port}", secret.current() if secret else None)
    try:
        return call(client)
    except Unreachable as error:
        _fail(str(error))


def _with_progress(work: Callable[[Callable[[int, int], None]], Report]) -> Report:
    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=err, transient=True, disable=not err.is_terminal) as bar:
        task = bar.add_task("records", total=None)
        return work(lambda done, total: bar.update(task, completed=done, total=total))


def _print_problem(http_status: int, document: dict[str, Any]) -> None:
    err.print(f"{document.get('code', http_status)}: {document.get('detail', 'no detail')}", markup=False)
    for problem in document.get("problems", []):
        err.print(f"  {problem['path']}:{problem['line']}: {problem['message']}", markup=False)
    if document.get("oldCommit"):
        err.print(f"  still served: {document['oldCommit']}", markup=False)


def _print_status(document: dict[str, Any]) -> None:
    served, remote = document["served"], document["remote"]
    if served is None:
        out.print("nothing is served yet")
    else:
        freshness = "fresh" if document["fresh"] else "NOT fresh"
        out.print(f"{document['branch']} at {served['commit']}, {freshness}", markup=False)
        out.print(f"  committed {served['committedAt']}, served since {served['servedAt']}", markup=False)
        for sheet, count in served["records"].items():
            out.print(f"  {sheet}: {count} records", markup=False)
    out.print(f"remote: last reached {remote['lastReachedAt'] or 'never'}", markup=False)
    if remote["lastError"]:
        out.print(f"  last error: {remote['lastError']}", markup=False)
    rejected = document["rejected"]
    if rejected:
        out.print(
            f"refused: {rejected['commit']} ({rejected['code']}) since {rejected['at']}",
            markup=False,
        )
        for problem in rejected["problems"]:
            out.print(f"  {problem['path']}:{problem['line']}: {problem['message']}", markup=False)


def _print_report(report: Report) -> None:
    counts = ", ".join(f"{count} {name}" for name, count in report.records.items()) or "no sheets"
    out.print(f"ok: commit {report.commit[:12]} can be served ({counts})", markup=False)
    for sheet, changes in (report.changes or {}).items():
        words = f"{changes.added} added, {changes.modified} modified, {changes.removed} removed"
        out.print(f"  {sheet}: {words}", markup=False)


def _fail(message: str, status: int = FAILED) -> NoReturn:
    err.print(message, markup=False)
    raise typer.Exit(status)
