"""The type of a sheet's records holds all of them, whole and in part, and says as much as was seen."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import jsonschema_rs
from hypothesis import given
from hypothesis import strategies as st

from reload.records.record import shape_of
from server.api.openapi.record_schema import part_type, seen_type, whole_type

Json = dict[str, Any]
NAMES = st.sampled_from(["a", "b", "c"])
SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=2)
)
VALUES = st.recursive(
    SCALARS | st.lists(SCALARS, max_size=2), lambda inner: st.dictionaries(NAMES, inner), max_leaves=6
)
RECORDS = st.lists(st.dictionaries(NAMES, VALUES), min_size=1, max_size=4)
PEOPLE: list[Json] = [
    {"name": "Ada", "age": 36, "home": {"city": "London", "zip": "W1"}, "tags": ["x"]},
    {"name": "Bo", "age": "old", "home": {"city": None}},
]


def seen(records: list[Json], **members: str) -> Json:
    """What was seen of these records."""
    counts: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for record in records:
        for field, kind in shape_of(record):
            counts[field][kind] += 1
    return seen_type(counts, len(records), {name: frozenset({kind}) for name, kind in members.items()})


def only(record: Json, field: str) -> Json:
    """What the parameter `fields` leaves of a record."""
    key, _, inner = field.partition(".")
    if key not in record or (inner and not isinstance(record[key], dict)):
        return {}
    return {key: only(record[key], inner) if inner else record[key]}


@given(RECORDS)
def test_every_record_fits_the_type_of_the_whole_and_everything_left_of_it_that_of_a_part(
    records: list[Json],
) -> None:
    found = seen(records)
    whole = jsonschema_rs.validator_for(whole_type(found, found))
    part = jsonschema_rs.validator_for(part_type(found, found))
    for record in records:
        whole.validate(record)
        part.validate(record)
        for field, _ in shape_of(record):
            part.validate(only(record, field))


def test_a_field_that_every_record_has_is_required_and_another_is_not() -> None:
    found = seen(PEOPLE)
    assert found["required"] == ["age", "home", "name"]
    assert found["properties"]["home"]["required"] == ["city"]


def test_mixed_kinds_and_nulls_are_said() -> None:
    found = seen(PEOPLE)["properties"]
    assert found["age"] == {"type": ["number", "string"]}
    assert found["home"]["properties"]["city"] == {"type": ["null", "string"]}


def test_members_of_arrays_are_anything_unless_their_kinds_are_known() -> None:
    assert seen(PEOPLE)["properties"]["tags"]["items"] == {}
    assert seen(PEOPLE, tags="string")["properties"]["tags"]["items"] == {"type": "string"}


def test_other_fields_may_come_at_any_time() -> None:
    found = seen(PEOPLE)
    for each in (whole_type(found, found), part_type(found, found)):
        assert each["additionalProperties"] is each["properties"]["home"]["additionalProperties"] is True


def test_a_schema_has_the_last_word_on_the_fields_that_it_names() -> None:
    own = {"properties": {"name": {"minLength": 2}, "home": {"required": ["zip"]}}, "required": ["id"]}
    found = whole_type(own, seen(PEOPLE))
    assert found["properties"]["name"] == {"type": "string", "minLength": 2}
    assert found["properties"]["home"]["required"] == ["zip", "city"]
    assert found["required"] == ["id", "age"]  # name and home are named, and not required
    assert found["properties"]["age"] == {"type": ["number", "string"]}
    closed = whole_type({"additionalProperties": False}, seen(PEOPLE))
    assert closed["additionalProperties"] is False


def test_a_reference_stays_what_it_was() -> None:
    own = {"properties": {"home": {"$ref": "#/$defs/home"}}}
    assert whole_type(own, seen(PEOPLE))["properties"]["home"] == {"$ref": "#/$defs/home"}


def test_a_part_of_a_table_is_promised_none_of_its_members() -> None:
    home = {"allOf": [{"required": ["city"]}], "minProperties": 2}
    own = {"properties": {"home": home, "name": {"enum": ["Ada", "Bo"]}}, "required": ["name"]}
    part = part_type(own, seen(PEOPLE))
    assert "required" not in part
    assert part["properties"]["home"] == part_type(seen(PEOPLE), seen(PEOPLE))["properties"]["home"]
    assert part["properties"]["name"] == {"type": "string", "enum": ["Ada", "Bo"]}
    jsonschema_rs.validator_for(part).validate({"home": {"zip": "W1"}})


def test_without_records_a_type_has_no_fields() -> None:
    found = seen_type({}, 0, {})
    assert whole_type(found, found)["properties"] == {}
