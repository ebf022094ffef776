"""`GET /api/_openapi.json`: what there is to ask of the served commit, and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import quote

import jsonschema_rs
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from tests.end_to_end.client import SECRET, Client, Reply
from tests.end_to_end.openapi.hostile import HOSTILE, ODD_FIELDS, ODD_SHEET
from tests.end_to_end.remotes import DataRemote
from tests.end_to_end.sample import person
from tests.end_to_end.server_process import ServerProcess, servers

Read = Callable[..., Reply]
URL = "/api/_openapi.json"
PEOPLE = "#/components/schemas/record.people"


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory, _isolated_git: None) -> Iterator[ServerProcess]:
    """A server of the hostile sample."""
    folder = tmp_path_factory.mktemp("hostile")
    remote = DataRemote(folder / "origin", HOSTILE)
    with servers() as start:
        server = start(folder, remote.path)
        server.ready(remote.head)
        yield server


def described(client: Client) -> dict[str, Any]:
    reply = client.get(URL)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "application/json; charset=utf-8")
    document: dict[str, Any] = reply.json
    return document


def parameters(document: dict[str, Any], path: str) -> dict[str, dict[str, Any]]:
    """The parameters of a path by name, those by reference found."""
    shared = document["components"]["parameters"]
    given = [
        shared[each["$ref"].rpartition("/")[2]] if "$ref" in each else each
        for each in document["paths"][path]["parameters"]
    ]
    named = {each["name"]: each for each in given}
    assert len(named) == len(given)
    return named


def record_of(document: dict[str, Any], path: str) -> Any:
    """The schema of a record in the good answer of its path."""
    good = document["paths"][path]["get"]["responses"]["200"]["content"]["application/json"]["schema"]
    return good["properties"]["data"]["properties"]["record"]


def test_the_description_is_openapi_3_1(shared: ServerProcess, hostile: ServerProcess) -> None:
    for server in (shared, hostile):
        document = described(server.client)
        assert document["openapi"].startswith("3.1.")
        OpenAPIV31SpecValidator(document).validate()


def test_every_route_that_is_open_to_readers_is_there_with_every_sheet(read: Read) -> None:
    document = read(URL).json
    sheets = ("events", "notes", "people", "posts")
    assert document["paths"].keys() == {
        *("/api", "/api/_search", URL, "/api/_attachments/{sheet}/{path}/{name}"),
        *(f"/api/{name}" for name in sheets),
        *(f"/api/{name}/{{path}}" for name in sheets),
    }
    for item in document["paths"].values():
        assert item.keys() == {"parameters", "get", "head"}
        assert item["get"]["responses"].keys() >= {"200", "304", "406", "500", "503"}
        for operation in (item["get"], item["head"]):
            assert operation["operationId"]


def test_a_sheet_is_described_by_its_own_fields(read: Read) -> None:
    found = parameters(read(URL).json, "/api/people")
    assert {"q", "limit", "cursor", "If-None-Match", "sort", "fields", "facet"} <= found.keys()
    assert found["sort"]["schema"]["items"]["enum"][:4] == ["active", "-active", "age", "-age"]
    assert "home.city" in found["facet"]["schema"]["items"]["enum"]
    assert "home" not in found["facet"]["schema"]["items"]["enum"]
    assert [found[name]["schema"]["type"] for name in ("age__gte", "name", "active", "home__exists")] == [
        *("number", "string", "boolean", "boolean")
    ]
    assert not {"home", "active__gt", "age__startswith", "nothing"} & found.keys()
    for name, each in found.items():
        if each["in"] == "query" and name not in ("cursor", "sort", "fields", "facet"):
            value = {"number": "1", "boolean": "true", "integer": "1"}.get(each["schema"]["type"], "1")
            value = "true" if "active" in name else value
            value = {"facet_exclude": "self", "or": "(age=1)", "and": "(age=1)"}.get(name, value)
            assert read(f"/api/people?{quote(name)}={value}").status == 200, name


def test_a_sheets_json_schema_is_that_of_its_records(read: Read) -> None:
    document = read(URL).json
    properties = document["components"]["schemas"]["record.people"]["properties"]
    assert properties["age"] == {"type": "integer"}  # of the others it says nothing
    assert properties["active"] == {"type": "boolean"}
    assert record_of(document, "/api/people/{path}") == {"$ref": PEOPLE}
    assert record_of(document, "/api/posts/{path}") == {"$ref": "#/components/schemas/record.posts"}


def test_a_type_holds_every_record_of_its_sheet(shared: ServerProcess, hostile: ServerProcess) -> None:
    for server in (shared, hostile):
        document = described(server.client)
        for path, item in document["paths"].items():
            answer = item["get"]["responses"]["200"].get("content", {}).get("application/json")
            if "{" in path or answer is None or path == "/api/_search":
                continue
            whole = {**answer["schema"], "components": document["components"]}
            reply = server.client.get(f"{path}?limit=1000" if path.startswith("/api/") else path)
            if reply.status == 200:
                jsonschema_rs.validator_for(whole).validate(reply.json)


def test_records_that_may_break_their_schema_are_described_as_such(
    client: Client, remote: DataRemote
) -> None:
    before = client.get(URL)
    remote.push({"people/p01.toml": person(1).replace("age = 21", 'age = "old"')})
    client.reload()
    after = client.get(URL)
    assert after.commit == remote.head != before.commit
    assert after.headers["ETag"] != before.headers["ETag"]
    ages = [
        each.json["components"]["schemas"]["record.people"]["properties"]["age"]["type"]
        for each in (before, after)
    ]
    assert ages == ["integer", ["number", "string"]]


def test_the_description_has_the_manners_of_a_read(read: Read, shared: ServerProcess) -> None:
    first = read(URL)
    assert (first.commit, first.headers["Access-Control-Allow-Origin"]) == (read("/api").commit, "*")
    assert read(URL, If_None_Match=first.headers["ETag"]).status == 304
    assert read(URL, Accept_Encoding="gzip").headers["Content-Encoding"] == "gzip"
    assert shared.client.head(URL).headers["Content-Length"] == str(len(first.body))
    read(URL, Accept="text/html").problem(406, "not-acceptable")
    read(f"{URL}?x=1").problem(400, "invalid-query")
    read(f"{URL}/x").problem(404, "not-found")


def test_odd_names_are_described_and_lead_to_their_records(hostile: ServerProcess) -> None:
    document = described(hostile.client)
    path = f"/api/{quote(ODD_SHEET, safe='')}"
    found = parameters(document, path)
    assert {*ODD_FIELDS} - {"limit"} <= found.keys()
    assert found["limit"]["schema"]["type"] == "integer"
    for name in ODD_FIELDS:
        asked = "limit__eq" if name == "limit" else name
        reply = hostile.client.get(f"{path}?{quote(asked, safe='')}={quote(name, safe='')}")
        assert [item["record"][name] for item in reply.data] == [name], name
    item = document["paths"][path + "/{path}"]
    example = next(each["example"] for each in item["parameters"] if each.get("name") == "path")
    assert hostile.client.get(f"{path}/{quote(example, safe='')}").data["attachments"]


def test_only_schemas_that_say_in_the_document_what_they_say_alone_are_shown(hostile: ServerProcess) -> None:
    document = described(hostile.client)
    schemas = document["components"]["schemas"]
    seen = {"type", "properties", "required", "additionalProperties", "description"}
    assert [name for name in schemas if name.startswith("record.") and schemas[name].keys() - seen] == [
        "record.strict"
    ]
    strict = document["components"]["schemas"]["record.strict"]
    here = "#/components/schemas/record.strict"
    assert strict["properties"]["slug"] == {"$ref": f"{here}/$defs/a~1b%20c"}
    assert strict["properties"]["parent"] == {"$ref": here}
    assert strict["properties"]["discriminator"] == {"enum": ["#/not/a/reference", "1979-05-27"]}


def test_nothing_that_is_not_for_readers_is_told(shared: ServerProcess, hostile: ServerProcess) -> None:
    for server in (shared, hostile):
        text = server.client.get(URL).body.decode()
        assert "never shown" not in text
        assert "neither is this" not in text
        for told in ("_internal", "reload", "metrics", "unauthorized", SECRET, str(server.repo_path.parent)):
            assert told not in text, told
        assert not [path for path in json.loads(text)["paths"] if path.startswith("/api/_hidden")]
