"""Signed envelopes: DSSE v1 with exactly one Ed25519 signature.

`payloadType` is `application/vnd.bwc.<kind>.v1+json`. An attestation's digest is SHA-256 of its pre-authentication
encoding (DSSE protocol, section "Signature Definition"), so it stays the same when the JSON is written differently.
"""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from securesystemslib.dsse import Envelope as Dsse
from securesystemslib.signer import Signature

from daemon.model import strict_json
from daemon.model.errors import BadSignatureError, MalformedError, SchemaError
from daemon.model.parse import parse_model
from daemon.model.statements import KINDS, Statement
from daemon.seal.keys import SignKey, keyid

S = TypeVar("S", bound=Statement)
_PAYLOAD_TYPE = re.compile(r"^application/vnd\.bwc\.([a-z]{1,32})\.v1\+json\Z", re.ASCII)
LIMIT = 1 << 20
"""The largest envelope that is read, in bytes of JSON."""


@dataclass(frozen=True)
class Envelope:
    """A parsed envelope. Its signature has not been checked."""

    kind: str
    payload: bytes
    keyid: str
    signature: bytes

    @functools.cached_property
    def pae(self) -> bytes:
        """The pre-authentication encoding: the bytes that are signed."""
        return pre_authentication_encoding(self.kind, self.payload)

    @functools.cached_property
    def digest(self) -> str:
        """SHA-256 of the pre-authentication encoding, in lowercase hex. Other documents name the attestation by it."""
        return hashlib.sha256(self.pae).hexdigest()

    def check(self, key: Ed25519PublicKey) -> None:
        """Raises BadSignatureError unless `key` made the signature."""
        try:
            key.verify(self.signature, self.pae)
        except InvalidSignature:
            raise BadSignatureError(f"{self.kind}: the signature is not valid") from None

    def statement(self, kind: type[S]) -> S:
        """The payload as a statement of `kind`, parsed once. Raises SchemaError or MalformedError otherwise."""
        statement = self._statement if self.kind == kind.kind else None
        if not isinstance(statement, kind):
            raise SchemaError(f"expected a {kind.kind}, got a {self.kind}")
        return statement

    @functools.cached_property
    def _statement(self) -> Statement:
        return parse_model(KINDS[self.kind], self.payload, what=self.kind, limit=LIMIT)

    def to_dict(self) -> dict[str, Any]:
        """The envelope as a JSON object, to be embedded in a document."""
        signature = Signature(self.keyid, self.signature.hex())
        return Dsse(self.payload, payload_type(self.kind), {self.keyid: signature}).to_dict()

    def to_bytes(self) -> bytes:
        """The envelope as a JSON document, always written the same way."""
        return strict_json.dump(self.to_dict())


def payload_type(kind: str) -> str:
    """The DSSE payload type of a kind of statement."""
    return f"application/vnd.bwc.{kind}.v1+json"


def pre_authentication_encoding(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding (PAE) of a payload: the bytes that are signed."""
    encoded: bytes = Dsse(payload, payload_type(kind), {}).pae()
    return encoded


def sign(statement: Statement, key: SignKey) -> Envelope:
    """`statement` in an envelope signed by `key`."""
    return sign_all([statement], key)[0]


def sign_all(statements: Sequence[Statement], key: SignKey) -> list[Envelope]:
    """As `sign`, for many. Each step is done for all of them before the next step: this is a third faster."""
    signer = keyid(key.public_key())
    payloads = [strict_json.dump(plain) for plain in [statement.plain() for statement in statements]]
    paes = [pre_authentication_encoding(one.kind, payload) for one, payload in zip(statements, payloads, strict=True)]
    signatures = [key.sign(pae) for pae in paes]
    envelopes = []
    for statement, payload, pae, signature in zip(statements, payloads, paes, signatures, strict=True):
        envelope = Envelope(statement.kind, payload, signer, signature)
        vars(envelope).update(pae=pae, _statement=statement)  # as if it had been parsed
        envelopes.append(envelope)
    return envelopes


def parse(data: bytes, *, what: str, limit: int = LIMIT) -> Envelope:
    """Parses an envelope: step 1 of verification. Raises MalformedError naming `what`."""
    return from_dict(strict_json.parse_object(data, what=what, limit=limit), what=what)


def from_dict(value: dict[str, Any], *, what: str) -> Envelope:
    """As `parse`, from a JSON object. Unknown fields of the envelope are ignored, as DSSE requires."""
    kind = _PAYLOAD_TYPE.match(_text(value, "payloadType", what))
    if not kind or kind[1] not in KINDS:
        raise MalformedError(f"{what}: payloadType is of no known kind")
    signatures = value.get("signatures")
    if not isinstance(signatures, list) or len(signatures) != 1 or not isinstance(signatures[0], dict):
        raise MalformedError(f"{what}: expected exactly one signature")
    signature = _base64(_text(signatures[0], "sig", what), what)
    signer = _text(signatures[0], "keyid", what)
    if len(signature) != 64 or not re.match(r"^[0-9a-f]{64}\Z", signer):
        raise MalformedError(f"{what}: expected an Ed25519 signature and a SHA-256 keyid")
    return Envelope(kind[1], _base64(_text(value, "payload", what), what), signer, signature)


def _text(value: dict[str, Any], field: str, what: str) -> str:
    text = value.get(field)
    if not isinstance(text, str):
        raise MalformedError(f"{what}: {field} is missing or not a string")
    return text


def _base64(text: str, what: str) -> bytes:
    """Decodes standard or URL-safe base64; DSSE allows both."""
    try:
        return base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedError(f"{what}: not base64") from None
