"""What a dock's tag says of dispatch's gaps, and that it is said anew when they change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.dock.store.dispatch_unclear import MANY
from daemon.model import statements as st
from tests.core.dispatch.calls import at, document
from tests.dock.dispatch.scene import newest_tag
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house

LATER = "I9: 799 Z Dispatched 21:55"
B_CLIP, NEWER = "2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a20", "2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a21"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path / "house") as made:
        record(made, CLIP, "A", "21:10", "21:50")
        yield made


def record(house: House, clip: str, officer: str, begin: str, end: str) -> None:
    """A clip comes in."""
    times: dict[str, Any] = {"started_at": at(begin), "triggered_at": at(begin), "stopped_at": at(end)}
    house.record(clip, clip.encode(), officer_id=officer, pre_event_seconds=0, **times)
    assert house.look() in {"done", "waiting"}


def tell(house: House, *lines: str, clip: str = CLIP) -> st.Tag:
    """Dispatch says something; what a clip's tag says then."""
    for line in lines:
        house.service.receive_file(json.dumps(document(line)).encode(), f"file {line[:20]}.json")
    return newest_tag(house, clip)


def test_nothing_is_said_until_dispatch_has_spoken_past_the_clips_end(house: House) -> None:
    assert newest_tag(house, CLIP).unclear is None
    assert tell(house, "I8: 700 Y Dispatched 21:20").unclear is None
    tag = tell(house, LATER)
    assert (tag.unclear, tag.activation.verdict, tag.dispatch_as_of) == (0, "undispatched", at("21:55"))
    assert len(house.custody("tagged")) == tag.revision == 2


def test_a_clip_on_a_call_waits_for_dispatch_as_well(house: House) -> None:
    assert tell(house, "I1: 711 A Dispatched 21:00").unclear is None
    tag = tell(house, LATER)
    assert (tag.unclear, tag.activation.verdict) == (0, "late")


def test_it_is_said_anew_when_the_crew_is_known(house: House) -> None:
    assert tell(house, LATER, "I1: 711 - Dispatched 21:00").unclear == 1
    assert tell(house, "I2: 712 - Dispatched 21:05").unclear == 2
    assert tell(house, "I1: 711 B EnRoute 21:01").unclear == 1
    assert tell(house, "I2: 712 - Cleared 21:06").unclear == 0


def test_whose_it_may_have_been_is_said_anew_when_the_officer_is_known_to_be_elsewhere(house: House) -> None:
    """It stays unclear all the same: an officer may have joined a unit that dispatch never named them on."""
    tag = tell(house, LATER, "I1: 711 - Dispatched 21:00")
    assert (tag.unclear, tag.perhaps) == (1, ("I1",))
    tag = tell(house, "I3: 713 A Dispatched 20:00; 713 A Cleared 20:10")
    assert (tag.unclear, tag.perhaps) == (1, ())
    assert tell(house, "I4: 711 A Dispatched 20:30; 711 A+B Cleared 20:40").activation.verdict != "undispatched"


def test_what_cannot_be_read_counts_and_a_flood_of_it_does_not_sign_every_clip_anew(house: House) -> None:
    house.clock.turn(seconds=3600)
    assert tell(house, LATER).unclear == 0
    revisions = newest_tag(house, CLIP).revision
    for number in range(3 * MANY):
        house.service.receive_file(b"{" * (number + 1), f"file {number}.json")
    tag = newest_tag(house, CLIP)
    assert tag.unclear == MANY
    assert tag.revision == revisions + MANY


def test_many_bad_documents_of_one_time_hide_none_of_another(tmp_path: Path) -> None:
    """Ten of two days before count no more for this clip, though they do for others that the next one is about."""
    with open_house(tmp_path / "house") as house:
        house.clock.at = at("22:05") - timedelta(hours=48)
        for number in range(MANY):
            house.service.receive_file(b"{" * (number + 1), f"bad {number}.json")
        house.clock.at = at("23:00")
        record(house, CLIP, "A", "22:10", "22:40")
        assert tell(house, "I9: 799 Z Dispatched 22:55").unclear == 0
        bad = document("I1: 711 A Dispatched 22:00")
        bad["emergencyResourceComponent"][0]["$id"] = ""
        house.service.receive_file(json.dumps(bad).encode(), "a file.json")
        assert newest_tag(house, CLIP).unclear == 1


def test_a_part_set_aside_counts(house: House) -> None:
    made = document(LATER)
    made["emergencyResourceComponent"].append("no unit")
    house.service.receive_file(json.dumps(made).encode(), "file 1.json")
    assert newest_tag(house, CLIP).unclear == 1


