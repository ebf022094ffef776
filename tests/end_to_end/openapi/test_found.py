"""What was found by driving the API by its description, kept as examples of its own."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.end_to_end.client import Reply
from tests.end_to_end.server_process import ServerProcess

Read = Callable[..., Reply]


@pytest.mark.parametrize(
    ("twice", "once"),
    [
        ("/api/people?fields=name,name,age", "/api/people?fields=name,age"),
        ("/api/people?facet=age,age&facet=age", "/api/people?facet=age"),
        ("/api/people?sort=age,age", "/api/people?sort=age"),
        ("/api/_search?q=food&sheet=posts&sheet=posts", "/api/_search?q=food&sheet=posts"),
        ("/api/people?age__ne=30&age__ne=30&limit=3", "/api/people?age__ne=30&limit=3"),
    ],
)
def test_what_is_said_twice_counts_once(read: Read, twice: str, once: str) -> None:
    first, second = read(twice).json, read(once).json
    assert first["data"] == second["data"]
    assert first["meta"]["total"] == second["meta"]["total"]
    assert first.get("facets") == second.get("facets")


def test_a_value_of_another_kind_differs_from_all(read: Read) -> None:
    for query in ("age__ne=null", "active__ne=perhaps", "age__ne="):
        assert read(f"/api/people?{query}").json["meta"]["total"] == 60


def test_a_filter_is_understood_or_refused_also_where_no_word_is_searched_for(read: Read) -> None:
    assert read("/api/people?q=%2B&age__exists=true").data == []
    problem = read("/api/people?q=%2B&age__exists=null").problem(400, "invalid-query")
    assert problem["parameter"] == "age__exists"


def test_a_value_is_refused_at_the_length_that_the_refusal_states(read: Read) -> None:
    assert read(f"/api/people?name={'x' * 2_000}").status == 200
    problem = read(f"/api/people?name={'x' * 2_001}").problem(400, "invalid-query")
    assert problem["detail"] == "name: longer than 2000 characters"
    problem = read(f"/api/people?cursor={'x' * 8_001}").problem(400, "invalid-query")
    assert problem["detail"] == "cursor: longer than 8000 characters"


@pytest.mark.parametrize(
    ("encoded", "plain"),
    [
        ("/api/notes/deep%2Fer%2fone", "/api/notes/deep/er/one"),
        (
            "/api/_attachments/events/2024%2Fharvest/menu.txt",
            "/api/_attachments/events/2024/harvest/menu.txt",
        ),
    ],
)
def test_the_slashes_of_a_path_may_be_encoded(read: Read, encoded: str, plain: str) -> None:
    assert read(encoded).status == 200
    assert read(encoded).body == read(plain).body


def test_more_parameters_than_any_header_holds_end_the_connection_alone(shared: ServerProcess) -> None:
    query = "&".join(f"name__ne={number}{'x' * 1_990}" for number in range(40))
    assert shared.client.exchange(f"GET /api/people?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()) == b""
    assert shared.client.get("/api/people").status == 200
