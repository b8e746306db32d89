"""Who is enrolled: the agency's trust attestation, signed by its root key, and lookups by keyid."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, get_args

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from daemon.model.errors import BadSignatureError, ConfigurationError, InconsistentError, VerificationError
from daemon.model.statements import Role
from daemon.model.statements import TrustStatement as TrustStatement
from daemon.seal import envelope as envelopes
from daemon.seal.keys import keyid, parse_open_public, parse_sign_public

Kind = Literal["camera", "dock", "policy", "person", "recovery"]
LIMIT = 64 << 20
"""A trust attestation of a large agency may be big: 64 MiB holds about 50,000 people."""


@dataclass(frozen=True)
class Owner:
    """Who holds a key: a camera's serial, a dock's id, a person's id, or the policy service."""

    kind: Kind
    id: str
    roles: frozenset[Role] = frozenset()


class Trust:
    """One version of the trust attestation, verified. Read-only."""

    def __init__(self, statement: TrustStatement, digest: str) -> None:
        """Raises MalformedError for a key that is none, InconsistentError for a key with two owners."""
        self.statement = statement
        self.digest = digest
        self._revoked: dict[str, datetime] = {}
        for revoked in statement.revoked:  # named twice, the earlier time counts
            self._revoked[revoked.keyid] = min(revoked.from_, self._revoked.get(revoked.keyid, revoked.from_))
        self._signers: dict[str, tuple[Owner, Ed25519PublicKey]] = {}
        self._openers: dict[str, tuple[Owner, ec.EllipticCurvePublicKey]] = {}
        self._open_keys: dict[tuple[str, str], tuple[str, Owner, ec.EllipticCurvePublicKey]] = {}
        self._sign_keys: dict[tuple[str, str], Ed25519PublicKey] = {}
        self._person_keyids: dict[str, str] = {}
        self._holders: dict[str, frozenset[str]] = {
            role: frozenset(name for name, person in statement.people.items() if role in person.roles)
            for role in get_args(Role)
        }
        for owner, pem in _sign_keys(statement):
            self._enrol(owner, parse_sign_public(pem, what=f"trust: {owner.kind} {owner.id}"))
        for owner, pem in _open_keys(statement):
            self._enrol(owner, parse_open_public(pem, what=f"trust: {owner.kind} {owner.id}"))

    @property
    def version(self) -> int:
        """The trust file's version, from 1."""
        return self.statement.version

    def signer(self, key_id: str, at: datetime) -> tuple[Owner, Ed25519PublicKey]:
        """The owner of a signing key, enrolled and not revoked at `at`. Raises BadSignatureError."""
        if key_id not in self._signers:
            raise BadSignatureError(f"unknown signer: key {key_id[:16]} is not enrolled")
        owner, key = self._signers[key_id]
        self._refuse_revoked(key_id, owner, at)
        return owner, key

    def opener(self, owner_kind: Kind, owner_id: str, at: datetime) -> ec.EllipticCurvePublicKey | None:
        """The key that data keys are wrapped to for this owner; None when it has none.

        Raises BadSignatureError when that key is revoked at `at`.
        """
        found = self._open_keys.get((owner_kind, owner_id))
        if found is None:
            return None
        key_id, owner, key = found
        self._refuse_revoked(key_id, owner, at)
        return key

    def escrow(self, at: datetime) -> list[ec.EllipticCurvePublicKey]:
        """Whom data keys are wrapped to: the policy service, and the recovery key where there is one."""
        found = [self.opener("policy", "policy", at), self.opener("recovery", "recovery", at)]
        return [key for key in found if key is not None]

    def escrow_ids(self) -> frozenset[str]:
        """The keyids that a seal may name as recipients."""
        return frozenset(k for k, (owner, _) in self._openers.items() if owner.kind in {"policy", "recovery"})

    def policy_keyid(self) -> str:
        """The keyid of the policy service's open key."""
        return self._open_keys["policy", "policy"][0]

    def sign_key_of(self, kind: Kind, owner_id: str) -> Ed25519PublicKey | None:
        """The signing key of one owner, revoked or not: for checking what was signed long ago."""
        return self._sign_keys.get((kind, owner_id))

    def revoked_since(self, key_id: str | None) -> datetime | None:
        """From when on a key is revoked, or None."""
        return None if key_id is None else self._revoked.get(key_id)

    def person_keyid(self, person_id: str) -> str | None:
        """The id of the key that a person signs with, or None for a stranger."""
        return self._person_keyids.get(person_id)

    def person_of(self, key_id: str) -> str | None:
        """The person who signs or opens with this key, or None."""
        found = self._signers.get(key_id) or self._openers.get(key_id)
        return found[0].id if found is not None and found[0].kind == "person" else None

    def holders(self, role: str) -> frozenset[str]:
        """Everybody who holds a role."""
        return self._holders.get(role, frozenset())

    def roles(self, person_id: str) -> frozenset[Role]:
        """A person's roles; none for a stranger."""
        person = self.statement.people.get(person_id)
        return frozenset(person.roles) if person else frozenset()

    def _enrol(self, owner: Owner, key: Ed25519PublicKey | ec.EllipticCurvePublicKey) -> None:
        key_id = keyid(key)
        other = self._signers.get(key_id) or self._openers.get(key_id)
        if other is not None:
            raise InconsistentError(
                f"trust: {owner.kind} {owner.id} and {other[0].kind} {other[0].id} share one key; a key has one owner"
            )
        if isinstance(key, Ed25519PublicKey):
            self._signers[key_id] = (owner, key)
            self._sign_keys[owner.kind, owner.id] = key
            if owner.kind == "person":
                self._person_keyids[owner.id] = key_id
        else:
            self._openers[key_id] = (owner, key)
            self._open_keys[owner.kind, owner.id] = (key_id, owner, key)

    def _refuse_revoked(self, key_id: str, owner: Owner, at: datetime) -> None:
        since = self._revoked.get(key_id)
        if since is not None and at >= since:
            raise BadSignatureError(f"the key of {owner.kind} {owner.id} is revoked since {since.isoformat()}")


