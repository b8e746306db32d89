"""Trust versions and attestations. A stored attestation is used only after its signature was verified again.

An attestation is named by its digest and its signer: two people may sign the same words, and each word counts by who
gave it. Of what machines sign the digest alone says enough.
"""

from __future__ import annotations

import functools
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar, get_args

from sqlalchemy import BindParameter, Select, bindparam, delete, false, func, or_, select, union

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
_DECIDING = get_args(st.DecidingKind)
_SAYS_WHO_WAS_THERE = frozenset({"classification", "correction", "withdrawal"})

_T, _A, _N, _I = tables.trust.c, tables.attestation.c, tables.named_clip.c, tables.clip_incident.c
_OF = _A.digest == bindparam("of")
_BY = _A.signer == bindparam("by")
_TRUSTS = select(_T.version, _T.envelope).order_by(_T.version)
_NEWEST_TRUST = select(func.max(_T.version))
_ADD_TRUST = insert_if_absent(tables.trust)
_ADD = insert_if_absent(tables.attestation)
_ADD_NAMED = insert_if_absent(tables.named_clip)
_HAS = select(_A.digest).where(_OF).limit(1)
_HAS_BY = select(_A.digest).where(_OF, _BY)
_ROW = (_A.digest, _A.signer, _A.kind, _A.received_at, _A.trust_version)
_FIND = select(*_ROW, _A.incident_id, _A.clip_id).where(_OF).order_by(_A.signer)
_STORED = select(_A.envelope, _A.trust_version, _A.received_at).where(_OF).order_by(_A.signer).limit(1)
_STORED_BY = select(_A.envelope, _A.trust_version, _A.received_at).where(_OF, _BY)
_DELETE = delete(tables.attestation).where(_OF)
_COUNTS = _A.withdrawn == false()  # a store of schema 2 marked there what was withdrawn
_NAMED = select(_N.incident_id, _N.digest, _N.signer).where(_N.clip_id == bindparam("clip"))
_CLIPS_NAMED = select(_N.clip_id).where(_N.digest == bindparam("of")).distinct().order_by(_N.clip_id)
_ROW_BY = select(*_ROW).where(_OF, _BY, _COUNTS)
_CORRECTS = (or_(_A.kind == "correction", _A.kind == "withdrawal"), _COUNTS)
_CORRECTIONS = union(
    select(_A.clip_id, *_ROW)
    .join(tables.clip_incident, _I.clip_id == _A.clip_id)
    .where(_I.incident_id == bindparam("incident"), *_CORRECTS),
    select(_A.clip_id, *_ROW)
    .join(tables.named_clip, _N.clip_id == _A.clip_id)
    .where(_N.incident_id == bindparam("incident"), *_CORRECTS),
)
_ATTACHING = tables.named_clip.alias("attaching")
_CLIPS_OF_INCIDENT = union(
    select(_I.clip_id).where(_I.incident_id == bindparam("incident")),
    select(_ATTACHING.c.clip_id).where(_ATTACHING.c.incident_id == bindparam("incident")),
)
"""Those that a dock tagged with it, and those that a classification ever attached to it."""
_BESIDE = (
    select(*_ROW)
    .join(tables.named_clip, (_N.digest == _A.digest) & (_N.signer == _A.signer))
    .where(_N.clip_id.in_(_CLIPS_OF_INCIDENT), _N.incident_id.is_(None), _COUNTS)
    .distinct()
)
_ABOUT_REPORTS = select(*_ROW).where(
    or_(_A.kind == "authorization", _A.kind == "withdrawal"), _A.clip_id.is_(None), _A.incident_id.is_(None)
)
_BY_SIGNER = select(_A.digest, _A.incident_id, _A.clip_id).where(_BY, or_(*(_A.kind == kind for kind in _DECIDING)))


@functools.cache
def _about(incidents: int) -> Select[Any]:
    """Finds attestations about one clip and about this many incidents."""
    named: list[BindParameter[str]] = [bindparam(f"incident_{number}") for number in range(incidents)]
    return select(*_ROW).where(
        _COUNTS,
        or_(*(_A.kind == kind for kind in _DECIDING)),
        or_(_A.clip_id == bindparam("clip"), *(_A.incident_id == name for name in named)),
    )


