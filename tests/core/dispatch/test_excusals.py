"""What an excusal is about: a verdict that wants one, by a person's word or by the type of the call."""

from __future__ import annotations

import pytest

from daemon.core.dispatch.excusals import NO_EXCUSALS, Excusals, Excused

SAID = Excused("training", None, "41001")
BOTH = Excusals({("A", "51234"): SAID}, ("Prisoner Transport",))


@pytest.mark.parametrize(
    ("incident", "kind", "officer", "verdict", "found"),
    [
        ("A", "theft", "51234", "absent", SAID),
        ("A", "theft", "51234", "late", SAID),
        ("A", "theft", "51234", "partial", SAID),
        ("A", "theft", "51234", "on_time", None),
        ("A", "theft", "51234", "pending", None),
        ("A", "theft", "51234", "excused", None),
        ("A", "theft", "52345", "absent", None),
        ("B", "theft", "51234", "absent", None),
        ("B", "prisoner transport", "51234", "absent", Excused("call_type")),
        ("A", "Prisoner Transport", "51234", "absent", SAID),
    ],
)
def test_of(incident: str, kind: str, officer: str, verdict: str, found: Excused | None) -> None:
    assert BOTH.of(incident, kind, officer, verdict) == found
    assert NO_EXCUSALS.of(incident, kind, officer, verdict) is None
