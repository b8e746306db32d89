"""Who is enrolled: the trust file, signed by the agency."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daemon.model.statements.words import Role, Statement
from daemon.model.times import Instant
from daemon.model.types import Count, Digest, Id, PublicKeyPem, Signed, Text


class PersonKeys(Signed):
    """A person: what they sign with, and, for who may be given clips, what they open with."""

    name: Text
    roles: Annotated[tuple[Role, ...], Field(max_length=16)]
    sign: PublicKeyPem
    open: PublicKeyPem | None = None


class PolicyKeys(Signed):
    """The policy service's two keys."""

    sign: PublicKeyPem
    open: PublicKeyPem


class RecoveryKey(Signed):
    """The agency's own key, that opens every clip should the policy service be lost."""

    open: PublicKeyPem


class Services(Signed):
    """The agency's services."""

    policy: PolicyKeys
    recovery: RecoveryKey | None = None


class RevokedKey(Signed):
    """A key that counts for nothing from a moment on; what it signed before stays verifiable."""

    keyid: Digest
    from_: Annotated[Instant, Field(alias="from")]


class TrustStatement(Statement, title="Trust"):
    """Who is enrolled, signed by the agency's root key. Keys are PEM SubjectPublicKeyInfo."""

    kind = "trust"
    version: Annotated[Count, Field(ge=1)]
    cameras: Annotated[dict[Id, PublicKeyPem], Field(default_factory=dict)]
    docks: Annotated[dict[Id, PublicKeyPem], Field(default_factory=dict)]
    services: Services
    people: Annotated[dict[Id, PersonKeys], Field(default_factory=dict)]
    revoked: tuple[RevokedKey, ...] = ()
