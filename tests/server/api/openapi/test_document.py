"""The description stays within its bounds however much there is, and is made once a snapshot."""

from __future__ import annotations

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.api.openapi.document import FIELDS_MAX, SHEETS_MAX, describe, identify
from server.api.openapi.paths import paths_of
from server.api.openapi.record_types import READ_BYTES_MAX, SHEET_TYPED_FIELDS_MAX
from server.api.reads import READ_ROUTES, find_route
from server.application import LivesheetsApplication
from tests.server.conftest import Ask, Push
from tests.server.live_server import BEARER, SHEET, WEBHOOK

URL = "/api/_openapi.json"
READ_MIB = READ_BYTES_MAX >> 20


def test_every_route_of_reads_is_described_and_answered_by_itself() -> None:
    for route in READ_ROUTES:
        assert paths_of(route, []) is not None
        found = find_route(route)
        assert found is not None
        assert found.label == route


def test_different_sheets_have_different_identifiers_fit_for_programs() -> None:
    names = ["people", "höhe", "hohe", "h_he", "a b", "a+b", "a.b", "a_b", "", "x" * 100, "x" * 101]
    found = [identify(name) for name in names]
    assert len(set(found)) == len(names)
    assert all(name.replace(".", "").replace("_", "").isascii() for name in found)
    assert identify("people") == "people"
    assert identify(identify("höhe")) != identify("höhe")


async def reload_succeeds(ask: Ask) -> None:
    assert (await ask("POST", WEBHOOK, BEARER, b"")).code == 200


@pytest.mark.gen_test
async def test_a_thousand_sheets_and_fields_are_described_in_bounds(
    app: LivesheetsApplication, ask: Ask, push: Push
) -> None:
    fields = "".join(f"{'field' * 10}{number} = {number}\n" for number in range(100))
    schema = f'[gitsheet.schema]\ndescription = "{"x" * 30_000}"\n'
    files = {}
    for number in range(SHEETS_MAX + 20):
        name = f"s{number:03}"
        files[f".gitsheets/{name}.toml"] = f'[gitsheet]\nroot = "{name}"\npath = "${{{{ slug }}}}"\n{schema}'
        files[f"{name}/one.toml"] = fields
    push(files)
    await reload_succeeds(ask)
    reply = await ask("GET", URL)
    document = orjson.loads(reply.body)
    OpenAPIV31SpecValidator(document).validate()
    assert {"/api/{sheet}", "/api/{sheet}/{path}", "/api/people"} <= document["paths"].keys()
    assert len(document["paths"]) <= 2 * (SHEETS_MAX + 1) + len(READ_ROUTES)
    names = [len(item["parameters"]) for item in document["paths"].values()]
    assert sum(names) < 20 * FIELDS_MAX
    current = app.branch.snapshot
    assert current is not None
    assert current.cache.get(URL).body == reply.body  # type: ignore[union-attr]


def test_without_a_sheet_there_is_still_an_api(app: LivesheetsApplication) -> None:
    current = app.branch.snapshot
    assert current is not None
    with current.lend() as reader:
        document = orjson.loads(describe({}, {}, reader, READ_ROUTES))
    OpenAPIV31SpecValidator(document).validate()
    assert "/api" in document["paths"]


@pytest.mark.parametrize("app_settings", [{"CFP_DATA_SCHEMA": mode} for mode in ("off", "warn", "enforce")])
@pytest.mark.gen_test
async def test_a_schema_is_promised_only_where_records_were_held_against_it(
    ask: Ask, push: Push, app_settings: dict[str, str]
) -> None:
    push({".gitsheets/people.toml": f'{SHEET}[gitsheet.schema]\ntitle = "Ours"\n'})
    await reload_succeeds(ask)
    document = orjson.loads((await ask("GET", URL)).body)
    record = document["components"]["schemas"]["record.people"]
    assert (record.get("title") == "Ours") == (app_settings["CFP_DATA_SCHEMA"] != "off")
    assert record["properties"].keys() == {"name", "slug"}


@pytest.mark.gen_test
async def test_a_sheet_of_five_thousand_fields_is_described_in_bounds(ask: Ask, push: Push) -> None:
    wide = "".join(f"field{number:04} = [{number}]\n" for number in range(5_000))
    push({"people/wide.toml": f'name = "Wide"\nslug = "wide"\n{wide}'})
    await reload_succeeds(ask)
    reply = await ask("GET", URL)
    properties = orjson.loads(reply.body)["components"]["schemas"]["record.people"]["properties"]
    assert {"name", "slug"} < properties.keys()  # what most records have comes first
    assert len(properties) == SHEET_TYPED_FIELDS_MAX
    assert len(reply.body) < 256 << 10


@pytest.mark.gen_test
async def test_arrays_of_much_data_are_not_read_for_the_kinds_of_their_members(ask: Ask, push: Push) -> None:
    push({f"people/p{number}.toml": f'tags = ["{"x" * 900_000}"]\n' for number in range(READ_MIB)})
    await reload_succeeds(ask)
    schemas = orjson.loads((await ask("GET", URL)).body)["components"]["schemas"]
    assert schemas["record.people"]["properties"]["tags"]["items"] == {"type": "string"}
    push({f"people/q{number}.toml": f'tags = ["{"x" * 900_000}"]\n' for number in range(READ_MIB // 5)})
    await reload_succeeds(ask)
    schemas = orjson.loads((await ask("GET", URL)).body)["components"]["schemas"]
    assert schemas["record.people"]["properties"]["tags"]["items"] == {}
