"""What `bwc review` says of a refusal: why, what would open the clip, and what stands in the way of that."""

from __future__ import annotations

import json
from typing import Any, get_args

import pytest
from click.testing import CliRunner, Result

from daemon.cli import review as room
from daemon.link.mqtt import Received
from daemon.model import strict_json
from daemon.model.documents import Decision
from daemon.model.errors import LockedError
from daemon.model.statements import Purpose

CLIP = "2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a11"
WHO = ("--as", "51234", "--agency", "portland", "--broker", "mqtt://127.0.0.1:9")
NEEDS = [
    {"kind": "classification", "from": "supervisor", "incident_id": "23-310001", "note": "nobody is left"},
    {"kind": "court_order", "from": "records"},
]


def status(monkeypatch: pytest.MonkeyPatch, *options: str, **fields: Any) -> Result:
    """What `bwc review status --request r1` says when this is the decision that the broker retains."""
    values = {"request_id": "r1", "clip_id": CLIP, "decided_at": "2023-11-29T21:45:02.120Z", **fields}
    data = strict_json.dump(Decision.model_validate(values).plain())

    class Retained:
        def __init__(self, *_: object) -> None: ...

        def __enter__(self) -> Retained:
            return self

        def __exit__(self, *_: object) -> None: ...

        def retained(self) -> list[Received]:
            return [Received("c", "decision", data, True, 1, 1)]

    monkeypatch.setattr(room, "Session", Retained)
    return CliRunner().invoke(room.review, ["status", *WHO, "--request", "r1", *options])


def test_a_refusal_names_the_incident_and_what_stands_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    because = [{"policy_id": "unclassified", "reason": "nobody has classified it"}]
    refused = status(monkeypatch, outcome="refused", because=because, needs=NEEDS)
    assert isinstance(refused.exception, LockedError) and refused.exception.hint is None
    assert refused.stdout.splitlines() == [
        "request r1: refused",
        "  because: nobody has classified it [unclassified]",
        "  needs: classification of incident 23-310001 by a supervisor; but nobody is left",
        "  needs: a court's order on record, signed by the records staff and by the chief or counsel",
    ]


def test_a_program_reads_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = status(monkeypatch, "--json", outcome="refused", needs=NEEDS)
    assert isinstance(refused.exception, LockedError)
    assert json.loads(refused.stdout)["needs"] == NEEDS


def test_where_nothing_would_open_it_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    refused = status(monkeypatch, outcome="refused")
    assert isinstance(refused.exception, LockedError) and "nothing would open it" in (refused.exception.hint or "")


def test_a_release_needs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    released = status(monkeypatch, outcome="released")
    assert released.exit_code == 0 and "needs" not in released.output


def test_every_purpose_of_the_model_can_be_asked_for() -> None:
    helped = CliRunner().invoke(room.review, ["request", "--help"]).output
    assert all(purpose in helped for purpose in get_args(Purpose))
