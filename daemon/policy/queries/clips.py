"""`clips`: the clips of a span of time, each with how it stands."""

from __future__ import annotations

from daemon.model import statements as st
from daemon.model.query_results import ListedClip
from daemon.model.times import format_instant
from daemon.policy.cases.clip_case import Case
from daemon.policy.cases.standings import standing_of
from daemon.policy.context import PolicyContext
from daemon.policy.queries.roles import SEES_ALL
from daemon.policy.queries.rows import Found, parts_of

_MOST = 100
"""Clips that one answer looks at: each is weighed anew."""


def find_clips(context: PolicyContext, asked: st.AskedClips, person_id: str) -> Found:
    """The clips asked for, oldest first. Somebody without a role of SEES_ALL gets those they wore."""
    at, dock, clip_id = parts_of(asked.after, 3) or ("", "", "")
    worn_by = None if context.trust.roles(person_id) & SEES_ALL else person_id
    rows = context.store.clips_recorded_in(
        format_instant(asked.since), format_instant(asked.until), (at, dock, clip_id), _MOST, worn_by
    )
    cases = [Case(context, row) for row in rows]
    found = [_listed(context, case, person_id) for case in cases if worn_by is None or case.wearer == worn_by]
    wanted = [clip for clip in found if asked.only == "all" or clip.unclassified or clip.alone]
    last = rows[-1] if len(rows) == _MOST else None
    return Found([*wanted], f"{last.recorded_at} {last.dock_id} {last.clip_id}" if last else None)


def _listed(context: PolicyContext, case: Case, person_id: str) -> ListedClip:
    silent = case.silent()
    clip, seal = case.clip, context.store.statement(case.clip.seal_sha256, st.Seal)
    capture = context.store.statement(clip.capture_sha256, st.Capture) if clip.capture_sha256 else None
    return ListedClip(
        clip_id=clip.clip_id,
        dock_id=clip.dock_id,
        officer_id=case.wearer,
        integrity=seal.integrity,
        recorded=capture is not None,
        started_at=capture.started_at if capture else seal.ingested_at,
        triggered_at=capture.triggered_at if capture else seal.ingested_at,
        stopped_at=capture.stopped_at if capture else seal.ingested_at,
        trigger=capture.trigger_on if capture else "unknown",
        clock_skew_seconds=seal.clock_skew_seconds if capture else 0.0,
        standing=standing_of(context, case),
        unclassified=tuple(name for name in silent if name is not None),
        alone=None in silent,
        clock_doubted=case.skewed,
        conflict=case.testimony.parties.part_of(person_id) or _said_before(case, silent, person_id),
    )


def _said_before(case: Case, silent: list[str | None], person_id: str) -> str | None:
    """That this person's own word still closes what counts as unclassified: another one of theirs would replace it."""
    own = {one.scope for one in case.testimony.classifications if one.word.signer == person_id}
    return "has classified it before, in a word that only closes now" if own & set(silent) else None
