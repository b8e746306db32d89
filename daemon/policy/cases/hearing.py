"""Hearing a clip: everything attested about it is looked up, verified, and weighed (`daemon.policy.testimony`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from daemon.model import statements as st
from daemon.model.times import parse_instant
from daemon.policy.context import PolicyContext
from daemon.policy.store.rows import AnnouncedClipRow, AttestationRow
from daemon.policy.testimony.testimony import OtherClips, Testimony, weigh
from daemon.policy.testimony.words import AnyWord, Word
from daemon.seal.verify import newest_time


@dataclass(frozen=True, slots=True)
class Gathered:
    """Everything attested about a clip and about every incident it belongs to, or was ever said to belong to.

    `tagged`: the incidents that docks tagged it with. `incidents`: these, and those that any word attaches it to, also
    one of the `supposed` ones, which nobody has given.
    """

    tagged: list[str]
    incidents: list[str]
    rows: list[AttestationRow]
    supposed: Sequence[AnyWord]


def gather(context: PolicyContext, clip_id: str, supposed: Sequence[AnyWord] = ()) -> Gathered:
    """Looks up what was attested about a clip."""
    store = context.store
    tagged = store.incidents(clip_id)
    incidents = sorted({*tagged, *store.incidents_named(clip_id), *_attaching(clip_id, supposed)})
    return Gathered(tagged, incidents, store.attestations_about(clip_id, incidents), supposed)


def hear(context: PolicyContext, clip: AnnouncedClipRow, gathered: Gathered, now: datetime) -> Testimony:
    """What counts about a clip at `now`."""
    others = {name: _clips_of(context, name, now) for name in gathered.incidents}
    words = [*(word_of(context, row) for row in gathered.rows), *gathered.supposed]
    return weigh(clip.clip_id, clip.officer_id, gathered.tagged, words, others, now)


def hear_incident(context: PolicyContext, incident_id: str, rows: list[AttestationRow], now: datetime) -> Testimony:
    """What counts about an incident itself at `now`, as for a clip of it that nobody wore. `rows`: all about it."""
    others = {incident_id: _clips_of(context, incident_id, now)}
    return weigh("", "", [incident_id], [word_of(context, row) for row in rows], others, now)


def _attaching(clip_id: str, words: Iterable[AnyWord]) -> set[str]:
    """The incidents that these classifications would attach a clip to."""
    said = (word.statement for word in words if isinstance(word.statement, st.Classification))
    return {one.incident_id for one in said if one.incident_id is not None and clip_id in one.clip_ids}


def word_of(context: PolicyContext, row: AttestationRow) -> AnyWord:
    """An attestation with what its signer was when it was accepted, and whether their key is trusted for it still."""
    statement = context.store.statement(row.digest, st.KINDS[row.kind], row.signer)
    then = context.store.trust_of(row.trust_version)
    moment = newest_time(statement) or parse_instant(row.received_at)
    since = context.trust.revoked_since(then.person_keyid(row.signer))
    trusted = since is None or (moment < since and parse_instant(row.received_at) < since)
    return Word(row.digest, row.signer, then.roles(row.signer), moment, trusted, statement)


def _clips_of(context: PolicyContext, incident_id: str, now: datetime) -> OtherClips:
    """What the clips of an incident say about who was there. Many requests in one transaction ask for the same."""
    store = context.store
    found: OtherClips | None = store.remembered.get(incident_id)
    if found is None:
        words: dict[str, list[AnyWord]] = {}
        for clip_id, row in store.corrections_in(incident_id):
            if (word := word_of(context, row)).moment <= now:
                words.setdefault(clip_id, []).append(word)
        beside = [word for row in store.words_beside(incident_id) if (word := word_of(context, row)).moment <= now]
        found = OtherClips(store.captured_by(incident_id), store.attached_to(incident_id), words, beside)
        store.remembered[incident_id] = found
    return found
