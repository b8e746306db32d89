"""A clip's states and the one table of moves between them. An illegal move raises and changes nothing."""

from __future__ import annotations

from enum import StrEnum

from daemon.model.errors import InconsistentError


class State(StrEnum):
    """Where a clip stands. Locked, released, quarantined and disposed outlive the process."""

    WAITING = "waiting"  # seen on a camera, not yet settled
    READING = "reading"  # being hashed and encrypted
    STAGED = "staged"  # sealed and durable, not yet in custody: nobody has been told
    LOCKED = "locked"
    RELEASED = "released"
    QUARANTINED = "quarantined"  # locked, and not erased from its camera until a correction admits it
    DISPOSED = "disposed"


class Event(StrEnum):
    """What can happen to a clip."""

    SETTLE = "settle"
    SEAL = "seal"
    FAIL = "fail"  # unplugged, unreadable, disk full: the clip is still on its camera
    COMMIT = "commit"
    QUARANTINE = "quarantine"
    ADMIT = "admit"
    RELEASE = "release"
    LOCK = "lock"  # the last live order expired or was revoked
    DISPOSE = "dispose"


class IllegalMoveError(InconsistentError):
    """The clip's state does not allow this."""


_MOVES: dict[tuple[State, Event], State] = {
    (State.WAITING, Event.SETTLE): State.READING,
    (State.WAITING, Event.FAIL): State.WAITING,
    (State.READING, Event.SEAL): State.STAGED,
    (State.READING, Event.FAIL): State.WAITING,
    (State.STAGED, Event.FAIL): State.WAITING,
    (State.STAGED, Event.COMMIT): State.LOCKED,
    (State.STAGED, Event.QUARANTINE): State.QUARANTINED,
    (State.QUARANTINED, Event.ADMIT): State.LOCKED,
    (State.QUARANTINED, Event.DISPOSE): State.DISPOSED,
    (State.LOCKED, Event.RELEASE): State.RELEASED,
    (State.RELEASED, Event.RELEASE): State.RELEASED,
    (State.RELEASED, Event.LOCK): State.LOCKED,
    (State.LOCKED, Event.DISPOSE): State.DISPOSED,
    (State.RELEASED, Event.DISPOSE): State.DISPOSED,
}


def advance(state: State, event: Event) -> State:
    """The state after `event`. Raises IllegalMoveError when the table has no such move."""
    try:
        return _MOVES[state, event]
    except KeyError:
        raise IllegalMoveError(f"a clip that is {state} cannot {event}") from None
