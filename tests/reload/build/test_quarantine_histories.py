"""Quarantine over random histories with merges: by difference as from scratch, and as the trees say."""

from __future__ import annotations

import hashlib
import unicodedata
from dataclasses import dataclass

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reload.errors import DataRejected
from reload.records.policy import DataPolicy
from reload.records.record import Record, read_record
from reload.snapshot.state_file import StateFile
from tests.gitrepo import GitRepo
from tests.histories import Tree, histories
from tests.reload.engine import examples, new_repository, opened
from tests.reload.policies import (
    BAD,
    BETTER,
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
    rejection,
)

SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]


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
        made.append(commit_of(repo, tree, [made[parent] for parent in parents], len(made)))
    return made


def _blob_of(data: bytes) -> str:
    return hashlib.sha1(b"blob %d\0%s" % (len(data), data)).hexdigest()


@settings(max_examples=examples(25), suppress_health_check=SLOW)
@given(_graphs(), st.sampled_from([QUARANTINE, QUARANTINE_ENFORCE]), st.randoms(use_true_random=False))
def test_with_bad_records_and_merges_a_difference_gives_what_a_build_from_scratch_gives(
    graph: _Graph, policy: DataPolicy, random: object
) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        commits = _commit_graph(repo, graph)
        empty = commit_of(repo, repo.git("mktree", stdin=b""), [], 0)
        state_file = StateFile.open(build(repository, empty, repo.path / "moved", policy))
        served = contents(state_file.path)
        shuffled = [*commits]
        random.shuffle(shuffled)  # type: ignore[attr-defined]
        for commit in [*commits, *shuffled]:
            problems = rejection(repository, commit, repo.path / "fresh", policy)
            if problems:
                with pytest.raises(DataRejected) as caught:
                    move(repository, state_file, commit, policy)
                assert caught.value.problems == problems
            else:
                move(repository, state_file, commit, policy)
                served = contents(repo.path / "fresh")
            assert contents(state_file.path) == served
        state_file.verify()
        state_file.close()


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
    state_file = StateFile.open(repo.path / "fresh")
    definition = state_file.sheets[sheet]
    state_file.close()
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
    state_file = StateFile.open(repo.path / "fresh")
    for name, sheet in state_file.sheets.items():
        bad = {each.path for each in listing(repo.path / "fresh").quarantined if each.sheet == name}
        for path, (blob, _) in state_file.contents(name).items():
            file = sheet.file_of(path)
            assert file in bad or blob == _blob_of(tree[file])
    state_file.close()
