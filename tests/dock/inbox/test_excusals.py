"""Excusals as a dock hears them: in any order, only by who may, and the verdict stands beside them in the report."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from daemon.cli.dispatch.findings import Findings
from daemon.cli.dispatch.output import as_document
from daemon.core.dispatch.compliance import review
from daemon.core.dispatch.excusals import Excused
from daemon.dock.dispatch import compliance_source
from daemon.dock.store import excusals as store
from daemon.model import statements as st
from daemon.model import strict_json
from daemon.seal.envelope import Envelope
from tests.kit import agency
from tests.kit.dock_fixture import House

INCIDENT = "23-310001"


def say(house: House, signer: str, statement: st.Statement) -> Envelope:
    envelope = agency.signed(statement, signer)
    hear(house, signer, envelope)
    return envelope


def hear(house: House, signer: str, envelope: Envelope) -> None:
    house.hear(house.dock.topics.attestation(signer, envelope.kind, envelope.digest), envelope.to_bytes())


def excusal(house: House, minutes: int = 0, **changes: object) -> st.Excusal:
    values = {"incident_id": INCIDENT, "officer_id": "officer", "reason": "training"}
    at = house.dock.now() - timedelta(minutes=10 - minutes)
    return st.Excusal.model_validate(values | {"at": at} | changes)


def withdrawal(house: House, of: Envelope) -> st.Withdrawal:
    return st.Withdrawal(attestation_sha256=of.digest, reason="mistaken", at=house.dock.now())


def stands(house: House) -> dict[tuple[str, str], Excused]:
    return house.dock.dispatch.excusals.all()


def test_a_supervisors_excusal_stands_and_the_latest_counts(house: House) -> None:
    say(house, "supervisor", excusal(house))
    later = say(house, "supervisor", excusal(house, 5, reason="other", note="flood"))
    hear(house, "supervisor", later)
    assert stands(house) == {(INCIDENT, "officer"): Excused("other", "flood", "supervisor")}


@pytest.mark.parametrize(("by", "left"), [("supervisor", 0), ("chief", 0), ("affairs", 1), ("officer", 1)])
@pytest.mark.parametrize("first", ["excusal", "withdrawal"])
def test_its_signer_and_the_chief_take_it_back_whatever_comes_first(
    house: House, by: str, left: int, first: str
) -> None:
    said = agency.signed(excusal(house), "supervisor")
    taken = agency.signed(withdrawal(house, said), by)
    both = [("supervisor", said), (by, taken)]
    for signer, envelope in both if first == "excusal" else reversed(both):
        hear(house, signer, envelope)
    assert len(stands(house)) == left


def test_nobody_excuses_their_own_camera_and_no_officer_anybodys(house: House) -> None:
    say(house, "officer", excusal(house, officer_id="witness"))
    say(house, "supervisor", excusal(house, officer_id="supervisor"))
    assert stands(house) == {}
    assert [entry["detail"]["error"] for entry in house.custody("refused")] == ["SignerNotAllowedError"] * 2


@pytest.mark.parametrize("data", [b"{", b"\xff", b""])
@pytest.mark.parametrize("kind", ["excusal", "withdrawal"])
def test_what_is_none_is_refused_and_stops_nothing(house: House, kind: str, data: bytes) -> None:
    house.hear(house.dock.topics.attestation("supervisor", kind, "d"), data)
    assert len(house.custody("refused")) == (1 if data else 0)
    say(house, "supervisor", excusal(house))
    assert len(stands(house)) == 1


def withdraw_anything(house: House, signer: str, count: int) -> int:
    """Withdrawals of what nobody has said; how many the dock keeps."""
    for number in range(count):
        say(house, signer, st.Withdrawal(attestation_sha256=f"{number:064x}", reason="", at=house.dock.now()))
    return int(house.dock.store.db.execute("SELECT count(*) FROM withdrawn").fetchone()[0])


def test_of_whoever_can_take_no_excusal_back_no_withdrawal_is_kept(house: House) -> None:
    """Anybody enrolled may sign withdrawals of anything: they would fill the dock's disk."""
    assert withdraw_anything(house, "officer", 3) == 0
    assert withdraw_anything(house, "supervisor", 3) == 3


def test_of_each_signer_only_the_newest_are_kept(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "MOST_OF_ONE", 3)
    say(house, "chief", withdrawal(house, agency.signed(excusal(house), "supervisor")))
    for minutes in range(5):
        house.clock.turn(seconds=1)
        say(house, "supervisor", excusal(house, minutes, incident_id=f"I{minutes}"))
    house.clock.turn(seconds=1)
    assert withdraw_anything(house, "supervisor", 5) == 1 + 3
    assert {incident for incident, _ in stands(house)} == {"I2", "I3", "I4"}


def test_they_are_forgotten_with_what_they_are_about(house: House) -> None:
    said = say(house, "supervisor", excusal(house))
    say(house, "supervisor", withdrawal(house, said))
    house.dock.dispatch.prune(house.dock.now() + timedelta(seconds=1))
    counts = [
        house.dock.store.db.execute(f"SELECT count(*) FROM {name}").fetchone() for name in ("excusal", "withdrawn")
    ]
    assert counts == [(0,), (0,)]


def test_the_report_shows_it_beside_the_verdict_and_counts_it_apart(house: House) -> None:
    """The officer had no camera on, and has docked a later clip."""
    call = house.dock.now() - timedelta(hours=30)
    for status, after in (("Dispatched", 0), ("Cleared", 1200)):
        at = (call + timedelta(seconds=after)).isoformat()
        unit = {
            "$id": "711@x",
            "lastUpdateTimeStamp": at,
            "secondaryUnitStatusRegistryText": [status],
            "agentReference": [{"$ref": "officer@x"}],
        }
        document = {
            "lastUpdateTimeStamp": at,
            "incidentComponent": {"internalIncidentId": INCIDENT, "incidentTypeCommonRegistryText": "Theft"},
            "emergencyResourceComponent": [unit],
        }
        house.hear(house.dock.topics.cad(INCIDENT), strict_json.dump(document))
    before = report(house)
    [row] = before["assignments"]
    assert (row["verdict"], row["excusal"], before["officers"]["officer"]["excusals"]) == ("absent", None, 0)
    say(house, "supervisor", excusal(house, reason="equipment_failure"))
    after = report(house)
    [row] = after["assignments"]
    assert (row["verdict"], row["excusal"]) == ("absent", {"reason": "equipment_failure", "by": "supervisor"})
    told = after["officers"]["officer"]
    assert (told["absent"], told["excusals"], told["rate"]) == (1, 1, 0.0)


def report(house: House) -> Any:
    """As `bwc dispatch report --config` makes it."""
    begin, end = house.dock.now() - timedelta(days=3), house.dock.now()
    found = compliance_source.read(house.dock.config, begin, end)
    reviewed = review(found.clips, found.assignments, found.docked_until, 60.0, begin, end, found.excusals)
    return as_document(Findings(reviewed))
