"""The state file: an ordinary SQLite database, written whole or not at all, refused where it does not fit."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from reload.errors import StateFileError
from reload.snapshot.query.query import Facet, Query
from reload.snapshot.query.search import match_expression
from reload.snapshot.state_file import Changes, StateFile
from tests.gitrepo import GitRepo
from tests.reload.engine import (
    asked,
    build,
    everything,
    move,
    opened,
    paths,
    record_of,
    rows_of,
    sheet_of,
    store_of,
)

NewRepo = Callable[..., GitRepo]
DEFINITION = "[gitsheet]\npath = '${{ slug }}'\nroot = 'people'\n[livesheets]\nindex = ['n', 'links.home']\n"
PEOPLE = sheet_of(DEFINITION)
RECORDS = {
    "ada": "title = 'Analytical engines'\nn = 1\n",
    "bo": "title = 'Bo'\nn = 2\n[links]\nhome = 'x'\n",
    "ñandú": "title = 'Running birds'\nn = nan\n",
}


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """A state file with a few records."""
    return store_of(tmp_path / "state", {PEOPLE: RECORDS})


def test_sqlite3_opens_the_file_and_finds_the_records(state: Path) -> None:
    with sqlite3.connect(state) as db:
        rows = db.execute("SELECT path, record FROM people ORDER BY path").fetchall()
        assert [path for path, _ in rows] == ["ada", "bo", "ñandú"]
        assert orjson.loads(rows[1][1]) == {"title": "Bo", "n": 2, "links": {"home": "x"}}
        assert db.execute("SELECT value FROM livesheets_state WHERE key = 'commit'").fetchone() == ("c" * 40,)
        assert db.execute("SELECT name, data, records FROM livesheets_sheets").fetchall() == [
            ("people", "people", 3)
        ]
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_sqlite3_searches_the_file_with_its_own_fts(state: Path) -> None:
    db = sqlite3.connect(state)
    search = (
        "SELECT path, snippet(people_fts, 0, '[', ']', '…', 5) FROM people_fts"
        " JOIN people ON id = people_fts.rowid WHERE people_fts MATCH ? ORDER BY rank"
    )
    assert db.execute(search, ("engine",)).fetchall() == [("ada", "Analytical [engines]")]
    assert [path for path, _ in db.execute(search, (match_expression("run"),))] == ["ñandú"]
    db.execute("INSERT INTO people_fts (people_fts) VALUES ('integrity-check')")
    db.rollback()
    db.close()


def test_sqlite3_filters_by_the_index_that_a_definition_asks_for(state: Path) -> None:
    db = sqlite3.connect(state)
    for field in ("n", "links.home"):
        path = "".join(f'."{key}"' for key in field.split("."))
        select = f"SELECT path FROM people WHERE json_extract(record, '${path}') = ?"
        plan = " ".join(str(row[-1]) for row in db.execute(f"EXPLAIN QUERY PLAN {select}", (2,)))
        assert "USING INDEX people/index/" in plan
    db.close()


def test_search_stays_whole_through_changes(state: Path) -> None:
    state_file = StateFile.open(state)
    state_file.begin()
    changes = Changes()
    for number in range(50):
        state_file.put(
            "people", record_of(PEOPLE, f"p{number}", f"title = 'number{number} common'\n"), changes
        )
    for number in range(0, 50, 2):
        state_file.put("people", record_of(PEOPLE, f"p{number}", "title = 'changed common'\n"), changes)
    for number in range(0, 50, 5):
        state_file.remove("people", f"p{number}", changes)
    state_file.remove("people", "absent", changes)
    state_file.put("people", record_of(PEOPLE, "ada", RECORDS["ada"]), changes)
    state_file.finish()
    state_file.verify()
    state_file.close()
    assert (changes.added, changes.modified, changes.removed) == (50, 25, 10)
    db = sqlite3.connect(state)
    db.execute("INSERT INTO people_fts (people_fts) VALUES ('integrity-check')")
    count = "SELECT count(*) FROM people_fts WHERE people_fts MATCH ?"
    assert [db.execute(count, (word,)).fetchone()[0] for word in ("common", "changed", "number1")] == [
        40,
        20,
        1,
    ]
    db.close()


def test_nothing_of_an_undone_transaction_is_left(state: Path) -> None:
    before = everything(state)
    state_file = StateFile.open(state)
    state_file.begin()
    state_file.put("people", record_of(PEOPLE, "new", "other = 1\n"), Changes())
    state_file.drop_sheet("people")
    state_file.add_sheet(sheet_of(DEFINITION, "others"))
    state_file.note(commit="d" * 40)
    state_file.undo()
    assert state_file.sheets.keys() == {"people"}
    assert state_file.commit == "c" * 40
    assert everything(state) == before
    state_file.begin()
    state_file.put("people", record_of(PEOPLE, "new", "other = 1\n"), Changes())
    state_file.finish()
    state_file.close()
    fields = set(rows_of(state, "SELECT field, kind, records FROM livesheets_fields"))
    assert fields == {
        ("title", "string", 3),
        ("n", "number", 2),
        ("n", "null", 1),
        ("links", "table", 1),
        ("links.home", "string", 1),
        ("other", "number", 1),
    }


def test_a_reader_keeps_its_version_while_the_file_moves_on(state: Path) -> None:
    state_file = StateFile.open(state)
    with asked(state) as pinned:
        for number in range(3):
            state_file.begin()
            state_file.put("people", record_of(PEOPLE, f"new{number}", "title = 'Bo too'\n"), Changes())
            state_file.remove("people", "bo", Changes())
            state_file.finish()
            state_file.checkpoint()
            assert paths(pinned, "people", Query()) == ["ada", "bo", "ñandú"]
            assert paths(pinned, "people", Query(match="bo")) == ["bo"]
            with asked(state) as fresh:
                assert fresh.counts == {"people": 3 + number}
    assert state_file.checkpoint()
    state_file.close()


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (lambda path: path.write_bytes(b""), "format"),
        (lambda path: path.write_bytes(b"not a database" * 100), "not a database"),
        (lambda path: path.write_bytes(path.read_bytes()[:5000]), "malformed|disk image|short|no such table"),
        (lambda path: _run(path, "PRAGMA user_version = 999"), "format"),
        (lambda path: _run(path, "PRAGMA application_id = 1"), "format"),
        (lambda path: _run(path, "DROP TABLE livesheets_sheets"), "no such table"),
        (lambda path: _run(path, "UPDATE livesheets_sheets SET definition = 'x'"), "cannot be read"),
        (lambda path: path.unlink(), "unable to open"),
    ],
)
def test_a_file_that_does_not_fit_is_refused(
    state: Path, spoil: Callable[[Path], object], reason: str
) -> None:
    spoil(state)
    with pytest.raises(StateFileError, match=reason):
        StateFile.open(state)


def _run(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_file_that_was_never_finished_has_no_commit(tmp_path: Path) -> None:
    state_file = StateFile.create(tmp_path / "state")
    state_file.finish()
    state_file.close()
    state_file = StateFile.open(tmp_path / "state")
    with pytest.raises(StateFileError, match="no commit is noted"):
        _ = state_file.commit
    state_file.close()


def test_a_search_index_that_lacks_records_is_noticed(state: Path) -> None:
    db = sqlite3.connect(state)
    db.execute("INSERT INTO people (path, blob, record, text) VALUES ('sly', '', '{}', 'unseen')")
    db.execute("UPDATE livesheets_sheets SET records = records + 1")
    db.commit()
    db.close()
    state_file = StateFile.open(state)
    with pytest.raises(StateFileError, match="sheet people: 4 records noted, 4 stored, 3 searchable"):
        state_file.verify()
    state_file.close()


ODD_NAMES = (
    *("a", "a_fts", "a_fts_data", "a_fts_config", "A", "a_fts_fts", "sheet 1", "sqlite_master", "sqlite_x"),
    *("livesheets_state", "livesheets_matches", "sheet x", 'q"uote', "it's", "sp ace", "größe", "GRÖßE"),
    *("name\nline", "x.y", "-", "1", "main", "temp", "fts5", "_fts", "%", "m", "t"),
)  # fmt: skip


@pytest.mark.parametrize("order", ["sorted", "reversed", "by length"])
def test_sheets_may_have_any_name_and_come_in_any_order(tmp_path: Path, order: str) -> None:
    names = sorted(ODD_NAMES)
    names = {"sorted": names, "reversed": names[::-1], "by length": sorted(names, key=len)[::-1]}[order]
    sheets = {
        sheet_of(DEFINITION, name): {f"r{number}": f"title = 'word{number}'\nn = {number}\n"}
        for number, name in enumerate(names)
    }
    path = store_of(tmp_path / "state", sheets)
    state_file = StateFile.open(path)
    state_file.verify()
    assert state_file.sheets.keys() == set(names)
    state_file.close()
    with asked(path) as reader:
        for number, name in enumerate(names):
            assert paths(reader, name, Query()) == [f"r{number}"]
            assert paths(reader, name, Query(match=f"word{number}")) == [f"r{number}"]
            assert [each.value for each in reader.facet(name, Query(), Facet("title")).values] == [
                f"word{number}"
            ]
        hits, _ = reader.search(names, "word1 OR word2", 10, None)
        assert sorted(hit.row.path for hit in hits) == ["r1", "r2"]


def test_sheets_with_odd_names_come_and_go_by_difference(tmp_git: NewRepo) -> None:
    names = ["a_fts_data", "a_fts", "a", "A", "q\"u'o", "sqlite_x", "livesheets_state"]
    repo = tmp_git()
    commits = [repo.commit()]
    for name in names:
        repo.write({f".gitsheets/{name}.toml": DEFINITION, f"people/{name}.toml": "title = 'word'\n"})
        commits.append(repo.commit())
    with opened(repo.git_dir) as repository:
        path = build(repository, commits[0], repo.path / "state")
        state_file = StateFile.open(path)
        for commit in itertools.chain(commits[1:], reversed(commits)):
            move(repository, state_file, commit)
            state_file.verify()
            assert everything(path) == everything(build(repository, commit, repo.path / "fresh"))
        state_file.close()


def test_a_new_file_is_compared_with_an_old_one(tmp_path: Path) -> None:
    old = StateFile.open(store_of(tmp_path / "old", {PEOPLE: RECORDS}))
    later = {"ada": RECORDS["ada"], "bo": "title = 'Bob'\n", "cy": "n = 1\n", "di": "n = 1\n"}
    new = StateFile.open(store_of(tmp_path / "it's new", {PEOPLE: later}))
    found = new.compare("people", old)
    assert (found.added, found.modified, found.removed) == (2, 1, 1)
    assert not new.compare("people", new)
    new.close()
    old.close()
