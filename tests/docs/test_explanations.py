"""The figures and files that the explanation pages name are the real ones."""

from __future__ import annotations

import re

import pytest

from reload.build.child import BUILD_DEADLINE_S, BUILD_MEMORY_BYTES_MAX
from reload.build.difference import CHANGED_FILES_MAX
from reload.repository.fetch import PACK_BYTES_MAX
from reload.snapshot.query.query import LIMIT_MAX
from reload.snapshot.query.reader import QUERY_DEADLINE_S
from reload.snapshot.query.search import WORDS_MAX
from reload.snapshot.snapshot import RESPONSE_CACHE_BYTES_MAX
from server.api.parameters import PARAMETERS_MAX
from server.auth.attempts import PEERS_MAX
from server.auth.signatures import TOLERANCE_S
from server.http.limits import DESCRIPTORS_RESERVED, UNPROVEN_BYTES_MAX, UNPROVEN_SHARE
from server.http.slow_clients import SEND_BYTES_PER_S, SEND_S, UNSENT_BYTES_MAX, UNSENT_SHARE
from server.main import BODY_S, HEADER_BYTES_MAX, IDLE_CONNECTION_S
from server.settings.variables import KNOWN
from server.webhook.deliveries import DELIVERIES_MAX, KEPT_S
from server.webhook.handler import BODY_BYTES_MAX, FORGE_BYTES_MAX, FORGE_KEPT_MAX
from tests.docs.pages import ROOT, codes, page, rows, section

ARCHITECTURE = page("docs/explanation/architecture.md")
SECURITY = page("docs/explanation/security.md")
NUMBERS = {5: "five"}
SHARES = {4: "a quarter"}
HOURS = {3_600: "an hour"}


@pytest.mark.parametrize(
    "statement",
    [
        f"Beyond {CHANGED_FILES_MAX:,} changed files",
        f"a deadline of {BUILD_DEADLINE_S / 60:g} minutes",
        f"{BUILD_MEMORY_BYTES_MAX >> 30} GiB",
        f"a deadline of {NUMBERS[int(QUERY_DEADLINE_S)]} seconds",
        f"a cache of answers of {RESPONSE_CACHE_BYTES_MAX >> 20} MiB",
    ],
)
def test_the_figures_of_the_architecture_are_the_real_ones(statement: str) -> None:
    assert statement in " ".join(ARCHITECTURE.split())


@pytest.mark.parametrize("name", ["architecture", "dependencies", "security"])
def test_every_file_that_an_explanation_names_exists(name: str) -> None:
    text = page(f"docs/explanation/{name}.md")
    named = re.findall(r"`((?:reload|server|tests|docs)/[\w/.-]*)`", text)
    assert [path for path in named if not (ROOT / path).exists()] == []


@pytest.mark.parametrize(
    "statement",
    [
        f"never kept beyond {FORGE_KEPT_MAX >> 20} MiB",
        f"have {UNPROVEN_BYTES_MAX >> 20} MiB together",
        f"time stamps at most {TOLERANCE_S} seconds old",
        f"a pack may have {PACK_BYTES_MAX >> 30} GiB",
        f"| headers of a request | {HEADER_BYTES_MAX >> 10} KiB |",
        f"| time until headers are whole, and idle time | {IDLE_CONNECTION_S:g} s |",
        f"| time for a body | {BODY_S:g} s |",
        f"| {BODY_BYTES_MAX >> 10} KiB; {FORGE_BYTES_MAX >> 20} MiB from a forge, of which",
        f"| {UNPROVEN_BYTES_MAX >> 20} MiB together, {SHARES[UNPROVEN_SHARE]} of it for one peer |",
        f"| {KNOWN['CFP_FAILED_ATTEMPTS'].default} (`CFP_FAILED_ATTEMPTS`) |",
        f"| {int(KNOWN['CFP_CONNECTIONS_PER_PEER'].default or 0):,} (`CFP_CONNECTIONS_PER_PEER`) |",
        f"are remembered | {PEERS_MAX:,} |",
        f"less {DESCRIPTORS_RESERVED} for git and data",
        f"| {SEND_S:g} s, and a second more for every {SEND_BYTES_PER_S >> 10} KiB; "
        f"{UNSENT_BYTES_MAX >> 20} MiB together, {SHARES[UNSENT_SHARE]} of it for one peer |",
        f"| {DELIVERIES_MAX:,}, for {HOURS[KEPT_S]} |",
        f"| {PARAMETERS_MAX} parameters, {WORDS_MAX} words, {LIMIT_MAX:,} records ",
    ],
)
def test_the_figures_of_security_are_the_real_ones(statement: str) -> None:
    assert statement in " ".join(SECURITY.split())


def test_every_promise_of_security_says_where_it_is_tested() -> None:
    promises = list(rows(section(SECURITY, "What is promised, and how it is tested")))
    assert promises
    assert all(codes(row[2]) for row in promises)
