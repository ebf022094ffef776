"""A state built from scratch holds what gitsheets reads, or names every file that cannot be served."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from reload.errors import PROBLEMS_MAX, DataRejected, Problem
from reload.repository.repository import Repository
from reload.snapshot.query.query import Query
from reload.snapshot.query.reader import Reader
from reload.snapshot.state_file import StateFile
from tests.gitrepo import GitRepo, read_tree, run_git
from tests.histories import Tree, matches, oracle, repositories
from tests.reload.engine import (
    all_rows,
    asked,
    build,
    everything,
    examples,
    new_repository,
    opened,
    problems_by_difference,
    problems_from_scratch,
)

NewRepo = Callable[..., GitRepo]
PEOPLE = "[gitsheet]\nroot = 'people'\npath = '${{ slug }}'\n"
POSTS = PEOPLE.replace("people", "posts") + "[gitsheet.format]\ntype = 'markdown'\nbody = 'body'\n"
SHEETS = {".gitsheets/people.toml": PEOPLE, ".gitsheets/posts.toml": POSTS}


def differences(reader: Reader, expected: Mapping[str, Mapping[str, object]]) -> list[str]:
    """The sheets and records whose paths or values are not those that the oracle reads."""
    found = {name: all_rows(reader, name, Query(limit=1000)) for name in reader.counts}
    if found.keys() != expected.keys():
        return ["sheets"]
    wrong = [name for name, rows in found.items() if [path for path, *_ in rows] != sorted(expected[name])]
    return wrong or [
        f"{name}: {path}"
        for name, rows in found.items()
        for path, _, json, _ in rows
        if not matches(orjson.loads(json), expected[name][path])
    ]


@settings(max_examples=examples(40), suppress_health_check=[HealthCheck.too_slow])
@given(repositories())
def test_paths_and_values_are_those_that_gitsheets_reads(tree: Tree) -> None:
    with new_repository() as repo, opened(repo.git_dir) as repository:
        (commit,) = repo.commit_all([tree])
        with asked(build(repository, commit, repo.path / "state")) as reader:
            assert differences(reader, oracle(repo.git_dir, commit)) == []
            assert all(len(rows) == reader.counts[name] for name, rows in _rows(reader).items())


def _rows(reader: Reader) -> dict[str, list[tuple[object, ...]]]:
    return {name: all_rows(reader, name, Query(limit=1000)) for name in reader.counts}


def test_a_real_history_is_read_as_gitsheets_reads_it(blog: Path) -> None:
    commits = run_git(blog, "rev-list", "--first-parent", "published").decode().split()
    with tempfile.TemporaryDirectory() as folder, opened(blog) as repository:
        for commit in commits[:: len(commits) // 3]:
            with asked(build(repository, commit, Path(folder, "state"))) as reader:
                assert differences(reader, oracle(blog, commit)) == []


def test_each_record_has_the_blob_of_its_file_and_each_attachment_its_size(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write(SHEETS)
    repo.write(
        {"people/ada.toml": "n = 1\n", "people/ada/photo.png": b"\x89PNG", "people/ada/cv/a.toml": "x"}
    )
    repo.write({"people/nobody/photo.png": b"1", "people/run.toml": "n = 2\n"}, mode="100755")
    commit = repo.commit()
    with opened(repo.git_dir) as repository, asked(build(repository, commit, repo.path / "s")) as reader:
        row = reader.get("people", "ada")
        assert row is not None
        assert row.blob == repo.git("rev-parse", f"{commit}:people/ada.toml")
        found = [(each.name, each.file, each.size) for each in reader.attachments("people", "ada")]
        assert found == [("cv/a.toml", "ada/cv/a.toml", 1), ("photo.png", "ada/photo.png", 4)]
        assert reader.attachment("people", "nobody/photo.png") is None
        assert reader.attachment("people", "ada.toml") is None
        assert reader.get("people", "run") is not None
        assert reader.counts == {"people": 2, "posts": 0}


def test_progress_goes_up_to_the_number_of_records(tmp_git: NewRepo) -> None:
    from reload.build.scratch import build_from_scratch

    repo = tmp_git()
    repo.write(SHEETS)
    repo.write({f"people/{number}.toml": "n = 1\n" for number in range(7)} | {"posts/a.md": "text"})
    seen: list[tuple[int, int]] = []
    with opened(repo.git_dir) as repository:
        build_from_scratch(repository, repo.commit(), repo.path / "s", lambda *step: seen.append(step))
    assert seen[-1] == (8, 8)
    assert seen == sorted(seen)


BROKEN: dict[str, tuple[bytes, int, int, str]] = {
    "people/syntax.toml": (b"a = 1\nb = \n", 2, 5, "a value is missing after ="),
    "people/duplicate.toml": (b"a = 1\na = 2\n", 2, 1, "duplicate key"),
    "people/table.toml": (b"[a]\n[b]\n[a]\n", 3, 2, "duplicate key"),
    "people/date.toml": (b"a = 2024-02-30\n", 1, 5, "invalid date"),
    "people/return.toml": (b"a = 1\rb = 2\n", 1, 7, "carriage return must be followed by newline"),
    "people/bytes.toml": (b"a = 1\nb = '\xff'\n", 2, 6, "not UTF-8: byte 0xff at offset 11"),
    "people/integer.toml": (b"a = 9223372036854775808\n", 1, 5, "does not fit into 64 bits"),
    "people/digits.toml": (b"a = 1\nb = " + b"9" * 5000, 2, 5, "does not fit into 64 bits"),
    "people/deep.toml": (b"a = " + b"[" * 20_000, 1, 69, "nested deeper than 64 levels"),
    "people/large.toml": (b"a = '" + b"x" * (1 << 20) + b"'", 0, 0, "more than the 1048576 allowed"),
    "posts/front.md": (b"+++\na = 1\nb = \n+++\ntext\n", 3, 5, "a value is missing after ="),
    "posts/bytes.md": (b"+++\na = 1\n+++\n\n\xfe\n", 5, 1, "not UTF-8: byte 0xfe at offset 15"),
    ".gitsheets/open.toml": (b"[gitsheet\n", 1, 10, "unclosed table"),
    ".gitsheets/empty.toml": (b"", 1, 1, "the table [gitsheet] is missing"),
    ".gitsheets/pathless.toml": (b"# c\n[gitsheet]\nroot = 'x'\n", 2, 1, "gitsheet.path must be"),
    ".gitsheets/outside.toml": (b"[gitsheet]\npath = 'x'\nroot = '..'\n", 1, 1, "leads out"),
    ".gitsheets/large.toml": (b"#" * (1 << 20) + b"#", 0, 0, "more than the 1048576 allowed"),
}


def test_every_broken_file_is_named_with_its_line_and_column(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write(SHEETS | {"people/ada.toml": "n = 1\n"})
    good = repo.commit()
    repo.write({path: data for path, (data, *_) in BROKEN.items()})
    repo.write({"people/link.toml": "/etc/passwd", ".gitsheets/link.toml": "people.toml"}, mode="120000")
    repo.write({"people/module.toml": good}, mode="160000")
    bad = repo.commit()
    with opened(repo.git_dir) as repository:
        found = _problems_both_ways(repository, good, bad, repo.path)
    expected = {path: (line, column) for path, (_, line, column, _) in BROKEN.items()}
    expected |= dict.fromkeys(("people/link.toml", ".gitsheets/link.toml", "people/module.toml"), (0, 0))
    assert {each.path: (each.line, each.column) for each in found} == expected
    said = {each.path: each.message for each in found}
    assert [path for path, (*_, words) in BROKEN.items() if words not in said[path]] == [], said
    assert "a symbolic link" in said["people/link.toml"]
    assert "a symbolic link" in said[".gitsheets/link.toml"]
    assert "a submodule" in said["people/module.toml"]


def _problems_both_ways(repository: Repository, good: str, bad: str, folder: Path) -> tuple[Problem, ...]:
    """The problems of a commit, which both ways of loading it agree on; the state before stays whole."""
    moved = build(repository, good, folder / "moved")
    before = everything(moved)
    state_file = StateFile.open(moved)
    found = problems_from_scratch(repository, bad, folder / "fresh")
    assert problems_by_difference(repository, state_file, bad) == found
    state_file.close()
    assert everything(moved) == (before if found else everything(folder / "fresh"))
    return found


def test_names_that_are_not_utf8_are_problems_where_records_are(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    notes = PEOPLE.replace("people", "notes").replace("slug", "path/**")
    repo.write(SHEETS | {".gitsheets/notes.toml": notes, "people/ada.toml": "n = 1\n"})
    good = repo.commit()
    names = (b"people/\xff.toml", b"notes/\xff/b.toml", b"notes/c\xfe.toml", b".gitsheets/\xff.toml")
    others = (b"people/ada/\xff.png", b"people/\xff/x.png", b"elsewhere/\xff.toml", b"notes/\xff.png")
    bad = _commit_names(repo, names + others)
    harmless = _commit_names(repo, others, parent=good)
    with opened(repo.git_dir) as repository:
        found = _problems_both_ways(repository, good, bad, repo.path)
        assert len(found) == 4
        assert {each.path.replace("\\x", "?") for each in found} >= {"people/?ff.toml"}
        assert all(each.path.isprintable() and "UTF-8" in each.message for each in found)
        assert _problems_both_ways(repository, good, harmless, repo.path) == ()


def _commit_names(repo: GitRepo, names: tuple[bytes, ...], parent: str | None = None) -> str:
    """A commit with empty files of these names, which need not be text."""
    parent = parent or repo.rev("main")
    ref = f"refs/heads/names-{len(names)}"
    lines = [
        b"commit %s\ncommitter T <t@e> 1700000000 +0000\ndata 1\nx\nfrom %s\n"
        % (ref.encode(), parent.encode())
    ]
    for name in names:
        quoted = b"".join(b"\\%03o" % byte if byte > 126 else bytes([byte]) for byte in name)
        lines.append(b'M 100644 inline "%s"\ndata 0\n\n' % quoted)
    run_git(repo.path, "fast-import", "--quiet", "--force", stdin=b"".join(lines) + b"\n")
    return repo.git("rev-parse", ref)


def test_the_first_hundred_problems_by_path_are_named_and_all_are_counted(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write(SHEETS)
    good = repo.commit()
    repo.write({f"people/{number:03}.toml": "a = \n" for number in range(80)})
    repo.write({f"posts/{number:03}.md": "+++\na = \n+++\n" for number in range(80)})
    bad = repo.commit()
    with opened(repo.git_dir) as repository:
        found = _problems_both_ways(repository, good, bad, repo.path)
        with pytest.raises(DataRejected, match=r"160 problems, first people/000\.toml:1:5") as caught:
            build(repository, bad, repo.path / "fresh")
    assert len(found) == PROBLEMS_MAX
    assert [each.path for each in found] == sorted(each.path for each in found)
    assert found[-1].path == "posts/019.md"
    assert (caught.value.total, caught.value.counts) == (160, {"people": 80, "posts": 80})


def test_a_file_that_two_sheets_read_has_its_problem_once(tmp_git: NewRepo) -> None:
    repo = tmp_git()
    repo.write({".gitsheets/people.toml": PEOPLE, ".gitsheets/again.toml": PEOPLE, "people/a.toml": "a = \n"})
    commit = repo.commit()
    with opened(repo.git_dir) as repository:
        (problem,) = problems_from_scratch(repository, commit, repo.path / "state")
    assert (problem.path, problem.line) == ("people/a.toml", 1)


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"README.md": "# only"},
        {".gitsheets/people.toml": PEOPLE},
        {".gitsheets/people.toml": PEOPLE, "people/empty.toml": ""},
        {".gitsheets/a/b.toml": "no sheet", ".gitsheets/readme": "x"},
    ],
)
def test_little_or_nothing_is_served_as_such(tmp_git: NewRepo, files: dict[str, str]) -> None:
    repo = tmp_git()
    repo.write(files)
    commit = repo.commit()
    with opened(repo.git_dir) as repository, asked(build(repository, commit, repo.path / "s")) as reader:
        assert reader.counts.keys() == ({"people"} if ".gitsheets/people.toml" in files else set())
        assert sum(reader.counts.values()) == ("people/empty.toml" in files)
        assert differences(reader, oracle(repo.git_dir, commit)) == []


def test_hostile_file_names_are_served_as_they_are(tmp_git: NewRepo) -> None:
    names = [
        "a\nb",
        "\x1b[31m",
        'q"uote',
        "-dash",
        "dot.",
        "sp ace ",
        "CON",
        "n" * 200,
        "..x",
        "\u202ertl",
        "\u200b",
        "\\",
    ]
    repo = tmp_git()
    repo.write(SHEETS | {f"people/{name}.toml": "n = 1\n" for name in names})
    repo.write({f"people/{name}/file\n{name}": b"x" for name in names[:4]})
    commit = repo.commit()
    assert f"people/{names[0]}.toml" in read_tree(repo.git_dir, commit)
    with opened(repo.git_dir) as repository, asked(build(repository, commit, repo.path / "s")) as reader:
        assert differences(reader, oracle(repo.git_dir, commit)) == []
        for name in names[:4]:
            assert [each.name for each in reader.attachments("people", name)] == [f"file\n{name}"]
