"""What people attest: verified in the contract's order, answered, stored, and whatever hangs on it decided again."""

from __future__ import annotations

import hashlib

from daemon.model import statements as st
from daemon.model.documents import Answer
from daemon.model.errors import (
    InconsistentError,
    MalformedError,
    SignerNotAllowedError,
    VerificationError,
)
from daemon.model.times import format_instant
from daemon.policy.cases import decisions
from daemon.policy.cases.case import Case
from daemon.policy.context import Desk
from daemon.policy.store.rows import RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.verify import Verified, newest_time, verify

_KINDS = {kind.kind: kind for kind in st.BY_PEOPLE}


def receive(desk: Desk, data: bytes, person_id: str, kind: str, digest: str) -> set[str]:
    """One attestation. Returns the clips to reconsider. What fails is refused by name, answered and counted."""
    if not data:
        return set()  # an empty retained payload never means anything
    envelope: Envelope | None = None
    try:
        envelope = envelopes.parse(data, what=f"{kind} by {person_id}")
        if (envelope.kind, envelope.digest) != (kind, digest):
            raise MalformedError(f"{kind} by {person_id}: its topic names another attestation")
        verified = verify(envelope, _kind(kind), desk.trust, at=desk.now())
        _check_known(desk, verified, person_id)
    except VerificationError as error:
        desk.refuse(kind if kind in _KINDS else "attestation", error, hashlib.sha256(data).hexdigest())
        if envelope is not None:
            _answer(desk, person_id, envelope.digest, f"{type(error).__name__}: {error}")
        return set()
    known = desk.store.answer(digest)
    if known is not None and known[0]:  # a replay: harmless; whoever repeats it may not have heard our answer
        _answer(desk, person_id, digest, None)
        return set()
    clips = _accept(desk, verified)
    ahead = newest_time(verified.statement)
    if ahead is not None and ahead > desk.now():
        desk.store.look_again(clips, format_instant(ahead))
    return clips


def _kind(kind: str) -> type[st.Statement]:
    if kind not in _KINDS:
        raise MalformedError(f"{kind}: no kind that a person attests")
    return _KINDS[kind]


def _check_known(desk: Desk, verified: Verified[st.Statement], person_id: str) -> None:
    """Step 5: agreement with what is already known."""
    statement, signer = verified.statement, verified.signer
    if signer.id != person_id:
        raise SignerNotAllowedError(f"signed by {signer.id}, published as {person_id}")
    match statement:
        case st.Classification():
            clips = {*statement.clip_ids, *desk.store.clips_of_incident(statement.incident_id)}
            if signer.id in {Case(desk, clip).wearer for name in clips if (clip := desk.store.clip(name))}:
                raise SignerNotAllowedError(f"{signer.id} wore a camera in incident {statement.incident_id}")
        case st.Correction():
            clip = desk.store.clip(statement.clip_id)
            if clip is None:
                raise InconsistentError(f"no dock has announced clip {statement.clip_id}")
            if Case(desk, clip).wearer == signer.id:
                raise SignerNotAllowedError(f"{signer.id} wore the camera of clip {statement.clip_id}")
        case st.Withdrawal():
            target = desk.store.signer(statement.attestation_sha256)
            if target is None or target[0] not in _KINDS:
                raise InconsistentError(f"no attestation {statement.attestation_sha256[:16]} to withdraw")
            if signer.id != target[1] and "chief" not in signer.roles:
                raise SignerNotAllowedError(f"only {target[1]} or the chief may withdraw it")
        case _:
            pass


def _accept(desk: Desk, verified: Verified[st.Statement]) -> set[str]:
    statement, digest = verified.statement, verified.digest
    clip_id = getattr(statement, "clip_id", None)
    desk.store.add(verified, format_instant(desk.now()), desk.trust.version)
    desk.record("accepted", clip_id, {"kind": statement.kind, "by": verified.signer.id}, (digest,))
    desk.metrics.accepted(statement.kind)
    _say(desk, verified.signer.id, digest, None)
    match statement:
        case st.Request():
            row = RequestRow(digest, verified.signer.id, statement.clip_id, "open", None, format_instant(desk.now()))
            decisions.answer_request(desk, row)  # keeps the row with its answer
            return set()
        case st.Opened():
            return set()
        case st.Withdrawal():
            incident_id, clip_id = desk.store.withdraw(statement.attestation_sha256)
            return _affected(desk, incident_id, clip_id)
        case st.Classification():
            for named in statement.clip_ids:
                desk.store.add_incident(named, statement.incident_id)
    return _affected(desk, getattr(statement, "incident_id", None), clip_id)


def _affected(desk: Desk, incident_id: str | None, clip_id: str | None) -> set[str]:
    clips = set(desk.store.clips_of_incident(incident_id)) if incident_id else set()
    return clips | ({clip_id} if clip_id else set())


def _answer(desk: Desk, person_id: str, digest: str, reason: str | None) -> None:
    known = desk.store.answer(digest)
    if known is None or not known[0]:
        _say(desk, person_id, digest, reason)
    else:
        _post(desk, person_id, digest, reason)


def _say(desk: Desk, person_id: str, digest: str, reason: str | None) -> None:
    desk.store.put_answer(digest, reason)
    _post(desk, person_id, digest, reason)


def _post(desk: Desk, person_id: str, digest: str, reason: str | None) -> None:
    document = Answer(accepted=reason is None, reason=reason[:2000] if reason else None)
    desk.post(desk.topics.answer(person_id, digest), document, retain=False)
