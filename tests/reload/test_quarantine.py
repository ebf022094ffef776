"""Quarantine: the last readable version of a bad record is served with the rest of the commit.

What is served and listed is a function of the commit alone, the same by difference as from scratch.
"""

from __future__ import annotations

import hashlib
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reload.errors import DataRejected
from reload.policy import DataPolicy
from reload.quarantine import VERSIONS_MAX
from reload.records import Record, read_record
from reload.store import Store
from tests.gitrepo import FIRST_DATE_S, GitRepo
from tests.histories import Tree, histories
from tests.reload.engine import examples, new_repository, opened
from tests.reload.policies import (
    DEFAULT,
    FLAT,
    QUARANTINE,
    QUARANTINE_ENFORCE,
    build,
    contents,
    listing,
    move,
    records,
    rejection,
)

GOOD, BETTER, BAD, WORSE = "slug = 'ada'\nn = 1\n", "slug = 'ada'\nn = 2\n", "slug = 'ada\n", "n = = 1\n"
FILE = "people/ada.toml"
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
    odd = _commit_of(repo, root, [before], 1)
    with opened(repo.git_dir) as repository:
        state = build(repository, before, repo.path / "moved", QUARANTINE)
        store = Store.open(state)
        for commit in (odd, before, odd):
            move(repository, store, commit, QUARANTINE)
            fresh = build(repository, commit, repo.path / "fresh", QUARANTINE)
            assert contents(state) == contents(fresh)
        store.close()
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
        store = Store.open(build(repository, first, repo.path / "moved", QUARANTINE))
        move(repository, store, second, QUARANTINE)
        assert records(store.path)["ada"] == '{"slug":"ada","n":2}'
        assert listing(store.path).quarantined[0].since_commit == second
        store.close()


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
        store = Store.open(build(repository, commits[0], repo.path / "moved", policy))
        for start in commits:
            for commit in commits:
                move(repository, store, start, policy)
                move(repository, store, commit, policy)
                assert contents(store.path) == fresh[commit], (start, commit)
        store.close()


@dataclass(frozen=True)
class _Graph:
    """Trees with the parents of each: indexes of earlier ones, first parent first."""

    trees: list[Tree]
    parents: list[tuple[int, ...]]

    def first_parents(self, number: int) -> list[int]:
        """The first-parent history of a commit, newest first, the commit itself included."""
        chain = [number]
        while self.parents[chain[-1]]:
            chain.append(self.parents[chain[-1]][0])
        return chain


def _with_twins(tree: Tree) -> Tree:
    """The tree with a twin beside each file that is named so: by case, or by Unicode form."""
    twins = {
        path.replace("/ada", "/ADA").replace("ñandú", unicodedata.normalize("NFD", "ñandú")): data
        for path, data in tree.items()
    }
    return twins | tree


def _with_schema(tree: Tree) -> Tree:
    """The tree with schemas that some of its records break."""
    schema = b"[gitsheet.schema.properties.title]\nmaxLength = 3\n"
    return {path: data.replace(b"[gitsheet.schema]\n", schema) for path, data in tree.items()}


_DEFINITIONS = {
    ".gitsheets/people.toml": f"{FLAT}[gitsheet.schema.properties.n]\nmaximum = 2\n".encode(),
    ".gitsheets/notes.toml": b"[gitsheet]\nroot = 'notes'\npath = '${{ path/** }}'\n",
}
_FILES = (FILE, "people/Ada.toml", "people/bo.toml", "notes/a.toml", "notes/a/b.toml", "notes/a/b/c.toml")
_VERSIONS = (GOOD, BETTER, BAD, WORSE, "n = 3\n", "n = 4\n", None)


@st.composite
def _few_files(draw: st.DrawFn) -> list[Tree]:
    """Trees of a few files, each good, bad, against its schema, or absent."""
    trees: list[Tree] = []
    for _ in range(draw(st.integers(2, 7))):
        tree = dict(trees[-1]) if trees else dict(_DEFINITIONS)
        for file in draw(st.sets(st.sampled_from(_FILES), max_size=4)):
            version = draw(st.sampled_from(_VERSIONS))
            tree.pop(file, None)
            tree |= {file: version.encode()} if version is not None else {}
        trees.append(tree)
    return trees


@st.composite
def _any_files(draw: st.DrawFn) -> list[Tree]:
    trees = draw(histories(invalid=True))
    if draw(st.booleans()):
        trees = [_with_schema(tree) for tree in trees]
    return [_with_twins(tree) if draw(st.booleans()) else tree for tree in trees]


