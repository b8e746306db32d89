"""A clip's life: random histories with restarts, against what the contract promises about them."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import settings
from hypothesis import strategies as hs
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from daemon.core.lifecycle import IllegalMoveError, LifecycleEvent, State, advance

FINAL = State.DISPOSED
LEGAL: dict[State, dict[LifecycleEvent, State]] = {
    State.STAGED: {LifecycleEvent.COMMIT: State.LOCKED, LifecycleEvent.QUARANTINE: State.QUARANTINED},
    State.LOCKED: {LifecycleEvent.RELEASE: State.RELEASED, LifecycleEvent.DISPOSE: State.DISPOSED},
    State.RELEASED: {
        LifecycleEvent.RELEASE: State.RELEASED,
        LifecycleEvent.LOCK: State.LOCKED,
        LifecycleEvent.DISPOSE: State.DISPOSED,
    },
    State.QUARANTINED: {LifecycleEvent.ADMIT: State.LOCKED, LifecycleEvent.DISPOSE: State.DISPOSED},
    State.DISPOSED: {},
}


@pytest.mark.parametrize(("state", "event"), [*itertools.product(State, LifecycleEvent)])
def test_every_move_is_in_the_table_or_refused(state: State, event: LifecycleEvent) -> None:
    if event in LEGAL[state]:
        assert advance(state, event) is LEGAL[state][event]
    else:
        with pytest.raises(IllegalMoveError):
            advance(state, event)


DURABLE = {State.LOCKED, State.RELEASED, State.QUARANTINED, State.DISPOSED}
"""States that outlive the process."""


class ClipLife(RuleBasedStateMachine):
    """One clip on a camera and its dock. `store` is what would survive a power cut at this moment."""

    def __init__(self) -> None:
        super().__init__()
        self.state = State.STAGED
        self.store: State | None = None
        self.events: list[LifecycleEvent] = []
        self.live_order = False
        self.admitted = True

    @initialize(erased=hs.just(False))
    def docked(self, erased: bool) -> None:
        self.receipted = erased

    @rule(event=hs.sampled_from(LifecycleEvent))
    def happens(self, event: LifecycleEvent) -> None:
        before = self.state
        try:
            after = advance(before, event)
        except IllegalMoveError:
            assert event not in LEGAL[before]
            assert self.state is before
            return
        assert event in LEGAL[before]
        self.state = after
        self.events.append(event)
        if after in DURABLE:
            self.store = after
        if event is LifecycleEvent.RELEASE:
            self.live_order = True
        if event in {LifecycleEvent.LOCK, LifecycleEvent.DISPOSE}:
            self.live_order = False
        if event is LifecycleEvent.QUARANTINE:
            self.admitted = False
        if event is LifecycleEvent.ADMIT:
            self.admitted = True

    @precondition(lambda self: bool(LEGAL[self.state]))
    @rule(data=hs.data())
    def goes_on(self, data: hs.DataObject) -> None:
        self.happens(data.draw(hs.sampled_from(sorted(LEGAL[self.state]))))

    @rule()
    def restart(self) -> None:
        """The process dies; all that is left is what was committed, and the clip on its camera."""
        self.state = self.store or State.STAGED

    @precondition(lambda self: self.state in {State.LOCKED, State.RELEASED})
    @rule()
    def receipt(self) -> None:
        self.receipted = True

    @invariant()
    def nothing_is_released_without_a_release(self) -> None:
        if self.state is State.RELEASED:
            assert self.live_order
            assert self.admitted

    @invariant()
    def what_is_durable_is_what_is_shown(self) -> None:
        if self.store is not None:
            assert self.state is self.store, "once committed, every later state is committed too"

    @invariant()
    def a_camera_erases_only_what_the_dock_holds(self) -> None:
        if self.receipted:
            assert self.store in {State.LOCKED, State.RELEASED, State.DISPOSED}

    @invariant()
    def nobody_hears_of_a_clip_before_its_commit(self) -> None:
        if self.state in DURABLE:
            assert {LifecycleEvent.COMMIT, LifecycleEvent.QUARANTINE} & set(self.events)

    @invariant()
    def quarantine_is_left_by_admission_or_disposal(self) -> None:
        if not self.admitted:
            assert self.state in {State.QUARANTINED, State.DISPOSED}


ClipLife.TestCase.settings = settings(max_examples=100, stateful_step_count=20)
TestClipLife = ClipLife.TestCase
