"""Who is enrolled: the trust file, signed by the agency."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daemon.model.statements.words import Role, Statement
from daemon.model.times import Instant
from daemon.model.types import Count, Digest, Id, PublicKeyPem, Signed, Text


class PersonKeys(Signed):
    name: Text
    roles: Annotated[tuple[Role, ...], Field(max_length=16)]
    sign: PublicKeyPem
    open: PublicKeyPem | None = None


class PolicyKeys(Signed):
    sign: PublicKeyPem
    open: PublicKeyPem


class RecoveryKey(Signed):
    open: PublicKeyPem


class Services(Signed):
    policy: PolicyKeys
    recovery: RecoveryKey | None = None


class RevokedKey(Signed):
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
