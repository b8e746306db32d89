"""The payload of every attestation: what somebody asserts, under their own signature.

One class a kind; `KINDS` maps the kind's name to its class. The envelope around them is `daemon.seal.envelope`.
"""

from __future__ import annotations

from daemon.model.statements.devices import (
    Activation,
    Capture,
    Marker,
    Receipt,
    Seal,
    Tag,
    TaggedAssignment,
    WrappedKey,
)
from daemon.model.statements.enrolment import PersonKeys, PolicyKeys, RecoveryKey, RevokedKey, Services, TrustStatement
from daemon.model.statements.kinds import KINDS
from daemon.model.statements.people import (
    BY_PEOPLE,
    FACTS,
    Authorization,
    Classification,
    Correction,
    CourtOrder,
    Declaration,
    Excusal,
    Hold,
    Label,
    OfficerStatement,
    Opened,
    Report,
    Request,
    Withdrawal,
)
from daemon.model.statements.policy import Acknowledgement, Because, Disposal, Release, Revocation
from daemon.model.statements.queries import AskedClips, AskedDecision, AskedReport, AskedWords, Query, Supposed
from daemon.model.statements.words import (
    ClipIds,
    ExcusalReason,
    Force,
    Ids,
    Integrity,
    Purpose,
    Role,
    Statement,
    Trigger,
    Verdict,
)

__all__ = [
    "BY_PEOPLE",
    "FACTS",
    "KINDS",
    "Acknowledgement",
    "Activation",
    "AskedClips",
    "AskedDecision",
    "AskedReport",
    "AskedWords",
    "Authorization",
    "Because",
    "Capture",
    "Classification",
    "ClipIds",
    "Correction",
    "CourtOrder",
    "Declaration",
    "Disposal",
    "Excusal",
    "ExcusalReason",
    "Force",
    "Hold",
    "Ids",
    "Integrity",
    "Label",
    "Marker",
    "OfficerStatement",
    "Opened",
    "PersonKeys",
    "PolicyKeys",
    "Purpose",
    "Query",
    "Receipt",
    "RecoveryKey",
    "Release",
    "Report",
    "Request",
    "Revocation",
    "RevokedKey",
    "Role",
    "Seal",
    "Services",
    "Statement",
    "Supposed",
    "Tag",
    "TaggedAssignment",
    "Trigger",
    "TrustStatement",
    "Verdict",
    "Withdrawal",
    "WrappedKey",
]
