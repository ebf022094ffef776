"""An operator sees which keys are accepted and used, and never a key."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from server.auth.keyring import GITHUB, SHARED, USES_KEPT_MAX, Key, Keyring, key_id, keys_of
from server.settings.secret import Secret
from server.settings.settings import read_settings
from tests.server.payloads import PREVIOUS, SECRET, SECRETS

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)


def keyring(*keys: Key) -> tuple[Keyring, list[tuple[str, str]]]:
    uses: list[tuple[str, str]] = []
    return Keyring(keys, lambda scheme, name: uses.append((scheme, name)), lambda: NOON), uses


def shared(value: str, setting: str = "CFP_DATA_RELOAD_SECRET") -> Key:
    return Key(SHARED, setting, Secret(value.encode()))


def test_every_secret_of_the_settings_is_a_key_of_one_scheme() -> None:
    both = {"CFP_DATA_RELOAD_SECRET": SECRET, "CFP_DATA_RELOAD_SECRET_PREVIOUS": PREVIOUS}
    keys = keys_of(read_settings(both | SECRETS))
    assert {key.setting for key in keys} == both.keys() | SECRETS.keys()
    ring, _ = keyring(*keys)
    assert [key.setting for key in ring.of(SHARED)] == list(both)
    assert [key.setting for key in ring.of(GITHUB)] == ["CFP_GITHUB_WEBHOOK_SECRET"]
    assert not ring.empty
    assert keyring(*keys_of(read_settings({})))[0].empty


def test_the_use_of_a_key_is_counted_under_its_id() -> None:
    key = shared(SECRET)
    ring, uses = keyring(key, shared(PREVIOUS, "CFP_DATA_RELOAD_SECRET_PREVIOUS"))
    for _ in range(2):
        assert ring.used(key) == key_id(SECRET.encode())
    assert uses == [(SHARED, key_id(SECRET.encode()))] * 2
    used, idle = ring.document()
    assert used == {
        "id": key_id(SECRET.encode()),
        "scheme": SHARED,
        "setting": "CFP_DATA_RELOAD_SECRET",
        "accepted": True,
        "uses": 2,
        "lastUsedAt": NOON,
    }
    assert (idle["uses"], idle["lastUsedAt"], idle["accepted"]) == (0, None, True)
    assert SECRET not in str(ring.document())


def test_a_key_that_was_replaced_is_shown_as_no_longer_accepted(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    key = Key(SHARED, "CFP_DATA_RELOAD_SECRET", Secret(file=file))
    ring, _ = keyring(key)
    ring.used(key)
    file.write_text(PREVIOUS)
    ring.used(key)
    shown = {entry["id"]: entry["accepted"] for entry in ring.document()}
    assert shown == {key_id(PREVIOUS.encode()): True, key_id(SECRET.encode()): False}


def test_the_uses_of_keys_that_come_and_go_take_bounded_memory(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    file.write_text(SECRET)
    key = Key(SHARED, "CFP_DATA_RELOAD_SECRET", Secret(file=file))
    ring, _ = keyring(key)
    for number in range(USES_KEPT_MAX + 10):
        file.write_text(f"{number:040}")
        ring.used(key)
    assert len(ring.document()) == USES_KEPT_MAX
