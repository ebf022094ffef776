"""`livesheets check` says before a push what the server would say after it, in words or to GitHub."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from reload.errors import Problem, RepositoryError
from reload.records.policy import DataPolicy
from server.commands.check import NAMES_MAX, Report, check_repository
from server.commands.check_report import fails, github_lines, text_lines
from tests.end_to_end.server_process import run_command
from tests.gitrepo import GitRepo, run_git

SHEET = '[gitsheet]\nroot = "people"\npath = "${{ slug }}"\n'
SCHEMA = '[gitsheet.schema]\ntype = "object"\nrequired = ["name"]\n'
POLICY = DataPolicy()
Repo = Callable[..., GitRepo]


def person(slug: str) -> str:
    return f'slug = "{slug}"\nname = "{slug.title()}"\n'


def people(count: int) -> dict[str, bytes | str | None]:
    return {f"people/p{number:02}.toml": person(f"p{number:02}") for number in range(count)}


def is_refused(report: Report) -> bool:
    """Whether the command fails without --strict."""
    return fails(report, strict=False)


@pytest.fixture
def repo(tmp_git: Repo) -> GitRepo:
    """A data repository with two people."""
    made = tmp_git()
    made.write({".gitsheets/people.toml": SHEET, **people(2)})
    made.commit()
    return made


def check(
    repo: GitRepo | Path, base: str | None = None, policy: DataPolicy = POLICY, ref: str = "HEAD"
) -> Report:
    path = repo if isinstance(repo, Path) else repo.path
    return check_repository(path, ref, base, policy, lambda done, total: None)


def told(report: Report) -> list[str]:
    return list(text_lines(report))


# -- what is looked at -------------------------------------------------------------------------------


def test_what_can_be_served_is_told_with_its_counts_and_the_policy(repo: GitRepo) -> None:
    report = check(repo)
    assert not is_refused(report)
    assert told(report) == [
        f"ok: commit {repo.rev()[:12]} can be served (records: people 2)",
        "policy: invalid=reject, schema=warn",
    ]


def test_every_problem_is_named_with_its_line(repo: GitRepo) -> None:
    repo.write({"people/p00.toml": "name = = 1\n", "people/p01.toml": 'a = 1\nb = "\n'})
    commit = repo.commit()
    report = check(repo)
    assert is_refused(report)
    lines = told(report)
    assert re.match(r"people/p00\.toml:1: \S", lines[0])
    assert re.match(r"people/p01\.toml:2: \S", lines[1])
    assert lines[2] == f"2 problems: the server would refuse commit {commit[:12]}"


def test_what_is_not_committed_does_not_count(repo: GitRepo) -> None:
    folder = repo.checkout()
    (folder / "people" / "p00.toml").write_text("name = = 1\n")
    (folder / "people" / "new.toml").write_text("name = = 1\n")
    repo.git("add", "people/new.toml")
    assert not is_refused(check(repo))


def test_a_working_clone_is_checked_from_any_folder_and_from_a_worktree(
    repo: GitRepo, tmp_path: Path
) -> None:
    folder = repo.checkout()
    repo.git("worktree", "add", "-q", "--detach", str(tmp_path / "tree"))
    for place in (folder, folder / "people", folder / ".git", tmp_path / "tree"):
        assert check(place).records == {"people": 2}


def test_a_shallow_clone_is_enough(repo: GitRepo, tmp_path: Path) -> None:
    repo.write({"people/p00.toml": None})
    repo.commit()
    clone = tmp_path / "clone"
    run_git(tmp_path, "clone", "-q", "--depth=1", f"file://{repo.path}", str(clone))
    assert check(clone).records == {"people": 1}
    with pytest.raises(RepositoryError, match="shallow: fetch that commit"):
        check(clone, base=repo.rev("HEAD~1"))
    run_git(clone, "fetch", "-q", "--depth=1", "origin", repo.rev("HEAD~1"))
    assert "  people: 0 added, 0 modified, 1 removed" in told(check(clone, base="FETCH_HEAD"))


def test_the_policy_decides_what_is_refused(repo: GitRepo) -> None:
    repo.write({".gitsheets/people.toml": SHEET + SCHEMA, "people/p00.toml": 'slug = "p00"\n'})
    repo.commit()
    assert not any("p00" in line for line in told(check(repo, policy=DataPolicy(schema="off"))))
    warned = check(repo)
    assert not is_refused(warned)
    assert told(warned)[0].startswith("people/p00.toml:")
    assert "warning: " in told(warned)[0]
    assert is_refused(check(repo, policy=DataPolicy(schema="enforce")))
    quarantined = check(repo, policy=DataPolicy("quarantine", "enforce"))
    assert not is_refused(quarantined)
    assert "in quarantine: " in told(quarantined)[0]
    assert "policy: invalid=quarantine, schema=enforce" in told(quarantined)


def test_where_there_is_nothing_to_check_is_told(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    unborn = GitRepo.create(tmp_path / "unborn")
    for path, ref, words in (
        (tmp_path / "empty", "HEAD", "is no git repository"),
        (tmp_path / "none", "HEAD", "does not exist"),
        (unborn.path, "HEAD", "has no commit yet: commit your files first"),
        (repo.path, "--all", "has no commit '--all'"),
    ):
        with pytest.raises(RepositoryError, match=words):
            check(path, ref=ref)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files to another user")
def test_a_repository_of_another_user_is_told_with_what_mends_it(repo: GitRepo) -> None:
    folder = repo.checkout()
    for place in (folder, repo.git_dir):
        os.chown(place, 12_345, 12_345)
    with pytest.raises(RepositoryError, match=rf"config --global --add safe\.directory {folder}"):
        check(repo)


# -- against a base ----------------------------------------------------------------------------------


def test_the_difference_is_told_record_by_record(repo: GitRepo) -> None:
    base = repo.rev()
    repo.write(
        {
            "people/p00.toml": None,
            "people/p01.toml": "n = 7\n",
            "people/p02.toml": person("p02"),
        }
    )
    repo.commit()
    assert told(check(repo, base))[2:] == [
        f"against {base[:12]}:",
        "  people: 1 added, 1 modified, 1 removed",
        "    - p00",
        "    ~ p01",
        "    + p02",
    ]


def test_nothing_changed_is_told(repo: GitRepo) -> None:
    base = repo.rev()
    repo.write({"README.md": "not a record"})
    repo.commit()
    assert told(check(repo, base))[-1] == f"against {base[:12]}: nothing changes"


def test_changes_of_sheets_themselves_are_told(repo: GitRepo) -> None:
    repo.write({".gitsheets/old.toml": SHEET.replace("people", "old"), "old/one.toml": person("one")})
    repo.commit()
    base = repo.rev()
    repo.write(
        {
            ".gitsheets/old.toml": None,
            ".gitsheets/new.toml": SHEET.replace("people", "new"),
            ".gitsheets/people.toml": SHEET + SCHEMA,
            "new/one.toml": person("one"),
        }
    )
    repo.commit()
    assert told(check(repo, base))[-3:] == [
        "  new: 1 added, 0 modified, 0 removed (new sheet)",
        "  old: 0 added, 0 modified, 1 removed (sheet removed)",
        "  people: 0 added, 0 modified, 0 removed (definition changed)",
    ]


def test_of_many_changes_the_first_are_named(repo: GitRepo) -> None:
    base = repo.rev()
    repo.write(people(NAMES_MAX + 7))
    repo.commit()
    lines = told(check(repo, base))
    assert sum(line.startswith("    + ") for line in lines) == NAMES_MAX
    assert lines[-1] == "    and 5 more"


def test_a_base_that_cannot_be_served_is_told(repo: GitRepo) -> None:
    repo.write({"people/p00.toml": "name = = 1\n"})
    base = repo.commit()
    repo.write({"people/p00.toml": person("p00")})
    repo.commit()
    report = check(repo, base)
    assert not is_refused(report)
    assert "not compared" in told(report)[-1]


def test_what_the_server_would_hold_fails_and_tells_the_way_out(repo: GitRepo) -> None:
    repo.write(people(20))
    base = repo.commit()
    repo.write({f"people/p{number:02}.toml": None for number in range(11)})
    commit = repo.commit()
    report = check(repo, base)
    assert is_refused(report)
    lines = told(report)
    assert lines[0] == f"held: commit {commit[:12]} waits (records: people 9)"
    assert "11 of 20 records of the sheet people" in lines[-1]
    assert "--accept-deletions" in lines[-1]


# -- for GitHub --------------------------------------------------------------------------------------


def test_github_marks_the_lines_at_fault(repo: GitRepo) -> None:
    repo.write({"people/p00.toml": 'slug = "p00"\nname = = 1\n'})
    repo.commit()
    first = next(iter(github_lines(check(repo))))
    assert re.fullmatch(r"::error file=people/p00\.toml,line=2,col=\d+,title=Livesheets::\S.*", first)


def test_nothing_in_the_data_becomes_a_command() -> None:
    hostile = "a\n::set-output name=x::y\r%0A##[error]z,line=9:1"
    problem = Problem(f"people/{hostile}.toml", 0, 0, hostile)
    bad = Report("c" * 40, POLICY, problems=(problem,), total=1)
    good = Report("c" * 40, POLICY, {hostile: 1}, listed=(problem,), listed_total=1)
    for report in (bad, good, replace(good, held={hostile: (30, 40)})):
        lines = list(github_lines(report))
        assert all("\n" not in line and "\r" not in line for line in lines)
        commands = [line for line in lines if line.startswith("::")]
        assert not [line for line in commands if line.startswith("::set-output")]
        stop = next(number for number, line in enumerate(lines) if line.startswith("::stop-commands::"))
        assert all(line.startswith(("::error ", "::warning ")) for line in lines[:stop])
        assert lines[-1] == f"::{lines[stop].removeprefix('::stop-commands::')}::"
        for line in lines[:stop]:
            properties = line.split("::")[1]
            assert properties.count("line=") <= 1 + properties.count("%2Cline=")


def test_nothing_in_the_data_moves_the_cursor() -> None:
    problem = Problem("people/\x1b[2J.toml", 1, 1, "\u202eesrever\n second line")
    lines = told(Report("c" * 40, POLICY, problems=(problem,), total=1))
    assert lines[0] == r"people/\x1b[2J.toml:1: \u202eesrever\n second line (column 1)"


# -- as a command ------------------------------------------------------------------------------------


def test_the_format_follows_where_it_runs(repo: GitRepo) -> None:
    repo.write({"people/p00.toml": "name = = 1\n"})
    repo.commit()
    path = str(repo.path)
    for arguments, actions, marked in (
        ((), None, False),
        ((), "true", True),
        (("--format", "text"), "true", False),
        (("--format", "github"), None, True),
    ):
        done = run_command("check", path, *arguments, GITHUB_ACTIONS=actions)
        assert done.returncode == 1
        assert done.stdout.startswith("::error file=people/p00.toml") is marked


def test_the_policy_comes_from_the_environment(repo: GitRepo) -> None:
    repo.write({**people(30)})
    base = repo.commit()
    repo.write({f"people/p{number:02}.toml": None for number in range(29)})
    repo.write({"people/p29.toml": "name = = 1\n"})
    repo.commit()
    path = str(repo.path)
    assert run_command("check", path).returncode == 1
    tolerant = {"CFP_DATA_INVALID": "quarantine"}
    assert run_command("check", path, **tolerant).returncode == 0
    held = run_command("check", path, "--base", base, **tolerant)
    assert (held.returncode, "held: " in held.stdout) == (1, True)
    allowed = run_command("check", path, "--base", base, CFP_DATA_MASS_DELETE="allow", **tolerant)
    assert (allowed.returncode, "held: " in allowed.stdout) == (0, False)
    assert run_command("check", path, CFP_DATA_INVALID="perhaps").returncode == 78


def test_git_is_needed_and_asked_for(repo: GitRepo, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = run_command("check", str(repo.path), PATH=str(tmp_path / "bin"))
    assert done.returncode == 1
    assert "git is not installed" in done.stderr
    assert shutil.which("git")
