"""What readers ask: URLs of records, pages and searches, many different ones, the same in every run."""

from __future__ import annotations

import json
import random
import tomllib
from urllib.parse import quote, quote_plus, urlencode

from tests.benchmarks.dataset import SHEET, Dataset
from tests.benchmarks.process import Caller
from tests.benchmarks.vocabulary import Vocabulary, record_of

PAGE_RECORDS = 50
# Words that stand in every other record are not what people search for.
_COMMON_WORDS = 100
# The default order and the two that the sheet has an index for.
_ORDERS = ("", "createdAt", "-createdAt")


class Questions:
    """The questions of one dataset."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset

    def records(self, count: int) -> list[str]:
        """URLs of different records, as far as there are that many."""
        numbers = range(self._dataset.records)
        chosen = random.Random(3).sample(numbers, min(count, len(numbers)))
        return [record_url(self._dataset, number) for number in chosen]

    def pages(self, caller: Caller, count: int) -> list[str]:
        """URLs of different pages: those that one reaches by following cursors, in several orders."""
        found: list[str] = []
        for order in _ORDERS:
            parameters = {"limit": str(PAGE_RECORDS)} | ({"sort": order} if order else {})
            for _ in range(count // len(_ORDERS) or 1):
                found.append(f"/api/{SHEET}?{urlencode(parameters)}")
                cursor = json.loads(caller.get(found[-1]))["meta"]["nextCursor"]
                if cursor is None:
                    break
                parameters["cursor"] = cursor
        random.Random(4).shuffle(found)
        return found

    def phrases(self, count: int) -> list[str]:
        """What is typed into a search box: two words of some record, none of the most frequent."""
        vocabulary = Vocabulary()
        common = set(vocabulary.words[:_COMMON_WORDS])
        source = random.Random(5)
        found: dict[str, None] = {}
        for _ in range(count * 20):
            if len(found) == count:
                break
            record = tomllib.loads(record_of(vocabulary, source.randrange(self._dataset.records)).decode())
            words = sorted({*record["summary"].split(), *record["body"].rstrip(".\n").split()} - common)
            if len(words) >= 2:
                found[" ".join(source.sample(words, 2))] = None
        return list(found)


def record_url(dataset: Dataset, number: int) -> str:
    """A record."""
    return f"/api/{SHEET}/{dataset.path_of(number)}"


def search_url(phrase: str) -> str:
    """The search of a sheet for a phrase, best first."""
    return f"/api/{SHEET}?q={quote_plus(phrase)}&limit={PAGE_RECORDS}"


def datasette_page_url(table: str, after: int) -> str:
    """A page of Datasette's that follows a row, without whatever Datasette can be asked to leave out."""
    return f"{_datasette(table)}&_next={after}"


def datasette_search_url(table: str, phrase: str) -> str:
    """A search of Datasette's for a phrase."""
    return f"{_datasette(table)}&_search={quote_plus(phrase)}"


def datasette_record_url(table: str, row_id: int) -> str:
    """A record by its primary key."""
    return f"/data/{quote(table)}/{row_id}.json?_shape=objects"


def _datasette(table: str) -> str:
    columns = "_col=path&_col=blob&_col=record"
    return (
        f"/data/{quote(table)}.json?_size={PAGE_RECORDS}&_shape=objects&{columns}"
        "&_nofacet=1&_nosuggest=1&_nocount=1"
    )