@st.composite
def _graphs(draw: st.DrawFn) -> _Graph:
    trees = draw(st.one_of(_few_files(), _few_files(), _any_files()))
    parents: list[tuple[int, ...]] = [()]
    for number in range(1, len(trees)):
        first = draw(st.sampled_from([number - 1, number - 1, *range(number)]))
        others = draw(st.lists(st.integers(0, number - 1), max_size=1))
        parents.append((first, *(each for each in others if each != first)))
    return _Graph(trees, parents)


def _commit_graph(repo: GitRepo, graph: _Graph) -> list[str]:
    trees = repo.git("rev-parse", *(f"{commit}^{{tree}}" for commit in repo.commit_all(graph.trees)))
    made: list[str] = []
    for tree, parents in zip(trees.splitlines(), graph.parents, strict=True):
        made.append(_commit_of(repo, tree, [made[parent] for parent in parents], len(made)))
    return made


def _commit_of(repo: GitRepo, tree: str, parents: list[str], minute: int) -> str:
    """A commit with any parents, which no branch needs to know."""
    who = f"Test <test@example.org> {FIRST_DATE_S + 60 * minute} +0000"
    lines = [f"tree {tree}", *(f"parent {each}" for each in parents), f"author {who}", f"committer {who}"]
    return repo.git(
        "hash-object", "-t", "commit", "-w", "--stdin", stdin="\n".join([*lines, "", "x\n"]).encode()
    )


def _blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


@settings(max_examples=examples(25), suppress_health_check=SLOW)
@given(_graphs(), st.sampled_from([QUARANTINE, QUARANTINE_ENFORCE]), st.randoms(use_true_random=False))
def test_with_bad_records_and_merges_a_difference_gives_what_a_build_from_scratch_gives(
    graph: _Graph, policy: DataPolicy, random: object
) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        commits = _commit_graph(repo, graph)
        empty = _commit_of(repo, repo.git("mktree", stdin=b""), [], 0)
        store = Store.open(build(repository, empty, repo.path / "moved", policy))
        served = contents(store.path)
        shuffled = [*commits]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        for commit in [*commits, *shuffled]:
            problems = rejection(repository, commit, repo.path / "fresh", policy)
            if problems:
                with pytest.raises(DataRejected) as caught:
                    move(repository, store, commit, policy)
                assert caught.value.problems == problems
            else:
                move(repository, store, commit, policy)
                served = contents(repo.path / "fresh")
            assert contents(store.path) == served
        store.verify()
        store.close()


@settings(max_examples=examples(25), suppress_health_check=SLOW)
@given(_graphs())
def test_what_stands_in_for_a_bad_record_is_what_the_first_parent_history_says(graph: _Graph) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        commits = _commit_graph(repo, graph)
        for number, commit in enumerate(commits):
            if rejection(repository, commit, repo.path / "fresh", QUARANTINE):
                continue
            for found in listing(repo.path / "fresh").quarantined:
                since, blob = _expected(repo, graph, number, found.sheet, found.path)
                assert (found.since_commit, found.served) == (commits[since], blob)
            _same_records_by_hand(repo, graph.trees[number])


def _expected(repo: GitRepo, graph: _Graph, number: int, sheet: str, path: str) -> tuple[int, str | None]:
    """(since, blob that is served) of a bad file, from the trees alone."""
    store = Store.open(repo.path / "fresh")
    definition = store.sheets[sheet]
    store.close()
    record = path[len(definition.prefix) : -len(definition.extension)]
    chain = graph.first_parents(number)
    versions = [graph.trees[each].get(path) for each in chain]
    same = next((n for n, each in enumerate(versions) if each != versions[0]), len(versions))
    for version in versions[same:]:
        if version is None:
            break
        if isinstance(read_record(definition, record, "", version), Record):
            return chain[same - 1], _blob_of(version)
    return chain[same - 1], None


def _same_records_by_hand(repo: GitRepo, tree: Tree) -> None:
    """Every readable record is served as committed, whatever its neighbours are."""
    store = Store.open(repo.path / "fresh")
    for name, sheet in store.sheets.items():
        bad = {each.path for each in listing(repo.path / "fresh").quarantined if each.sheet == name}
        for path, (blob, _) in store.contents(name).items():
            file = sheet.file_of(path)
            assert file in bad or blob == _blob_of(tree[file])
    store.close()