@pytest.mark.parametrize("how", ["docks a newer clip", "docks footage without a capture", "is named by a correction"])
def test_an_officer_who_turns_out_to_wear_a_camera_is_doubted_at_every_time(tmp_path: Path, how: str) -> None:
    """Two were on the unit. As long as one is not known to wear a camera, a call without crew is the other's alone."""
    with open_house(tmp_path / "house", orphan_seconds=1e-9) as house:
        house.clock.at = at("22:00") + timedelta(days=3)
        record(house, B_CLIP, "B", "20:00", "20:05")
        record(house, OTHER_CLIP, "B", "21:10", "21:50")
        crew = "I0: 711 A+B Dispatched 20:00; 711 - Cleared 20:30"
        tag = tell(house, crew, "I1: 711 - Dispatched 21:00", LATER, clip=OTHER_CLIP)
        assert ([one.incident_id for one in tag.activation.assignments], tag.unclear) == (["I1"], 0)
        match how:
            case "docks a newer clip":
                record(house, NEWER, "A", "2023-12-02T20:00:00Z", "2023-12-02T20:10:00Z")
                record(house, CLIP, "A", "21:10", "21:50")
            case "docks footage without a capture":
                house.mount.introduce(officer_id="A")
                house.mount.footage("7", b"unsigned")
                assert house.look() in {"done", "waiting"}
                record(house, CLIP, "A", "21:10", "21:50")
            case _:
                record(house, CLIP, "Z", "21:10", "21:50")
                said = agency.statement("correction", clip_id=CLIP, officer_id="A", admit=None, at=house.dock.now())
                word = agency.signed(said, "records")
                house.hear(house.dock.topics.attestation("records", word.kind, word.digest), word.to_bytes())
        assert newest_tag(house, CLIP).unclear == 1
        tag = newest_tag(house, OTHER_CLIP)
        assert (tag.activation.assignments, tag.unclear) == ((), 1), "and so is the call of the other"


@pytest.mark.parametrize(
    ("stamped", "unclear"), [("21:05", 1), (None, 1), (17, 1), ("2023-11-26T00:00:00Z", 0)], ids=str
)
@pytest.mark.parametrize("notified", [False, True])
def test_a_part_set_aside_counts_at_its_own_time_or_until_it_came(
    house: House, stamped: object, unclear: int, *, notified: bool
) -> None:
    """The incident's own stamp is from when it was opened, days before; without one a part may be of any time since."""
    house.clock.at = at("22:05")
    assert tell(house, LATER).unclear == 0
    made = document("I1: 711 A Dispatched 21:05")
    made["lastUpdateTimeStamp"] = made["incidentComponent"][0]["lastUpdateTimeStamp"] = "2023-11-26T00:00:00Z"
    unit = made["emergencyResourceComponent"][0]
    unit["$id"], unit["lastUpdateTimeStamp"] = "", at(stamped).isoformat() if isinstance(stamped, str) else stamped
    if notified:
        made = {"event": {"subscriptionId": "s", "notification": [made, document("I8: 700 Y Dispatched 20:00")]}}
    house.service.receive_file(json.dumps(made).encode(), "a file.json")
    assert newest_tag(house, CLIP).unclear == unclear


def test_of_what_dispatch_said_long_ago_nothing_is_claimed(tmp_path: Path) -> None:
    with open_house(tmp_path / "house") as house:
        old = house.clock.now() - timedelta(days=29)
        house.service.receive_file(json.dumps(document(LATER)).encode(), "file 1.json")
        house.record(CLIP, b"x", officer_id="A", started_at=old, triggered_at=old, stopped_at=old)
        house.look()
        assert newest_tag(house, CLIP).unclear is None


def test_what_an_earlier_version_kept_is_read_again_and_the_clips_tagged_anew(tmp_path: Path) -> None:
    root, begin, end = tmp_path / "house", at("21:10"), at("21:50")
    data = json.dumps(document("I1: 711 A Dispatched 21:00")).encode()
    with open_house(root) as house:
        house.record(CLIP, b"x", officer_id="A", started_at=begin, triggered_at=begin, stopped_at=end)
        house.look()
        assert tell(house, LATER).activation.verdict == "undispatched"
        db, stamp = house.dock.store.db, "2023-11-29T22:00:00.000Z"
        db.execute("CREATE TABLE dispatch_to_read AS SELECT * FROM dispatch_document")
        db.execute("INSERT INTO dispatch_to_read VALUES (?, ?, ?, ?)", ("f" * 64, stamp, stamp, data))
        db.executescript("DELETE FROM dispatch_document; DELETE FROM dispatch_about;")
    with open_house(root) as house:
        for _ in range(2):
            house.service.run_in_transaction(lambda _: None)
        tag = newest_tag(house, CLIP)
        assert [one.incident_id for one in tag.activation.assignments] == ["I1"]
        assert not house.dock.dispatch.was_read_again
