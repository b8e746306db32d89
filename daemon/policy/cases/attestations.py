"""Attestations by people: verified, checked against what is known, answered and stored."""

from __future__ import annotations

import hashlib

from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Answer
from daemon.model.errors import (
    InconsistentError,
    MalformedError,
    SignerNotAllowedError,
    VerificationError,
)
from daemon.model.times import format_instant
from daemon.policy.cases import decisions
from daemon.policy.cases.clip_case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.verify import Verified, newest_time, verify

_KINDS = {kind.kind: kind for kind in st.BY_PEOPLE}


def receive(context: PolicyContext, data: bytes, person_id: str, kind: str, digest: str) -> set[str]:
    """Takes in one attestation. Returns the clips to reconsider.

    An attestation that fails any check is refused: that is recorded, counted, and answered with the error's name.
    """
    if not data:
        return set()  # an empty payload clears what the broker retained, and says nothing
    envelope: Envelope | None = None
    try:
        envelope = envelopes.parse(data, what=f"{kind} by {person_id}")
        if (envelope.kind, envelope.digest) != (kind, digest):
            raise MalformedError(f"{kind} by {person_id}: its topic names another attestation")
        verified = verify(envelope, _kind(kind), context.trust, at=context.now())
        _check_known(context, verified, person_id)
    except VerificationError as error:
        context.refuse(kind if kind in _KINDS else "attestation", error, hashlib.sha256(data).hexdigest())
        if envelope is not None:
            _answer(context, person_id, envelope.digest, f"{type(error).__name__}: {error}")
        return set()
    known = context.store.answer(digest)
    if known is not None and known[0]:  # a harmless replay: its sender may not have received our answer
        _answer(context, person_id, digest, None)
        return set()
    clips = _accept(context, verified)
    ahead = newest_time(verified.statement)
    if ahead is not None and ahead > context.now():
        context.store.add_pending(clips, format_instant(ahead))
    return clips


def _kind(kind: str) -> type[st.Statement]:
    if kind not in _KINDS:
        raise MalformedError(f"{kind}: no kind that a person attests")
    return _KINDS[kind]


def _check_known(context: PolicyContext, verified: Verified[st.Statement], person_id: str) -> None:
    """Checks a verified attestation against what is known (docs/protocol.md, "Verifying", steps 3 and 5).

    Raises SignerNotAllowedError or InconsistentError.
    """
    statement, signer = verified.statement, verified.signer
    if signer.id != person_id:
        raise SignerNotAllowedError(f"signed by {signer.id}, published as {person_id}")
    match statement:
        case st.Classification():
            clips = {*statement.clip_ids, *context.store.clips_of_incident(statement.incident_id)}
            if signer.id in {Case(context, clip).wearer for name in clips if (clip := context.store.clip(name))}:
                raise SignerNotAllowedError(f"{signer.id} wore a camera in incident {statement.incident_id}")
        case st.Correction():
            clip = context.store.clip(statement.clip_id)
            if clip is None:
                raise InconsistentError(f"no dock has announced clip {statement.clip_id}")
            if Case(context, clip).wearer == signer.id:
                raise SignerNotAllowedError(f"{signer.id} wore the camera of clip {statement.clip_id}")
        case st.Withdrawal():
            target = context.store.kind_and_signer(statement.attestation_sha256)
            if target is None or target[0] not in _KINDS:
                raise InconsistentError(f"no attestation {statement.attestation_sha256[:16]} to withdraw")
            if signer.id != target[1] and "chief" not in signer.roles:
                raise SignerNotAllowedError(f"only {target[1]} or the chief may withdraw it")
        case _:
            pass


def _accept(context: PolicyContext, verified: Verified[st.Statement]) -> set[str]:
    """Stores an attestation, and answers it. Decides a request at once. Returns the clips to reconsider."""
    statement, digest = verified.statement, verified.digest
    clip_id = getattr(statement, "clip_id", None)
    context.store.add(verified, format_instant(context.now()), context.trust.version)
    context.record(CustodyAction.ACCEPTED, clip_id, {"kind": statement.kind, "by": verified.signer.id}, (digest,))
    context.metrics.count_accepted(statement.kind)
    _store_and_publish(context, verified.signer.id, digest, None)
    match statement:
        case st.Request():
            row = RequestRow(digest, verified.signer.id, statement.clip_id, "open", None, format_instant(context.now()))
            decisions.decide_request(context, row)  # this stores the row
            return set()
        case st.Opened():
            return set()
        case st.Withdrawal():
            incident_id, clip_id = context.store.withdraw(statement.attestation_sha256)
            return _affected(context, incident_id, clip_id)
        case st.Classification():
            for named in statement.clip_ids:
                context.store.add_incident(named, statement.incident_id)
    return _affected(context, getattr(statement, "incident_id", None), clip_id)


def _affected(context: PolicyContext, incident_id: str | None, clip_id: str | None) -> set[str]:
    clips = set(context.store.clips_of_incident(incident_id)) if incident_id else set()
    return clips | ({clip_id} if clip_id else set())


def _answer(context: PolicyContext, person_id: str, digest: str, reason: str | None) -> None:
    """Answers an attestation. An earlier answer that accepted it stays in the store, whatever is answered now."""
    known = context.store.answer(digest)
    if known is None or not known[0]:
        _store_and_publish(context, person_id, digest, reason)
    else:
        _publish_answer(context, person_id, digest, reason)


def _store_and_publish(context: PolicyContext, person_id: str, digest: str, reason: str | None) -> None:
    context.store.put_answer(digest, reason)
    _publish_answer(context, person_id, digest, reason)


def _publish_answer(context: PolicyContext, person_id: str, digest: str, reason: str | None) -> None:
    document = Answer(accepted=reason is None, reason=reason[:2000] if reason else None)
    context.publish(context.topics.answer(person_id, digest), document, retain=False)
