"""The ruling on a person viewing a clip now: the regime's, or a refusal for which no regime has to be asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric import ec

from daemon.model import statements as st
from daemon.model.documents import Need
from daemon.model.errors import BadSignatureError
from daemon.model.statements import Because
from daemon.policy.cases.clip_case import UNKNOWN_OFFICER, Case
from daemon.policy.cases.needs import with_notes
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import Ruling, combine, decide
from daemon.policy.rules.facts import Facts
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.testimony.words import AnyWord

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
    "refused",
    (Because(policy_id="no-open-key", reason="this person has no opening key in force"),),
    (),
)
_UNKNOWN_WEARER = Ruling(
    "refused",
    (Because(policy_id="unknown-wearer", reason="nobody knows who wore the camera; records or a supervisor must say"),),
    (Need(kind="correction", from_="records"),),
)
_CONTESTED_WEARER = Ruling(
    "refused",
    (
        Because(
            policy_id="contested-wearer",
            reason="who wore the camera was corrected, and that was withdrawn by somebody who was in the incident",
        ),
    ),
    (Need(kind="correction", from_="records"),),
)


@dataclass(frozen=True)
class GroundedRuling:
    """A ruling with its grounds: the facts it was made on, and the digests of the attestations they come from.

    `changes_at`: when the next of these facts ends by itself, or None.
    """

    ruling: Ruling
    facts: tuple[Facts, ...] = ()
    digests: frozenset[str] = frozenset()
    changes_at: datetime | None = None


def ruling_on(
    context: PolicyContext, clip: AnnouncedClipRow | None, person_id: str, purpose: st.Purpose
) -> GroundedRuling:
    """Whether this person may view this clip for this purpose now. `clip` is None when no dock has announced it."""
    return _rule(context, clip, person_id, purpose, ())


def supposed_ruling(
    context: PolicyContext,
    clip: AnnouncedClipRow | None,
    person_id: str,
    purpose: st.Purpose,
    supposed: Sequence[AnyWord],
) -> Ruling:
    """What `ruling_on` would say if these words had been given. It has no grounds, so no order can be issued on it."""
    return _rule(context, clip, person_id, purpose, supposed).ruling


def _rule(
    context: PolicyContext,
    clip: AnnouncedClipRow | None,
    person_id: str,
    purpose: st.Purpose,
    supposed: Sequence[AnyWord],
) -> GroundedRuling:
    if clip is None:
        return GroundedRuling(_UNKNOWN_CLIP)
    if clip.disposed:
        return GroundedRuling(_DISPOSED)
    case = Case(context, clip, supposed=supposed)
    if not case.admitted:
        return GroundedRuling(_QUARANTINE)
    if case.wearer == UNKNOWN_OFFICER:
        return GroundedRuling(_UNKNOWN_WEARER)
    if case.wearer_is_contested and case.wearer == person_id:
        return GroundedRuling(_CONTESTED_WEARER)
    if opening_key(context, person_id) is None:
        return GroundedRuling(_NO_OPEN_KEY)
    facts = case.facts(person_id, purpose)
    ruling = with_notes(context, case, combine([decide(context.regime, one) for one in facts]))
    ends = [end for one in facts for authorization in one.authorizations if (end := authorization.expires_at) > one.now]
    return GroundedRuling(ruling, tuple(facts), frozenset(case.digests), min(ends, default=None))


def opening_key(context: PolicyContext, person_id: str) -> ec.EllipticCurvePublicKey | None:
    """The key that a clip can be released to this person with; None without one, and for one that is revoked."""
    try:
        return context.trust.opener("person", person_id, context.now())
    except BadSignatureError:
        return None
