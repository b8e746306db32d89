"""DSSE v1 envelopes (Dead Simple Signing Envelope) with one Ed25519 signature. Shares no code with the product.

The keyid is SHA-256 of the DER SubjectPublicKeyInfo, in lowercase hex.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from device_sim.errors import usage

MAX_ENVELOPE_BYTES = 1 << 20


class EnvelopeError(Exception):
    """An envelope is not valid; the message says why."""


def payload_type(kind: str) -> str:
    """The DSSE payload type of a kind of statement."""
    return f"application/vnd.bwc.{kind}.v1+json"


def keyid(key: Ed25519PublicKey) -> str:
    """SHA-256 of the DER SubjectPublicKeyInfo, lowercase hex."""
    der = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


def pae(media_type: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding: the bytes that are signed."""
    name = media_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(name), name, len(payload), payload)


def sign(
    kind: str, payload: dict[str, Any], key: Ed25519PrivateKey, claimed_keyid: str | None = None
) -> dict[str, Any]:
    """Signs the payload. `claimed_keyid` is for faults: the envelope names this key instead of the signer's."""
    body = json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode()
    signature = key.sign(pae(payload_type(kind), body))
    return {
        "payload": base64.b64encode(body).decode(),
        "payloadType": payload_type(kind),
        "signatures": [
            {"keyid": claimed_keyid or keyid(key.public_key()), "sig": base64.b64encode(signature).decode()}
        ],
    }


def open_envelope(raw: bytes, kind: str, keys: list[Ed25519PublicKey]) -> dict[str, Any]:
    """The payload, if one of `keys` signed it as this kind. Raises EnvelopeError otherwise."""
    if len(raw) > MAX_ENVELOPE_BYTES:
        raise EnvelopeError("envelope is too large")
    try:
        document = json.loads(raw, object_pairs_hook=_each_key_once)
        body = base64.b64decode(document["payload"], validate=True)
        media_type = document["payloadType"]
        [signature] = document["signatures"]
        sig = base64.b64decode(signature["sig"], validate=True)
        named = signature["keyid"]
    except (ValueError, KeyError, TypeError, binascii.Error, RecursionError) as bad:
        raise EnvelopeError("not an envelope with exactly one signature") from bad
    if media_type != payload_type(kind):
        raise EnvelopeError(f"payload type is not {payload_type(kind)}")
    for key in keys:
        if keyid(key) == named:
            return _checked(body, media_type, sig, key)
    raise EnvelopeError("signed by an unknown key")


def _checked(body: bytes, media_type: str, sig: bytes, key: Ed25519PublicKey) -> dict[str, Any]:
    try:
        key.verify(sig, pae(media_type, body))
    except InvalidSignature as bad:
        raise EnvelopeError("the signature is not valid") from bad
    try:
        payload = json.loads(body, object_pairs_hook=_each_key_once)
    except (ValueError, RecursionError) as bad:
        raise EnvelopeError("payload is not json") from bad
    if not isinstance(payload, dict):
        raise EnvelopeError("payload is not an object")
    return payload


def _each_key_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("an object has the same key twice")
    return dict(pairs)


def load_private(path: Path) -> Ed25519PrivateKey:
    """The private Ed25519 key in a PKCS#8 PEM file (`<owner>.sign.pem`). Raises SimError."""
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except (OSError, ValueError, TypeError) as bad:
        raise usage(f"cannot read the signing key {path}", _why(bad)) from bad
    if not isinstance(key, Ed25519PrivateKey):
        raise usage(f"{path} is not an Ed25519 key", "a camera signs with <serial>.sign.pem")
    return key


def load_public(path: Path) -> Ed25519PublicKey:
    """The public Ed25519 key in a PEM file (`<owner>.sign.pub.pem`). Raises SimError."""
    try:
        key = serialization.load_pem_public_key(path.read_bytes())
    except (OSError, ValueError) as bad:
        raise usage(f"cannot read the public key {path}", _why(bad)) from bad
    if not isinstance(key, Ed25519PublicKey):
        raise usage(f"{path} is not an Ed25519 public key", "a dock signs with <dock>.sign.pem")
    return key


def _why(bad: Exception) -> str:
    return (bad.strerror or "unreadable").lower() if isinstance(bad, OSError) else "it should be a PEM file of Ed25519"


def make_missing_pairs(folder: Path, owners: list[str]) -> None:
    """Makes `<owner>.sign.pem` and `<owner>.sign.pub.pem` for each owner who has none. Existing keys stay."""
    folder.mkdir(parents=True, exist_ok=True)
    for owner in owners:
        path = folder / f"{owner}.sign.pem"
        if path.exists():
            continue
        key = Ed25519PrivateKey.generate()
        pem = serialization.Encoding.PEM
        path.touch(mode=0o600)
        path.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
        public = key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)
        path.with_suffix(".pub.pem").write_bytes(public)