class Attestations(QueryRunner):
    """The attestations that were accepted, and every trust version they were accepted under."""

    def __init__(self, rows: Rows, dialect: str) -> None:
        """As `QueryRunner`. No trust version is known until `remember_trust` is called."""
        super().__init__(rows, dialect)
        self.remembered: dict[str, Any] = {}
        """What was worked out of each incident in this transaction; forgotten when anything it rests on is written."""
        self._trusts: dict[int, Trust] = {}
        self._verified: OrderedDict[tuple[str, str | None], st.Statement] = OrderedDict()

    def forget_remembered(self) -> None:
        """Forgets what was worked out in this transaction."""
        self.remembered.clear()

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

    def trust_of(self, version: int) -> Trust:
        """A trust version that was in force. Raises KeyError for one that never was."""
        return self._trusts[version]

    # attestations

    def add(
        self,
        verified: Verified[Any],
        received_at: str,
        trust_version: int,
        *,
        incident_id: str | None = None,
        clip_id: str | None = None,
    ) -> None:
        """Stores an attestation that was verified under `trust_version`. Stored again, it stays as it is.

        `incident_id` and `clip_id`: what it is about, where the statement itself does not say so (a withdrawal).
        """
        statement = verified.statement
        self.run(
            _ADD,
            digest=verified.digest,
            kind=statement.kind,
            signer=verified.signer.id,
            received_at=received_at,
            trust_version=trust_version,
            incident_id=incident_id or getattr(statement, "incident_id", None),
            clip_id=clip_id or getattr(statement, "clip_id", None),
            officer_id=getattr(statement, "officer_id", None),
            withdrawn=False,
            envelope=verified.envelope.to_bytes(),
        )
        for signer in (verified.signer.id, None):
            self._keep(verified.digest, signer, statement)  # its signature was verified a moment ago
        if statement.kind in _SAYS_WHO_WAS_THERE:
            self.forget_remembered()

    def add_named(self, clip_ids: Iterable[str], digest: str, signer: str, incident_id: str | None) -> None:
        """Notes which clips a classification names, or takes back. `incident_id`: the incident it attaches them to."""
        for clip_id in clip_ids:
            self.forget_remembered()
            self.run(_ADD_NAMED, clip_id=clip_id, digest=digest, signer=signer, incident_id=incident_id)

    def has(self, digest: str, signer: str | None = None) -> bool:
        """Whether this attestation is stored: from this signer, or from any."""
        if signer is None:
            return self.one(_HAS, of=digest) is not None
        return self.one(_HAS_BY, of=digest, by=signer) is not None

    def find(self, digest: str) -> list[tuple[AttestationRow, str | None, str | None]]:
        """Everybody's attestation with this digest, each with the incident and the clip it is about."""
        return [(AttestationRow(*row[:5]), row[5], row[6]) for row in self.run(_FIND, of=digest)]

    def clips_named(self, digest: str) -> list[str]:
        """The clips that this classification names, or this withdrawal takes back the naming of."""
        return [row[0] for row in self.run(_CLIPS_NAMED, of=digest)]

    def statement(self, digest: str, kind: type[S], signer: str | None = None) -> S:
        """The payload of a stored attestation. Its signature is verified again, once in each process.

        Raises TamperedError when it is missing, was changed, or is of another kind.
        """
        cached = self._verified.get((digest, signer))
        if cached is None:
            cached = self._keep(digest, signer, self._read_back(digest, kind, signer))
        if not isinstance(cached, kind):
            raise TamperedError(f"the store's attestation {digest[:16]} is a {cached.kind}, not a {kind.kind}")
        return cached

    def attestations_about(self, clip_id: str, incident_ids: Sequence[str]) -> list[AttestationRow]:
        """Everything attested about a clip, about these incidents, or by a classification of the clip by itself."""
        named = {f"incident_{number}": incident for number, incident in enumerate(incident_ids)}
        rows = [AttestationRow(*row) for row in self.run(_about(len(incident_ids)), clip=clip_id, **named)]
        for incident_id, digest, signer in self.run(_NAMED, clip=clip_id).fetchall():
            if incident_id is None:
                rows += [AttestationRow(*row) for row in self.run(_ROW_BY, of=digest, by=signer)]
        return rows

    def incidents_named(self, clip_id: str) -> set[str]:
        """The incidents that a classification attaches the clip to, whether or not that still counts."""
        return {row[0] for row in self.run(_NAMED, clip=clip_id) if row[0] is not None}

    def corrections_in(self, incident_id: str) -> list[tuple[str, AttestationRow]]:
        """Corrections of the clips of this incident, and withdrawals about them, each with its clip."""
        return [(row[0], AttestationRow(*row[1:])) for row in self.run(_CORRECTIONS, incident=incident_id)]

    def words_beside(self, incident_id: str) -> list[AttestationRow]:
        """What was said by themselves of clips of this incident, attached ones too: classifications and withdrawals."""
        return [AttestationRow(*row) for row in self.run(_BESIDE, incident=incident_id)]

    def about_reports(self) -> list[AttestationRow]:
        """Authorizations of disposal reports, and withdrawals that may be about them."""
        return [AttestationRow(*row) for row in self.run(_ABOUT_REPORTS)]

    def signed_by(self, signer: str) -> list[tuple[str, str | None, str | None]]:
        """Everything of this signer that decisions rest on: its digest, incident and clip."""
        return [(row[0], row[1], row[2]) for row in self.run(_BY_SIGNER, by=signer)]

    def delete(self, digest: str) -> None:
        """Deletes an attestation from the database and from memory."""
        self.run(_DELETE, of=digest)
        for key in [key for key in self._verified if key[0] == digest]:
            del self._verified[key]

    def _keep(self, digest: str, signer: str | None, statement: st.Statement) -> st.Statement:
        self._verified[digest, signer] = statement
        if len(self._verified) > _CACHED:
            self._verified.popitem(last=False)
        return statement

    def _read_back(self, digest: str, kind: type[S], signer: str | None) -> S:
        row = self.one(_STORED, of=digest) if signer is None else self.one(_STORED_BY, of=digest, by=signer)
        if row is None:
            raise TamperedError(f"the store lacks attestation {digest[:16]}")
        envelope = envelopes.parse(bytes(row[0]), what=f"attestation {digest[:16]}")
        if envelope.digest != digest:
            raise TamperedError(f"the store's attestation {digest[:16]} was changed")
        _, key = self._trusts[row[1]].signer(envelope.keyid, parse_instant(row[2]))
        envelope.check(key)
        return envelope.statement(kind)
