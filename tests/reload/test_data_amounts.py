"""Much, and nothing: bombs are refused in seconds, large changes are exact, little is served as such."""

from __future__ import annotations

import pytest

from reload.build.difference import CHANGED_FILES_MAX, TooLarge
from reload.build.manifest import DEFINITIONS_MAX
from reload.records.policy import DataPolicy
from reload.records.toml import DOCUMENT_BYTES_MAX
from reload.repository.command import Git, GitFailed
from reload.snapshot.state_file import StateFile
from tests.gitrepo import Content, GitRepo
from tests.reload.engine import opened
from tests.reload.policies import (
    DEFAULT,
    FLAT,
    QUARANTINE,
    MakeRepo,
    alike,
    build,
    built,
    contents,
    listing,
    move,
    problems_of,
    records,
    rejection,
    repo_of,
)


def _tree_bomb(repo: GitRepo, levels: int) -> str:
    """A commit with ten to the power of `levels` files, in a few hundred bytes."""
    kind, inner = "100644 blob", repo.git("hash-object", "-w", "--stdin", stdin=b"x = 1\n")
    for _ in range(levels):
        entries = "".join(f"{kind} {inner}\tf{n}.toml\n" for n in range(10))
        kind, inner = "040000 tree", repo.git("mktree", stdin=entries.encode())
    top = f"{repo.git('ls-tree', 'HEAD')}\n040000 tree {inner}\tpeople\n"
    repo.write({"people": None})
    tree = repo.git("mktree", stdin=top.encode())
    who = "Test <test@example.org> 1700000000 +0000"
    commit = f"tree {tree}\nparent {repo.rev()}\nauthor {who}\ncommitter {who}\n\nx\n"
    return repo.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit.encode())


@pytest.mark.parametrize("policy", [DEFAULT, QUARANTINE], ids=["reject", "quarantine"])
def test_a_tree_of_ten_thousand_million_files_is_refused_as_too_large(
    tmp_git: MakeRepo, policy: DataPolicy
) -> None:
    repo = repo_of(tmp_git, {})
    first, bomb = repo.rev(), _tree_bomb(repo, 10)
    few = DataPolicy(policy.invalid, policy.schema, entries_max=20_000)
    with opened(repo.git_dir) as repository:
        (problem,) = rejection(repository, bomb, repo.path / "refused", few)
        assert problem.message == "too large: the commit has more than 20000 files"
        state_file = StateFile.open(build(repository, first, repo.path / "state", few))
        state_file.close()


def test_more_sheets_than_are_served_are_refused_before_any_is_built(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {})
    first = repo.rev()
    repo.write({f".gitsheets/s{number}.toml": FLAT for number in range(DEFINITIONS_MAX)})
    many = repo.commit()
    with opened(repo.git_dir) as repository:
        (problem,) = rejection(repository, many, repo.path / "refused", DEFAULT)
        assert problem.message == f"too large: the commit defines more than {DEFINITIONS_MAX} sheets"
        state_file = StateFile.open(build(repository, first, repo.path / "state", DEFAULT))
        with pytest.raises(TooLarge):
            move(repository, state_file, many, DEFAULT)
        state_file.close()


def test_a_name_of_kilobytes_is_served_as_any_other(tmp_git: MakeRepo) -> None:
    name = "x" * 5_000
    repo = repo_of(tmp_git, {f".gitsheets/{name}.toml": FLAT, f"people/{name}.toml": "a = 1\n"})
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, repo.rev(), repo.path / "state", DEFAULT))
        assert name in state_file.sheets
        assert name in records(state_file.path, name)
        state_file.close()


def test_what_git_gathers_for_a_difference_is_bounded(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {})
    arguments = ("diff-tree", "-r", "--raw", "HEAD", _tree_bomb(repo, 8))
    with pytest.raises(GitFailed) as caught:
        with Git(repo.git_dir).stream(*arguments, data_bytes_max=32 << 20) as output:
            output.read()
    assert caught.value.out_of_memory


def test_more_files_than_are_kept_are_counted_before_they_are_listed(tmp_git: MakeRepo) -> None:
    repo = repo_of(tmp_git, {})
    bomb = _tree_bomb(repo, 4)
    with opened(repo.git_dir) as repository:
        assert repository.has_more_files(bomb, 10_000)
        assert not repository.has_more_files(bomb, 10_001)


def test_a_file_that_unpacks_to_much_more_than_it_was_is_not_unpacked_into_memory(
    tmp_git: MakeRepo,
) -> None:
    repo = repo_of(tmp_git, {"people/bomb.toml": b"\0" * (DOCUMENT_BYTES_MAX * 16)})
    (problem,) = problems_of(repo)
    assert problem.message.startswith(f"the file has {DOCUMENT_BYTES_MAX * 16} bytes")


@pytest.mark.parametrize(
    "files",
    [
        {"README.md": "x"},
        {".gitsheets/people.toml": FLAT},
        {".gitsheets/people.toml": FLAT, "people/a.toml": ""},
    ],
    ids=["no sheet", "empty sheet", "empty file"],
)
def test_little_or_nothing_is_served_as_such(tmp_git: MakeRepo, files: dict[str, Content]) -> None:
    repo = tmp_git()
    repo.commit()
    repo.write(files)
    repo.commit()
    state = alike(repo, [repo.rev("HEAD~1"), repo.rev()])
    with opened(repo.git_dir) as repository:
        assert contents(state) == contents(build(repository, repo.rev(), repo.path / "fresh"))


@pytest.mark.parametrize("message", ["x" * 1_000_000, "\x1b[2J\u202e", "a\r\nb"])
def test_a_commit_message_is_never_looked_at(tmp_git: MakeRepo, message: str) -> None:
    repo = repo_of(tmp_git, {"people/ada.toml": "slug = 'ada'\n"})
    before = repo.rev()
    repo.write({"people/ada.toml": "slug = \n"})
    repo.commit(message)
    state = alike(repo, [before, repo.rev()], QUARANTINE)
    assert listing(state).quarantined[0].since_commit == repo.rev()


@pytest.mark.parametrize("date", [0, 1, 1 << 40])
def test_a_commit_of_any_date_can_be_the_one_since_which(tmp_git: MakeRepo, date: int) -> None:
    repo = repo_of(tmp_git, {})
    repo.write({"people/ada.toml": "slug = \n"})
    repo.commit(date=date)
    (found,) = listing(built(repo, QUARANTINE)).quarantined
    assert found.since_commit == repo.rev()
    assert found.since is not None


def test_a_rename_of_every_file_gives_what_a_build_from_scratch_gives(tmp_git: MakeRepo) -> None:
    files = {f"people/p{n}.toml": f"slug = 'p{n}'\n" for n in range(300)}
    repo = repo_of(tmp_git, {**files})
    first = repo.rev()
    repo.write(dict.fromkeys(files))
    repo.write({path.replace("/p", "/q"): text.replace("'p", "'q") for path, text in files.items()})
    alike(repo, [first, repo.commit()])


def test_ten_thousand_changed_files_are_built_from_scratch_and_the_store_is_left_alone(
    tmp_git: MakeRepo,
) -> None:
    repo = repo_of(tmp_git, {})
    first = repo.rev()
    repo.write({f"people/p{n}.toml": "x = 1\n" for n in range(CHANGED_FILES_MAX + 1)})
    second = repo.commit()
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, first, repo.path / "state"))
        before = contents(state_file.path)
        with pytest.raises(TooLarge):
            move(repository, state_file, second, DEFAULT)
        assert contents(state_file.path) == before
        state_file.close()
