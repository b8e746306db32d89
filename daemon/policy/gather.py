"""From verified attestations to the facts of one decision: one `Facts` for each incident the clip belongs to.

The rules applied here are those about which facts stand, not about what they permit: that is the regime's.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal

from daemon.model import statements as st
from daemon.policy.desk import Desk
from daemon.policy.facts import (
    AuthorizationFacts,
    ClipFacts,
    Facts,
    HoldFacts,
    IncidentFacts,
    ReportFacts,
    StatementFacts,
    Viewer,
)
from daemon.policy.store import ClipRow

_STRICTNESS = ("none", "minimal", "nondeadly", "serious", "deadly")
_WEAPONS = {"sidearm", "conducted_energy_weapon"}
_NO_INCIDENT = "no-incident"


def gather(desk: Desk, clip: ClipRow, person_id: str, purpose: st.Purpose, now: datetime) -> list[Facts]:
    """The facts as they stand at `now`, an incident each; one without an incident for a clip that belongs to none."""
    incidents = desk.store.incidents(clip.clip_id)
    viewer = Viewer(person_id=person_id, roles=tuple(sorted(desk.trust.roles(person_id))))
    if not incidents:
        return [_facts(desk, clip, None, _no_incident(desk, clip), viewer, purpose, now)]
    return [
        _facts(desk, clip, incident_id, classified(desk, clip, incident_id), viewer, purpose, now)
        for incident_id in incidents
    ]


def admitted(desk: Desk, clip: ClipRow) -> bool:
    """Whether the clip is out of quarantine, or never was in it."""
    if clip.integrity in {"verified", "unplayable"}:
        return True
    return any(correction.admit for _, _, correction in desk.store.about_clip(clip.clip_id, st.Correction))


def wearer(desk: Desk, clip: ClipRow) -> str:
    """Who wore the camera: what the capture says, or the latest correction."""
    corrections = [c for _, _, c in desk.store.about_clip(clip.clip_id, st.Correction) if c.officer_id]
    latest = max(corrections, key=lambda correction: correction.at, default=None)
    return clip.officer_id if latest is None or latest.officer_id is None else latest.officer_id


def classified(desk: Desk, clip: ClipRow, incident_id: str) -> IncidentFacts:
    """The incident as it stands classified: the latest of each signer, and of those the strictest.

    A clip whose camera's clock was too far off counts as unclassified until a classification names it.
    """
    latest: dict[str, st.Classification] = {}
    for _, signer, classification in desk.store.about_incident(incident_id, st.Classification):
        known = latest.get(signer)
        if known is None or classification.classified_at >= known.classified_at:
            latest[signer] = classification
    seal = desk.store.statement(clip.seal_sha256, st.Seal)
    named = any(clip.clip_id in classification.clip_ids for classification in latest.values())
    if not latest or (abs(seal.clock_skew_seconds) > desk.config.max_skew_seconds and not named):
        return IncidentFacts(incident_id=incident_id, force="unclassified")
    return strictest(incident_id, list(latest.values()))


def strictest(incident_id: str, classifications: Sequence[st.Classification]) -> IncidentFacts:
    """Of several standing classifications the strictest; all officers that any of them calls involved are."""
    strict = max(classifications, key=lambda c: (_STRICTNESS.index(c.force), c.occurred_at))
    involved = {officer for c in classifications for officer in c.involved}
    witnesses = {officer for c in classifications for officer in c.witnesses} - involved
    return IncidentFacts(
        incident_id=incident_id,
        force=strict.force,
        in_custody_death=any(c.in_custody_death for c in classifications),
        involved=tuple(sorted(involved)),
        witnesses=tuple(sorted(witnesses)),
        occurred_at=min(c.occurred_at for c in classifications),
    )


def _no_incident(desk: Desk, clip: ClipRow) -> IncidentFacts | None:
    """A clip of no incident counts as no force only on the dock's signed word that dispatch had spoken past its end."""
    tag = desk.store.statement(clip.tag_sha256, st.Tag)
    if clip.capture_sha256 is not None and tag.dispatch_as_of is not None:
        capture = desk.store.statement(clip.capture_sha256, st.Capture)
        if tag.dispatch_as_of >= capture.stopped_at and capture.trigger_on not in _WEAPONS:
            return None
    return IncidentFacts(incident_id=_NO_INCIDENT, force="unclassified")


def _facts(
    desk: Desk,
    clip: ClipRow,
    incident_id: str | None,
    incident: IncidentFacts | None,
    viewer: Viewer,
    purpose: st.Purpose,
    now: datetime,
) -> Facts:
    statements = desk.store.about_incident(incident_id, st.OfficerStatement) if incident_id else []
    reports = desk.store.about_incident(incident_id, st.Report) if incident_id else []
    return Facts(
        now=now,
        clip=ClipFacts(
            clip_id=clip.clip_id,
            officer_id=wearer(desk, clip),
            incident_id=incident.incident_id if incident else None,
            started_at=recorded(desk, clip)[0],
        ),
        incident=incident,
        statements=tuple(
            StatementFacts(officer_id=s.officer_id, to=s.to, form=s.form, given_at=s.given_at) for _, _, s in statements
        ),
        reports=tuple(ReportFacts(officer_id=r.officer_id, filed_at=r.filed_at) for _, _, r in reports),
        authorizations=_authorizations(desk, clip, incident_id),
        holds=_holds(desk, clip, incident_id),
        viewer=viewer,
        purpose=purpose,
    )


def recorded(desk: Desk, clip: ClipRow) -> tuple[datetime, str]:
    """When the clip was recorded (its start) and what triggered it; without a capture, when it was taken in."""
    if clip.capture_sha256 is not None:
        capture = desk.store.statement(clip.capture_sha256, st.Capture)
        return capture.started_at, capture.trigger_on
    return desk.store.statement(clip.seal_sha256, st.Seal).ingested_at, "unknown"


def _authorizations(desk: Desk, clip: ClipRow, incident_id: str | None) -> tuple[AuthorizationFacts, ...]:
    found = desk.store.about_clip(clip.clip_id, st.Authorization)
    if incident_id:
        found += desk.store.about_incident(incident_id, st.Authorization)
    return tuple(
        AuthorizationFacts(
            person_id=authorization.person_id,
            purposes=authorization.purposes,
            issued_at=authorization.issued_at,
            expires_at=authorization.expires_at,
            by=signer,
        )
        for _, signer, authorization in found
        if authorization.person_id is not None
    )


def _holds(desk: Desk, clip: ClipRow, incident_id: str | None) -> tuple[HoldFacts, ...]:
    """Holds in force: each hold_id's latest word counts."""
    found = desk.store.about_clip(clip.clip_id, st.Hold)
    if incident_id:
        found += desk.store.about_incident(incident_id, st.Hold)
    latest: dict[str, tuple[datetime, Literal["placed", "lifted"]]] = {}
    for _, _, hold in found:
        if hold.hold_id not in latest or hold.at >= latest[hold.hold_id][0]:
            latest[hold.hold_id] = (hold.at, hold.state)
    return tuple(HoldFacts(hold_id=name, at=at) for name, (at, state) in sorted(latest.items()) if state == "placed")
