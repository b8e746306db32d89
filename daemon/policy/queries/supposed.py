"""`decision`: what would be decided, also if words were given that nobody has given yet."""

from __future__ import annotations

from daemon.model import statements as st
from daemon.model.errors import InconsistentError, SignerNotAllowedError, VerificationError
from daemon.model.parse import check_model
from daemon.model.query_results import SupposedDecision
from daemon.policy.cases.rulings import supposed_ruling
from daemon.policy.cases.subjects import subject_of
from daemon.policy.context import PolicyContext
from daemon.policy.queries.roles import SEES_ALL
from daemon.policy.queries.rows import Found
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.testimony.words import AnyWord, Word
from daemon.seal.trust import Owner
from daemon.seal.verify import check_subject, newest_time, refuse_future

_MOST_NAMED = 20
"""People that a supposed classification may name: what each of them would still have to state is worked out."""


def find_decision(context: PolicyContext, asked: st.AskedDecision, person_id: str) -> Found:
    """What would be decided now.

    Raises SignerNotAllowedError, InconsistentError or SchemaError for what cannot be asked or supposed.
    """
    if not context.trust.roles(person_id) & SEES_ALL and (asked.person_id != person_id or asked.suppose):
        raise SignerNotAllowedError(
            f"without a role of {', '.join(sorted(SEES_ALL))} you ask about yourself, and suppose nothing"
        )
    clip = context.store.clip(asked.clip_id)
    words = [_word(context, number, one, clip) for number, one in enumerate(asked.suppose)]
    ruling = supposed_ruling(context, clip, asked.person_id, asked.purpose, words)
    return Found([SupposedDecision(outcome=ruling.outcome, because=ruling.because, needs=ruling.needs)])


def _word(context: PolicyContext, number: int, supposed: st.Supposed, clip: AnnouncedClipRow | None) -> AnyWord:
    """A supposed word, which has to be one that its signer could sign now, about this clip or its incidents."""
    what, now = f"suppose[{number}]", context.now()
    statement: st.Statement = check_model(st.KINDS[supposed.kind], supposed.statement, what=what)
    if supposed.by not in context.trust.statement.people:
        raise InconsistentError(f"{what}: {supposed.by} is not enrolled")
    named = [*getattr(statement, "involved", ()), *getattr(statement, "witnesses", ())]
    if len(named) > _MOST_NAMED:
        raise InconsistentError(f"{what} names {len(named)} people; suppose {_MOST_NAMED} at most")
    roles = context.trust.roles(supposed.by)
    try:
        check_subject(statement, Owner("person", supposed.by, roles))
        refuse_future(statement, now)
    except VerificationError as error:
        raise type(error)(f"{what}: {error}") from None
    if clip is None or not _is_about(context, statement, clip.clip_id):
        raise InconsistentError(f"{what} is not about clip {clip.clip_id if clip else ''} or an incident of it")
    moment = min(newest_time(statement) or now, now)
    return Word(f"supposed-{number}", supposed.by, roles, moment, True, statement)


def _is_about(context: PolicyContext, statement: st.Statement, clip_id: str) -> bool:
    subject = subject_of(context.store, statement)
    return clip_id in subject.clip_ids or subject.incident_id in context.store.incidents_ever(clip_id)
