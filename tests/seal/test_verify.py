"""Who may say what about whom, and that every refusal has the error of its step, in the contract's order."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from daemon.model import statements as st
from daemon.model.errors import (
    BadSignatureError,
    BwcError,
    InconsistentError,
    SchemaError,
    SignerNotAllowedError,
)
from daemon.seal import envelope as envelopes
from daemon.seal.envelope import Envelope
from daemon.seal.verify import MAX_AHEAD, Verified, newest_time, refuse_future, verify
from tests.kit.agency import (
    CAMERAS,
    DIGEST,
    DOCKS,
    EARLIER,
    NOW,
    PEOPLE,
    SIGNERS,
    revoked,
    sign_id,
    sign_key,
    signed,
    statement,
    trust,
)

COURT_ORDER = {"reference": "23CV-1187", "court": "Circuit Court", "dated": EARLIER, "sha256": DIGEST}
EVERYBODY = (*CAMERAS, *DOCKS, "policy", *PEOPLE)
ALLOWED: dict[str, set[str]] = {
    "capture": {"cam-1"},
    "seal": {"dock-1"},
    "tag": {"dock-1"},
    "receipt": {"dock-1"},
    "classification": {"supervisor", "affairs"},
    "statement": {"affairs"},
    "report": {"supervisor"},
    "authorization": {"chief"},
    "hold": {"records", "affairs", "chief"},
    "correction": {"records", "supervisor"},
    "declaration": set(PEOPLE),  # whether they wore the clip, only the policy service knows
    "label": {"officer", "witness", "supervisor", "records"},
    "excusal": {"supervisor"},
    "query": set(PEOPLE),  # what each is answered goes by their roles
    "withdrawal": set(PEOPLE),  # whether it is their own to withdraw, only the policy service knows
    "request": set(PEOPLE),
    "opened": {"officer"},
    "release": {"policy"},
    "revocation": {"policy"},
    "disposal": {"policy"},
    "acknowledgement": {"policy"},
}
assert ALLOWED.keys() == SIGNERS.keys() == st.KINDS.keys() - {"trust"}


def check(envelope: Envelope, kind: str | None = None, **enrolment: Any) -> Verified[Any]:
    return verify(envelope, st.KINDS[kind or envelope.kind], trust(**enrolment), at=NOW)


@pytest.mark.parametrize("signer", EVERYBODY)
@pytest.mark.parametrize("kind", ALLOWED)
def test_who_may_sign_what(kind: str, signer: str) -> None:
    envelope = signed(statement(kind), signer)
    if signer in ALLOWED[kind]:
        verified = check(envelope)
        assert (verified.statement, verified.signer.id, verified.digest) == (statement(kind), signer, envelope.digest)
    else:
        with pytest.raises(SignerNotAllowedError):
            check(envelope)


@pytest.mark.parametrize(
    ("kind", "signer", "changes"),
    [
        ("capture", "cam-1", {"camera_serial": "cam-2"}),
        ("seal", "dock-1", {"dock_id": "dock-2"}),
        ("tag", "dock-1", {"dock_id": "dock-2"}),
        ("receipt", "dock-1", {"dock_id": "dock-2"}),
        ("statement", "supervisor", {}),
        ("statement", "affairs", {"to": "supervisor"}),
        ("statement", "affairs", {"officer_id": "affairs"}),
        ("report", "supervisor", {"officer_id": "supervisor"}),
        ("authorization", "chief", {"person_id": "chief"}),
        ("authorization", "chief", {"person_id": "chief", "purposes": ["disposal"]}),
        ("authorization", "records", {}),
        ("authorization", "records", {"purposes": ["disposal", "training"]}),
        ("authorization", "records", {"purposes": ["court"]}),
        ("authorization", "chief", {"purposes": ["disclosure"]}),
        ("correction", "records", {"officer_id": "records"}),
        ("opened", "officer", {"person_id": "witness"}),
    ],
)
def test_not_about_this_subject(kind: str, signer: str, changes: dict[str, Any]) -> None:
    with pytest.raises(SignerNotAllowedError):
        check(signed(statement(kind, **changes), signer))


@pytest.mark.parametrize(
    ("kind", "signer", "changes"),
    [
        ("statement", "supervisor", {"to": "supervisor"}),
        ("classification", "supervisor", {"involved": ["supervisor"]}),  # it closes; what it opens is judged later
        ("authorization", "records", {"purposes": ["disposal"], "person_id": None}),
        ("authorization", "chief", {"purposes": ["disposal"], "person_id": None}),
        ("authorization", "records", {"purposes": ["court"], "court_order": COURT_ORDER}),
        ("authorization", "chief", {"purposes": ["disclosure"], "court_order": COURT_ORDER}),
        ("classification", "supervisor", {"involved": ["supervisor"]}),  # it can only close, and may
        ("classification", "supervisor", {"witnesses": ["supervisor"]}),
        ("correction", "supervisor", {"officer_id": None, "admit": True}),
    ],
)
def test_also_allowed(kind: str, signer: str, changes: dict[str, Any]) -> None:
    check(signed(statement(kind, **changes), signer))


def test_having_several_roles_is_enough() -> None:
    both = {"name": "Both", "roles": ["officer", "supervisor"], "sign": trust().statement.people["officer"].sign}
    check(signed(statement("report", officer_id="witness"), "officer"), people={"officer": both})


TIMES = [
    ("capture", "stopped_at", None),
    ("seal", "ingested_at", InconsistentError),
    ("classification", "classified_at", InconsistentError),
    ("classification", "occurred_at", InconsistentError),
    ("statement", "given_at", InconsistentError),
    ("report", "filed_at", InconsistentError),
    ("authorization", "issued_at", InconsistentError),
    ("hold", "at", InconsistentError),
    ("correction", "at", InconsistentError),
    ("declaration", "declared_at", InconsistentError),
    ("label", "at", InconsistentError),
    ("withdrawal", "at", InconsistentError),
    ("request", "requested_at", InconsistentError),
    ("opened", "opened_at", InconsistentError),
    ("release", "granted_at", InconsistentError),
    ("revocation", "revoked_at", InconsistentError),
    ("disposal", "ordered_at", InconsistentError),
    ("acknowledgement", "at", InconsistentError),
    ("receipt", "erase_after", None),
    ("authorization", "expires_at", None),
    ("release", "expires_at", None),
]


@pytest.mark.parametrize(("kind", "field", "error"), TIMES)
def test_times_that_lie_ahead(kind: str, field: str, error: type[BwcError] | None) -> None:
    """What happened cannot lie ahead; what is to come, and a camera's own clock, may."""
    ahead = NOW + MAX_AHEAD + timedelta(milliseconds=1)
    more = {"expires_at": NOW + timedelta(days=9)} if kind == "authorization" and field == "issued_at" else {}
    made = signed(statement(kind, **{field: ahead}, **more), SIGNERS[kind])
    if error is None:
        check(made)
        return
    with pytest.raises(error):
        check(made)
    check(signed(statement(kind, **{field: NOW + MAX_AHEAD}, **more), SIGNERS[kind]))


