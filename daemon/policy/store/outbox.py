"""What is to be said and done: the outbox, answers and refusals that were given, clips to be looked at again."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import bindparam, delete, select, true

from daemon.policy.store import tables
from daemon.policy.store.sql import Statements, add, append, count_up, put

_M, _A, _F, _O, _P = tables.meta.c, tables.answer.c, tables.refusal.c, tables.outbox.c, tables.pending.c
_GET = select(_M.value).where(_M.key == bindparam("of"))
_SET = put(tables.meta)
_UNSET = delete(tables.meta).where(_M.key == bindparam("of"))
_ANSWER = select(_A.reason).where(_A.digest == bindparam("of"))
_PUT_ANSWER = put(tables.answer)
_COUNT_REFUSAL = count_up(tables.refusal, "count")
_REFUSALS = select(_F.kind, _F.error, _F.count).order_by(_F.kind, _F.error)
_DROP_OLDER = delete(tables.outbox).where(_O.topic == bindparam("on"), _O.retain == true())
_POST = append(tables.outbox)
_WAITING = select(_O.id).where(_O.topic == bindparam("on"), _O.payload == bindparam("said")).limit(1)
_POSTED = select(tables.outbox).where(_O.id > bindparam("after")).order_by(_O.id).limit(bindparam("most"))
_SENT = delete(tables.outbox).where(_O.id == bindparam("of"))
_POSTPONE = add(tables.pending)
_DUE = select(_P.clip_id).where(_P.at <= bindparam("now")).order_by(_P.at, _P.clip_id).limit(bindparam("most"))
_TAKEN_UP = delete(tables.pending).where(_P.clip_id == bindparam("of"), _P.at <= bindparam("now"))


class Outbox(Statements):
    """What waits."""

    def get(self, key: str) -> str | None:
        """A value by its name."""
        row = self.one(_GET, of=key)
        return row[0] if row else None

    def set(self, key: str, value: str) -> None:
        self.run(_SET, key=key, value=value)

    def unset(self, key: str) -> None:
        self.run(_UNSET, of=key)

    # answers, refusals

    def answer(self, digest: str) -> tuple[bool, str | None] | None:
        """What was answered to an attestation: accepted or not, and why not."""
        row = self.one(_ANSWER, of=digest)
        return None if row is None else (row[0] is None, row[0])

    def put_answer(self, digest: str, reason: str | None) -> None:
        # PostgreSQL has no text with a null character; what a stranger wrote may be quoted in the reason
        self.run(_PUT_ANSWER, digest=digest, reason=reason and reason.replace("\0", "\ufffd"))

    def count_refusal(self, kind: str, error: str) -> None:
        self.run(_COUNT_REFUSAL, kind=kind, error=error, count=1)

    def refusals(self) -> dict[str, int]:
        return {f"{kind}: {error}": count for kind, error, count in self.run(_REFUSALS)}

    # the outbox

    def post(self, topic: str, payload: bytes, *, retain: bool) -> None:
        """To be published once this transaction is durable, and until the broker has it.

        A retained topic keeps only its newest message.
        """
        if retain:
            self.run(_DROP_OLDER, on=topic)
        self.run(_POST, topic=topic, payload=payload, retain=retain)

    def post_once(self, topic: str, payload: bytes) -> None:
        """As `post`, unless the same message waits already."""
        if self.one(_WAITING, on=topic, said=payload) is None:
            self.post(topic, payload, retain=False)

    def posted(self, after: int, limit: int) -> list[tuple[int, str, bytes, bool]]:
        rows = self.run(_POSTED, after=after, most=limit)
        return [(row[0], row[1], bytes(row[2]), bool(row[3])) for row in rows]

    def sent(self, post_id: int) -> None:
        self.run(_SENT, of=post_id)

    # clips to be looked at again

    def look_again(self, clip_ids: Iterable[str], at: str) -> None:
        """Not before `at`, and should we end meanwhile, whoever comes after us."""
        for clip_id in sorted(clip_ids):
            self.run(_POSTPONE, clip_id=clip_id, at=at)

    def take_up(self, now: str, most: int) -> list[str]:
        """AnnouncedClips to be looked at again by now, those that wait longest first; they wait no longer."""
        found = list(dict.fromkeys(row[0] for row in self.run(_DUE, now=now, most=most)))
        for clip_id in found:
            self.run(_TAKEN_UP, of=clip_id, now=now)
        return found
