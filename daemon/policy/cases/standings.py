"""The standing of a clip, published for the status page: its force, what its officers still owe, and until when."""

from __future__ import annotations

import hashlib

from daemon.model import strict_json
from daemon.model.documents import Standing
from daemon.model.times import format_instant
from daemon.policy.cases.clip_case import Case
from daemon.policy.context import PolicyContext
from daemon.policy.rules.decide import clip_standing

_FORCES = ("none", "minimal", "nondeadly", "serious", "deadly", "unclassified")


def standing_of(context: PolicyContext, case: Case) -> Standing:
    """How the clip stands now, whoever asks."""
    standings = [clip_standing(context.regime, facts) for facts in case.facts(case.wearer, "report")]
    due = min((standing.due for standing in standings if standing.due), default=None)
    return Standing(
        clip_id=case.clip.clip_id,
        incidents=tuple(case.incidents),
        force=max((standing.force for standing in standings), key=_FORCES.index),
        needs=tuple(dict.fromkeys(need for standing in standings for need in standing.needs)),
        due=due,
        overdue=any(standing.overdue for standing in standings),
    )


def publish_standing(context: PolicyContext, case: Case) -> None:
    """Publishes the clip's standing if it differs from what was published last."""
    clip, document = case.clip, standing_of(context, case)
    data = strict_json.dump(document.plain())
    fingerprint = hashlib.sha256(data).hexdigest()
    if context.store.standing_fingerprint(clip.dock_id, clip.clip_id) != fingerprint:
        until = format_instant(document.due) if document.due else None
        context.store.put_standing(clip.dock_id, clip.clip_id, fingerprint, until, document.overdue)
        context.store.enqueue(context.topics.standing(clip.dock_id, clip.clip_id), data, retain=True)
