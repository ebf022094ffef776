"""The commands: what a person types, and what a person reads.

Each command imports what only it needs, so that the others start in a fraction of a second.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import orjson
import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
)

from reload.errors import RepositoryError
from reload.records.policy import DataPolicy, Invalid, SchemaUse
from server import __version__
from server.commands.client import Client, Reply, Unreachable
from server.commands.display import findings_view, outcome_view, problem_view, status_view
from server.commands.exits import BAD_CONFIGURATION, FAILED, USAGE, fail, tidied_on_signals
from server.commands.streams import err, open_closed_streams, out
from server.commands.watch import watch as watch_status
from server.demo.demo import DEFAULT_FOLDER, DemoError, demo_settings, prepare_demo, three_commands
from server.settings.secret import Secret
from server.settings.settings import Settings, SettingsError, read_settings
from server.settings.values import host as host_value

if TYPE_CHECKING:
    from server.commands.check import Report

app = typer.Typer(
    name="livesheets",
    help="Serve a git branch as a live, searchable HTTP API.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)


class Format(StrEnum):
    """How `check` writes its report."""

    TEXT = "text"
    GITHUB = "github"


Url = Annotated[str, typer.Option(help="Where the server listens; default: from HOST and PORT.")]


def main() -> None:
    """The console script."""
    open_closed_streams()
    app()


@app.callback(invoke_without_command=True)
def version_option(
    version: Annotated[bool, typer.Option("--version", help="Show the version and exit.")] = False,
) -> None:
    """Serve a git branch as a live, searchable HTTP API."""
    if version:
        out().print(f"livesheets {__version__}")
        raise typer.Exit


def _listen_address(text: str) -> str:
    try:
        return host_value(text) if text else text
    except ValueError as error:
        raise typer.BadParameter(f"it {error}") from None


@app.command(short_help="Serve a repository, or a folder of your own.")
def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="[FOLDER]", help="A folder of your own to serve, without any setting."),
    ] = None,
    uncommitted: Annotated[
        bool, typer.Option("--uncommitted", help="Serve the files of FOLDER as they are, committed or not.")
    ] = False,
    host: Annotated[
        str, typer.Option(help="Listen address; default: HOST or 127.0.0.1.", callback=_listen_address)
    ] = "",
    port: Annotated[
        int | None, typer.Option(help="Port, 0 for any free one; default: PORT or 8080.", min=0, max=65535)
    ] = None,
) -> None:
    """Clone if needed, load, and serve until SIGTERM or SIGINT."""
    from server.commands.serve import run_server

    changed: dict[str, Any] = {"host": host} if host else {}
    if port is not None:
        changed["port"] = port
    if folder is not None:
        _serve_folder(folder, changed, uncommitted=uncommitted)
    elif uncommitted:
        raise typer.BadParameter("--uncommitted needs a FOLDER")
    else:
        settings = replace(_settings(required=("CFP_DATA_REPO_PATH",)), **changed)
        run_server(settings, lambda bound: _tell_address(settings, bound))


def _tell_address(settings: Settings, port: int) -> None:
    """Tell a person where the server is; a program knows."""
    if sys.stdout.isatty():
        url = _local_url(settings.host, port)
        out().print(f"Livesheets {__version__} at {url} (page /, API /api, reference /docs)")


def _serve_folder(path: Path, changed: dict[str, Any], *, uncommitted: bool) -> None:
    from server.commands.serve import run_server
    from server.commands.serve_folder import open_folder
    from server.folder.user_folder import FolderError

    try:
        served = open_folder(path, os.environ.get("CFP_DATA_BRANCH"), uncommitted=uncommitted)
        environ = served.folder.settings(os.environ)
    except FolderError as error:
        fail(str(error), USAGE)
    settings = replace(_settings(environ), **changed)
    run_server(settings, lambda bound: served.announce(_local_url(settings.host, bound)), served.watch())


@app.command(short_help="Serve sample data, without any set-up.")
def demo(
    port: Annotated[int, typer.Option(help="Port, 0 for any free one.", min=0, max=65535)] = 8080,
    folder: Annotated[Path, typer.Option("--dir", help="Where the sample data lives.")] = DEFAULT_FOLDER,
) -> None:
    """Make a sample data repository with a local remote, serve it, and print three commands to try."""
    from server.commands.serve import run_server

    try:
        made = prepare_demo(folder)
    except DemoError as error:
        fail(str(error))
    except OSError as error:
        fail(f"the demo cannot be made in {folder.absolute()}: {error}; name another folder with --dir")

    def announce(bound: int) -> None:
        url = f"http://127.0.0.1:{bound}"
        out().print(f"\nLivesheets serves {made.remote} at {url}\n")
        titles = (
            "List records:",
            "Search everything:",
            "Edit a record, push it, reload, and read it back:",
        )
        for title, command in zip(titles, three_commands(made, url), strict=True):
            out().print(f"{title}\n")
            sys.stdout.write(f"{command}\n\n")
        out().print("Stop with Ctrl+C.")
        sys.stdout.flush()

    run_server(_settings(demo_settings(made, os.environ, port)), announce)


@app.command(short_help="Have a running server read the branch again.")
def reload(
    commit: Annotated[str, typer.Option(help="A commit that must be served afterwards, 4 to 64 hex.")] = "",
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
    with _progress(SpinnerColumn(), TextColumn("reloading"), TimeElapsedColumn()) as spinner:
        spinner.add_task("reloading")
        reply = _ask(_client(settings, url).reload, request)
    if reply.status != 200 or not reply.document.get("ok"):
        err().print(problem_view(reply.status, reply.document))
        raise typer.Exit(FAILED)
    out().print(outcome_view(reply.document))


@app.command(short_help="Show what a running server serves.")
def status(
    url: Url = "",
    as_json: Annotated[bool, typer.Option("--json", help="Print the status document as it is.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Show it again until Ctrl+C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks of --watch.", min=0.2)] = 2.0,
) -> None:
    """What is served, how fresh, what was refused and why; exit 0 only if the data is fresh."""
    if watch and as_json:
        raise typer.BadParameter("--watch is for people; call status --json as often as you like instead")
    client = _client(_settings(), url)
    if watch:
        raise typer.Exit(0 if watch_status(client, out(), every) else FAILED)
    reply = _ask(client.status)
    if reply.status != 200:
        err().print(problem_view(reply.status, reply.document))
        raise typer.Exit(FAILED)
    if as_json:
        sys.stdout.write(orjson.dumps(reply.document, option=orjson.OPT_INDENT_2).decode() + "\n")
    else:
        out().print(status_view(reply.document, datetime.now(UTC)))
    raise typer.Exit(0 if reply.document["fresh"] else FAILED)


@app.command(short_help="Find what the server would refuse.")
def check(
    repository: Annotated[
        Path, typer.Argument(metavar="[REPO]", help="A git repository, bare or not.")
    ] = Path(),
    ref: Annotated[str, typer.Option(help="The branch or commit to load.")] = "HEAD",
    base: Annotated[str, typer.Option(help="Also tell what changes against this branch or commit.")] = "",
    form: Annotated[
        Format | None,
        typer.Option("--format", help="How to report; default: github in GitHub Actions, text elsewhere."),
    ] = None,
    strict: Annotated[bool, typer.Option("--strict", help="Fail also where there is a warning.")] = False,
) -> None:
    """Load the branch as the server would and report every problem as path:line: message."""
    from server.commands.check import check_repository

    settings = _settings()
    policy = DataPolicy(cast("Invalid", settings.invalid), cast("SchemaUse", settings.schema))
    columns = (TextColumn("records"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    try:
        with _progress(*columns) as bar:
            task = bar.add_task("records", total=None)
            report = check_repository(
                repository,
                ref,
                base or None,
                policy,
                lambda done, total: bar.update(task, completed=done, total=total),
            )
    except RepositoryError as error:
        fail(str(error))
    if form is None:
        form = Format.GITHUB if os.environ.get("GITHUB_ACTIONS") == "true" else Format.TEXT
    _print_report(report, form, held_counts=settings.mass_delete == "hold", strict=strict)


@app.command(short_help="Check settings, repository and remote.")
def doctor() -> None:
    """Check settings, repository, remote, permissions and versions, and say how to fix each fault."""
    from server.commands.doctor.doctor import examine

    findings = examine(os.environ)
    out().print(findings_view(findings))
    if any(finding.configuration for finding in findings):
        raise typer.Exit(BAD_CONFIGURATION)
    if not all(finding.ok for finding in findings):
        raise typer.Exit(FAILED)


def _settings(environ: Any = None, required: tuple[str, ...] = ()) -> Settings:
    try:
        return read_settings(os.environ if environ is None else environ, required)
    except SettingsError as error:
        for fault in error.faults:
            err().print(f"configuration: {fault}")
        raise typer.Exit(BAD_CONFIGURATION) from None


def _client(settings: Settings, url: str) -> Client:
    secret: Secret | None = settings.reload_secret
    try:
        return Client(url or _local_url(settings.host, settings.port), secret.current() if secret else None)
    except Unreachable as error:
        fail(str(error), USAGE)


def _local_url(host: str, port: int) -> str:
    """Where a server that listens at `host` is found from this machine."""
    reached = "127.0.0.1" if host in ("0.0.0.0", "::") else host
    return f"http://[{reached}]:{port}" if ":" in reached else f"http://{reached}:{port}"


def _ask(call: Callable[..., Reply], *arguments: Any) -> Reply:
    try:
        return call(*arguments)
    except Unreachable as error:
        fail(str(error))


@contextlib.contextmanager
def _progress(*columns: Any) -> Iterator[Progress]:
    """Progress on a terminal, nothing elsewhere; nothing of it stays, however the command ends."""
    console = err()
    with tidied_on_signals():
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as shown:
            yield shown


def _print_report(report: Report, form: Format, *, held_counts: bool, strict: bool) -> None:
    """Write the report and exit; what is held fails only where the server would hold it."""
    from server.commands.check_report import fails, github_lines, text_lines

    if not held_counts:
        report = replace(report, held={})
    for line in github_lines(report) if form is Format.GITHUB else text_lines(report):
        sys.stdout.write(f"{line}\n")
    raise typer.Exit(FAILED if fails(report, strict=strict) else 0)
