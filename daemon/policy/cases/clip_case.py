"""A case: one clip, and from what counts about it the facts of a ruling.

One `Facts` is made for each classification that stands, judged alone, and one for each incident that nobody
unconflicted has classified. A clip opens only when each of them would open it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from daemon.model import statements as st
from daemon.model.times import put_right
from daemon.policy.cases.approvals import DisposalApproval, approved_orders, disposal_approvals
from daemon.policy.cases.declarations import declaration_counts, declared
from daemon.policy.cases.hearing import gather, hear
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
from daemon.policy.store.rows import AnnouncedClipRow
from daemon.policy.testimony.testimony import StandingClassification
from daemon.policy.testimony.words import AnyWord, Word

UNKNOWN_OFFICER = "unknown"
"""The wearer of a clip without a capture that verifies, until a correction names one."""


class Case:
    """One clip, with everything attested about it and its incidents, weighed as of one moment."""

    def __init__(
        self,
        context: PolicyContext,
        clip: AnnouncedClipRow,
        now: datetime | None = None,
        supposed: Sequence[AnyWord] = (),
    ) -> None:
        """Looks up and weighs what was attested. `now`: the moment, the service's own if not given.

        `supposed`: words that nobody has given, as if they had been. Nothing may be decided on such a case.
        """
        self._context = context
        self._now = now or context.now()
        gathered = gather(context, clip.clip_id, supposed)
        self._rows = gathered.rows
        self.clip = clip
        self.testimony = hear(context, clip, gathered, self._now)

    @property
    def incidents(self) -> tuple[str, ...]:
        """The incidents that the clip belongs to, by id."""
        return self.testimony.incidents

    @property
    def digests(self) -> set[str]:
        """The digests of every attestation that a ruling on this clip rests on."""
        own = {self.clip.seal_sha256, self.clip.tag_sha256, self.clip.capture_sha256}
        return {row.digest for row in self._rows} | {digest for digest in own if digest}

    @property
    def admitted(self) -> bool:
        """Whether the clip was never in quarantine, or was admitted from it by somebody unconflicted."""
        if self.clip.integrity in {"verified", "unplayable"}:
            return True
        corrections = self.testimony.corrections()
        return any(word.statement.admit and not self.testimony.withdrawn(word) for word in corrections)

    @property
    def wearer(self) -> str:
        """Who wore the camera: the officer whom the latest correction names, otherwise the capture's."""
        correction = self._wearing()
        return self.clip.officer_id if correction is None else str(correction.statement.officer_id)

    @property
    def wearer_is_contested(self) -> bool:
        """Whether the correction that names the wearer was withdrawn by somebody who may not decide that.

        Then it opens nothing to the wearer any more, and does not hand the clip back to the officer before either.
        """
        correction = self._wearing()
        return correction is not None and self.testimony.withdrawn(correction)

    @property
    def recorded(self) -> tuple[datetime, str]:
        """When the recording began and what triggered it. Without a capture: when it was ingested, and "unknown"."""
        if self.clip.capture_sha256 is not None:
            capture = self._context.store.statement(self.clip.capture_sha256, st.Capture)
            return capture.started_at, capture.trigger_on
        return self._seal.ingested_at, "unknown"

    @property
    def kept_from(self) -> datetime:
        """When retention counts from: the recording, put right where the camera's clock lagged behind the dock's."""
        return put_right(self.recorded[0], min(0.0, self._seal.clock_skew_seconds))

    def disposal_approval(self) -> DisposalApproval | None:
        """The authorization to dispose of the clip that chief and records have signed, in force now; or None."""
        whole = [
            word
            for word in self.testimony.authorizations()
            if word.statement.clip_id is not None or (word.statement.incident_id,) == self.incidents
        ]
        return next(iter(disposal_approvals(whole, self._now)), None)

    def facts(self, person_id: str, purpose: st.Purpose) -> list[Facts]:
        """The facts as they are now, of which each has to open the clip."""
        viewer = ViewerFacts(person_id=person_id, roles=tuple(sorted(self._context.trust.roles(person_id))))
        incidents = self.judged_alone()
        if purpose == "report" and declaration_counts(self._context, self, person_id):
            incidents = declared(incidents)
        return [self._facts(incident, viewer, purpose) for incident in incidents]

    def judged_alone(self) -> list[IncidentFacts]:
        """Every classification that stands, and every incident that nobody unconflicted has classified."""
        standing = self.testimony.classifications
        everybody = {officer for one in standing for officer in one.word.statement.involved}
        found = [self._alone(one, standing, everybody) for one in standing]
        found += [IncidentFacts(incident_id=name, force="unclassified") for name in self.silent()]
        return sorted(dict.fromkeys(found), key=lambda incident: (incident.incident_id or "", repr(incident)))

    def silent(self) -> list[str | None]:
        """The incidents that nobody unconflicted has classified; None for the clip itself, if it has no incident.

        Whoever classifies the clip itself speaks for all of them. Where the camera's clock was too far off, only a
        classification that names the clip counts: the incident may be another one's.
        """
        heard = {
            one.scope
            for one in self.testimony.classifications
            if one.opens and (not self.skewed or self.clip.clip_id in one.word.statement.clip_ids)
        }
        if None in heard:
            return []
        silent: list[str | None] = [name for name in self.incidents if name not in heard]
        if not self.testimony.vouched:  # only conflicted words attach it to any incident
            silent.append(None)
        return silent

    @property
    def skewed(self) -> bool:
        """Whether the camera's clock was too far off to say which incident the clip belongs to."""
        worst = max(abs(self._context.store.statement(digest, st.Seal).clock_skew_seconds) for digest in self._seals)
        return worst > self._context.config.max_skew_seconds

    @property
    def _seals(self) -> list[str]:
        """The seals of the clip at every dock that has it: a copy takes no doubt away."""
        copies = self._context.store.copies(self.clip.clip_id)
        return [copy.seal_sha256 for copy in copies if not copy.disposed] or [self.clip.seal_sha256]

    def _wearing(self) -> Word[st.Correction] | None:
        named = [word for word in self.testimony.corrections() if word.statement.officer_id is not None]
        return named[-1] if named else None

    @property
    def _seal(self) -> st.Seal:
        return self._context.store.statement(self.clip.seal_sha256, st.Seal)

    @staticmethod
    def _alone(
        one: StandingClassification, standing: Iterable[StandingClassification], everybody: set[str]
    ) -> IncidentFacts:
        """One classification, with everybody whom any of them calls involved in that incident.

        Whom only a conflicted signer calls involved counts as involved, and may not view for that.
        """
        statement = one.word.statement
        same = [other for other in standing if other.scope == one.scope]
        involved = {officer for other in same for officer in other.word.statement.involved}
        vouched = {officer for other in same if other.opens for officer in other.word.statement.involved}
        return IncidentFacts(
            incident_id=statement.incident_id,
            force=statement.force,
            in_custody_death=statement.in_custody_death,
            involved=tuple(sorted(involved)),
            claimed=tuple(sorted(involved - vouched)),
            witnesses=tuple(sorted(set(statement.witnesses) - everybody)),
            occurred_at=statement.occurred_at,
        )

    def _facts(self, incident: IncidentFacts, viewer: ViewerFacts, purpose: st.Purpose) -> Facts:
        scope, said = incident.incident_id, self.testimony
        clip = ClipFacts(
            clip_id=self.clip.clip_id, officer_id=self.wearer, incident_id=scope, started_at=self.recorded[0]
        )
        return Facts(
            now=self._now,
            clip=clip,
            incident=incident,
            statements=tuple(
                StatementFacts(officer_id=s.officer_id, to=s.to, form=s.form, given_at=s.given_at)
                for s in (word.statement for word in said.accounts(st.OfficerStatement, scope))
                if isinstance(s, st.OfficerStatement)
            ),
            reports=tuple(
                ReportFacts(officer_id=r.officer_id, filed_at=r.filed_at)
                for r in (word.statement for word in said.accounts(st.Report, scope))
                if isinstance(r, st.Report)
            ),
            authorizations=self._authorizations(scope),
            holds=tuple(HoldFacts(hold_id=name, at=at) for name, at in sorted(said.holds().items())),
            viewer=viewer,
            purpose=purpose,
        )

    def _authorizations(self, scope: str | None) -> tuple[AuthorizationFacts, ...]:
        words = [
            word
            for word in self.testimony.authorizations()
            if word.statement.person_id is not None
            and (word.statement.clip_id is not None or word.statement.incident_id == scope)
        ]
        by_chief = [
            (word.statement, (word.signer,))
            for word in words
            if word.statement.court_order is None and "chief" in word.roles
        ]
        return tuple(
            AuthorizationFacts(
                person_id=str(statement.person_id),
                purposes=statement.purposes,
                issued_at=statement.issued_at,
                expires_at=statement.expires_at,
                court_order=statement.court_order,
                by=by,
            )
            for statement, by in (*by_chief, *approved_orders(words))
        )