def test_newest_time() -> None:
    classification = statement("classification", occurred_at=EARLIER, classified_at=NOW)
    assert newest_time(classification) == NOW
    assert newest_time(statement("receipt")) is None
    refuse_future(classification, NOW - MAX_AHEAD)
    with pytest.raises(InconsistentError):
        refuse_future(classification, NOW - MAX_AHEAD - timedelta(milliseconds=1))


def spelled(document: dict[str, Any], kind: str, owner: str) -> Envelope:
    """Any payload at all, in an envelope with a good signature."""
    unsigned = Envelope(kind, json.dumps(document).encode(), sign_id(owner), b"")
    return replace(unsigned, signature=sign_key(owner).sign(unsigned.pae))


def test_each_step_has_its_error_and_the_earlier_step_wins() -> None:
    """One envelope with every fault at once; the faults are mended one by one, in the contract's order."""
    faults = statement("hold", at=NOW + timedelta(days=1)).plain() | {"surprise": 1}
    envelope = spelled(faults, "hold", "officer")
    with pytest.raises(BadSignatureError):  # 2: nobody's key
        check(replace(envelope, keyid="00" * 32), "correction")
    with pytest.raises(BadSignatureError):  # 2: revoked
        check(envelope, revoked=[revoked("officer", NOW)])
    with pytest.raises(BadSignatureError):  # 2: the signature
        check(replace(envelope, signature=bytes(64)))
    with pytest.raises(SignerNotAllowedError):  # 3: no dock or camera speaks for people
        check(spelled(faults, "hold", "dock-1"))
    with pytest.raises(SchemaError):  # 4: a field too many
        check(spelled(faults, "hold", "records"))
    del faults["surprise"]
    with pytest.raises(SignerNotAllowedError):  # 3, as far as it needs the payload
        check(spelled(faults, "hold", "officer"))
    with pytest.raises(InconsistentError):  # 5: a time ahead
        check(spelled(faults, "hold", "records"))
    faults["at"] = statement("hold").plain()["at"]
    check(spelled(faults, "hold", "records"))


@pytest.mark.parametrize("kind", SIGNERS)
def test_an_unknown_field_in_a_signed_payload_is_refused(kind: str) -> None:
    document = statement(kind).plain()
    check(spelled(document, kind, SIGNERS[kind]))
    with pytest.raises(SchemaError):
        check(spelled(document | {"surprise": 1}, kind, SIGNERS[kind]))


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_statement_is_never_taken_for_another_kind(kind: str) -> None:
    for other in SIGNERS:
        if other != kind:
            with pytest.raises((SchemaError, SignerNotAllowedError)):
                check(signed(statement(kind), SIGNERS[kind]), other)


@pytest.mark.parametrize("kind", SIGNERS)
def test_a_revoked_key_signs_nothing_from_that_time_on(kind: str) -> None:
    envelope = signed(statement(kind), SIGNERS[kind])
    check(envelope, revoked=[revoked(SIGNERS[kind], NOW + timedelta(milliseconds=1))])
    with pytest.raises(BadSignatureError):
        check(envelope, revoked=[revoked(SIGNERS[kind], NOW)])


def test_a_keyid_only_picks_the_key() -> None:
    """Signed by one enrolled person, claimed for another: the signature decides."""
    envelope = envelopes.sign(statement("hold"), sign_key("officer"))
    with pytest.raises(BadSignatureError):
        check(replace(envelope, keyid=sign_id("records")))
