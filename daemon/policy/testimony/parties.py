"""Who was in the incidents of a clip, and what they may therefore not say.

Which conflicts count for what is this project's reading. The reports say only who may view; who may be believed follows
from what the quarrel is about. docs/regimes.md, "Who may say what", has the table.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Parties:
    """The people in the incidents of one clip. Everybody whom any standing classification names counts.

    `wearers` wore a camera in any of the incidents; `clip_wearers` wore this clip's, or may have: whoever the capture
    or a standing correction names.
    """

    involved: frozenset[str]
    witnesses: frozenset[str]
    wearers: frozenset[str]
    clip_wearers: frozenset[str]

    def may_classify(self, person: str) -> bool:
        """Neither involved nor witness, and wore no camera in any incident of the clip."""
        return self._was_not_there(person) and person not in self.wearers and person not in self.clip_wearers

    def may_take_account(self, person: str, officer: str) -> bool:
        """May attest an officer's statement or report. A responding supervisor whose camera ran may."""
        return self._was_not_there(person) and person != officer

    def may_act(self, person: str) -> bool:
        """May authorize, withdraw what closes, lift a hold, or correct."""
        return self._was_not_there(person) and person not in self.clip_wearers

    def _was_not_there(self, person: str) -> bool:
        return person not in self.involved and person not in self.witnesses

    def part_of(self, person: str) -> str | None:
        """In words, what makes a person a party: "is named as involved", or None."""
        for people, part in (
            (self.involved, "is named as involved"),
            (self.witnesses, "is named as a witness"),
            (self.clip_wearers, "wore this clip's camera, or may have"),
            (self.wearers, "wore a camera in the incident, or may have"),
        ):
            if person in people:
                return part
        return None
