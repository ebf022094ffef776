"""Reads, searches and pages the demo with a generated client; prints what it found as JSON."""

from __future__ import annotations

import json
import sys

from demo_client import Client
from demo_client.api.api import get_search
from demo_client.api.projects import get_list_projects, get_record_projects
from demo_client.models import (
    GetListProjectsFieldsItem,
    GetListProjectsResponse200,
    GetListProjectsSortItem,
    GetRecordProjectsResponse200,
    GetRecordProjectsResponse404,
    Hits,
    RecordProjects,
)
from demo_client.types import UNSET, Unset


def titles_by_page(client: Client) -> list[str]:
    titles: list[str] = []
    cursor: str | Unset = UNSET
    while True:
        page = get_list_projects.sync(
            client=client, limit=20, sort=[GetListProjectsSortItem.TITLE], cursor=cursor
        )
        assert isinstance(page, GetListProjectsResponse200)
        titles += [item.record.title for item in page.data if not isinstance(item.record.title, Unset)]
        if page.meta.next_cursor is None:
            return titles
        cursor = page.meta.next_cursor


def first_stage(client: Client) -> str | None:
    page = get_list_projects.sync(client=client, stage="live", fields=[GetListProjectsFieldsItem.STAGE])
    assert isinstance(page, GetListProjectsResponse200)
    stage = page.data[0].record.stage
    return None if isinstance(stage, Unset) else stage.value


def project(client: Client, path: str) -> RecordProjects:
    found = get_record_projects.sync(path, client=client)
    assert isinstance(found, GetRecordProjectsResponse200)
    return found.data.record


def refusal(client: Client) -> str | None:
    answer = get_record_projects.sync("nothing", client=client)
    return answer.code.value if isinstance(answer, GetRecordProjectsResponse404) else None


def sheets_that_tell_of(client: Client, words: str) -> list[str]:
    hits = get_search.sync(client=client, q=words, limit=5)
    assert isinstance(hits, Hits)
    return [hit.sheet for hit in hits.data]


with Client(base_url=sys.argv[1]) as client:
    one = project(client, "food-access-map")
    found = {
        "titles": titles_by_page(client),
        "stage": first_stage(client),
        "website": len(one.links.website) > 0,
        "members": [name.upper() for name in one.members],
        "cost": one.monthly_cost * 12,
        "sheets": sheets_that_tell_of(client, "food access"),
        "refusal": refusal(client),
    }
sys.stdout.write(json.dumps(found))
