"""A proof holds for the exact bytes and the right key, and for nothing else."""

from __future__ import annotations

import base64
import hashlib
import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st

from server.auth.keyring import Key, key_id, signing_keys
from server.auth.signatures import (
    SIGNATURES_MAX,
    TOLERANCE_S,
    Malformed,
    Signature,
    Token,
    hex_signature,
    standard_signature,
)
from server.settings.secret import Secret

# Published by GitHub: "Testing the webhook payload validation".
GITHUB_SECRET = b"It's a Secret to Everybody"
GITHUB_BODY = b"Hello, World!"
GITHUB_SIGNATURE = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"

# Published by Standard Webhooks, with its libraries.
STANDARD_SECRET = b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD_ID = "msg_p5jXN8AQM9LWM0D4loKWxJek"
STANDARD_TIMESTAMP = 1614265330
STANDARD_BODY = b'{"test": 2432232314}'
STANDARD_SIGNATURE = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def key(value: bytes, scheme: str = "github") -> Key:
    return Key(scheme, "CFP_A_SECRET", Secret(value, characters_min=1))


def github_holds(signature: str, body: bytes, *pieces: bytes) -> bool:
    proof = Signature([hex_signature(signature, "sha256=")], [key(GITHUB_SECRET)])
    for piece in pieces or (body,):
        proof.feed(piece)
    return proof.proven_by() is not None


def standard_holds(
    signatures: str = STANDARD_SIGNATURE,
    body: bytes = STANDARD_BODY,
    *,
    message_id: str = STANDARD_ID,
    timestamp: str = str(STANDARD_TIMESTAMP),
    secret: bytes = STANDARD_SECRET,
    now: float = STANDARD_TIMESTAMP,
) -> bool:
    proof = standard_signature(message_id, timestamp, signatures, [key(secret)], now)
    proof.feed(body)
    return proof.proven_by() is not None


def test_the_signature_that_github_publishes_holds_in_either_case_and_in_any_pieces() -> None:
    assert github_holds(GITHUB_SIGNATURE, GITHUB_BODY)
    assert github_holds("sha256=" + GITHUB_SIGNATURE.removeprefix("sha256=").upper(), GITHUB_BODY)
    assert github_holds(GITHUB_SIGNATURE, b"", b"Hel", b"", b"lo, World", b"!")


@pytest.mark.parametrize(
    "body", [b"", b"Hello, World", b"Hello, World! ", b"hello, World!", b"Hello, World!\n"]
)
def test_a_body_that_differs_by_a_byte_is_not_the_one_that_was_signed(body: bytes) -> None:
    assert not github_holds(GITHUB_SIGNATURE, body)


def test_json_that_was_written_anew_is_not_what_was_signed() -> None:
    body = b'{"ref": "refs/heads/main"}'
    signature = "sha256=" + hmac.new(GITHUB_SECRET, body, "sha256").hexdigest()
    assert github_holds(signature, body)
    assert not github_holds(signature, body.replace(b": ", b":"))


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "sha256=",
        GITHUB_SIGNATURE.removeprefix("sha256="),
        GITHUB_SIGNATURE[:-1],
        GITHUB_SIGNATURE + "0",
        GITHUB_SIGNATURE.replace("sha256", "SHA256"),
        "sha1=" + hmac.new(GITHUB_SECRET, GITHUB_BODY, "sha1").hexdigest(),
        GITHUB_SIGNATURE.replace("7", "g", 1),
        GITHUB_SIGNATURE.replace("7", "\u0667", 1),
        GITHUB_SIGNATURE.replace("7", "\xff", 1),
        " " + GITHUB_SIGNATURE,
        f"{GITHUB_SIGNATURE},{GITHUB_SIGNATURE}",
    ],
)
def test_a_signature_in_another_form_is_malformed(signature: str) -> None:
    with pytest.raises(Malformed):
        hex_signature(signature, "sha256=")


def test_of_several_signatures_with_one_key_each_must_be_right() -> None:
    right = bytes.fromhex(GITHUB_SIGNATURE.removeprefix("sha256="))
    for signatures, expected in (
        ([right, right], True),
        ([right, bytes(32)], False),
        ([bytes(32), right], False),
    ):
        proof = Signature(signatures, [key(GITHUB_SECRET)])
        proof.feed(GITHUB_BODY)
        assert (proof.proven_by() is not None) is expected


def test_nothing_holds_where_no_key_is_set() -> None:
    signature, token = Signature([bytes(32)], []), Token(b"", [])
    signature.feed(GITHUB_BODY)
    assert signature.proven_by() is None
    assert token.proven_by() is None
    assert signature.keyless
    assert token.keyless


def test_a_proof_names_the_key_that_it_was_made_with() -> None:
    first, second = key(b"first-secret"), key(b"second-secret")
    proof = Signature([hmac.new(b"second-secret", b"body", "sha256").digest()], [first, second])
    proof.feed(b"body")
    assert proof.proven_by() is second
    assert Token(b"first-secret", [first, second]).proven_by() is first


