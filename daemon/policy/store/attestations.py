"""Trust versions and attestations. What was stored is read back only after its signature held again."""

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
from daemon.policy.store.sql import Statements, add
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
_ADD_TRUST = add(tables.trust)
_ADD = add(tables.attestation)
_HAS = select(_A.digest).where(_OF)
_SIGNER = select(_A.kind, _A.signer).where(_OF)
_STORED = select(_A.envelope, _A.trust_version, _A.received_at).where(_OF)
_WITHDRAW = update(tables.attestation).where(_OF).values(withdrawn=true())
_SUBJECT = select(_A.incident_id, _A.clip_id).where(_OF)
_DELETE = delete(tables.attestation).where(_OF)


@functools.cache
def _about(incidents: int) -> Select[Any]:
    """About a clip and so many incidents."""
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


class Attestations(Statements):
    """What was accepted, under which trust."""

    def __init__(self, rows: Rows, dialect: str) -> None:
        super().__init__(rows, dialect)
        self._trusts: dict[int, Trust] = {}
        self._read: OrderedDict[str, st.Statement] = OrderedDict()

    # trust: every version that was in force, so that what was signed under it stays verifiable

    def trusts(self) -> list[tuple[int, bytes]]:
        return [(row[0], bytes(row[1])) for row in self.run(_TRUSTS)]

    def newest_trust(self) -> int:
        """The version in force, 0 before there is one."""
        return int(self.one(_NEWEST_TRUST)[0] or 0)

    def add_trust(self, trust: Trust, envelope: bytes, since: str) -> None:
        self.run(_ADD_TRUST, version=trust.version, envelope=envelope, since=since)

    def know_trust(self, trust: Trust) -> None:
        """A verified version, for reading back what was accepted under it."""
        self._trusts[trust.version] = trust

    # attestations

    def add(self, verified: Verified[Any], received_at: str, trust_version: int, officer_id: str | None = None) -> None:
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
        self._keep(verified.digest, statement)  # its signature held a moment ago

    def has(self, digest: str) -> bool:
        return self.one(_HAS, of=digest) is not None

    def signer(self, digest: str) -> tuple[str, str] | None:
        """Kind and signer of a stored attestation."""
        row = self.one(_SIGNER, of=digest)
        return (row[0], row[1]) if row else None

    def statement(self, digest: str, kind: type[S]) -> S:
        """A stored attestation's payload, its signature verified again (once a process). Raises TamperedError."""
        cached = self._read.get(digest)
        if cached is None:
            cached = self._keep(digest, self._read_back(digest, kind))
        if not isinstance(cached, kind):
            raise TamperedError(f"the store's attestation {digest[:16]} is a {cached.kind}, not a {kind.kind}")
        return cached

    def about(self, clip_id: str, incident_ids: Sequence[str]) -> list[AttestationRow]:
        """Every standing attestation that a decision about the clip may rest on, oldest first."""
        named = {f"incident_{number}": incident for number, incident in enumerate(incident_ids)}
        return [AttestationRow(*row) for row in self.run(_about(len(incident_ids)), clip=clip_id, **named)]

    def withdraw(self, digest: str) -> tuple[str | None, str | None]:
        """Marks an attestation withdrawn; returns its incident and clip."""
        self.run(_WITHDRAW, of=digest)
        row = self.one(_SUBJECT, of=digest)
        return row[0], row[1]

    def delete(self, digest: str) -> None:
        """Destroys an attestation."""
        self.run(_DELETE, of=digest)
        self._read.pop(digest, None)

    def _keep(self, digest: str, statement: st.Statement) -> st.Statement:
        self._read[digest] = statement
        if len(self._read) > _CACHED:
            self._read.popitem(last=False)
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
