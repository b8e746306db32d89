"""What people were answered to their attestations, and how many attestations and notices were refused."""

from __future__ import annotations

from sqlalchemy import bindparam, select

from daemon.policy.store import tables
from daemon.policy.store.sql import QueryRunner, insert_or_increment, upsert

_A, _F = tables.answer.c, tables.refusal.c
_ANSWER = select(_A.reason).where(_A.digest == bindparam("of"))
_PUT_ANSWER = upsert(tables.answer)
_COUNT_REFUSAL = insert_or_increment(tables.refusal, "count")
_REFUSALS = select(_F.kind, _F.error, _F.count).order_by(_F.kind, _F.error)


class AttestationAnswers(QueryRunner):
    """AttestationAnswers to attestations, and counted refusals."""

    def answer(self, digest: str) -> tuple[bool, str | None] | None:
        """Whether this attestation was accepted, and if not, why. None when it was not answered."""
        row = self.one(_ANSWER, of=digest)
        return None if row is None else (row[0] is None, row[0])

    def put_answer(self, digest: str, reason: str | None) -> None:
        """Stores the answer to an attestation: accepted when `reason` is None, otherwise why it was refused."""
        # PostgreSQL text cannot hold a null character, and the reason may quote what a stranger wrote
        self.run(_PUT_ANSWER, digest=digest, reason=reason and reason.replace("\0", "\ufffd"))

    def count_refusal(self, kind: str, error: str) -> None:
        """Counts one more refusal of this kind of message for this error."""
        self.run(_COUNT_REFUSAL, kind=kind, error=error, count=1)

    def refusals(self) -> dict[str, int]:
        """How many messages were refused, by `<kind>: <error>`."""
        return {f"{kind}: {error}": count for kind, error, count in self.run(_REFUSALS)}
