"""Who may ask what."""

from __future__ import annotations

from daemon.model.errors import SignerNotAllowedError
from daemon.model.statements import Role
from daemon.policy.context import PolicyContext

SEES_ALL: frozenset[Role] = frozenset({"supervisor", "internal_affairs", "chief", "records", "counsel"})
"""Roles that may ask about every clip, and about what others attested. Everybody else asks about what they wore."""
DISPOSES: frozenset[Role] = frozenset({"chief", "records", "counsel"})
"""Roles that may read disposal reports."""


def require(context: PolicyContext, person_id: str, roles: frozenset[Role], what: str) -> None:
    """Raises SignerNotAllowedError without one of the roles. It says whom `what` ("disposal reports are") is for."""
    if not context.trust.roles(person_id) & roles:
        raise SignerNotAllowedError(f"{what} for {', '.join(sorted(roles))}")
