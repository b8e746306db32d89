"""A case: one clip, and from everything attested about it the facts of a ruling, one `Facts` for each incident.

The rules in this file say which attestations count as facts. What the facts permit is the regime's to say.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Literal, TypeVar

from daemon.core.read_order import WEAPONS
from daemon.model import statements as st
from daemon.policy.context import PolicyContext
from daemon.policy.rules.facts import (
    AuthorizationFacts,
    ClipFacts,
    Facts,
    HoldFacts,
    IncidentFacts,
    ReportFacts,
    StatementFacts,
    ViewerFacts,
)
from daemon.policy.store.rows import AnnouncedClipRow, AttestationRow

_STRICTNESS = ("none", "minimal", "nondeadly", "serious", "deadly")
_NO_INCIDENT = "no-incident"
S = TypeVar("S", bound=st.Statement)


class Case:
    """One clip and every attestation about it and its incidents that is not withdrawn, looked up once."""

    def __init__(self, context: PolicyContext, clip: AnnouncedClipRow) -> None:
        """Looks up the clip's incidents and attestations."""
        self._context = context
        self.clip = clip
        self.incidents = context.store.incidents(clip.clip_id)
        self._attestations = context.store.attestations_about(clip.clip_id, self.incidents)

    @property
    def digests(self) -> set[str]:
        """The digests of every attestation that a ruling on this clip rests on."""
        own = {self.clip.seal_sha256, self.clip.tag_sha256, self.clip.capture_sha256}
        return {row.digest for row in self._attestations} | {digest for digest in own if digest}

    @property
    def admitted(self) -> bool:
        """Whether the clip was never in quarantine, or was admitted from it by a correction."""
        if self.clip.integrity in {"verified", "unplayable"}:
            return True
        return any(correction.admit for _, correction in self._of_clip(st.Correction))

    @property
    def wearer(self) -> str:
        """Who wore the camera: the officer that the latest correction names, otherwise the capture's."""
        corrections = [correction for _, correction in self._of_clip(st.Correction) if correction.officer_id]
        latest = max(corrections, key=lambda correction: correction.at, default=None)
        return self.clip.officer_id if latest is None or latest.officer_id is None else latest.officer_id

    @property
    def recorded(self) -> tuple[datetime, str]:
        """When the recording began and what triggered it. Without a capture: when it was ingested, and "unknown"."""
        if self.clip.capture_sha256 is not None:
            capture = self._context.store.statement(self.clip.capture_sha256, st.Capture)
            return capture.started_at, capture.trigger_on
        return self._seal.ingested_at, "unknown"

    def disposal_approvals(self, now: datetime) -> dict[str, str]:
        """Who authorizes that the clip is disposed of at `now`: from each signer to the authorization's digest."""
        found = self._of_clip(st.Authorization)
        for incident_id in self.incidents:
            found += self._of_incident(incident_id, st.Authorization)
        return {
            row.signer: row.digest
            for row, authorization in found
            if "disposal" in authorization.purposes and authorization.issued_at <= now < authorization.expires_at
        }

    def facts(self, person_id: str, purpose: st.Purpose, now: datetime) -> list[Facts]:
        """The facts as they are at `now`: one `Facts` for each incident, or one for a clip that has no incident."""
        viewer = ViewerFacts(person_id=person_id, roles=tuple(sorted(self._context.trust.roles(person_id))))
        if not self.incidents:
            return [self._facts(None, self._no_incident(), viewer, purpose, now)]
        return [self._facts(name, self.classified(name), viewer, purpose, now) for name in self.incidents]

    def classified(self, incident_id: str) -> IncidentFacts:
        """The incident as it is classified: of each signer the latest counts, and of those the strictest.

        A clip whose camera's clock was too far off counts as unclassified until a classification names the clip.
        """
        latest: dict[str, st.Classification] = {}
        for row, classification in self._of_incident(incident_id, st.Classification):
            known = latest.get(row.signer)
            if known is None or classification.classified_at >= known.classified_at:
                latest[row.signer] = classification
        named = any(self.clip.clip_id in classification.clip_ids for classification in latest.values())
        skewed = abs(self._seal.clock_skew_seconds) > self._context.config.max_skew_seconds
        if not latest or (skewed and not named):
            return IncidentFacts(incident_id=incident_id, force="unclassified")
        return strictest(incident_id, list(latest.values()))

    @property
    def _seal(self) -> st.Seal:
        return self._context.store.statement(self.clip.seal_sha256, st.Seal)

    def _no_incident(self) -> IncidentFacts | None:
        """The incident of a clip that was tagged with none: None when it counts as no force, otherwise unclassified.

        It counts as no force only if the dock's signed tag says that dispatch was known up to the end of the clip, and
        only if no weapon triggered the recording.
        """
        tag = self._context.store.statement(self.clip.tag_sha256, st.Tag)
        if self.clip.capture_sha256 is not None and tag.dispatch_as_of is not None:
            capture = self._context.store.statement(self.clip.capture_sha256, st.Capture)
            if tag.dispatch_as_of >= capture.stopped_at and capture.trigger_on not in WEAPONS:
                return None
        return IncidentFacts(incident_id=_NO_INCIDENT, force="unclassified")

    def _facts(
        self,
        incident_id: str | None,
        incident: IncidentFacts | None,
        viewer: ViewerFacts,
        purpose: st.Purpose,
        now: datetime,
    ) -> Facts:
        clip = ClipFacts(
            clip_id=self.clip.clip_id,
            officer_id=self.wearer,
            incident_id=incident.incident_id if incident else None,
            started_at=self.recorded[0],
        )
        return Facts(
            now=now,
            clip=clip,
            incident=incident,
            statements=tuple(
                StatementFacts(officer_id=s.officer_id, to=s.to, form=s.form, given_at=s.given_at)
                for _, s in self._of_incident(incident_id, st.OfficerStatement)
            ),
            reports=tuple(
                ReportFacts(officer_id=r.officer_id, filed_at=r.filed_at)
                for _, r in self._of_incident(incident_id, st.Report)
            ),
            authorizations=self._authorizations(incident_id),
            holds=self._holds(incident_id),
            viewer=viewer,
            purpose=purpose,
        )

    def _authorizations(self, incident_id: str | None) -> tuple[AuthorizationFacts, ...]:
        found = self._of_clip(st.Authorization) + self._of_incident(incident_id, st.Authorization)
        return tuple(
            AuthorizationFacts(
                person_id=authorization.person_id,
                purposes=authorization.purposes,
                issued_at=authorization.issued_at,
                expires_at=authorization.expires_at,
                by=row.signer,
            )
            for row, authorization in found
            if authorization.person_id is not None
        )

    def _holds(self, incident_id: str | None) -> tuple[HoldFacts, ...]:
        """The legal holds in force. Of each hold_id the latest attestation counts."""
        latest: dict[str, tuple[datetime, Literal["placed", "lifted"]]] = {}
        for _, hold in self._of_clip(st.Hold) + self._of_incident(incident_id, st.Hold):
            if hold.hold_id not in latest or hold.at >= latest[hold.hold_id][0]:
                latest[hold.hold_id] = (hold.at, hold.state)
        return tuple(
            HoldFacts(hold_id=name, at=at) for name, (at, state) in sorted(latest.items()) if state == "placed"
        )

    def _of_clip(self, kind: type[S]) -> list[tuple[AttestationRow, S]]:
        read, wanted = self._context.store.statement, (kind.kind, self.clip.clip_id)
        return [(row, read(row.digest, kind)) for row in self._attestations if (row.kind, row.clip_id) == wanted]

    def _of_incident(self, incident_id: str | None, kind: type[S]) -> list[tuple[AttestationRow, S]]:
        if incident_id is None:
            return []
        read, wanted = self._context.store.statement, (kind.kind, incident_id)
        return [(row, read(row.digest, kind)) for row in self._attestations if (row.kind, row.incident_id) == wanted]


def strictest(incident_id: str, classifications: Sequence[st.Classification]) -> IncidentFacts:
    """The strictest of several classifications of one incident, of which there is at least one.

    An officer counts as involved if any of them says so, and a death in custody likewise.
    """
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