@pytest.mark.parametrize(
    "token", [b"", b"s", b"secre", b"secret ", b"Secret", b"secret\x00", b"secr\xe9t", "sécret".encode()]
)
def test_a_token_that_is_not_the_secret_proves_nothing(token: bytes) -> None:
    assert Token(token, [key(b"secret")]).proven_by() is None
    assert Token(b"secret", [key(b"secret")]).proven_by() is not None


def test_the_signature_that_standard_webhooks_publishes_holds() -> None:
    assert standard_holds()
    assert not standard_holds(body=STANDARD_BODY + b" ")
    assert not standard_holds(message_id=STANDARD_ID + "x")
    assert not standard_holds(timestamp=str(STANDARD_TIMESTAMP + 1))


def test_one_right_signature_among_several_is_enough() -> None:
    other = "v1," + base64.b64encode(bytes(32)).decode()
    asymmetric = (
        "v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg=="
    )
    assert standard_holds(f"{other} {STANDARD_SIGNATURE}")
    assert standard_holds(f"{STANDARD_SIGNATURE} {asymmetric}")
    assert not standard_holds(f"{other} {other}")


@pytest.mark.parametrize(
    "signatures",
    [
        "",
        "v1",
        "v1,",
        STANDARD_SIGNATURE.replace("v1", "v1a"),
        STANDARD_SIGNATURE.replace("v1", "v2"),
        STANDARD_SIGNATURE.removeprefix("v1,"),
        STANDARD_SIGNATURE.rstrip("="),
        STANDARD_SIGNATURE.replace("+", "*"),
        STANDARD_SIGNATURE.replace("+", "\xe9"),
        STANDARD_SIGNATURE.replace("+", "\n+"),
        "v1," + base64.b64encode(bytes(31)).decode(),
        STANDARD_SIGNATURE + " ",
        STANDARD_SIGNATURE + "  " + STANDARD_SIGNATURE,
        " ".join([STANDARD_SIGNATURE] * (SIGNATURES_MAX + 1)),
    ],
)
def test_standard_signatures_in_another_form_are_malformed(signatures: str) -> None:
    with pytest.raises(Malformed):
        standard_holds(signatures)


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "nan",
        "inf",
        "-1",
        "+1614265330",
        "1614265330.0",
        "1e9",
        "0x1",
        "1_0",
        "1" * 40,
        "\u0661",
        " 1",
        "1\n",
    ],
)
def test_a_time_stamp_that_is_no_plain_number_is_malformed(timestamp: str) -> None:
    with pytest.raises(Malformed):
        standard_holds(timestamp=timestamp)


@pytest.mark.parametrize("message_id", ["", " ", "a b", "a\nb", "é", "x" * 257])
def test_an_id_that_is_none_is_malformed(message_id: str) -> None:
    with pytest.raises(Malformed):
        standard_holds(message_id=message_id)


@pytest.mark.parametrize("ahead_s", [0, TOLERANCE_S - 1, TOLERANCE_S, -TOLERANCE_S + 1, -TOLERANCE_S])
def test_a_time_stamp_within_five_minutes_of_the_clock_is_good(ahead_s: int) -> None:
    assert standard_holds(now=STANDARD_TIMESTAMP + ahead_s)


@pytest.mark.parametrize("ahead_s", [TOLERANCE_S + 1, -TOLERANCE_S - 1, 86_400, -86_400])
def test_a_time_stamp_further_from_the_clock_is_refused(ahead_s: int) -> None:
    with pytest.raises(Malformed):
        standard_holds(now=STANDARD_TIMESTAMP + ahead_s)


def test_a_standard_secret_is_taken_as_base64_with_its_mark_and_either_way_without() -> None:
    raw = base64.b64decode(STANDARD_SECRET.removeprefix(b"whsec_"))
    assert signing_keys(STANDARD_SECRET) == (raw,)
    assert signing_keys(STANDARD_SECRET.removeprefix(b"whsec_")) == (b"MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", raw)
    assert signing_keys(b"no-base64!") == (b"no-base64!",)
    assert standard_holds(secret=STANDARD_SECRET.removeprefix(b"whsec_"))
    unpadded = b"whsec_" + base64.b64encode(b"x" * 32).rstrip(b"=")
    assert signing_keys(unpadded) == (b"x" * 32,)


@given(st.binary(max_size=200))
def test_any_secret_makes_some_key_and_none_is_empty(value: bytes) -> None:
    assert all(each or not value for each in signing_keys(value))


@given(st.text(max_size=60), st.text(max_size=60), st.text(max_size=60))
def test_any_text_is_refused_or_proves_nothing(message_id: str, timestamp: str, signatures: str) -> None:
    for read in (
        lambda: standard_signature(message_id, timestamp, signatures, [key(STANDARD_SECRET)], 0).proven_by(),
        lambda: hex_signature(signatures, "sha256=") and None,
    ):
        try:
            assert read() is None
        except Malformed:
            pass


def test_a_key_id_tells_values_apart_and_is_no_plain_hash_of_them() -> None:
    assert key_id(b"one") != key_id(b"two")
    assert key_id(b"one") == key_id(b"one")
    assert not hashlib.sha256(b"one").hexdigest().startswith(key_id(b"one"))
