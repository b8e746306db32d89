"""What the policy service signs."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from daemon.model.statements.devices import WrappedKey
from daemon.model.statements.words import Purpose, Role, Statement
from daemon.model.times import Instant
from daemon.model.types import ClipId, Count, Digest, Id, Signed, Text


class Because(Signed):
    """A policy that decided, and its reason in words a person understands."""

    policy_id: Annotated[str, Field(max_length=200)]
    reason: Text


class Release(Statement):
    """The policy service lets one person open one clip for one purpose until `expires_at`."""

    kind = "release"
    order_id: Id
    request_id: Id
    clip_id: ClipId
    clip_sha256: Digest
    dock_id: Id
    person_id: Id
    roles: tuple[Role, ...]
    purpose: Purpose
    granted_at: Instant
    expires_at: Instant
    regime: Id
    regime_sha256: Digest
    trust_version: Annotated[Count, Field(ge=1)]
    because: tuple[Because, ...]
    facts: tuple[Digest, ...]
    wrapped_key: WrappedKey


class Revocation(Statement):
    """Ends a release order at once."""

    kind = "revocation"
    order_id: Id
    clip_id: ClipId
    dock_id: Id
    revoked_at: Instant
    because: tuple[Because, ...]


class Disposal(Statement):
    """Has a dock destroy a clip's sealed file and wrapped keys; `approvals` are digests of who authorized it.

    `court_order_sha256`: the court's order for it, which alone lets a clip go before the least time.
    """

    kind = "disposal"
    order_id: Id
    clip_id: ClipId
    clip_sha256: Digest
    dock_id: Id
    because: tuple[Because, ...]
    approvals: tuple[Digest, ...]
    court_order_sha256: Digest | None = None
    ordered_at: Instant


class Acknowledgement(Statement):
    """Everything a dock announced up to `through` is stored; `recipients` are escrow keys proven to open."""

    kind = "acknowledgement"
    dock_id: Id
    through: Count
    recipients: Annotated[tuple[Digest, ...], Field(max_length=100)]
    at: Instant
