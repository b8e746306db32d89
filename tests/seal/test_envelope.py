"""Envelopes: DSSE to the letter, one digest however they are spelled, and one kind of error for whatever is not one."""

from __future__ import annotations

import base64
import hashlib
import json
import random
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature
from hypothesis import given
from hypothesis import strategies as hs
from securesystemslib.dsse import Envelope as Dsse

from daemon.model.errors import BadSignatureError, MalformedError, SchemaError, VerificationError
from daemon.model.statements import KINDS, Capture, Hold, Statement
from daemon.seal import envelope as envelopes
from tests.kit.agency import SIGNERS, sign_id, sign_key, signed, statement
from tests.kit.strategies import statements

HOLD = signed(statement("hold"), "records")


def pae(payload_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding, from the specification."""
    kind = payload_type.encode()
    return b"DSSEv1 " + str(len(kind)).encode() + b" " + kind + b" " + str(len(payload)).encode() + b" " + payload


@pytest.mark.parametrize("kind", SIGNERS)
def test_signature_and_digest_are_over_the_pre_authentication_encoding(kind: str) -> None:
    owner = SIGNERS[kind]
    document = json.loads(signed(statement(kind), owner).to_bytes())
    payload = base64.b64decode(document["payload"], validate=True)
    assert document["payloadType"] == f"application/vnd.bwc.{kind}.v1+json"
    [signature] = document["signatures"]
    assert signature["keyid"] == sign_id(owner)
    encoded = pae(document["payloadType"], payload)
    sign_key(owner).public_key().verify(base64.b64decode(signature["sig"], validate=True), encoded)
    assert encoded == Dsse(payload, document["payloadType"], {}).pae()
    assert hashlib.sha256(encoded).hexdigest() == envelopes.from_dict(document, what="x").digest


@given(statements())
def test_what_is_signed_parses_checks_and_is_the_same(made: Statement) -> None:
    envelope = envelopes.sign(made, sign_key("anybody"))
    parsed = envelopes.parse(envelope.to_bytes(), what="envelope")
    assert parsed == envelope
    parsed.check(sign_key("anybody").public_key())
    assert parsed.statement(KINDS[made.kind]) == made


def respellings(document: dict[str, Any]) -> dict[str, bytes]:
    """Other spellings of one envelope."""
    [signature] = document["signatures"]
    urlsafe = {
        "payload": _urlsafe(document["payload"]),
        "signatures": [signature | {"sig": _urlsafe(signature["sig"])}],
    }
    turned = dict(reversed(document.items())) | {"signatures": [dict(reversed(signature.items()))]}
    return {
        "whitespace": json.dumps(document, indent=7).encode() + b"\n \t",
        "key order": json.dumps(dict(reversed(turned.items()))).encode(),
        "url-safe base64": json.dumps(document | urlsafe).encode(),
        "unknown fields": json.dumps(
            document | {"more": [1, {}], "signatures": [signature | {"cert": "x"}]}, separators=(",", ":")
        ).encode(),
        "escapes": json.dumps(document).replace("a", "\\u0061").encode(),
    }


def _urlsafe(text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


@pytest.mark.parametrize("how", respellings(HOLD.to_dict()))
def test_respelling_changes_nothing(how: str) -> None:
    # of many reasons, one whose base64 has both characters that are spelled differently
    for number in range(100):
        envelope = signed(statement("hold", reason=f"~~~???\u00ff>>> {number}"), "records")
        text = envelope.to_dict()["payload"] + envelope.to_dict()["signatures"][0]["sig"]
        if "+" in text and "/" in text:
            break
    data = respellings(envelope.to_dict())[how]
    assert data != envelope.to_bytes()
    parsed = envelopes.parse(data, what="respelled")
    parsed.check(sign_key("records").public_key())
    assert parsed.digest == envelope.digest


def test_another_signature_on_the_same_statement_has_the_same_digest() -> None:
    """The digest names what is said; who says so is the signer's business."""
    assert signed(statement("hold"), "chief").digest == HOLD.digest


def test_a_changed_payload_kind_or_signature_does_not_check() -> None:
    document = HOLD.to_dict()
    payload = base64.b64decode(document["payload"])
    other = base64.b64encode(payload.replace(b"placed", b"lifted")).decode()
    [signature] = document["signatures"]
    harmed = [
        document | {"payload": other},
        document | {"payloadType": "application/vnd.bwc.correction.v1+json"},
        document | {"signatures": [signature | {"sig": base64.b64encode(bytes(64)).decode()}]},
    ]
    for changed in harmed:
        with pytest.raises(BadSignatureError):
            envelopes.from_dict(changed, what="changed").check(sign_key("records").public_key())
    with pytest.raises(BadSignatureError):
        HOLD.check(sign_key("chief").public_key())
    with pytest.raises(InvalidSignature):  # and the signature is over the encoding, not over the bare payload
        sign_key("records").public_key().verify(HOLD.signature, HOLD.payload)


def test_a_payload_of_another_kind() -> None:
    with pytest.raises(SchemaError):
        HOLD.statement(Capture)


def _signatures(value: Any) -> dict[str, Any]:
    return HOLD.to_dict() | {"signatures": value}


ONE = HOLD.to_dict()["signatures"][0]
NOT_ENVELOPES: dict[str, Any] = {
    "a list": [],
    "a string": "x",
    "null": None,
    "empty": {},
    "no payload": {k: v for k, v in HOLD.to_dict().items() if k != "payload"},
    "a payload that is no string": HOLD.to_dict() | {"payload": {"hold_id": "x"}},
    "a payload that is no base64": HOLD.to_dict() | {"payload": "%%%%"},
    "a payload with line breaks": HOLD.to_dict() | {"payload": HOLD.to_dict()["payload"][:8] + "\n"},
    "a payload not ASCII": HOLD.to_dict() | {"payload": "\u00e4\u00e4\u00e4\u00e4"},
    "no payload type": {k: v for k, v in HOLD.to_dict().items() if k != "payloadType"},
    "an unknown kind": HOLD.to_dict() | {"payloadType": "application/vnd.bwc.nonsense.v1+json"},
    "an unknown version": HOLD.to_dict() | {"payloadType": "application/vnd.bwc.hold.v2+json"},
    "another's payload type": HOLD.to_dict() | {"payloadType": "application/vnd.in-toto+json"},
    "a payload type with a line break": HOLD.to_dict() | {"payloadType": "application/vnd.bwc.hold.v1+json\n"},
    "no signatures": _signatures([]),
    "two signatures": _signatures([ONE, ONE]),
    "two different signatures": _signatures([ONE, signed(statement("hold"), "chief").to_dict()["signatures"][0]]),
    "signatures that are no list": _signatures(ONE),
    "signatures that are missing": {k: v for k, v in HOLD.to_dict().items() if k != "signatures"},
    "a signature that is no object": _signatures(["x"]),
    "a signature without sig": _signatures([{"keyid": ONE["keyid"]}]),
    "a signature without keyid": _signatures([{"sig": ONE["sig"]}]),
    "a short signature": _signatures([ONE | {"sig": base64.b64encode(bytes(63)).decode()}]),
    "a long signature": _signatures([ONE | {"sig": base64.b64encode(bytes(65)).decode()}]),
    "a keyid in upper case": _signatures([ONE | {"keyid": ONE["keyid"].upper()}]),
    "a keyid with a line break": _signatures([ONE | {"keyid": ONE["keyid"] + "\n"}]),
    "a keyid too short": _signatures([ONE | {"keyid": ONE["keyid"][:-1]}]),
}


@pytest.mark.parametrize("what", NOT_ENVELOPES)
def test_what_is_no_envelope(what: str) -> None:
    with pytest.raises(MalformedError):
        envelopes.parse(json.dumps(NOT_ENVELOPES[what]).encode(), what=what)


def test_the_limit_counts_bytes() -> None:
    data = HOLD.to_bytes()
    assert envelopes.parse(data, what="x", limit=len(data)) == HOLD
    with pytest.raises(MalformedError):
        envelopes.parse(data, what="x", limit=len(data) - 1)
    with pytest.raises(MalformedError):
        envelopes.parse(data + b" " * envelopes.LIMIT, what="x")


def test_a_key_twice() -> None:
    data = HOLD.to_bytes()
    twice = data[:-1] + b',"payload":"e30="}'
    json.loads(twice)
    with pytest.raises(MalformedError):
        envelopes.parse(twice, what="x")


def _payload(data: bytes) -> envelopes.Envelope:
    return envelopes.Envelope("hold", data, sign_id("records"), bytes(64))


GOOD_HOLD = HOLD.payload
HOSTILE_JSON = {
    "NaN": b'{"reason": NaN}',
    "infinity": b'{"reason": -Infinity}',
    "a number too large": b'{"reason": 1e999}',
    "deep nesting": b'{"a":' * 100_000,
    "deep lists": b'{"reason": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    "a lone surrogate": b'{"reason": "\\ud800"}',
    "a lone surrogate as key": b'{"\\udc00": 1}',
    "surrogates in the wrong order": b'{"reason": "\\udc00\\ud800"}',
    "an encoded surrogate": b'{"reason": "\xed\xa0\x80"}',
    "not UTF-8": b'{"reason": "\xff"}',
    "UTF-16": '{"reason": "x"}'.encode("utf-16"),
    "a byte order mark": b"\xef\xbb\xbf" + GOOD_HOLD,
    "5000 digits": b'{"reason": ' + b"9" * 5000 + b"}",
    "beyond 64 bits": b'{"reason": 18446744073709551616}',
    "far below zero": b'{"reason": -9223372036854775809}',
    "a key twice": GOOD_HOLD[:-1] + b',"reason":"y"}',
    "a key twice inside": b'{"a": {"b": 1, "b": 2}}',
    "a trailing comma": GOOD_HOLD[:-1] + b",}",
    "two documents": GOOD_HOLD + GOOD_HOLD,
    "nothing": b"",
    "a list": b"[]",
    "a control character": b'{"reason": "\x01"}',
    "oversize": GOOD_HOLD + b" " * envelopes.LIMIT,
}


@pytest.mark.parametrize("what", HOSTILE_JSON)
def test_hostile_json_is_malformed(what: str) -> None:
    with pytest.raises(MalformedError):
        envelopes.parse(HOSTILE_JSON[what], what=what)
    with pytest.raises(MalformedError):
        _payload(HOSTILE_JSON[what]).statement(Hold)


def test_the_largest_integers_and_paired_surrogates_are_fine() -> None:
    reason = b'{"reason": "\\ud83d\\ude00", "n": [18446744073709551615, -9223372036854775808, 1e308]}'
    with pytest.raises(SchemaError):
        _payload(reason).statement(Hold)


@given(hs.binary(max_size=400) | hs.text(alphabet='{}[]",:\\u0123456789eE+-.ntfd', max_size=200).map(str.encode))
def test_any_bytes_are_refused_by_a_verification_error(data: bytes) -> None:
    with pytest.raises(MalformedError):
        envelopes.parse(data, what="fuzz")
    with pytest.raises(VerificationError):
        _payload(data).statement(Hold)


@given(hs.sampled_from([*SIGNERS]), hs.integers(0, 10_000), hs.integers(1, 4))
def test_a_mutated_envelope_is_a_respelling_or_refused(kind: str, seed: int, changes: int) -> None:
    """Whatever happens to the bytes: an error of ours, or the very statement that was signed."""
    envelope = signed(statement(kind), SIGNERS[kind])
    dice, data = random.Random(seed), bytearray(envelope.to_bytes())
    for _ in range(changes):
        at = dice.randrange(len(data))
        match dice.randrange(3):
            case 0:
                data[at] ^= 1 << dice.randrange(8)
            case 1:
                del data[at : at + dice.randrange(1, 20)]
            case _:
                data[at:at] = dice.randbytes(dice.randrange(1, 4))
    try:
        parsed = envelopes.parse(bytes(data), what="mutated")
        parsed.check(sign_key(SIGNERS[kind]).public_key())
        parsed.statement(KINDS[kind])
    except VerificationError:
        return
    assert (parsed.digest, parsed.payload) == (envelope.digest, envelope.payload)
