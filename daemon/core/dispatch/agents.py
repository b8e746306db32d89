"""Which of a document's agents sit at a desk: call takers and dispatchers are no officers of the unit they stand with.

Whoever has another role as well, a role that is not known here, or none, counts as an officer: whom dispatch sent is
never left out on a guess.
"""

from __future__ import annotations

from functools import lru_cache

from daemon.core.dispatch.eido_fields import MAX_COMPONENTS, Component, reference

_DESKS = frozenset({"calltaking", "calltaker", "callreceiving", "dispatching", "dispatcher", "dispatch"})
"""Values of the Agent Role registry (NENA-STA-010.3 section 10.28), and how they are spelled elsewhere."""


def agents_at_desks(document: Component) -> set[str]:
    """The `$id`s of agents who have no role but at a desk."""
    agents = document.get("agentComponent")
    listed = agents if isinstance(agents, list) else [agents]
    return {
        reference(agent.get("$id"))
        for agent in listed[:MAX_COMPONENTS]
        if isinstance(agent, dict) and _is_at_desk(agent.get("agentRoleRegistryText"))
    }


def _is_at_desk(roles: object) -> bool:
    listed = roles if isinstance(roles, list) else [roles]
    return bool(listed) and all(isinstance(role, str) and _is_desk(role[:64]) for role in listed)


@lru_cache(maxsize=256)
def _is_desk(role: str) -> bool:
    return "".join(filter(str.isalpha, role)).lower() in _DESKS
