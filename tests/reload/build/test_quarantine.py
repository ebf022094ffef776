"""Quarantine: the last readable version of a bad record is served with the rest of the commit.

What is served and listed is a function of the commit alone, the same by difference as from scratch.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck

from reload.build.quarantine import VERSIONS_MAX
from reload.errors import DataRejected
from reload.records.policy import DataPolicy
from reload.snapshot.state_file import StateFile
from tests.gitrepo import FIRST_DATE_S, GitRepo
from tests.reload.engine import opened
from tests.reload.policies import (
    BAD,
    BETTER,
    DEFAULT,
    FILE,
    FLAT,
    GOOD,
    QUARANTINE,
    QUARANTINE_ENFORCE,
    WORSE,
    build,
    commit_of,
    contents,
    listing,
    move,
    records,
    rejection,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


@pytest.fixture
def repo(tmp_git: Callable[..., GitRepo]) -> GitRepo:
    """A sheet with one good record beside the one that the tests are about."""
    made = tmp_git()
    made.write({".gitsheets/people.toml": FLAT, "people/bo.toml": "slug = 'bo'\n"})
    made.commit()
    return made


def _commit(repo: GitRepo, content: str | None) -> str:
    repo.write({FILE: content})
    return repo.commit()


def _serve(repo: GitRepo, policy: DataPolicy = QUARANTINE, commit: str | None = None) -> Path:
    with opened(repo.git_dir) as repository:
        return build(repository, commit or repo.rev(), repo.path / "state", policy)


# -- what is served -----------------------------------------------------------------------------------


def test_a_bad_record_is_served_in_its_last_readable_version_and_the_rest_as_committed(
    repo: GitRepo,
) -> None:
    _commit(repo, GOOD)
    _commit(repo, BETTER)
    repo.write({FILE: BAD, "people/bo.toml": "slug = 'bo'\nn = 7\n"})
    repo.commit()
    assert records(_serve(repo)) == {"ada": '{"slug":"ada","n":2}', "bo": '{"slug":"bo","n":7}'}


def test_a_bad_record_without_a_readable_version_is_absent(repo: GitRepo) -> None:
    _commit(repo, BAD)
    _commit(repo, WORSE)
    state = _serve(repo)
    assert records(state) == {"bo": '{"slug":"bo"}'}
    assert [each.served for each in listing(state).quarantined] == [None]


def test_a_removed_record_does_not_come_back_when_it_is_added_anew_with_a_mistake(repo: GitRepo) -> None:
    _commit(repo, GOOD)
    _commit(repo, None)
    _commit(repo, BAD)
    assert "ada" not in records(_serve(repo))


def test_the_list_says_what_is_wrong_where_and_since_when(repo: GitRepo) -> None:
    _commit(repo, GOOD)
    _commit(repo, BAD)
    broken = _commit(repo, WORSE)
    repo.write({"people/bo.toml": "slug = 'bo'\nn = 7\n"})
    repo.commit()
    (found,) = listing(_serve(repo)).quarantined
    assert (found.sheet, found.path, found.line) == ("people", FILE, 1)
    assert found.problem == _rejected(repo)[0]
    assert found.since_commit == broken
    assert found.since == datetime.fromtimestamp(FIRST_DATE_S, UTC) + timedelta(minutes=3)
    assert found.served == repo.git("rev-parse", f"{broken}~2:{FILE}")


def _rejected(repo: GitRepo) -> tuple[object, ...]:
    with opened(repo.git_dir) as repository:
        return rejection(repository, repo.rev(), repo.path / "rejected", DEFAULT)


def test_a_record_leaves_quarantine_when_it_is_fixed_and_when_it_is_removed(repo: GitRepo) -> None:
    _commit(repo, GOOD)
    commits = [_commit(repo, content) for content in (BAD, BETTER, BAD, None)]
    quarantined = [bool(listing(_serve(repo, commit=commit)).quarantined) for commit in commits]
    assert quarantined == [True, False, True, False]


def test_a_merge_is_followed_to_its_first_parent(repo: GitRepo) -> None:
    """The side branch had another readable version, which the served branch never had."""
    start = _commit(repo, GOOD)
    side = _commit(repo, BETTER)
    repo.reset(start)
    repo.write({FILE: BAD})
    merged = repo.commit(merge=[side])
    state = _serve(repo)
    assert records(state)["ada"] == '{"slug":"ada","n":1}'
    assert listing(state).quarantined[0].since_commit == merged


def test_an_unreadable_definition_refuses_the_commit_in_quarantine_too(repo: GitRepo) -> None:
    repo.write({".gitsheets/people.toml": "[gitsheet\n", FILE: BAD})
    repo.commit()
    with pytest.raises(DataRejected) as caught:
        _serve(repo)
    assert [problem.path for problem in caught.value.problems] == [".gitsheets/people.toml"]


def test_a_version_is_read_as_the_served_definition_says(repo: GitRepo) -> None:
    _commit(repo, "slug = 'ada'\n")
    schema = "[gitsheet.schema]\nrequired = ['n']\n"
    repo.write({".gitsheets/people.toml": FLAT + schema, FILE: BAD, "people/bo.toml": "n = 1\n"})
    repo.commit()
    assert "ada" in records(_serve(repo))
    assert "ada" not in records(_serve(repo, QUARANTINE_ENFORCE))


def test_a_link_in_the_place_of_a_record_is_quarantined_and_never_followed(repo: GitRepo) -> None:
    _commit(repo, GOOD)
    repo.write({FILE: "/etc/passwd"}, mode="120000")
    repo.commit()
    state = _serve(repo)
    assert records(state)["ada"] == '{"slug":"ada","n":1}'
    assert "a symbolic link" in listing(state).quarantined[0].message


def test_a_link_that_became_a_bad_file_does_not_serve_its_target(repo: GitRepo) -> None:
    _commit(repo, GOOD)
    repo.write({FILE: "n = 7\n"}, mode="120000")
    repo.commit()
    _commit(repo, BAD)
    assert records(_serve(repo))["ada"] == '{"slug":"ada","n":1}'


def test_the_search_for_a_readable_version_is_bounded(repo: GitRepo) -> None:
    _commit(repo, GOOD)
    for number in range(VERSIONS_MAX):
        _commit(repo, f"{BAD}# {number}\n")
    assert "ada" in records(_serve(repo))
    _commit(repo, BAD)
    assert "ada" not in records(_serve(repo))


def test_many_bad_records_are_found_in_one_walk(repo: GitRepo) -> None:
    names = [f"p{number}" for number in range(80)]
    repo.write({f"people/{name}.toml": f"slug = '{name}'\n" for name in names})
    repo.commit()
    repo.write({f"people/{name}.toml": BAD for name in names})
    repo.commit()
    state = _serve(repo)
    assert len(records(state)) == 81
    assert listing(state).quarantined_count == 80
    assert listing(state).counts == {"people": 80}


def test_a_name_that_is_not_utf8_is_listed_and_leaves_again(repo: GitRepo) -> None:
    before = repo.rev()
    blob = repo.git("hash-object", "-w", "--stdin", stdin=b"slug = 'x'\n").encode()
    people = repo.git("rev-parse", "HEAD:people")
    listing_of = repo.git("ls-tree", people).encode()
    tree = repo.git("mktree", "-z", stdin=_entries(listing_of) + b"100644 blob %s\t\xff.toml\0" % blob)
    top = repo.git("ls-tree", "HEAD").replace(people, tree).encode()
    root = repo.git("mktree", "-z", stdin=_entries(top))
    odd = commit_of(repo, root, [before], 1)
    with opened(repo.git_dir) as repository:
        state = build(repository, before, repo.path / "moved", QUARANTINE)
        state_file = StateFile.open(state)
        for commit in (odd, before, odd):
            move(repository, state_file, commit, QUARANTINE)
            fresh = build(repository, commit, repo.path / "fresh", QUARANTINE)
            assert contents(state) == contents(fresh)
        state_file.close()
        assert [each.problem.path for each in listing(state).quarantined] == ["people/\\xff.toml"]
        assert rejection(repository, odd, repo.path / "fresh", DEFAULT)[0].path == "people/\\xff.toml"


def _entries(lines: bytes) -> bytes:
    return b"".join(line + b"\0" for line in lines.splitlines())


# -- the same by difference as from scratch -----------------------------------------------------------


def test_a_bad_version_between_two_reloads_changes_the_version_that_is_served(repo: GitRepo) -> None:
    """The file is the same at both commits, so that their difference does not mention it."""
    _commit(repo, GOOD)
    first = _commit(repo, BAD)
    _commit(repo, BETTER)
    second = _commit(repo, BAD)
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, first, repo.path / "moved", QUARANTINE))
        move(repository, state_file, second, QUARANTINE)
        assert records(state_file.path)["ada"] == '{"slug":"ada","n":2}'
        assert listing(state_file.path).quarantined[0].since_commit == second
        state_file.close()


def test_a_quarantined_file_may_become_an_attachment_and_a_record_again(
    tmp_git: Callable[..., GitRepo],
) -> None:
    repo = tmp_git()
    repo.write({".gitsheets/notes.toml": "[gitsheet]\nroot = 'notes'\npath = '${{ path/** }}'\n"})
    repo.write({"notes/a/b.toml": BAD, "notes/a/link": "b.toml"})
    repo.write({"notes/a/c.toml": "nowhere"}, mode="120000")
    commits = [repo.commit()]
    for content in (GOOD, None, BAD, GOOD):
        repo.write({"notes/a.toml": content})
        commits.append(repo.commit())
    _alike_everywhere(repo, commits, QUARANTINE)


def _alike_everywhere(repo: GitRepo, commits: list[str], policy: DataPolicy) -> None:
    """From each commit to each other, the difference must give what a build from scratch gives."""
    with opened(repo.git_dir) as repository:
        fresh = {c: contents(build(repository, c, repo.path / "fresh", policy)) for c in commits}
        state_file = StateFile.open(build(repository, commits[0], repo.path / "moved", policy))
        for start in commits:
            for commit in commits:
                move(repository, state_file, start, policy)
                move(repository, state_file, commit, policy)
                assert contents(state_file.path) == fresh[commit], (start, commit)
        state_file.close()
