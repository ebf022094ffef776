"""A full build in a child: whatever becomes of it, the caller gets a whole state file or a typed error."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import orjson
import pytest

from reload.build.child import NICENESS, BuildChild, Job
from reload.errors import MESSAGE_CHARACTERS_MAX, PROBLEMS_MAX, BuildFailed, DataRejected, Problem
from tests.gitrepo import GitRepo
from tests.reload.engine import opened
from tests.reload.policies import DEFAULT, ENFORCE, FLAT, QUARANTINE, build, contents, records, rejection


def _is_administrator() -> bool:
    """Whether this process has CAP_SYS_ADMIN, and not only in a user namespace."""
    status = Path("/proc/self/status").read_text()
    capabilities = int(status.partition("CapEff:")[2].split()[0], 16)
    return bool(capabilities & 1 << 21) and Path("/proc/self/uid_map").read_text().split()[:2] == ["0", "0"]


DEADLINE_S = 60.0
_READ_JOB = "import sys; sys.stdin.readline(); "
_RECORD = "slug = 'ada'\n"
# Others than the system's administrator may tell it so ten times a second, which a test cannot wait for.
_SESSIONS_TAKE_TURNS = Path("/proc/self/autogroup").exists() and _is_administrator()


def _nothing(done: int, total: int) -> None:
    """Progress that nobody looks at."""


def _script(code: str, deadline_s: float = DEADLINE_S) -> BuildChild:
    return BuildChild(deadline_s, (sys.executable, "-c", _READ_JOB + code))


def _fail(code: str, deadline_s: float = DEADLINE_S) -> str:
    """What is said of a build whose child does this."""
    job = Job("nowhere.git", "main", "0" * 40, "nothing")
    with pytest.raises(BuildFailed) as caught:
        _script(code, deadline_s).build(job, _nothing)
    return str(caught.value)


@pytest.fixture
def repo(tmp_git: Callable[..., GitRepo]) -> GitRepo:
    """A sheet with one record."""
    made = tmp_git()
    made.write({".gitsheets/people.toml": FLAT, "people/ada.toml": _RECORD})
    made.commit()
    return made


@pytest.mark.parametrize("whose", ["os.getpid()", "git"])
def test_a_child_and_its_gits_let_everybody_go_first(repo: GitRepo, whose: str) -> None:
    code = "import os, pathlib; "
    if whose == "git":
        code += "from reload.repository.command import Git; "
        code += f"git = Git(pathlib.Path({str(repo.path / '.git')!r})); "
        code += "git.start('cat-file', '--batch'); (git,) = git.pids(); "
    code += f"session = pathlib.Path(f'/proc/{{{whose}}}/autogroup'); "
    code += f"raise SystemExit(f'as nice as {{os.getpriority(os.PRIO_PROCESS, {whose})}}, its session '"
    message = _fail(code + " + (session.read_text() if session.exists() else ''))")
    assert f"as nice as {NICENESS}, " in message
    if _SESSIONS_TAKE_TURNS:
        assert message.endswith(f" nice {NICENESS}")


def test_a_child_that_is_killed_is_a_failed_build_that_names_the_signal() -> None:
    assert "signal 9" in _fail("import os; os.kill(os.getpid(), 9)")


def test_a_child_that_ends_well_without_a_result_is_a_failed_build() -> None:
    assert "status 0 without a result" in _fail("pass")


def test_a_child_that_breaks_says_its_last_words() -> None:
    message = _fail("raise SystemExit('the disk of this child is full')")
    assert "status 1" in message
    assert "the disk of this child is full" in message


@pytest.mark.parametrize(
    "output",
    [
        '{"built": "noth',
        "not JSON at all\\n[1, 2]\\n7\\nnull\\n",
        '{"neither": 1}\\n{"done": "x", "total": []}\\n',
        "\\x80\\x04\\x95\\x0b",
        '{"problems": [{"nope": 1}], "counts": {"": 1}}\\n',
        '{"problems": [], "counts": {}}\\n',
        '{"problems": [{"path": "a", "line": 1, "column": 1, "message": "b"}], "counts": 1}\\n',
        '{"problems": 7}\\n',
    ],
)
def test_a_child_that_writes_half_a_result_or_garbage_is_a_failed_build(output: str) -> None:
    _fail(f"sys.stdout.buffer.write(b'{output}')")


def test_a_child_that_hangs_is_ended_at_the_deadline_and_leaves_no_process(tmp_path: Path) -> None:
    pid_file = tmp_path / "pid"
    code = f"import os, time; open({str(pid_file)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    while not pid_file.exists():  # again where a slow machine ended it before it could say so
        assert "longer than 1 s" in _fail(code, deadline_s=1.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(pid_file.read_text()), 0)


def test_closing_ends_a_child_that_runs_and_starts_none_any_more(tmp_path: Path) -> None:
    started = tmp_path / "started"
    child = _script(f"import time; open({str(started)!r}, 'w').close(); time.sleep(600)")
    outcome: list[Exception] = []

    def run() -> None:
        try:
            child.build(Job("nowhere.git", "main", "0" * 40, "nothing"), _nothing)
        except BuildFailed as error:
            outcome.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    deadline = time.monotonic() + DEADLINE_S
    while not started.exists() and time.monotonic() < deadline:
        thread.join(0.01)
    child.close()
    thread.join(DEADLINE_S)
    assert len(outcome) == 1
    with pytest.raises(BuildFailed, match="stopping"):
        child.build(Job("nowhere.git", "main", "0" * 40, "nothing"), _nothing)


def test_a_build_in_a_child_is_the_build_in_this_process(repo: GitRepo, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    built = tmp_path / "built"
    job = Job(str(repo.git_dir), "main", repo.rev(), str(built))
    BuildChild().build(job, lambda done, total: seen.append((done, total)))
    with opened(repo.git_dir) as repository:
        assert contents(built) == contents(build(repository, repo.rev(), tmp_path / "here"))
    assert seen[-1] == (1, 1)


def test_a_child_refuses_what_this_process_refuses_and_obeys_the_policy(
    repo: GitRepo, tmp_path: Path
) -> None:
    repo.write({"people/ada.toml": "slug = \n"})
    commit = repo.commit()
    git_dir, built = str(repo.git_dir), str(tmp_path / "built")
    with pytest.raises(DataRejected) as caught:
        BuildChild().build(Job(git_dir, "main", commit, built), _nothing)
    with opened(repo.git_dir) as repository:
        assert caught.value.problems == rejection(repository, commit, tmp_path / "here", DEFAULT)
    Path(built).unlink(missing_ok=True)
    BuildChild().build(Job(git_dir, "main", commit, built, QUARANTINE), _nothing)
    assert records(Path(built)) == {"ada": '{"slug":"ada"}'}


def test_problems_are_told_however_long_the_names_they_quote(repo: GitRepo, tmp_path: Path) -> None:
    schema = "[gitsheet.schema.additionalProperties]\ntype = 'string'\n"
    repo.write({".gitsheets/people.toml": FLAT + schema})
    repo.write({f"people/{name}.toml": f"{name * 600_000} = 1\n" for name in "ab"})
    commit = repo.commit()
    with pytest.raises(DataRejected) as caught:
        BuildChild().build(Job(str(repo.git_dir), "main", commit, str(tmp_path / "built"), ENFORCE), _nothing)
    assert caught.value.total == 2
    for problem in caught.value.problems:
        assert len(problem.message) <= MESSAGE_CHARACTERS_MAX
        assert problem.message.startswith("breaks the schema: /")
        assert problem.message.endswith('is not of type "string"')
    with opened(repo.git_dir) as repository:
        assert caught.value.problems == rejection(repository, commit, tmp_path / "here", ENFORCE)


def test_as_many_problems_as_are_told_fit_into_a_result(repo: GitRepo, tmp_path: Path) -> None:
    problem = Problem("\x01" * 10_000, 1, 1, "\x01" * 10_000)
    result = {"problems": [asdict(each) for each in DataRejected("0" * 40, [problem] * 1_000).problems]}
    (tmp_path / "result").write_bytes(orjson.dumps(result | {"counts": {"people": 1_000}}) + b"\n")
    child = _script(f"sys.stdout.buffer.write(open({str(tmp_path / 'result')!r}, 'rb').read())")
    with pytest.raises(DataRejected) as caught:
        child.build(Job("nowhere.git", "main", "0" * 40, "nothing"), _nothing)
    assert len(caught.value.problems) == PROBLEMS_MAX


def test_a_child_whose_repository_lacks_an_object_says_which(repo: GitRepo, tmp_path: Path) -> None:
    blob = repo.git("rev-parse", "HEAD:people/ada.toml")
    loose = [path for path in repo.git_dir.glob("objects/??/*") if path.parent.name + path.name == blob]
    if not loose:
        repo.git("unpack-objects", "-q", stdin=b"".join(p.read_bytes() for p in _packs_moved_away(repo)))
        loose = [repo.git_dir / "objects" / blob[:2] / blob[2:]]
    loose[0].unlink()
    with pytest.raises(BuildFailed, match=blob):
        BuildChild().build(Job(str(repo.git_dir), "main", repo.rev(), str(tmp_path / "built")), _nothing)


def _packs_moved_away(repo: GitRepo) -> list[Path]:
    """The packs of a repository, put where git does not look for them."""
    moved = []
    for pack in sorted(repo.git_dir.glob("objects/pack/*.pack")):
        moved.append(pack.rename(repo.path / pack.name))
        pack.with_suffix(".idx").unlink()
    return moved
