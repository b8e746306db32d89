"""Rows of the policy service's tables (`daemon.policy.store.tables`) as values. Times are RFC 3339 text in UTC."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class AnnouncedClipRow:
    """A clip as its dock last announced it. The digests name the attestations that say more.

    `sequence` and `previous` are the notice's. `capture_sha256` is None for a clip without a capture that verifies.
    `recorded_at`: when the recording began, by the dock's clock; without a capture, when it was ingested.
    """

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
    """A request to view a clip. `digest` is the SHA-256 of its attestation.

    `state`: open (refused so far), released or closed. `answer`: the SHA-256 of the decision that was last published,
    or None; a hyphen before it means that the same decision has to be published again.
    """

    digest: str
    person_id: str
    clip_id: str
    state: str
    answer: str | None
    opened_at: str


@dataclass(frozen=True)
class IssuedOrderRow:
    """A release or disposal order that was issued. `request` is the request's digest, empty for a disposal.

    `state`: live, expired or revoked; of a disposal, disposal or taken_back. `listed`: the dock's notice shows the
    order in this state. Until it does, the order is published again and again. `envelope` is the order, or its
    revocation.
    """

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
    """One decision on record. `facts` are the documents it was decided on, `answer` is the decision (both JSON).

    `request` is the request's digest; `regime_sha256` and `trust_version` say what was in force.
    """

    at: str
    request: str
    clip_id: str
    person_id: str
    regime: str
    regime_sha256: str
    trust_version: int
    facts: str
    answer: str


@dataclass(frozen=True)
class ReportRow:
    """A disposal report. `document`: its one spelling; `outcome`: what became of it, as JSON, None before it did."""

    digest: str
    made_at: str
    document: bytes
    outcome: str | None


@dataclass(frozen=True, slots=True)
class AttestationRow:
    """What the index says of an attestation: who signed it, of which kind it is, and when it was accepted.

    `trust_version` is the one in force then.
    """

    digest: str
    signer: str
    kind: str
    received_at: str
    trust_version: int
