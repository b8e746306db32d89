"""Verifying an attestation, in the contract's order. Each step has its own error:

1 it parses within its size limit                              MalformedError
2 a key enrolled, and not revoked at that time, signed it      BadSignatureError
3 its signer may say this, about this subject                  SignerNotAllowedError
4 its payload fits its schema                                  SchemaError
5 no time in it lies ahead of now                              InconsistentError
6 not seen before                                              ReplayedError (by whoever keeps what was seen)

Step 5's other half, agreement with what is already known, is for whoever knows it (the dock, the policy service).
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Generic, TypeVar

from daemon.model import statements as st
from daemon.model.errors import InconsistentError, SignerNotAllowedError
from daemon.model.times import format_instant
from daemon.seal.envelope import Envelope
from daemon.seal.trust import Owner, Trust

S = TypeVar("S", bound=st.Statement)

MAX_AHEAD = timedelta(seconds=5)
"""How far another machine's clock may run ahead of ours before a time counts as lying in the future."""

_ROLES: dict[str, frozenset[str]] = {
    "classification": frozenset({"supervisor", "internal_affairs"}),
    "report": frozenset({"supervisor"}),
    "authorization": frozenset({"chief", "records", "counsel"}),
    "hold": frozenset({"records", "internal_affairs", "chief"}),
    "correction": frozenset({"records", "supervisor"}),
    "label": frozenset({"officer", "supervisor", "records"}),
    "excusal": frozenset({"supervisor"}),
}
_COURT = frozenset({"court", "disclosure"})
_SIGNERS: dict[str, str] = {
    "capture": "camera",
    "seal": "dock",
    "tag": "dock",
    "receipt": "dock",
    "release": "policy",
    "revocation": "policy",
    "disposal": "policy",
    "acknowledgement": "policy",
    "query": "person",
} | {kind.kind: "person" for kind in st.BY_PEOPLE}
_TIMES = (
    "classified_at",
    "declared_at",
    "occurred_at",
    "given_at",
    "filed_at",
    "issued_at",
    "at",
    "requested_at",
    "asked_at",
    "opened_at",
    "granted_at",
    "revoked_at",
    "ordered_at",
    "ingested_at",
)


@dataclass(frozen=True)
class Verified(Generic[S]):
    """An attestation that passed steps 1 to 5."""

    statement: S
    signer: Owner
    envelope: Envelope

    @property
    def digest(self) -> str:
        """SHA-256 of the envelope's payload, lowercase hex."""
        return self.envelope.digest


def verify(envelope: Envelope, kind: type[S], trust: Trust, *, at: datetime) -> Verified[S]:
    """Steps 2 to 5 at the instant `at`. Raises the step's error."""
    owner, key = trust.signer(envelope.keyid, at)  # 2
    envelope.check(key)
    if owner.kind != _SIGNERS[kind.kind]:  # 3, as far as the kind goes
        raise SignerNotAllowedError(f"a {kind.kind} is signed by a {_SIGNERS[kind.kind]}, not by {_name(owner)}")
    statement = envelope.statement(kind)  # 4
    check_subject(statement, owner)  # 3, the rest
    refuse_future(statement, at)  # 5
    return Verified(statement, owner, envelope)


@functools.cache
def _times(kind: type[st.Statement]) -> tuple[str, ...]:
    return tuple(field for field in _TIMES if field in kind.model_fields)


def newest_time(statement: st.Statement) -> datetime | None:
    """The latest instant the statement says something happened at."""
    values = [getattr(statement, field) for field in _times(type(statement))]
    return max(values, default=None)


def refuse_future(statement: st.Statement, at: datetime) -> None:
    """Raises InconsistentError naming the first time that lies ahead of `at`."""
    for field in _times(type(statement)):
        value = getattr(statement, field)
        if value > at + MAX_AHEAD:
            raise InconsistentError(f"{statement.kind}: {field} {format_instant(value)} lies in the future")
    order = getattr(statement, "court_order", None)
    if order is not None and order.dated > at + MAX_AHEAD:
        raise InconsistentError(f"{statement.kind}: court_order dated {format_instant(order.dated)} lies in the future")


def check_subject(statement: st.Statement, owner: Owner) -> None:
    """Step 3: whether this owner may say this, about this subject. Raises SignerNotAllowedError."""
    needed = _ROLES.get(statement.kind)
    if needed is not None and not needed & owner.roles:
        raise SignerNotAllowedError(f"a {statement.kind} needs the role {' or '.join(sorted(needed))}: {_name(owner)}")
    match statement:
        case st.Capture():
            _must_be(statement.camera_serial == owner.id, statement, owner, "another camera's clip")
        case st.Seal() | st.Tag() | st.Receipt():
            _must_be(statement.dock_id == owner.id, statement, owner, "another dock's clip")
        case st.OfficerStatement():
            _must_be(statement.to in owner.roles, statement, owner, f"a statement to {statement.to}")
            _must_be(statement.officer_id != owner.id, statement, owner, "their own statement")
        case st.Report():
            _must_be(statement.officer_id != owner.id, statement, owner, "their own report")
        case st.Excusal():
            _must_be(statement.officer_id != owner.id, statement, owner, "their own camera")
        case st.Authorization():
            _check_authorization(statement, owner)
        case st.Correction():
            _must_be(statement.officer_id != owner.id, statement, owner, "footage they wore")
        case st.Opened():
            _must_be(statement.person_id == owner.id, statement, owner, "another person's viewing")


def _check_authorization(statement: st.Authorization, owner: Owner) -> None:
    _must_be(statement.person_id != owner.id, statement, owner, "themselves")
    purposes = set(statement.purposes)
    if purposes == {"disposal"}:
        _must_be(bool({"chief", "records"} & owner.roles), statement, owner, "disposal, without being chief or records")
    elif purposes <= _COURT:
        _must_be(statement.court_order is not None, statement, owner, "a court, without naming the court's order")
    else:
        _must_be("chief" in owner.roles, statement, owner, "viewing, without being chief")


def _must_be(allowed: bool, statement: st.Statement, owner: Owner, what: str) -> None:
    if not allowed:
        raise SignerNotAllowedError(f"{_name(owner)} may not sign a {statement.kind} about {what}")


def _name(owner: Owner) -> str:
    return f"{owner.kind} {owner.id}"
