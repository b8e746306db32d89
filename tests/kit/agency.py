"""A small agency for tests: everybody has keys, made from their names, and the trust attestation enrols them."""

from __future__ import annotations

import functools
import hashlib
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from daemon.model import statements as st
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.keys import keyid, public_pem
from daemon.seal.trust import Trust, parse_trust

NOW = datetime(2023, 11, 29, 22, 0, tzinfo=UTC)
EARLIER = NOW - timedelta(hours=1)
CLIP = "2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a11"
OTHER_CLIP = "7c1b4a52-93d4-4a0e-b7a8-5d2f4f4f1c22"
CAMERAS = ("cam-1", "cam-2")
DOCKS = ("dock-1", "dock-2")
PEOPLE: dict[str, tuple[st.Role, ...]] = {
    "officer": ("officer",),
    "witness": ("officer",),
    "supervisor": ("supervisor",),
    "detective": ("detective",),
    "affairs": ("internal_affairs",),
    "records": ("records",),
    "chief": ("chief",),
    "trainer": ("training",),
}
DIGEST = "ab" * 32


@functools.cache
def sign_key(owner: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(f"sign {owner}".encode()).digest())


@functools.cache
def open_key(owner: str) -> ec.EllipticCurvePrivateKey:
    number = int.from_bytes(hashlib.sha256(f"open {owner}".encode()).digest()) >> 1
    return ec.derive_private_key(number, ec.SECP256R1())


def sign_pem(owner: str) -> str:
    return public_pem(sign_key(owner).public_key())


def open_pem(owner: str) -> str:
    return public_pem(open_key(owner).public_key())


def sign_id(owner: str) -> str:
    return keyid(sign_key(owner).public_key())


def trust_statement(**changes: Any) -> st.TrustStatement:
    """The usual enrolment, with some fields replaced."""
    values: dict[str, Any] = {
        "version": 1,
        "cameras": {serial: sign_pem(serial) for serial in CAMERAS},
        "docks": {dock: sign_pem(dock) for dock in DOCKS},
        "services": {
            "policy": {"sign": sign_pem("policy"), "open": open_pem("policy")},
            "recovery": {"open": open_pem("recovery")},
        },
        "people": {
            person: {"name": person.title(), "roles": roles, "sign": sign_pem(person), "open": open_pem(person)}
            for person, roles in PEOPLE.items()
        },
    }
    return st.TrustStatement.model_validate(values | changes)


def trust_bytes(**changes: Any) -> bytes:
    return envelopes.sign(trust_statement(**changes), sign_key("root")).to_bytes()


def trust(**changes: Any) -> Trust:
    return _enrolled(**changes) if changes else _usual()


@functools.cache
def _usual() -> Trust:
    return _enrolled()


def _enrolled(**changes: Any) -> Trust:
    return parse_trust(trust_bytes(**changes), sign_key("root").public_key(), what="trust.json")


def revoked(owner: str, since: datetime) -> dict[str, Any]:
    return {"keyid": sign_id(owner), "from": since}


def signed(statement: st.Statement, owner: str) -> Envelope:
    return envelopes.sign(statement, sign_key(owner))


def statement(kind: str, **changes: Any) -> Any:
    """A valid statement of this kind, with some fields replaced."""
    values = trust_statement().plain() if kind == "trust" else _values()[kind]
    return st.KINDS[kind].model_validate(values | changes)


SIGNERS: dict[str, str] = {
    "capture": "cam-1",
    "seal": "dock-1",
    "tag": "dock-1",
    "receipt": "dock-1",
    "classification": "supervisor",
    "statement": "affairs",
    "report": "supervisor",
    "authorization": "chief",
    "hold": "records",
    "correction": "records",
    "declaration": "officer",
    "label": "officer",
    "excusal": "supervisor",
    "withdrawal": "chief",
    "request": "officer",
    "opened": "officer",
    "query": "chief",
    "release": "policy",
    "revocation": "policy",
    "disposal": "policy",
    "acknowledgement": "policy",
}
"""Who signs the statement that `statement(kind)` makes. Trust is the root key's, and verified on its own."""


