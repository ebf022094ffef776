"""The folder of state files: one is current, a new one takes over whole, what is left over goes."""

from __future__ import annotations

import shutil
from pathlib import Path

from reload.snapshot.state_folder import CURRENT, StateFolder


def adopted(folder: StateFolder, content: str) -> Path:
    """A file with this content, made current."""
    built = folder.new()
    built.write_text(content)
    kept = folder.keep(built)
    folder.point_at(kept)
    return kept


def names(folder: StateFolder) -> set[str]:
    """What the folder holds."""
    return {path.name for path in folder.path.iterdir()}


def test_a_new_folder_has_no_current_file(tmp_path: Path) -> None:
    assert StateFolder(tmp_path / "a" / "b").current() is None


def test_a_new_file_takes_over_and_the_old_one_stays_for_its_readers(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    first = adopted(folder, "first")
    second = adopted(folder, "second")
    assert first != second
    assert (first.read_text(), second.read_text()) == ("first", "second")
    assert folder.current() == second
    assert (tmp_path / CURRENT).read_text() == "second"
    assert StateFolder(tmp_path).current() == second


def test_a_file_that_is_being_built_is_not_current(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    kept = adopted(folder, "first")
    built = folder.new()
    built.write_text("half")
    assert folder.current() == kept
    folder.keep(built)
    assert folder.current() == kept


def test_two_files_are_never_built_at_one_place(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    assert len({folder.new() for _ in range(5)}) == 5


def test_what_is_left_over_goes_with_all_that_sqlite_keeps_beside_it(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    served, current = adopted(folder, "served"), adopted(folder, "current")
    left = ["records-9.sqlite3", "records-x.sqlite3", "building-1-1.sqlite3"]
    for name in left:
        for suffix in ("", "-wal", "-shm", "-journal"):
            (tmp_path / f"{name}{suffix}").touch()
    (tmp_path / "rejected.json").touch()
    assert sorted(folder.sweep(keep=served)) == sorted(left)
    assert names(folder) == {served.name, current.name, CURRENT, "rejected.json"}


def test_names_that_are_none_of_ours_are_no_obstacle(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    for name in ("records-x.sqlite3", "records-.sqlite3", "records-²5.sqlite3", "records--3.sqlite3"):
        (tmp_path / name).touch()
    assert adopted(folder, "first").name == "records-1.sqlite3"


def test_a_link_never_leads_out_of_the_folder(tmp_path: Path) -> None:
    outside = tmp_path / "outside.sqlite3"
    outside.touch()
    folder = StateFolder(tmp_path / "state")
    for target in (outside, "../outside.sqlite3", "absent.sqlite3", CURRENT):
        (folder.path / CURRENT).unlink(missing_ok=True)
        (folder.path / CURRENT).symlink_to(target)
        assert folder.current() is None


def test_a_half_made_link_is_no_obstacle(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path)
    (tmp_path / f"{CURRENT}.new").symlink_to("nowhere")
    assert folder.current() is None
    assert folder.current() != adopted(folder, "first") == folder.current()


def test_the_folder_may_be_deleted_at_any_time(tmp_path: Path) -> None:
    folder = StateFolder(tmp_path / "state")
    path = adopted(folder, "first")
    before = folder.identity(path)
    with path.open():  # as a reader does, so that what takes its place is told from it
        shutil.rmtree(folder.path)
        assert folder.current() is None
        assert folder.identity(path) is None
        assert adopted(folder, "second") == path
        assert folder.identity(path) not in (None, before)
