"""A clip's states and the one table of moves between them. An illegal move raises and changes nothing.

Rule: whatever changes a clip's state asks `advance`; the picture in docs/architecture.md is drawn from this table
(`make docs`).
"""

from __future__ import annotations

from enum import StrEnum

from daemon.model.errors import InconsistentError


class State(StrEnum):
    """Where a clip stands. All but `staged` are kept in the dock's store."""

    STAGED = "staged"  # sealed and durable, not yet in custody: nobody has been told, the camera still has it
    LOCKED = "locked"
    RELEASED = "released"
    QUARANTINED = "quarantined"  # locked, and not erased from its camera until a correction admits it
    DISPOSED = "disposed"


class LifecycleEvent(StrEnum):
    """What can happen to a clip."""

    COMMIT = "commit"
    QUARANTINE = "quarantine"
    ADMIT = "admit"
    RELEASE = "release"
    LOCK = "lock"  # the last live order expired or was revoked
    DISPOSE = "dispose"


class IllegalMoveError(InconsistentError):
    """The clip's state does not allow this."""


MOVES: dict[tuple[State, LifecycleEvent], State] = {
    (State.STAGED, LifecycleEvent.COMMIT): State.LOCKED,
    (State.STAGED, LifecycleEvent.QUARANTINE): State.QUARANTINED,
    (State.QUARANTINED, LifecycleEvent.ADMIT): State.LOCKED,
    (State.QUARANTINED, LifecycleEvent.DISPOSE): State.DISPOSED,
    (State.LOCKED, LifecycleEvent.RELEASE): State.RELEASED,
    (State.RELEASED, LifecycleEvent.RELEASE): State.RELEASED,
    (State.RELEASED, LifecycleEvent.LOCK): State.LOCKED,
    (State.LOCKED, LifecycleEvent.DISPOSE): State.DISPOSED,
    (State.RELEASED, LifecycleEvent.DISPOSE): State.DISPOSED,
}
"""The only moves there are."""


def advance(state: State, event: LifecycleEvent) -> State:
    """The state after `event`. Raises IllegalMoveError when the table has no such move."""
    try:
        return MOVES[state, event]
    except KeyError:
        raise IllegalMoveError(f"a clip that is {state} cannot {event}") from None
