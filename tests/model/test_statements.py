"""What the models themselves refuse, beyond types."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from pydantic import ValidationError

from daemon.model import statements as st
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify
from tests.kit.agency import CLIP, DIGEST, EARLIER, NOW, SIGNERS, sign_key, statement, trust
from tests.kit.strategies import statements


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        ("capture", {"started_at": NOW}),
        ("capture", {"stopped_at": EARLIER - timedelta(days=1)}),
        ("capture", {"size_bytes": -1}),
        ("capture", {"size_bytes": 2**53}),
        ("capture", {"clip_id": "../../etc"}),
        ("capture", {"pre_event_seconds": -1}),
        ("capture", {"trigger_on": "boredom"}),
        ("capture", {"sha256": DIGEST.upper()}),
        ("seal", {"clip_id": CLIP.upper()}),
        ("seal", {"wrapped_keys": []}),
        ("seal", {"wrapped_keys": [statement("seal").wrapped_keys[0].plain()] * 3}),
        ("seal", {"format": "AES256_GCM_HKDF_4KB"}),
        ("seal", {"clock_skew_seconds": float("nan")}),
        ("classification", {"involved": []}),
        ("classification", {"force": "none", "in_custody_death": True, "involved": []}),
        ("classification", {"witnesses": ["officer"]}),
        ("classification", {"force": "extreme"}),
        ("statement", {"recording_sha256": None}),
        ("statement", {"form": "unrecorded"}),
        ("statement", {"to": "chief"}),
        ("authorization", {"incident_id": "incident-1"}),
        ("authorization", {"clip_id": None}),
        ("authorization", {"person_id": None}),
        ("authorization", {"purposes": []}),
        ("authorization", {"report_sha256": DIGEST, "purposes": ["disposal"]}),
        ("authorization", {"report_sha256": DIGEST, "clip_id": None}),
        ("label", {"case_number": ""}),
        ("authorization", {"expires_at": EARLIER}),
        ("hold", {"clip_id": None}),
        ("hold", {"incident_id": "incident-1"}),
        ("acknowledgement", {"through": -1}),
        ("receipt", {"sequence": -1}),
        ("trust", {"version": 0}),
        ("trust", {"cameras": {"a/b": "x"}}),
    ],
)
def test_refused(kind: str, changes: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        statement(kind, **changes)


def test_a_statement_does_not_change() -> None:
    with pytest.raises(ValidationError):
        statement("hold").reason = "another"


@given(statements())
def test_absent_fields_are_not_written(made: st.Statement) -> None:
    assert None not in made.plain().values()


@pytest.mark.parametrize("kind", SIGNERS)
def test_signed_parsed_verified(kind: str) -> None:
    envelope = envelopes.sign(statement(kind), sign_key(SIGNERS[kind]))
    parsed = envelopes.parse(envelope.to_bytes(), what=kind)
    assert verify(parsed, st.KINDS[kind], trust(), at=NOW).statement == statement(kind)
