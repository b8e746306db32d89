"""A new trust version: what it touches is decided again, and nothing else."""

from __future__ import annotations

from daemon.model.times import format_instant
from daemon.policy.cases.subjects import Subject, touched
from daemon.policy.context import PolicyContext
from daemon.seal.trust import Trust


def reconsider_touched(context: PolicyContext, before: Trust, after: Trust) -> None:
    """Has the clips reconsidered that a change of trust touches.

    These are the clips that somebody asked for or was released whose keys or roles changed, or who left; and those that
    rest on a word of somebody whose key is revoked now, or from another time than before.
    """
    clips: set[str] = set()
    for person in sorted(_changed(before, after)):
        clips.update(context.store.clips_asked_by(person))
    for person in sorted(_revoked(context, before, after)):
        for digest, incident_id, clip_id in context.store.signed_by(person):
            about = Subject(incident_id, clip_id, tuple(context.store.clips_named(digest)))
            clips |= touched(context.store, about)
    now = context.now()
    times = {now} | {since for key in _rerevoked(before, after) if (since := after.revoked_since(key)) and since > now}
    for at in sorted(times):  # a key may be revoked from a time to come
        context.store.add_pending(clips, format_instant(at))


def _changed(before: Trust, after: Trust) -> set[str]:
    """People whose enrolment differs, and owners of keys whose revocation does."""
    was, now = before.statement.people, after.statement.people
    people = {person for person in was.keys() | now.keys() if was.get(person) != now.get(person)}
    keys = _rerevoked(before, after)
    return people | {
        person for trust in (before, after) for key in keys if (person := trust.person_of(key)) is not None
    }


def _revoked(context: PolicyContext, before: Trust, after: Trust) -> set[str]:
    """People any of whose keys, now or under an earlier trust, is revoked otherwise than before."""
    keys = _rerevoked(before, after)
    known = [context.store.trust_of(version) for version, _ in context.store.trusts()] if keys else []
    owners = {trust.person_of(key) for trust in (*known, after) for key in keys}
    return {person for person in owners if person is not None}


def _rerevoked(before: Trust, after: Trust) -> set[str]:
    keys = {revoked.keyid for trust in (before, after) for revoked in trust.statement.revoked}
    return {key for key in keys if before.revoked_since(key) != after.revoked_since(key)}
