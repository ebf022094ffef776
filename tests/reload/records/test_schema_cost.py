"""Hostile schemas: refused before anything compiles or runs them, never fetched, never run for long."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import toml_rs
from hypothesis import given, settings
from hypothesis import strategies as st

from reload.build.difference import TooLarge
from reload.errors import DataRejected
from reload.records.schema import (
    LOCATED_CHARACTERS_MAX,
    NAMING_STEPS_MAX,
    VIOLATIONS_MAX,
    Budget,
    TooExpensive,
    locate,
)
from reload.records.schema_cost import LEVELS_MAX, PATTERNS_MAX, SchemaInvalid, cost_of, pattern_size
from reload.snapshot.state_file import StateFile
from tests.reload.engine import examples, opened
from tests.reload.policies import (
    DEFAULT,
    ENFORCE,
    FLAT,
    OFF,
    MakeRepo,
    build,
    built,
    listed,
    move,
    records,
    repo_of,
    schema_of,
    violations_of,
)


def _doubling(levels: int) -> dict[str, Any]:
    definitions: dict[str, Any] = {"a0": {"type": "string"}}
    for level in range(1, levels + 1):
        reference = {"$ref": f"#/$defs/a{level - 1}"}
        definitions[f"a{level}"] = {"allOf": [reference, dict(reference)]}
    return {"$defs": definitions, "$ref": f"#/$defs/a{levels}"}


def _chain(links: int) -> dict[str, Any]:
    definitions = {f"a{link}": {"$ref": f"#/$defs/a{link + 1}"} for link in range(links)}
    return {"$defs": definitions | {f"a{links}": {}}, "$ref": "#/$defs/a0"}


HOSTILE: dict[str, dict[str, Any]] = {
    "another file": {"$ref": "other.json"},
    "a file of the system": {"$ref": "file:///etc/passwd"},
    "an inner id": {"properties": {"a": {"$id": "https://example.org/a", "$ref": "b"}}},
    "an unknown draft": {"$schema": "file:///etc/passwd"},
    "25 doublings": _doubling(25),
    "a long chain": _chain(LEVELS_MAX + 5),
    "a long chain found from its end": {
        "allOf": [{"$ref": f"#/$defs/a{link}"} for link in range(500, -1, -25)],
        "$defs": _chain(500)["$defs"],
    },
    "a pattern with too many states": {"pattern": "((a{100}){100}){100}"},
    "a pattern that looks ahead": {"pattern": "(?=a)b"},
    "a pattern that refers back": {"pattern": "(a)\\1"},
    "too many patterns": {"properties": {f"p{n}": {"pattern": f"a{n}"} for n in range(PATTERNS_MAX + 1)}},
    "a type that is none": {"properties": {"a": {"type": "strin"}}},
    "a keyword of the wrong kind": {"required": "a"},
    "a reference to nothing": {"$ref": "#/$defs/nothing"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_or_broken_schema_is_refused_as_schema_invalid(name: str) -> None:
    with pytest.raises(SchemaInvalid, match=r"^schema-invalid: "):
        schema_of(HOSTILE[name])


def test_no_schema_fetches_anything() -> None:
    with _listener() as (port, calls):
        for keyword in ("$ref", "$dynamicRef", "$schema", "$id"):
            for document in ({keyword: f"http://127.0.0.1:{port}/x"}, {"$ref": f"//127.0.0.1:{port}/x"}):
                try:
                    schema_of(document).violations('{"a":1}')
                except SchemaInvalid:
                    pass  # as it should be, for all but $id
    assert not calls


@contextmanager
def _listener() -> Iterator[tuple[int, list[object]]]:
    calls: list[object] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            try:
                calls.append(server.accept())
            except OSError:
                pass  # closed: nobody called

        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield server.getsockname()[1], calls
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()


@pytest.mark.parametrize(
    ("schema", "record"),
    [
        ({"$ref": "#"}, {"a": 1}),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, {"a": 1}),
        ({"$dynamicAnchor": "x", "properties": {"a": {"$dynamicRef": "#x"}}}, {"a": {"a": {}}}),
        ({"properties": {"a": {"pattern": "(a+)+$"}}}, {"a": "a" * 1_000_000}),
        ({"properties": {f"p{n}": {"type": "string"} for n in range(10_000)}}, {"p7": "x"}),
    ],
)
def test_a_schema_that_only_looks_hostile_is_used(schema: dict[str, Any], record: object) -> None:
    assert violations_of(schema, record) == []


def test_a_recursive_schema_validates_what_is_nested_in_it() -> None:
    schema = {
        "properties": {"name": {"type": "string"}, "children": {"items": {"$ref": "#"}}},
        "required": ["name"],
    }
    tree = {"name": "a", "children": [{"name": "b", "children": [{"name": 7}]}]}
    assert violations_of(schema, tree) == [("/children/0/children/0/name", '7 is not of type "string"')]


def test_a_violation_that_would_take_long_to_describe_is_told_in_general() -> None:
    itself = {"$ref": "#/$defs/nested"}
    nested = {"items": {"oneOf": [itself, {"allOf": [itself, itself]}]}}
    schema = {"$defs": {"nested": nested}, "properties": {"a": {"$ref": "#/$defs/nested"}}}
    value: list[Any] = []
    for _ in range(40):
        value = [value]
    assert violations_of(schema, {"a": []}) == []
    found = violations_of(schema, {"a": value})
    assert found == [("", "the record breaks the schema in a way too complex to describe")]


def test_schema_and_record_that_are_too_large_together_are_not_validated() -> None:
    schema = {"properties": {"a": {"pattern": "[ab]*a[ab]{500}c"}}}
    ((_, message),) = violations_of(schema, {"a": "ab" * 500_000})
    assert message.startswith("not validated")


def test_a_record_with_many_violations_lists_the_first_in_order() -> None:
    schema = {"additionalProperties": {"type": "string"}}
    found = violations_of(schema, {f"k{n:02d}/~": n for n in range(50)})
    assert [where for where, _ in found] == [f"/k{n:02d}~1~0" for n in range(VIOLATIONS_MAX)]


def test_a_message_that_quotes_a_large_value_is_shortened() -> None:
    ((_, message),) = violations_of({"properties": {"a": {"maxLength": 3}}}, {"a": "x" * 100_000})
    assert len(message) < 400


def test_beside_readers_validation_stops_at_its_budget() -> None:
    schema = schema_of({"required": ["a"]}, Budget(100))
    assert schema.violations('{"a":1}') == []
    with pytest.raises(TooExpensive):
        schema.violations(f'{{"a":[{",".join("1" * 1_000)}]}}')
    with pytest.raises(TooExpensive):
        schema_of({"properties": {f"p{n}": {"title": "x" * 90} for n in range(1_000)}}, Budget(100))


def test_an_expensive_schema_makes_a_difference_a_build_from_scratch(
    tmp_git: MakeRepo, tmp_path: Path
) -> None:
    inline = toml_rs.dumps({"gitsheet": {"schema": _doubling(16)}}).replace("[gitsheet]\n", "")
    repo = repo_of(tmp_git, {"people/ada.toml": ""}, FLAT + inline)
    first = repo.rev()
    repo.write({f"people/p{n}.toml": f"slug = 'p{n}'\n" for n in range(200)})
    second = repo.commit()
    with opened(repo.git_dir) as repository:
        state_file = StateFile.open(build(repository, first, tmp_path / "moved"))
        with pytest.raises(TooLarge):
            move(repository, state_file, second, DEFAULT)
        assert state_file.commit == first
        state_file.close()


@pytest.mark.parametrize("name", ["a file of the system", "25 doublings", "a pattern that looks ahead"])
def test_an_unusable_schema_is_a_warning_and_refuses_the_commit_only_where_enforced(
    tmp_git: MakeRepo, name: str
) -> None:
    inline = toml_rs.dumps({"gitsheet": {"schema": HOSTILE[name]}}).replace("[gitsheet]\n", "")
    repo = repo_of(tmp_git, {"people/ada.toml": ""}, FLAT + inline)
    state = built(repo)
    assert listed(state) == [("definition", ".gitsheets/people.toml")]
    assert list(records(state)) == ["ada"]
    assert not listed(built(repo, OFF))
    with pytest.raises(DataRejected, match="schema-invalid") as caught:
        built(repo, ENFORCE)
    assert caught.value.problems[0].path == ".gitsheets/people.toml"


# -- costs and places ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "size"),
    [
        ("", 0),
        ("abc", 3),
        (r"^\d{4}-\d{2}$", 9),
        ("(ab){10}c", 21),
        ("((a{10}){10}){10}", 1000),
        ("[a-z]{3}", 3),
        (r"\p{Greek}{2}", 2),
        ("a)b(", 3),
        ("\\", 1),
        ("a{,}", 1),
    ],
)
def test_the_states_of_a_pattern_are_estimated(pattern: str, size: int) -> None:
    assert pattern_size(pattern) == size


def test_alternatives_of_one_value_add_up_and_properties_do_not() -> None:
    leaf = {"type": "string"}
    beside = cost_of({"properties": {f"p{n}": leaf for n in range(10)}}).work
    together = cost_of({"anyOf": [leaf] * 10}).work
    assert beside == 1 + 10 + 1
    assert together == 1 + 10


@settings(max_examples=examples(50))
@given(
    st.recursive(
        st.sampled_from([True, {"type": "string"}, {"$ref": "#"}, {"maxLength": 2}, {"enum": ["a", [1]]}]),
        lambda inner: st.one_of(
            st.fixed_dictionaries({"allOf": st.lists(inner, min_size=1, max_size=3)}),
            st.fixed_dictionaries({"not": inner}),
            st.fixed_dictionaries({"properties": st.dictionaries(st.sampled_from("ab"), inner)}),
            st.fixed_dictionaries({"items": inner, "pattern": st.sampled_from(["a+", "(b|a){2}"])}),
        ),
        max_leaves=8,
    ),
    st.recursive(
        st.sampled_from(["", "a", "abc", 1, True]),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.sampled_from("ab"), inner)),
        max_leaves=8,
    ),
)
def test_verdicts_are_those_of_the_plain_validator(schema: Any, value: object) -> None:
    whole = {"properties": {"v": schema}, "$ref": "#/properties/v"} if isinstance(schema, bool) else schema
    verdict = jsonschema_rs.is_valid(whole, {"a": value}, validate_formats=True)
    assert bool(violations_of(whole, {"a": value})) is not verdict


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a = 1\nkey = 2\n", (2, 1)),
        ('  "key" = 2\n', (1, 3)),
        ("[key]\nx = 1\n", (1, 2)),
        ("[[key]]\nx = 1\n", (1, 3)),
        ("key.x = 1\n", (1, 1)),
        ('a = """\nkey = 1\n"""\n', (0, 0)),
        ("# key\na = 1\n", (0, 0)),
        ("keys = 1\n", (0, 0)),
    ],
)
def test_a_field_is_found_in_its_file(text: str, place: tuple[int, int]) -> None:
    assert locate(text, ["key", 0, "x"]) == place


def test_a_field_with_a_name_of_any_length_is_found_or_not_but_not_looked_for_long() -> None:
    for characters, place in ((LOCATED_CHARACTERS_MAX, (1, 1)), (LOCATED_CHARACTERS_MAX + 1, (0, 0))):
        assert locate(f"{'k' * characters} = 1\n", ["k" * characters]) == place


def test_naming_takes_seconds_at_most() -> None:
    """36 µs is the most that naming one violation was seen to take."""
    assert NAMING_STEPS_MAX * 36e-6 < 10
