"""`words`: what people have attested about a clip or an incident, and which of it can only close."""

from __future__ import annotations

from daemon.model import statements as st
from daemon.model.errors import InconsistentError, SignerNotAllowedError
from daemon.model.query_results import ListedWord
from daemon.model.times import parse_instant
from daemon.policy.cases.hearing import gather, hear, hear_incident, word_of
from daemon.policy.context import PolicyContext
from daemon.policy.queries.roles import SEES_ALL, require
from daemon.policy.queries.rows import Found, parts_of
from daemon.policy.store.rows import AttestationRow
from daemon.policy.testimony.testimony import Testimony

_MOST = 200


def find_words(context: PolicyContext, asked: st.AskedWords, person_id: str) -> Found:
    """The attestations asked for, in the order in which they came. Raises SignerNotAllowedError, InconsistentError."""
    require(context, person_id, SEES_ALL, "what was attested is")
    rows, testimony = _heard(context, asked)
    part = testimony.parties.part_of(person_id)
    if part is not None:
        raise SignerNotAllowedError(f"{person_id} {part}: somebody who was not there may ask")
    after = parts_of(asked.after, 3)
    ordered = sorted((row.received_at, row.digest, row.signer, row) for row in rows)
    rest = [one[3] for one in ordered if after is None or one[:3] > after]
    last = rest[_MOST - 1] if len(rest) > _MOST else None
    found = [_listed(context, row, testimony) for row in rest[:_MOST]]
    return Found([*found], f"{last.received_at} {last.digest} {last.signer}" if last else None)


def _heard(context: PolicyContext, asked: st.AskedWords) -> tuple[list[AttestationRow], Testimony]:
    now = context.now()
    if asked.incident_id is not None:
        rows = context.store.attestations_about("", [asked.incident_id])
        return rows, hear_incident(context, asked.incident_id, rows, now)
    clip = context.store.clip(str(asked.clip_id))
    if clip is None:
        raise InconsistentError(f"no dock has announced clip {asked.clip_id}")
    gathered = gather(context, clip.clip_id)
    return gathered.rows, hear(context, clip, gathered, now)


def _listed(context: PolicyContext, row: AttestationRow, testimony: Testimony) -> ListedWord:
    word = word_of(context, row)
    return ListedWord(
        digest=row.digest,
        kind=row.kind,
        signer=row.signer,
        roles=tuple(sorted(word.roles)),
        received_at=parse_instant(row.received_at),
        statement=word.statement.plain(),
        withdrawn=testimony.withdrawn(word),
        trusted=word.trusted,
        conflict=testimony.parties.part_of(row.signer),
    )
