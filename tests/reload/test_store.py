"""The state file: an ordinary SQLite database, written whole or not at all, refused where it does not fit."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest

from reload.asking.query import Query
from reload.asking.search import match_expression
from reload.errors import StoreError
from reload.store import Changes, Store
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
    store = Store.open(state)
    store.begin()
    changes = Changes()
    for number in range(50):
        store.put("people", record_of(PEOPLE, f"p{number}", f"title = 'number{number} common'\n"), changes)
    for number in range(0, 50, 2):
        store.put("people", record_of(PEOPLE, f"p{number}", "title = 'changed common'\n"), changes)
    for number in range(0, 50, 5):
        store.remove("people", f"p{number}", changes)
    store.remove("people", "absent", changes)
    store.put("people", record_of(PEOPLE, "ada", RECORDS["ada"]), changes)
    store.finish()
    store.verify()
    store.close()
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
    store = Store.open(state)
    store.begin()
    store.put("people", record_of(PEOPLE, "new", "other = 1\n"), Changes())
    store.drop_sheet("people")
    store.add_sheet(sheet_of(DEFINITION, "others"))
    store.note(commit="d" * 40)
    store.undo()
    assert store.sheets.keys() == {"people"}
    assert store.commit == "c" * 40
    assert everything(state) == before
    store.begin()
    store.put("people", record_of(PEOPLE, "new", "other = 1\n"), Changes())
    store.finish()
    store.close()
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
    store = Store.open(state)
    with asked(state) as pinned:
        for number in range(3):
            store.begin()
            store.put("people", record_of(PEOPLE, f"new{number}", "title = 'Bo too'\n"), Changes())
            store.remove("people", "bo", Changes())
            store.finish()
            store.checkpoint()
            assert paths(pinned, "people", Query()) == ["ada", "bo", "ñandú"]
            assert paths(pinned, "people", Query(match="bo")) == ["bo"]
            with asked(state) as fresh:
                assert fresh.counts == {"people": 3 + number}
    assert store.checkpoint()
    store.close()


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
    with pytest.raises(StoreError, match=reason):
        Store.open(state)


def _run(path: Path, statement: str) -> None:
    db = sqlite3.connect(path)
    db.execute(statement)
    db.commit()
    db.close()


def test_a_file_that_was_never_finished_has_no_commit(tmp_path: Path) -> None:
    store = Store.create(tmp_path / "state")
    store.finish()
    store.close()
    store = Store.open(tmp_path / "state")
    with pytest.raises(StoreError, match="no commit is noted"):
        _ = store.commit
    store.close()


def test_a_search_index_that_lacks_records_is_noticed(state: Path) -> None:
    db = sqlite3.connect(state)
    db.execute("INSERT INTO people (path, blob, record, text) VALUES ('sly', '', '{}', 'unseen')")
    db.execute("UPDATE livesheets_sheets SET records = records + 1")
    db.commit()
    db.close()
    store = Store.open(state)
    with pytest.raises(StoreError, match="sheet people: 4 records noted, 4 stored, 3 searchable"):
        store.verify()
    store.close()


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
    store = Store.open(path)
    store.verify()
    assert store.sheets.keys() == set(names)
    store.close()
    with asked(path) as reader:
        for number, name in enumerate(names):
            assert paths(reader, name, Query()) == [f"r{number}"]
            assert paths(reader, name, Query(match=f"word{number}")) == [f"r{number}"]
            assert [each.value for each in reader.facet(name, Query(), "title")] == [f"word{number}"]
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
        store = Store.open(path)
        for commit in itertools.chain(commits[1:], reversed(commits)):
            move(repository, store, commit)
            store.verify()
            assert everything(path) == everything(build(repository, commit, repo.path / "fresh"))
        store.close()


def test_a_new_file_is_compared_with_an_old_one(tmp_path: Path) -> None:
    old = Store.open(store_of(tmp_path / "old", {PEOPLE: RECORDS}))
    later = {"ada": RECORDS["ada"], "bo": "title = 'Bob'\n", "cy": "n = 1\n", "di": "n = 1\n"}
    new = Store.open(store_of(tmp_path / "it's new", {PEOPLE: later}))
    found = new.compare("people", old)
    assert (found.added, found.modified, found.removed) == (2, 1, 1)
    assert not new.compare("people", new)
    new.close()
    old.close()