def _values() -> dict[str, dict[str, Any]]:
    wrap = {"recipient": DIGEST, "suite": "P256-SHA256-AES256GCM", "ciphertext": "AA=="}
    because = [{"policy_id": "regime/rule", "reason": "a reason"}]
    return {
        "capture": {
            "clip_id": CLIP,
            "camera_serial": "cam-1",
            "officer_id": "officer",
            "size_bytes": 5,
            "media_type": "video/mp4",
            "sha256": DIGEST,
            "started_at": EARLIER,
            "triggered_at": EARLIER + timedelta(seconds=30),
            "stopped_at": EARLIER + timedelta(minutes=5),
            "pre_event_seconds": 30,
            "trigger_on": "button",
            "trigger_off": "timeout",
            "markers": [{"at": EARLIER, "label": "a marker"}],
        },
        "seal": {
            "clip_id": CLIP,
            "dock_id": "dock-1",
            "bay": "bay-1",
            "capture_sha256": DIGEST,
            "clip_sha256": DIGEST,
            "sealed_sha256": DIGEST,
            "sealed_bytes": 61,
            "format": "AES256_GCM_HKDF_1MB",
            "wrapped_keys": [wrap],
            "clock_skew_seconds": 0.25,
            "ingested_at": EARLIER,
            "integrity": "verified",
        },
        "tag": {
            "clip_id": CLIP,
            "dock_id": "dock-1",
            "revision": 1,
            "dispatch_as_of": EARLIER,
            "activation": {"verdict": "undispatched", "revision": 1},
            "documents": [DIGEST],
        },
        "receipt": {
            "clip_id": CLIP,
            "dock_id": "dock-1",
            "camera_serial": "cam-1",
            "clip_sha256": DIGEST,
            "sealed_sha256": DIGEST,
            "sequence": 0,
            "erase_after": NOW + timedelta(days=1),
        },
        "classification": {
            "incident_id": "incident-1",
            "force": "deadly",
            "in_custody_death": False,
            "involved": ["officer"],
            "witnesses": ["witness"],
            "occurred_at": EARLIER,
            "classified_at": EARLIER,
        },
        "statement": {
            "incident_id": "incident-1",
            "officer_id": "officer",
            "to": "internal_affairs",
            "form": "audio",
            "given_at": EARLIER,
            "recording_sha256": DIGEST,
        },
        "report": {"incident_id": "incident-1", "officer_id": "officer", "filed_at": EARLIER},
        "authorization": {
            "authorization_id": "authorization-1",
            "person_id": "detective",
            "clip_id": CLIP,
            "purposes": ["investigation"],
            "issued_at": EARLIER,
            "expires_at": NOW + timedelta(days=1),
        },
        "hold": {"hold_id": "hold-1", "clip_id": CLIP, "state": "placed", "reason": "a trial", "at": EARLIER},
        "correction": {"clip_id": CLIP, "officer_id": "officer", "reason": "a pool camera", "at": EARLIER},
        "declaration": {"clip_id": CLIP, "declared_at": EARLIER},
        "label": {"clip_id": CLIP, "category": "dui", "case_number": "23CR-1187", "at": EARLIER},
        "excusal": {"incident_id": "23-310001", "officer_id": "officer", "reason": "training", "at": EARLIER},
        "query": {
            "query_id": "query-1",
            "question": {"what": "clips", "since": EARLIER, "until": NOW},
            "asked_at": EARLIER,
        },
        "withdrawal": {"attestation_sha256": DIGEST, "reason": "an error", "at": EARLIER},
        "request": {"request_id": "request-1", "clip_id": CLIP, "purpose": "report", "requested_at": EARLIER},
        "opened": {
            "order_id": "order-1",
            "clip_id": CLIP,
            "person_id": "officer",
            "opened_at": EARLIER,
            "clip_sha256": DIGEST,
        },
        "release": {
            "order_id": "order-1",
            "request_id": "request-1",
            "clip_id": CLIP,
            "clip_sha256": DIGEST,
            "dock_id": "dock-1",
            "person_id": "officer",
            "roles": ["officer"],
            "purpose": "report",
            "granted_at": EARLIER,
            "expires_at": NOW + timedelta(days=7),
            "regime": "a-regime",
            "regime_sha256": DIGEST,
            "trust_version": 1,
            "because": because,
            "facts": [DIGEST],
            "wrapped_key": wrap,
        },
        "revocation": {
            "order_id": "order-1",
            "clip_id": CLIP,
            "dock_id": "dock-1",
            "revoked_at": EARLIER,
            "because": because,
        },
        "disposal": {
            "order_id": "order-2",
            "clip_id": CLIP,
            "clip_sha256": DIGEST,
            "dock_id": "dock-1",
            "because": because,
            "approvals": [DIGEST],
            "court_order_sha256": DIGEST,
            "ordered_at": EARLIER,
        },
        "acknowledgement": {"dock_id": "dock-1", "through": 3, "recipients": [DIGEST], "at": EARLIER},
    }
