"""Trust versions and attestations. A stored attestation is used only after its signature was verified again."""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import BindParameter, Select, bindparam, delete, false, func, or_, select, true, update

from daemon.custody.log import Rows
from daemon.model import statements as st
from daemon.model.errors import TamperedError
from daemon.model.times import parse_instant
from daemon.policy.store import tables
from daemon.policy.store.rows import AttestationRow
from daemon.policy.store.sql import QueryRunner, insert_if_absent
from daemon.seal import envelope as envelopes
from daemon.seal.trust import Trust
from daemon.seal.verify import Verified

S = TypeVar("S", bound=st.Statement)
_CACHED = 20_000
_DECIDING = ("classification", "statement", "report", "authorization", "hold", "correction")
"""Kinds of attestation that decisions rest on."""

_T, _A = tables.trust.c, tables.attestation.c
_OF = _A.digest == bindparam("of")
_TRUSTS = select(_T.version, _T.envelope).order_by(_T.version)
_NEWEST_TRUST = select(func.max(_T.version))
_ADD_TRUST = insert_if_absent(tables.trust)
_ADD = insert_if_absent(tables.attestation)
_HAS = select(_A.digest).where(_OF)
_KIND_AND_SIGNER = select(_A.kind, _A.signer).where(_OF)
_STORED = select(_A.envelope, _A.trust_version, _A.received_at).where(_OF)
_WITHDRAW = update(tables.attestation).where(_OF).values(withdrawn=true())
_SUBJECT = select(_A.incident_id, _A.clip_id).where(_OF)
_DELETE = delete(tables.attestation).where(_OF)


@functools.cache
def _about(incidents: int) -> Select[Any]:
    """Finds attestations about one clip and about this many incidents."""
    named: list[BindParameter[str]] = [bindparam(f"incident_{number}") for number in range(incidents)]
    return (
        select(_A.digest, _A.signer, _A.kind, _A.incident_id, _A.clip_id)
        .where(
            _A.withdrawn == false(),
            or_(*(_A.kind == kind for kind in _DECIDING)),
            or_(_A.clip_id == bindparam("clip"), *(_A.incident_id == name for name in named)),
        )
        .order_by(_A.received_at, _A.digest)
    )


class Attestations(QueryRunner):
    """The attestations that were accepted, and every trust version they were accepted under."""

    def __init__(self, rows: Rows, dialect: str) -> None:
        """As `QueryRunner`. No trust version is known until `remember_trust` is called."""
        super().__init__(rows, dialect)
        self._trusts: dict[int, Trust] = {}
        self._verified: OrderedDict[str, st.Statement] = OrderedDict()

    # trust: every version that was in force, so that what was signed under it can still be verified

    def trusts(self) -> list[tuple[int, bytes]]:
        """Every trust version that was in force, oldest first: its number and its signed envelope."""
        return [(row[0], bytes(row[1])) for row in self.run(_TRUSTS)]

    def newest_trust(self) -> int:
        """The number of the trust version in force, or 0 before there is one."""
        return int(self.one(_NEWEST_TRUST)[0] or 0)

    def add_trust(self, trust: Trust, envelope: bytes, since: str) -> None:
        """Stores a trust version as it is signed in `envelope`, in force from `since`. Stored again, it stays as is."""
        self.run(_ADD_TRUST, version=trust.version, envelope=envelope, since=since)

    def remember_trust(self, trust: Trust) -> None:
        """Keeps a verified trust version in memory, to verify what was accepted under it."""
        self._trusts[trust.version] = trust

    # attestations

    def add(self, verified: Verified[Any], received_at: str, trust_version: int, officer_id: str | None = None) -> None:
        """Stores an attestation that was verified under `trust_version`. Stored again, it stays as it is."""
        statement = verified.statement
        self.run(
            _ADD,
            digest=verified.digest,
            kind=statement.kind,
            signer=verified.signer.id,
            received_at=received_at,
            trust_version=trust_version,
            incident_id=getattr(statement, "incident_id", None),
            clip_id=getattr(statement, "clip_id", None),
            officer_id=officer_id or getattr(statement, "officer_id", None),
            withdrawn=False,
            envelope=verified.envelope.to_bytes(),
        )
        self._keep(verified.digest, statement)  # its signature was verified a moment ago

    def has(self, digest: str) -> bool:
        """Whether this attestation is stored."""
        return self.one(_HAS, of=digest) is not None

    def kind_and_signer(self, digest: str) -> tuple[str, str] | None:
        """The kind and the signer of a stored attestation, or None when it is not stored."""
        row = self.one(_KIND_AND_SIGNER, of=digest)
        return (row[0], row[1]) if row else None

    def statement(self, digest: str, kind: type[S]) -> S:
        """The payload of a stored attestation. Its signature is verified again, once in each process.

        Raises TamperedError when it is missing, was changed, or is of another kind.
        """
        cached = self._verified.get(digest)
        if cached is None:
            cached = self._keep(digest, self._read_back(digest, kind))
        if not isinstance(cached, kind):
            raise TamperedError(f"the store's attestation {digest[:16]} is a {cached.kind}, not a {kind.kind}")
        return cached

    def attestations_about(self, clip_id: str, incident_ids: Sequence[str]) -> list[AttestationRow]:
        """Every attestation that a decision about the clip may rest on, oldest first. Withdrawn ones are left out."""
        named = {f"incident_{number}": incident for number, incident in enumerate(incident_ids)}
        return [AttestationRow(*row) for row in self.run(_about(len(incident_ids)), clip=clip_id, **named)]

    def withdraw(self, digest: str) -> tuple[str | None, str | None]:
        """Marks an attestation as withdrawn. Returns the incident and the clip it is about."""
        self.run(_WITHDRAW, of=digest)
        row = self.one(_SUBJECT, of=digest)
        return row[0], row[1]

    def delete(self, digest: str) -> None:
        """Deletes an attestation from the database and from memory."""
        self.run(_DELETE, of=digest)
        self._verified.pop(digest, None)

    def _keep(self, digest: str, statement: st.Statement) -> st.Statement:
        self._verified[digest] = statement
        if len(self._verified) > _CACHED:
            self._verified.popitem(last=False)
        return statement

    def _read_back(self, digest: str, kind: type[S]) -> S:
        row = self.one(_STORED, of=digest)
        if row is None:
            raise TamperedError(f"the store lacks attestation {digest[:16]}")
        envelope = envelopes.parse(bytes(row[0]), what=f"attestation {digest[:16]}")
        if envelope.digest != digest:
            raise TamperedError(f"the store's attestation {digest[:16]} was changed")
        _, key = self._trusts[row[1]].signer(envelope.keyid, parse_instant(row[2]))
        envelope.check(key)
        return envelope.statement(kind)