def parse_trust(data: bytes, root: Ed25519PublicKey, *, what: str) -> Trust:
    """A trust attestation signed by the agency's root key. Raises VerificationError's subclasses."""
    envelope = envelopes.parse(data, what=what, limit=LIMIT)
    if envelope.keyid != keyid(root):
        raise BadSignatureError(f"{what}: not signed by the agency's root key")
    envelope.check(root)
    return Trust(envelope.statement(TrustStatement), envelope.digest)


def load_trust(path: Path, root: Ed25519PublicKey) -> Trust:
    """As `parse_trust`, from a file. Raises ConfigurationError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"{path}: {(error.strerror or 'cannot be read').lower()}") from None
    try:
        return parse_trust(data, root, what=str(path))
    except VerificationError as error:
        raise ConfigurationError(str(error), hint="bwc trust check FILE --root ROOT.sign.pub.pem says more") from error


def refuse_rollback(trust: Trust, version: int, digest: str, what: str) -> None:
    """Raises ConfigurationError for a trust older than the one in force, or another one of the same version."""
    if trust.version < version:
        raise ConfigurationError(f"{what}: version {trust.version}, but {version} was in force")
    if trust.version == version and trust.digest != digest:
        raise ConfigurationError(f"{what}: another trust of the same version {version}")


def _sign_keys(trust: TrustStatement) -> Iterator[tuple[Owner, str]]:
    for serial, pem in trust.cameras.items():
        yield Owner("camera", serial), pem
    for dock_id, pem in trust.docks.items():
        yield Owner("dock", dock_id), pem
    yield Owner("policy", "policy"), trust.services.policy.sign
    for person_id, person in trust.people.items():
        yield Owner("person", person_id, frozenset(person.roles)), person.sign


def _open_keys(trust: TrustStatement) -> Iterator[tuple[Owner, str]]:
    yield Owner("policy", "policy"), trust.services.policy.open
    if trust.services.recovery is not None:
        yield Owner("recovery", "recovery"), trust.services.recovery.open
    for person_id, person in trust.people.items():
        if person.open is not None:
            yield Owner("person", person_id, frozenset(person.roles)), person.open
