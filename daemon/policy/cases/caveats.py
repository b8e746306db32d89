"""What an accepted word cannot do, in words for its signer: it closes, and opens nothing, while they are a party."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

from daemon.model import statements as st
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.subjects import clips_of, subject_of
from daemon.policy.context import PolicyContext
from daemon.policy.testimony.parties import Parties
from daemon.seal.verify import Verified

_MOST = 20
"""How many of the clips that a word is about are looked at for a caveat."""


def caveat(context: PolicyContext, verified: Verified[st.Statement]) -> str | None:
    """Why this word opens nothing by what is known now, or None when nothing is known against it."""
    statement = verified.statement
    match statement:
        case st.Request() | st.Opened() | st.Declaration() | st.Label() | st.Excusal():
            return None
        case st.Authorization() if statement.report_sha256 is not None:
            only = context.config.retention.dispose == "report"
            return 'accepted, but with dispose = "report" nothing is ordered' if only else None
        case _:
            return _party(context, verified) or _half(context, verified)


def _half(context: PolicyContext, verified: Verified[st.Statement]) -> str | None:
    """That a label stands still, though this withdraws it."""
    if not isinstance(verified.statement, st.Withdrawal):
        return None
    target = verified.statement.attestation_sha256
    for clip_id in islice(_about(context, verified), 1):
        clip = context.store.clip(clip_id)
        if clip is not None and any(word.digest == target for word in Case(context, clip).testimony.labels()):
            return (
                "accepted, but the label counts until two people have withdrawn it: one of records, and its own signer"
                " or the chief"
            )
    return None


def _party(context: PolicyContext, verified: Verified[st.Statement]) -> str | None:
    statement, person = verified.statement, verified.signer.id
    for clip_id in islice(_about(context, verified), _MOST):
        clip = context.store.clip(clip_id)
        if clip is None:
            continue
        parties = Case(context, clip).testimony.parties
        if not _may(parties, statement, person):
            return (
                f"accepted, but it can only close and not open: {person} {parties.part_of(person)} (clip {clip_id})."
                " Somebody who was not there must say it as well"
            )
    return None


def _may(parties: Parties, statement: st.Statement, person: str) -> bool:
    match statement:
        case st.Classification():
            return parties.may_classify(person)
        case st.OfficerStatement() | st.Report():
            return parties.may_take_account(person, statement.officer_id)
        case _:
            return parties.may_act(person)


def _about(context: PolicyContext, verified: Verified[st.Statement]) -> Iterable[str]:
    return clips_of(context.store, subject_of(context.store, verified.statement))
