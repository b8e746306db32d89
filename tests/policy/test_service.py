"""The policy service on a real database: who may say what, what it changes, and what follows."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.model import statements as st
from daemon.model import strict_json
from daemon.model.documents import Lock, NoticeRelease
from daemon.policy.cases import attestations, notices, orders
from daemon.policy.cases.replay import replay
from daemon.policy.rules.regime import bundled
from daemon.seal import envelope as envelopes
from daemon.seal.keys import keyid
from daemon.seal.wrap import release_info, unwrap
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.policy_fixture import INCIDENT, Office, make_notice, open_office


@pytest.fixture
def office(tmp_path: Path, store_url: str) -> Iterator[Office]:
    office = open_office(tmp_path, store={"url": store_url})
    yield office
    office.context.store.close()


# what docks announce


def test_a_notice_is_stored_proven_and_acknowledged(office: Office) -> None:
    office.announce(office.notice())
    [said] = office.posted(office.context.topics.ack("dock-1"))
    ack = envelopes.parse(said, what="ack").statement(st.Acknowledgement)
    assert (ack.through, ack.recipients) == (1, (keyid(agency.open_key("policy").public_key()),))


def test_a_notice_said_again_is_acknowledged_again_and_nothing_is_looked_at(office: Office) -> None:
    notice, context = office.notice(), office.context
    office.announce(notice)
    with context.store.transaction():
        context.store.db.execute("DELETE FROM outbox")
        data = strict_json.dump(notice.plain())
        assert notices.receive(context, data, "dock-1", CLIP) is None, "no clip to reconsider"
        notices.acknowledge(context)
    assert [row[0] for row in context.store.db.execute("SELECT topic FROM outbox")] == [context.topics.ack("dock-1")]


def test_what_the_broker_retains_of_an_unknown_clip_asks_for_its_announcement(office: Office) -> None:
    notice = office.notice()
    office.announce(notice, whole=False)
    assert office.context.store.clip(CLIP) is None
    assert office.log("refused") == []
    [asked] = office.posted(office.context.topics.ack("dock-1"))
    assert envelopes.parse(asked, what="ack").statement(st.Acknowledgement).through == 0
    office.announce(notice)
    assert office.context.store.through("dock-1") == 1


def test_what_the_broker_retains_tells_what_changed_about_a_known_clip(office: Office) -> None:
    """A service restored from a backup hears nothing else at first, and decides: on the newest tag, or not at all."""
    office.announce(office.notice(incidents=("23-1",)))
    tag = make_notice(CLIP, "dock-1", 2, office.clock.now(), incidents=("23-1", "23-2")).tag_envelope
    office.announce(office.notice().model_copy(update={"tag_envelope": tag}), whole=False)
    assert office.context.store.incidents(CLIP) == ["23-1", "23-2"]
    assert office.context.store.through("dock-1") == 2
    assert office.log("refused") == []


@pytest.mark.parametrize("field", ["clip_sha256", "sealed_sha256"])
def test_what_the_broker_retains_agrees_with_the_seal_that_is_known(office: Office, field: str) -> None:
    office.announce(office.notice())
    office.announce(office.notice().model_copy(update={field: "0" * 64}), whole=False)
    assert "is not its seal's" in office.log("refused")[-1]["detail"]["reason"]
    assert office.context.store.through("dock-1") == 1


def test_through_waits_for_the_gap_and_then_covers_both(office: Office) -> None:
    first, second = office.notice(), office.notice(OTHER_CLIP)
    office.announce(second)
    assert office.context.store.through("dock-1") == 0
    office.announce(first)
    assert office.context.store.through("dock-1") == 2


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"recipients": ("policy", "officer")}, "SignerNotAllowedError"),
        ({"recipients": ("recovery",)}, "InconsistentError"),
        ({"signer": "dock-2"}, "SignerNotAllowedError"),
        ({"signer": "cam-1"}, "SignerNotAllowedError"),
        ({"signer": "stranger"}, "BadSignatureError"),
    ],
)
def test_a_bad_notice_is_refused_by_name_and_never_acknowledged(
    office: Office, options: dict[str, Any], error: str
) -> None:
    office.announce(office.notice(**options))
    assert office.context.store.through("dock-1") == 0
    assert office.context.store.clip(CLIP) is None
    assert office.log("refused")[0]["detail"]["error"] == error
    assert office.context.store.refusals() == {f"notice: {error}": 1}


def test_a_docks_first_seal_stands(office: Office) -> None:
    office.announce(office.notice())
    office.announce(office.notice(data_key=b"x" * 32))
    assert office.context.store.through("dock-1") == 1
    assert "sealed clip" in office.log("refused")[0]["detail"]["reason"]


def test_an_older_notice_never_overwrites_a_newer(office: Office) -> None:
    old, new = office.notice(), office.notice(previous=0)
    office.announce(new)
    office.announce(old)
    row = office.context.store.clip(CLIP)
    assert row is not None and row.sequence == 2
    assert office.context.store.through("dock-1") == 2


# deciding, releasing


def test_unclassified_is_refused_to_all(office: Office) -> None:
    office.announce(office.notice())
    for person in ("officer", "supervisor", "affairs", "chief", "records"):
        decision = office.ask(person, CLIP, "report" if person == "officer" else "court")
        assert decision["outcome"] == "refused"
        assert [need["kind"] for need in decision["needs"]] == ["classification"]


def test_a_release_opens_only_with_the_viewers_key_and_stands_in_the_log_first(office: Office) -> None:
    office.announce(office.notice())
    assert office.classify("none") == (True, None)
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "released"
    (envelope,) = office.orders(CLIP)
    release = envelope.statement(st.Release)
    assert unwrap(release.wrapped_key, agency.open_key("officer"), release_info(release)) == b"k" * 32
    assert release.expires_at - release.granted_at == timedelta(days=7)
    assert envelope.digest in office.log("released")[0]["attestations"]
    assert release.regime_sha256 == bundled("portland-negotiated-2023").sha256
    assert set(release.facts) == {row[0] for row in office.context.store.db.execute("SELECT digest FROM attestation")}


def test_an_order_is_repeated_until_its_dock_lists_it(office: Office) -> None:
    office.announce(office.notice())
    office.classify("none")
    release = office.ask("officer", CLIP)
    order_id = envelopes.from_dict(release["release"], what="release").statement(st.Release).order_id
    office.context.store.db.execute("DELETE FROM outbox")
    orders.repeat(office.context)
    orders.repeat(office.context)
    assert len(office.orders(CLIP)) == 1
    shown = NoticeRelease(
        order_id=order_id,
        person_id="officer",
        purpose="report",
        expires_at=office.clock.now() + timedelta(days=7),
        state="live",
    )
    office.announce(office.notice(lock=Lock(state="released", reason="a release order is live", releases=(shown,))))
    office.context.store.db.execute("DELETE FROM outbox")
    orders.repeat(office.context)
    assert office.orders(CLIP) == []


def test_a_refused_request_stays_open_and_is_decided_again(office: Office) -> None:
    office.announce(office.notice())
    office.classify("deadly")
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "refused"
    assert office.told()[0]
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


def test_a_request_nobody_could_answer_closes_after_14_days(office: Office) -> None:
    office.announce(office.notice())
    office.classify("deadly")
    decision = office.ask("officer", CLIP)
    office.clock.turn(days=14, seconds=1)
    office.tick()
    office.told()
    assert office.decision("officer", decision["request_id"])["outcome"] == "refused"


def test_a_person_without_an_opening_key_gets_no_release(tmp_path: Path, store_url: str) -> None:
    office = open_office(tmp_path)
    people = agency.trust_statement().plain()["people"]
    del people["officer"]["open"]
    office.context.trust = agency.trust(people=people)
    office.context.store.remember_trust(office.context.trust)
    office.announce(office.notice())
    office.classify("none")
    assert office.ask("officer", CLIP)["because"][0]["policy_id"] == "no-open-key"
    office.context.store.close()


# what revokes


def released(office: Office, force: str = "none") -> tuple[str, str]:
    """A released clip; returns the request and the order."""
    office.announce(office.notice())
    office.classify(force)
    if force != "none":
        office.told()
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "released"
    order = envelopes.from_dict(decision["release"], what="release").statement(st.Release)
    return decision["request_id"], order.order_id


def revoked(office: Office, request_id: str, order_id: str) -> None:
    last = office.orders(CLIP)[-1]
    assert last.kind == "revocation"
    assert last.statement(st.Revocation).order_id == order_id
    assert office.decision("officer", request_id)["outcome"] == "revoked"
    assert office.log("revoked")[-1]["detail"]["order_id"] == order_id


def test_a_reclassification_revokes_what_no_longer_stands_and_says_why(office: Office) -> None:
    request_id, order_id = released(office)
    office.clock.turn(seconds=10)
    office.classify("deadly")
    revoked(office, request_id, order_id)
    assert office.decision("officer", request_id)["needs"][0]["form"] == "audio"


def test_a_withdrawn_statement_revokes(office: Office) -> None:
    request_id, order_id = released(office, "deadly")
    (digest,) = [
        row.digest for row in office.context.store.attestations_about(CLIP, [INCIDENT]) if row.kind == "statement"
    ]
    withdrawal = st.Withdrawal(attestation_sha256=digest, reason="given under a wrong name", at=office.clock.now())
    assert office.attest(withdrawal, "supervisor")[0] is False
    assert office.attest(withdrawal, "affairs") == (True, None)
    revoked(office, request_id, order_id)


def test_a_hold_revokes_a_training_release(office: Office) -> None:
    office.announce(office.notice())
    office.classify("none")
    decision = office.ask("trainer", CLIP, "training")
    assert decision["outcome"] == "released"
    hold = st.Hold(hold_id="h1", clip_id=CLIP, state="placed", reason="suit filed", at=office.clock.now())
    assert office.attest(hold, "records") == (True, None)
    assert office.decision("trainer", decision["request_id"])["outcome"] == "revoked"


def test_orders_expire_and_the_viewer_is_told(office: Office) -> None:
    request_id, _ = released(office)
    office.clock.turn(days=7)
    office.tick()
    assert office.decision("officer", request_id)["outcome"] == "expired"


def test_no_order_outlives_the_authorization_it_rests_on(tmp_path: Path, store_url: str) -> None:
    office = open_office(tmp_path, "portland-city-offer-2023", store={"url": store_url})
    office.announce(office.notice())
    office.classify("deadly")
    until = office.clock.now() + timedelta(hours=5)
    authorization = st.Authorization(
        authorization_id="a1",
        person_id="officer",
        incident_id=INCIDENT,
        purposes=("report",),
        issued_at=office.clock.now(),
        expires_at=until,
    )
    assert office.attest(authorization, "chief") == (True, None)
    decision = office.ask("officer", CLIP)
    release = envelopes.from_dict(decision["release"], what="release").statement(st.Release)
    assert release.expires_at == until
    office.context.store.close()


# who may say what


def test_who_may_say_what(office: Office) -> None:
    office.announce(office.notice())
    refused = [
        (office.classify("none", by="officer"), "SignerNotAllowedError"),
        (office.classify("none", by="stranger"), "BadSignatureError"),
        (office.told(by="supervisor"), "SignerNotAllowedError"),
        (office.told(to="supervisor", by="affairs"), "SignerNotAllowedError"),
        (office.told(officer="affairs"), "SignerNotAllowedError"),
        (office.classify("none", classified_at=office.clock.now() + timedelta(hours=1)), "InconsistentError"),
    ]
    for (accepted, reason), error in refused:
        assert not accepted
        assert reason is not None and reason.startswith(error)
    assert sum(office.context.store.refusals().values()) == len(refused)
    assert office.context.store.attestations_about(CLIP, [INCIDENT]) == []


@pytest.mark.parametrize("wearer", ["supervisor", "officer"])
def test_whoever_was_there_is_told_that_their_word_can_only_close(office: Office, wearer: str) -> None:
    office.announce(office.notice(officer=wearer))
    involved = [] if wearer == "supervisor" else ["supervisor"]
    assert office.classify("none", by="supervisor", involved=involved) == (True, None)
    note = office.notes[-1]
    assert note is not None and "can only close" in note and CLIP in note
    decision = office.ask(wearer, CLIP)
    assert [need["kind"] for need in decision["needs"]] == ["classification"]
    assert decision["needs"][0]["incident_id"] == INCIDENT


def test_when_nobody_unconflicted_holds_a_needed_role_the_need_says_so(office: Office) -> None:
    office.announce(office.notice())
    office.classify("minimal", by="affairs", involved=["officer", "supervisor"])
    [need] = office.ask("officer", CLIP)["needs"]
    assert (need["kind"], need["from"], need["incident_id"]) == ("statement", "supervisor", INCIDENT)
    assert "the agency enrols another" in need["note"]


def test_two_people_may_sign_the_same_words_and_each_withdraws_their_own(office: Office) -> None:
    office.announce(office.notice())
    assert office.classify("deadly", by="supervisor") == office.classify("deadly", by="affairs") == (True, None)
    one, other = office.context.store.attestations_about(CLIP, [INCIDENT])
    assert one.digest == other.digest and {one.signer, other.signer} == {"supervisor", "affairs"}
    office.clock.turn(seconds=1)
    withdrawal = st.Withdrawal(attestation_sha256=one.digest, reason="error", at=office.clock.now())
    assert office.attest(withdrawal, "supervisor") == (True, None)
    office.clock.turn(seconds=1)
    office.classify("none", by="supervisor")
    assert office.ask("officer", CLIP)["outcome"] == "refused", "internal affairs' word stands"


def test_nobody_takes_over_the_request_of_another(office: Office) -> None:
    office.announce(office.notice())
    request = st.Request(request_id="r", clip_id=CLIP, purpose="report", requested_at=office.clock.now())
    assert office.attest(request, "officer") == (True, None)
    accepted, reason = office.attest(request, "witness")
    assert not accepted and "another person's" in str(reason)


def test_published_under_another_name_is_refused(office: Office) -> None:
    request = st.Request(request_id="r", clip_id=CLIP, purpose="report", requested_at=office.clock.now())
    envelope = agency.signed(request, "officer")
    with office.context.store.transaction():
        attestations.receive(office.context, envelope.to_bytes(), "chief", "request", envelope.digest)
    assert office.context.store.refusals() == {"request: SignerNotAllowedError": 1}


def test_a_replay_is_harmless_and_answered_again(office: Office) -> None:
    office.announce(office.notice())
    classification = st.Classification(
        incident_id=INCIDENT,
        force="none",
        in_custody_death=False,
        occurred_at=office.clock.now(),
        classified_at=office.clock.now(),
    )
    envelope = agency.signed(classification, "supervisor")
    assert office.receive(envelope, "supervisor") == (True, None)
    size = office.context.custody.size
    assert office.receive(envelope, "supervisor") == (True, None)
    assert office.context.custody.size == size


def test_of_two_who_disagree_the_stricter_stands_until_its_signer_revises(office: Office) -> None:
    office.announce(office.notice())
    office.classify("none", by="supervisor")
    office.classify("deadly", by="affairs")
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "refused"
    office.clock.turn(seconds=5)
    office.classify("none", by="affairs")
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


# clips that need more than their tag


@pytest.mark.parametrize("as_of", [None, timedelta(0)])
def test_a_clip_without_incident_opens_once_the_clip_itself_is_classified(
    office: Office, as_of: timedelta | None
) -> None:
    """What dispatch knew, or did not, is never evidence that nothing happened."""
    office.announce(office.notice(incidents=(), as_of=office.clock.now() if as_of is not None else None))
    decision = office.ask("officer", CLIP)
    [need] = decision["needs"]
    assert (decision["outcome"], need["kind"], need.get("incident_id")) == ("refused", "classification", None)
    assert office.classify("none", incident_id=None, clip_ids=[CLIP]) == (True, None)
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


def test_force_on_a_clip_without_incident_is_stated_about_the_clip(office: Office) -> None:
    office.announce(office.notice(incidents=()))
    office.classify("deadly", incident_id=None, clip_ids=[CLIP])
    decision = office.ask("officer", CLIP)
    [need] = decision["needs"]
    assert (need["kind"], need.get("incident_id")) == ("statement", None)
    told = {"clip_id": CLIP, "officer_id": "officer", "to": "internal_affairs", "form": "audio"}
    statement = st.OfficerStatement.model_validate(
        told | {"given_at": office.clock.now(), "recording_sha256": "ab" * 32}
    )
    assert office.attest(statement, "affairs") == (True, None)
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


def test_a_classification_that_names_the_clip_ends_its_being_no_incident(office: Office) -> None:
    past_end = office.clock.now()
    office.announce(office.notice(incidents=(), as_of=past_end))
    office.classify("deadly", clip_ids=[CLIP])
    assert office.ask("officer", CLIP)["outcome"] == "refused"


def test_a_camera_clock_too_far_off_counts_as_unclassified_until_the_clip_is_named(office: Office) -> None:
    office.announce(office.notice(skew=301.0))
    office.classify("none")
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "refused"
    office.clock.turn(seconds=5)
    office.classify("none", clip_ids=[CLIP])
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


def test_a_clip_in_several_incidents_opens_only_when_each_would(office: Office) -> None:
    office.announce(office.notice(incidents=(INCIDENT, "23-310002")))
    office.classify("none")
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "refused"
    office.classify("none", incident_id="23-310002")
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


def test_quarantined_footage_opens_only_once_admitted(office: Office) -> None:
    office.announce(office.notice(integrity="unsigned", incidents=()))
    office.classify("none", clip_ids=[CLIP])
    decision = office.ask("officer", CLIP)
    assert decision["because"][0]["policy_id"] == "quarantine"
    correction = st.Correction(
        clip_id=CLIP, officer_id="officer", admit=True, reason="camera broken in a struggle", at=office.clock.now()
    )
    assert office.attest(correction, "records") == (True, None)
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


def test_correcting_who_wore_a_pool_camera_decides_again(office: Office) -> None:
    office.announce(office.notice(officer="witness"))
    office.classify("none")
    decision = office.ask("officer", CLIP)
    assert decision["outcome"] == "refused"
    correction = st.Correction(clip_id=CLIP, officer_id="officer", reason="pool camera", at=office.clock.now())
    office.attest(correction, "supervisor")
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"
    assert office.ask("witness", CLIP)["outcome"] == "refused"


# time


def test_the_deadline_shows_as_due_then_overdue_and_unlocks_nothing(office: Office) -> None:
    office.announce(office.notice())
    office.classify("deadly")
    decision = office.ask("officer", CLIP)
    topic = office.context.topics.standing("dock-1", CLIP)
    assert json.loads(office.posted(topic)[-1])["overdue"] is False
    assert office.context.store.counts()["overdue_clips"] == 0
    office.clock.turn(hours=46, seconds=1)  # it occurred two hours before
    office.tick()
    standing = json.loads(office.posted(topic)[-1])
    assert standing["overdue"] is True
    assert office.context.store.counts()["overdue_clips"] == 1
    assert office.decision("officer", decision["request_id"])["outcome"] == "refused"


def test_a_fact_a_moment_ahead_counts_when_its_moment_has_come(office: Office) -> None:
    office.announce(office.notice())
    office.classify("deadly")
    decision = office.ask("officer", CLIP)
    statement = st.OfficerStatement(
        incident_id=INCIDENT,
        officer_id="officer",
        to="internal_affairs",
        form="audio",
        given_at=office.clock.now() + timedelta(seconds=3),
        recording_sha256="ab" * 32,
    )
    assert office.attest(statement, "affairs") == (True, None)
    assert office.decision("officer", decision["request_id"])["outcome"] == "refused"
    office.clock.turn(seconds=3)
    office.tick()
    assert office.decision("officer", decision["request_id"])["outcome"] == "released"


# record, retention


def test_replay_under_the_same_regime_gives_the_same_answers_and_another_differs(office: Office) -> None:
    office.announce(office.notice())
    office.classify("deadly")
    office.ask("officer", CLIP)
    office.ask("affairs", CLIP, "investigation")
    office.told()
    same = list(replay(office.context.store, bundled("portland-negotiated-2023")))
    assert [one.recorded["outcome"] for one in same] == ["refused", "refused", "released", "released"]
    assert not any(one.differs for one in same)
    assert [one.recorded | {"outcome": None} for one in same] == [
        one.ruling.document() | {"outcome": None} for one in same
    ]
    other = list(replay(office.context.store, bundled("portland-union-offer-2023")))
    assert [one.differs for one in other] == [True, True, False, False]


def dispose_early(office: Office, by: str, **changes: Any) -> tuple[bool, str | None]:
    fields = {"authorization_id": "d1", "clip_id": CLIP, "purposes": ("disposal",), "issued_at": office.clock.now()}
    until = agency.NOW + timedelta(days=60)
    return office.attest(st.Authorization.model_validate(fields | {"expires_at": until} | changes), by)


def kept_for(office: Office, days: float) -> None:
    """A clip without force, recorded so many days ago."""
    office.announce(office.notice(recorded=office.clock.now() - timedelta(days=days)))
    office.classify("none")


def test_early_disposal_needs_chief_and_records_and_its_notice_and_then_our_own_wraps_go(office: Office) -> None:
    kept_for(office, 181)
    assert office.ask("officer", CLIP)["outcome"] == "released"
    assert dispose_early(office, "chief")[0] and dispose_early(office, "chief", authorization_id="d2")[0]
    office.clock.turn(minutes=5)
    assert dispose_early(office, "records")[0], "equal but for the signer and when it was issued"
    assert len(office.log("disposal_due")) == 1
    office.clock.turn(days=13, hours=23)
    office.tick()
    assert [order.kind for order in office.orders(CLIP)] == ["release"]
    office.clock.turn(hours=2)
    office.tick()
    disposal = office.orders(CLIP)[-1].statement(st.Disposal)
    assert len(disposal.approvals) == 2
    row = office.context.store.clip(CLIP)
    assert row is not None
    done = office.notice().model_copy(
        update={
            "lock": Lock(state="disposed", reason="disposed of by order"),
            "seal_envelope": None,
            "capture_envelope": None,
            "tag_envelope": None,
        }
    )
    office.announce(done)
    assert office.context.store.through("dock-1") == 2
    assert not office.context.store.has(row.seal_sha256)
    assert office.ask("officer", CLIP)["because"][0]["policy_id"] == "disposed"
    assert office.log("disposed")
    assert all(order.envelope == b"" for order in office.context.store.orders(CLIP))
    assert office.orders(CLIP) == []


def test_a_courts_order_disposes_before_the_least_time_and_nothing_else_does(office: Office) -> None:
    kept_for(office, 20)
    order = {"reference": "23CV-1", "court": "Circuit Court", "dated": office.clock.now(), "sha256": "ab" * 32}
    for by in ("chief", "records"):
        assert dispose_early(office, by)[0]
    office.clock.turn(days=15)
    office.tick()
    assert office.orders(CLIP) == []
    for by in ("chief", "records"):
        assert dispose_early(office, by, authorization_id="d2", court_order=order)[0]
    office.clock.turn(days=14, seconds=1)
    office.tick()
    assert [one.kind for one in office.orders(CLIP)] == ["disposal"]


def test_nothing_disposed_of_comes_back(office: Office) -> None:
    office.announce(office.notice())
    gone = office.notice().model_copy(update={"lock": Lock(state="disposed", reason="x"), "seal_envelope": None})
    office.announce(gone)
    assert "without an order" in office.log("refused")[-1]["detail"]["reason"]
    row = office.context.store.clip(CLIP)
    assert row is not None and not row.disposed


# keys change


def test_what_was_signed_under_an_older_key_still_counts(office: Office) -> None:
    office.announce(office.notice())
    office.classify("deadly")
    office.told()
    people = agency.trust_statement().plain()["people"]
    people["affairs"]["sign"] = agency.sign_pem("affairs' new key")
    cameras = {"cam-1": agency.sign_pem("cam-1's new key")}
    office.restart(agency.trust(version=2, people=people, cameras=cameras))
    office.announce(office.notice())
    assert office.context.store.through("dock-1") == 2
    assert office.ask("officer", CLIP)["outcome"] == "released"
    accepted, reason = office.told(by="affairs")
    assert not accepted and "not enrolled" in str(reason)
