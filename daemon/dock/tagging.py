"""Which dispatch calls a clip belongs to, as a signed tag."""

from __future__ import annotations

from daemon.dock.state import Dock
from daemon.model.statements import Activation, Capture, Tag


def make_tag(dock: Dock, clip_id: str, officer_id: str, capture: Capture | None, skew: float, revision: int) -> Tag:
    """The clip's tag from the dispatch documents known now."""
    return Tag(
        clip_id=clip_id,
        dock_id=dock.dock_id,
        revision=revision,
        activation=Activation(verdict="undispatched", revision=revision),
    )
