"""Attestations by people: verified, checked against what is known, stored and answered.

What only closes is taken from anybody who holds the role, also from somebody who was in the incident: how far each word
counts is judged at each decision (`daemon.policy.testimony`), and the answer says what this one can do by now.
"""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping

from daemon.model import statements as st
from daemon.model.custody_actions import CustodyAction
from daemon.model.documents import Answer
from daemon.model.errors import InconsistentError, MalformedError, SignerNotAllowedError, VerificationError
from daemon.model.times import format_instant
from daemon.policy.cases import decisions
from daemon.policy.cases.caveats import caveat
from daemon.policy.cases.subjects import clips_of, subject_of, touched
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import AttestationRow, RequestRow
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.trust import Owner
from daemon.seal.verify import Verified, newest_time, verify

_KINDS = {kind.kind: kind for kind in st.BY_PEOPLE}
_CAN_BE_WITHDRAWN = {kind.kind for kind in st.FACTS} - {st.Withdrawal.kind}


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
        if verified.signer.id != person_id:
            raise SignerNotAllowedError(f"signed by {verified.signer.id}, published as {person_id}")
        if context.store.has(digest, person_id):  # a harmless replay: its sender may not have received our answer
            _answer(context, person_id, digest, note=caveat(context, verified))
            return set()
        _check_known(context, verified)
    except VerificationError as error:
        context.refuse(kind if kind in _KINDS else "attestation", error, hashlib.sha256(data).hexdigest())
        if envelope is not None:
            _answer(context, person_id, envelope.digest, reason=f"{type(error).__name__}: {error}")
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


def _check_known(context: PolicyContext, verified: Verified[st.Statement]) -> None:
    """Checks a verified attestation against what is known (docs/protocol.md, "Verifying", steps 3 and 5).

    Raises SignerNotAllowedError or InconsistentError.
    """
    statement, signer = verified.statement, verified.signer
    match statement:
        case st.Request() if context.store.has(verified.digest):
            raise InconsistentError(f"request {statement.request_id} is another person's already")
        case st.Correction() if context.store.clip(statement.clip_id) is None:
            raise InconsistentError(f"no dock has announced clip {statement.clip_id}")
        case st.Withdrawal():
            found = [row for row, *_ in context.store.find(statement.attestation_sha256)]
            if not any(row.kind in _CAN_BE_WITHDRAWN for row in found):
                raise InconsistentError(f"no attestation {statement.attestation_sha256[:16]} to withdraw")
            if not _may_withdraw(found, signer):
                raise SignerNotAllowedError(f"only {found[0].signer} or the chief may withdraw it")
        case st.Label():
            _check_category(context.config.retention.categories, statement.category)
        case st.Authorization(report_sha256=str(report)) if context.store.report(report) is None:
            raise InconsistentError(f"no disposal report {report} was made here; bwc policy disposal shows the newest")
        case _:
            pass


def _may_withdraw(found: list[AttestationRow], signer: Owner) -> bool:
    """Its own signer and the chief may; of a label also records, for it takes two (`Withdrawals.together_of`)."""
    label = any(row.kind == st.Label.kind for row in found)
    return signer.id in {row.signer for row in found} or bool(
        signer.roles & ({"chief", "records"} if label else {"chief"})
    )


def _check_category(listed: Mapping[str, float], category: str) -> None:
    """Raises InconsistentError, naming the closest, for a category that is not in the agency's list."""
    if category not in listed:
        close = difflib.get_close_matches(category.casefold(), listed, n=3) or sorted(listed)[:5]
        offer = f"did you mean {' or '.join(close)}?" if close else "the list is empty"
        raise InconsistentError(f"no category {category} in [retention.categories]: {offer}")


def _accept(context: PolicyContext, verified: Verified[st.Statement]) -> set[str]:
    """Stores an attestation, and answers it. Decides a request at once. Returns the clips to reconsider."""
    statement, digest, signer = verified.statement, verified.digest, verified.signer.id
    clip_id = getattr(statement, "clip_id", None)
    clips = _store(context, verified)
    context.record(CustodyAction.ACCEPTED, clip_id, {"kind": statement.kind, "by": signer}, (digest,))
    context.metrics.count_accepted(statement.kind)
    _answer(context, signer, digest, note=caveat(context, verified))
    match statement:
        case st.Request():
            row = RequestRow(digest, signer, statement.clip_id, "open", None, format_instant(context.now()))
            decisions.decide_request(context, row)  # this stores the row
            return set()
        case st.Opened():
            return set()
        case _:
            return clips


def _store(context: PolicyContext, verified: Verified[st.Statement]) -> set[str]:
    """Stores an attestation with what it is about. Returns the clips to reconsider."""
    store, statement = context.store, verified.statement
    about = subject_of(store, statement)
    received_at = format_instant(context.now())
    store.add(verified, received_at, context.trust.version, incident_id=about.incident_id, clip_id=about.clip_id)
    store.add_named(about.named, verified.digest, verified.signer.id, about.incident_id)
    if isinstance(statement, st.Classification | st.Correction | st.Withdrawal):
        return touched(store, about)
    return {*clips_of(store, about)}


def _answer(
    context: PolicyContext, person_id: str, digest: str, *, reason: str | None = None, note: str | None = None
) -> None:
    """Answers an attestation: refused with a reason, or accepted, perhaps with a note on what it cannot do."""
    document = Answer(accepted=reason is None, reason=reason[:2000] if reason else None, note=note)
    context.publish(context.topics.answer(person_id, digest), document, retain=False)
