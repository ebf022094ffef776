"""The sample data is the same everywhere, readable, and worth searching."""

from __future__ import annotations

import struct
import tomllib
import zlib
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import gitsheets
import pytest

from server.demo.records import sample_files, slug_of, toml_text, write_sample_records
from tests.gitrepo import GitRepo
from tests.oracle import definitions, oracle

Sheets = dict[str, dict[str, object]]


@pytest.fixture(scope="module")
def repo(tmp_path_factory: pytest.TempPathFactory) -> GitRepo:
    repo = GitRepo.create(tmp_path_factory.mktemp("sample"))
    repo.write(sample_files())
    repo.commit()
    return repo


@pytest.fixture(scope="module")
def sheets(repo: GitRepo) -> Sheets:
    return oracle(repo.git_dir, repo.rev())


def table(value: object) -> Mapping[str, object]:
    assert isinstance(value, dict)
    return value


def test_the_files_written_are_the_sample_files(tmp_path: Path) -> None:
    write_sample_records(tmp_path)
    paths = [path for path in tmp_path.rglob("*") if path.is_file()]
    written = {str(path.relative_to(tmp_path)): path.read_bytes() for path in paths}
    assert written == sample_files()


def test_gitsheets_reads_a_few_hundred_records_in_four_sheets(sheets: Sheets) -> None:
    counts = {name: len(records) for name, records in sheets.items()}
    assert counts.keys() == {"people", "projects", "events", "posts"}
    assert all(count >= 40 for count in counts.values())
    assert 300 <= sum(counts.values()) <= 600


def test_every_record_lies_where_its_template_puts_it(repo: GitRepo, sheets: Sheets) -> None:
    for name, definition in definitions(repo.git_dir, repo.rev()).items():
        template = table(definition["gitsheet"])["path"]
        rendered = gitsheets.render_paths_batch(template, list(sheets[name].values()))
        assert rendered == list(sheets[name])


def test_every_record_is_valid_by_its_schema(repo: GitRepo, sheets: Sheets) -> None:
    checked = 0
    for name, definition in definitions(repo.git_dir, repo.rev()).items():
        if schema := table(definition["gitsheet"]).get("schema"):
            issues = gitsheets.validate_batch(schema, list(sheets[name].values()))
            assert not any(issues)
            checked += 1
    assert checked >= 1


def test_names_of_other_records_lead_to_records(sheets: Sheets) -> None:
    for project in map(table, sheets["projects"].values()):
        members = project["members"]
        assert isinstance(members, list)
        assert {project["lead"], *members} <= sheets["people"].keys()
    assert {table(e)["project"] for e in sheets["events"].values()} <= sheets["projects"].keys()
    assert {table(p)["author"] for p in sheets["posts"].values()} <= sheets["people"].keys()


def test_every_kind_of_toml_date_occurs() -> None:
    event = next(data for path, data in sample_files().items() if path.startswith("events/"))
    kinds = {type(value).__name__ for value in tomllib.loads(event.decode()).values()}
    assert {"datetime", "time"} <= kinds
    assert any(b"createdAt = 20" in data for data in sample_files().values())


def test_toml_has_the_bytes_that_gitsheets_writes(sheets: Sheets) -> None:
    for record in map(table, sheets["projects"].values()):
        plain = {key: value for key, value in record.items() if key != "createdAt"}
        assert toml_text(plain) == gitsheets.serialize_records([plain])[0].rstrip() + "\n"


def test_names_have_diacritics_and_slugs_have_none(sheets: Sheets) -> None:
    names = [str(table(person)["name"]) for person in sheets["people"].values()]
    assert sum(not name.isascii() for name in names) > 20
    assert slug_of("Łukasz Sørensen-O'Brien") == "lukasz-sorensen-obrien"


def test_a_search_for_food_access_has_something_to_rank(sheets: Sheets) -> None:
    titles = [str(table(r)["title"]) for s in ("projects", "posts") for r in sheets[s].values()]
    in_title = [title for title in titles if "food access" in title.lower()]
    anywhere = [r for records in sheets.values() for r in records.values() if "food" in str(r)]
    assert 1 < len(in_title) < len(anywhere) < 100


def test_attachments_are_valid_files_of_their_kind() -> None:
    files = {path: data for path, data in sample_files().items() if path.count("/") >= 2}
    assert {path.rpartition(".")[2] for path in files} == {"toml", "txt", "png", "svg", "csv"}
    for path, data in files.items():
        if path.endswith(".svg"):
            assert ElementTree.fromstring(data).tag.endswith("svg")
        elif path.endswith(".png"):
            assert_png(data)
        elif path.endswith(".csv"):
            assert {line.count(b",") for line in data.splitlines()} == {2}


def assert_png(data: bytes) -> None:
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, position = {}, 8
    while position < len(data):
        (size,) = struct.unpack_from(">I", data, position)
        kind, body = data[position + 4 : position + 8], data[position + 8 : position + 8 + size]
        assert struct.unpack_from(">I", data, position + 8 + size)[0] == zlib.crc32(kind + body)
        chunks[kind] = body
        position += 12 + size
    width, height = struct.unpack_from(">II", chunks[b"IHDR"])
    assert len(zlib.decompress(chunks[b"IDAT"])) == height * (1 + 3 * width)
