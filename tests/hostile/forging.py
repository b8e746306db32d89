"""The forger's tools: envelopes spelled by hand, so that each thing about one can be wrong alone."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from daemon.model import statements as st
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from tests.kit import agency

ELSEWHERE = "another agency's "
"""What the keys of another agency, with the same roles, are made from."""
ACCEPTED = "accepted"
_OTHER_KIND = {"release": "revocation", "revocation": "disposal", "disposal": "release", "hold": "report"}


@dataclass(frozen=True)
class Forgery:
    """`offer` hands it to the party it is meant for and returns the error's name, or ACCEPTED.

    `state` is all that it must leave alone.
    """

    name: str
    error: str
    offer: Callable[[], str]
    state: Callable[[], object]


@dataclass(frozen=True)
class Party:
    """One who verifies: what is forged for it, and the genuine thing, which it must accept (offered last)."""

    name: str
    forgeries: tuple[Forgery, ...]
    genuine: Callable[[], str]


def spelled(document: object) -> bytes:
    return json.dumps(document).encode()


def signed_bytes(kind: str, payload: bytes, owner: str, claimed: str | None = None) -> dict[str, Any]:
    """An envelope around these very bytes. `claimed` is whose keyid it bears."""
    unsigned = Envelope(kind, payload, agency.sign_id(claimed or owner), b"")
    signature = agency.sign_key(owner).sign(unsigned.pae)
    return Envelope(kind, payload, unsigned.keyid, signature).to_dict()


def payload_of(envelope: dict[str, Any]) -> bytes:
    return base64.b64decode(envelope["payload"])


def in_any_envelope(statement: st.Statement, owner: str) -> Iterator[tuple[str, str, bytes]]:
    """What is wrong with any kind of statement, whatever it says: (name, error, bytes). `owner` may sign it."""
    good = envelopes.sign(statement, agency.sign_key(owner)).to_dict()
    kind, payload = statement.kind, payload_of(good)
    plain = json.loads(payload)
    (signature,) = good["signatures"]
    stranger = signed_bytes(kind, payload, "nobody")
    yield "signed by nobody enrolled", "BadSignatureError", spelled(stranger)
    yield (
        "signed by the same office of another agency",
        "BadSignatureError",
        spelled(signed_bytes(kind, payload, ELSEWHERE + owner)),
    )
    yield "another's keyid", "BadSignatureError", spelled(signed_bytes(kind, payload, "nobody", claimed=owner))
    another = "hold" if kind != "hold" else "report"
    other = agency.signed(agency.statement(another), agency.SIGNERS[another]).to_dict()["signatures"]
    yield "another statement's signature", "BadSignatureError", spelled(good | {"signatures": other})
    changed = (
        payload.replace(b"2023", b"2022") if b"2023" in payload else payload.replace(b'"version":', b'"version":1')
    )
    for name, altered in (("changed", changed), ("respelled", payload + b" ")):
        data = spelled(good | {"payload": base64.b64encode(altered).decode()})
        yield f"{name} after signing", "BadSignatureError", data
    retyped = f"application/vnd.bwc.{_OTHER_KIND.get(kind, 'hold')}.v1+json"
    yield "another kind by its type", "BadSignatureError", spelled(good | {"payloadType": retyped})
    yield "a type nobody knows", "MalformedError", spelled(good | {"payloadType": "application/json"})
    yield "two signatures", "MalformedError", spelled(good | {"signatures": [signature, signature]})
    two = [signature, stranger["signatures"][0]]
    yield "two signers", "MalformedError", spelled(good | {"signatures": two})
    yield "no signature", "MalformedError", spelled(good | {"signatures": []})
    yield (
        "a short signature",
        "MalformedError",
        spelled(good | {"signatures": [signature | {"sig": base64.b64encode(bytes(63)).decode()}]}),
    )
    yield "truncated", "MalformedError", spelled(good)[:-40]
    yield "more after its end", "MalformedError", spelled(good) + b"{}"
    loose = signature["sig"][:20] + "\n" + signature["sig"][20:]
    yield "base64 with a line break", "MalformedError", spelled(good | {"signatures": [signature | {"sig": loose}]})
    yield (
        "base64 without its padding",
        "MalformedError",
        spelled(good | {"signatures": [signature | {"sig": signature["sig"].rstrip("=")}]}),
    )
    twice = b'{"payload": "AA==", ' + spelled(good)[1:]
    yield "a key twice in the envelope", "MalformedError", twice
    yield (
        "a key twice in the payload",
        "MalformedError",
        spelled(
            signed_bytes(
                kind, b"{" + json.dumps(dict([next(iter(plain.items()))])).encode()[1:-1] + b"," + payload[1:], owner
            )
        ),
    )
    yield "an unknown field", "SchemaError", spelled(signed_bytes(kind, spelled(plain | {"extra": 1}), owner))
    field = next(name for name, about in type(statement).model_fields.items() if about.is_required())
    missing = {name: value for name, value in plain.items() if name != field}
    yield "a field less", "SchemaError", spelled(signed_bytes(kind, spelled(missing), owner))
    yield "not a number", "MalformedError", spelled(signed_bytes(kind, payload[:-1] + b',"extra":NaN}', owner))
    yield "no JSON", "MalformedError", spelled(signed_bytes(kind, b"\xff" + payload, owner))


def later(statement: st.Statement, field: str) -> st.Statement:
    """The same, dated ahead of everybody's clock."""
    return statement.model_copy(update={field: agency.NOW + timedelta(hours=1)})
