"""Rows of the policy service's tables (daemon.policy.store.tables) as values."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AnnouncedClipRow:
    """A clip as its dock last announced it; digests name the attestations that say more."""

    dock_id: str
    clip_id: str
    sequence: int
    previous: int
    officer_id: str
    seal_sha256: str
    capture_sha256: str | None
    tag_sha256: str
    clip_sha256: str
    integrity: str
    recorded_at: str
    disposed: bool = False


@dataclass(frozen=True)
class RequestRow:
    """A request to view. `state`: open (refused so far), released, closed. `answer`: the decision last published."""

    digest: str
    person_id: str
    clip_id: str
    state: str
    answer: str | None
    opened_at: str


@dataclass(frozen=True)
class IssuedOrderRow:
    """An order that was issued. `listed`: its dock's notice shows it in this state; until then it is repeated."""

    order_id: str
    request: str
    dock_id: str
    clip_id: str
    person_id: str
    expires_at: str
    state: str
    listed: bool
    envelope: bytes


@dataclass(frozen=True)
class DecisionRow:
    """One decision on record: `facts` are the documents it was decided on, `answer` what was answered (JSON)."""

    at: str
    request: str
    clip_id: str
    person_id: str
    regime: str
    regime_sha256: str
    trust_version: int
    facts: str
    answer: str


@dataclass(frozen=True, slots=True)
class AttestationRow:
    """Where an attestation stands in the index."""

    digest: str
    signer: str
    kind: str
    incident_id: str | None
    clip_id: str | None
