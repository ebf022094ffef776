"""The description stays within its bounds however much there is, and is made once a snapshot."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from server.api.openapi.document import FIELDS_MAX, SHEETS_MAX, describe, identify
from server.api.openapi.paths import paths_of
from server.api.reads import READ_ROUTES, find_route
from tests.server.stand import SHEET, stand

URL = "/api/_openapi.json"


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


def test_a_thousand_sheets_and_fields_are_described_in_bounds(tmp_path: Path) -> None:
    fields = "".join(f"{'field' * 10}{number} = {number}\n" for number in range(100))
    schema = f'[gitsheet.schema]\ndescription = "{"x" * 30_000}"\n'
    with stand(tmp_path) as server:
        for number in range(SHEETS_MAX + 20):
            name = f"s{number:03}"
            definition = f'[gitsheet]\nroot = "{name}"\npath = "${{{{ slug }}}}"\n{schema}'
            server.work.write({f".gitsheets/{name}.toml": definition, f"{name}/one.toml": fields})
        server.push(grace="Grace")
        assert server.call().status == 200
        reply = server.ask("GET", URL)
        document = orjson.loads(reply.body)
        OpenAPIV31SpecValidator(document).validate()
        assert {"/api/{sheet}", "/api/{sheet}/{path}", "/api/people"} <= document["paths"].keys()
        assert len(document["paths"]) <= 2 * (SHEETS_MAX + 1) + len(READ_ROUTES)
        names = [len(item["parameters"]) for item in document["paths"].values()]
        assert sum(names) < 12 * FIELDS_MAX
        current = server.service.branch.snapshots.current
        assert current is not None
        assert current.cache.get(URL).body == reply.body  # type: ignore[union-attr]


def test_without_a_sheet_there_is_still_an_api(tmp_path: Path) -> None:
    with stand(tmp_path) as server:
        current = server.service.branch.snapshots.current
        assert current is not None
        with current.lend() as reader:
            document = orjson.loads(describe({}, {}, reader, READ_ROUTES))
    OpenAPIV31SpecValidator(document).validate()
    assert "/api" in document["paths"]


@pytest.mark.parametrize("mode", ["off", "warn", "enforce"])
def test_a_schema_is_promised_only_where_records_were_held_against_it(tmp_path: Path, mode: str) -> None:
    with stand(tmp_path, CFP_DATA_SCHEMA=mode) as server:
        server.work.write({".gitsheets/people.toml": f'{SHEET}[gitsheet.schema]\ntype = "object"\n'})
        server.push(grace="Grace")
        assert server.call().status == 200
        document = orjson.loads(server.ask("GET", URL).body)
    item = document["paths"]["/api/people/{path}"]["get"]["responses"]["200"]["content"]["application/json"]
    record = item["schema"]["properties"]["data"]["properties"]["record"]
    assert ("anyOf" in record) == (mode == "off")
