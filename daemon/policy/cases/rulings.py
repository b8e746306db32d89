"""The ruling on a person viewing a clip now: the regime's, or a refusal for which no regime has to be asked."""

from __future__ import annotations

from dataclasses import dataclass

from daemon.model import statements as st
from daemon.model.documents import Need
from daemon.model.statements import Because
from daemon.policy.cases.clip_case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import Ruling, combine, decide
from daemon.policy.rules.facts import Facts
from daemon.policy.store.rows import AnnouncedClipRow

_QUARANTINE = Ruling(
    "refused",
    (Because(policy_id="quarantine", reason="the clip failed a check and is in quarantine until it is admitted"),),
    (Need(kind="correction", from_="records"),),
)
_UNKNOWN_CLIP = Ruling(
    "refused", (Because(policy_id="unknown-clip", reason="no dock has announced this clip"),), (Need(kind="clip"),)
)
_DISPOSED = Ruling("refused", (Because(policy_id="disposed", reason="the clip was disposed of"),), ())
_NO_OPEN_KEY = Ruling(
    "refused", (Because(policy_id="no-open-key", reason="this person has no opening key enrolled"),), ()
)


@dataclass(frozen=True)
class GroundedRuling:
    """A ruling with its grounds: the facts it was made on, and the digests of the attestations they come from."""

    ruling: Ruling
    facts: tuple[Facts, ...] = ()
    digests: frozenset[str] = frozenset()


def ruling_on(
    context: PolicyContext, clip: AnnouncedClipRow | None, person_id: str, purpose: st.Purpose
) -> GroundedRuling:
    """Whether this person may view this clip for this purpose now. `clip` is None when no dock has announced it."""
    if clip is None:
        return GroundedRuling(_UNKNOWN_CLIP)
    if clip.disposed:
        return GroundedRuling(_DISPOSED)
    case = Case(context, clip)
    if not case.admitted:
        return GroundedRuling(_QUARANTINE)
    if context.trust.opener("person", person_id, context.now()) is None:
        return GroundedRuling(_NO_OPEN_KEY)
    facts = case.facts(person_id, purpose, context.now())
    ruling = combine([decide(context.regime, one) for one in facts])
    return GroundedRuling(ruling, tuple(facts), frozenset(case.digests))
