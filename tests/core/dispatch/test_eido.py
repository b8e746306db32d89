"""EIDO documents: what is read, what is ignored, and what makes one unusable."""

from __future__ import annotations

import json
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.core.dispatch import eido, received
from daemon.core.dispatch.eido import Merge, Snapshot, Status
from daemon.core.dispatch.eido_fields import EidoError, instant
from tests.core.dispatch.calls import at, document

GOOD = document("I1: 711 A+B Dispatched 21:00; 712 - EnRoute 21:05; merge REPLACING I2")


URN = "urn:emergency:uid:incidentid:"


def changed(path: str, value: Any) -> dict[str, Any]:
    """GOOD with one value put in, or taken out where it is `...`."""
    result: Any = deepcopy(GOOD)
    *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
    inner = result
    for step in way:
        inner = inner[step]
    if value is ...:
        del inner[last]
    else:
        inner[last] = value
    return dict(result)


def test_what_is_read() -> None:
    snapshot = eido.parse(GOOD)
    [incident] = snapshot.incidents
    assert (incident.incident_id, incident.incident_type, incident.priority) == ("I1", "Theft", 4)
    assert snapshot.statuses == (
        Status("I1", "711", ("A", "B"), "Dispatched", at("21:00")),
        Status("I1", "712", (), "EnRoute", at("21:05")),
    )
    assert incident.tracking_id == "urn:emergency:uid:incidentid:I1:cad.example"
    assert snapshot.merges == (Merge("I1", "REPLACING", "urn:emergency:uid:incidentid:I2:cad.example", "I2"),)
    assert snapshot.as_of == at("21:05")


UNIT = "emergencyResourceComponent/0"


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("incidentComponent", GOOD["incidentComponent"][0]),
        ("mergeComponent", GOOD["mergeComponent"][0]),
        (f"{UNIT}/secondaryUnitStatusRegistryText", "Dispatched"),
        (f"{UNIT}/secondaryUnitStatusRegistryText", [" dispatched "]),
        (f"{UNIT}/agentReference", ["A@police.example", {"$ref": "B"}, None, {}]),
        (f"{UNIT}/agentReference", [{"$ref": "B@x"}, {"$ref": "A@y"}, {"$ref": "A@z"}]),
        (f"{UNIT}/lastUpdateTimeStamp", "2023-11-29T13:00:00.000900-08:00"),
        (f"{UNIT}/lastUpdateTimeStamp", "2023-11-29t21:00:00z"),
        (f"{UNIT}/lastUpdateTimeStamp", "2023-11-29T21:00:00.0" + "0" * 500 + "Z"),
        (f"{UNIT}/lastUpdateTimeStamp", " 2023-11-30T02:30:00,0000001+05:30 "),
        (f"{UNIT}/lastUpdateTimeStamp", "2023-11-29T21Z"),
        (f"{UNIT}/eta", {"anything": ["at all"]}),
        ("incidentComponent/0/lastUpdateTimeStamp", ...),
        ("lastUpdateTimeStamp", ...),
        ("agentComponent", "not even a list"),
        ("personComponent", None),
    ],
)
def test_other_spellings_and_unknown_parts_change_nothing(path: str, value: Any) -> None:
    assert eido.parse(changed(path, value)) == eido.parse(GOOD)


def test_a_single_unit_as_an_object() -> None:
    one = changed("emergencyResourceComponent", GOOD["emergencyResourceComponent"][0])
    assert eido.parse(one).statuses == eido.parse(GOOD).statuses[:1]


def test_a_unit_without_a_status_is_passed_over() -> None:
    broken = {"$id": "no id at all!", "lastUpdateTimeStamp": "yesterday", "secondaryUnitStatusRegistryText": None}
    assert len(eido.parse(changed(UNIT, broken)).statuses) == 1


ASIDE = [
    ("incidentComponent", ["I1", GOOD["incidentComponent"][0]], "incidentComponent[0]"),
    ("incidentComponent/0/internalIncidentId", 7, "incidentComponent[0].internalIncidentId"),
    ("incidentComponent/0/internalIncidentId", "I\n1", "incidentComponent[0].internalIncidentId"),
    ("incidentComponent/0/internalIncidentId", "ä" * 65, "incidentComponent[0].internalIncidentId"),
    ("incidentComponent/0/lastUpdateTimeStamp", 5, "incidentComponent[0].lastUpdateTimeStamp"),
    ("lastUpdateTimeStamp", "2023-11-29T21:00:00", "lastUpdateTimeStamp"),
    (UNIT, "711", "emergencyResourceComponent[0]"),
    (f"{UNIT}/secondaryUnitStatusRegistryText", 7, "emergencyResourceComponent[0].secondaryUnitStatusRegistryText"),
    (f"{UNIT}/agentReference", [{"$ref": 7}], "emergencyResourceComponent[0].agentReference"),
    (f"{UNIT}/lastUpdateTimeStamp", "2023-11-29T21:00:00", "emergencyResourceComponent[0].lastUpdateTimeStamp"),
    (f"{UNIT}/lastUpdateTimeStamp", "soon", "emergencyResourceComponent[0].lastUpdateTimeStamp"),
    (f"{UNIT}/lastUpdateTimeStamp", "0001-01-01T00:00:00+14:00", "emergencyResourceComponent[0].lastUpdateTimeStamp"),
    (f"{UNIT}/lastUpdateTimeStamp", ..., "emergencyResourceComponent[0].lastUpdateTimeStamp"),
    (f"{UNIT}/$id", "7" * 129, "emergencyResourceComponent[0].$id"),
    (f"{UNIT}/$id", ..., "emergencyResourceComponent[0].$id"),
    (f"{UNIT}/agentReference", [{"$ref": "A"}, {"$ref": "\x00@x"}], "emergencyResourceComponent[0].agentReference"),
    (f"{UNIT}/agentReference", ["A"] * 1001, "emergencyResourceComponent[0].agentReference"),
    ("mergeComponent/0/incidentMergeDirectionCode", "SIDEWAYS", "mergeComponent[0].incidentMergeDirectionCode"),
    ("mergeComponent/0/incidentTrackingIdentifier", ..., "mergeComponent[0].incidentTrackingIdentifier"),
]


@pytest.mark.parametrize(("path", "value", "names"), ASIDE)
def test_a_part_that_cannot_be_used_is_set_aside_by_name_and_the_rest_counts(path: str, value: Any, names: str) -> None:
    snapshot = eido.parse(changed(path, value))
    (part,) = snapshot.set_aside
    assert part.startswith(f"{names}: ")
    assert snapshot.incidents
    assert {status.unit_id for status in snapshot.statuses} >= {"712"}


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"$id": GOOD["$id"]},
        {"lastUpdateTimeStamp": "soon"},
        GOOD | {"$id": "e@x", "incidentComponent": []},
        GOOD | {"$id": "e@x", "incidentComponent": [{"lastUpdateTimeStamp": GOOD["lastUpdateTimeStamp"]}]},
        GOOD | {"emergencyResourceComponent": [{}] * 1001},
        {"incidentComponent": {"internalIncidentId": "I1"}},
    ],
)
def test_a_document_of_which_nothing_can_be_used_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(EidoError):
        eido.parse(document)


@pytest.mark.parametrize("incident_id", ["23/310001", "PP 23-310001", "P#231129", "2023:0001", "ä" * 64, "$!%+"])
def test_an_incidents_id_is_text(incident_id: str) -> None:
    assert (
        eido.parse(changed("incidentComponent/0/internalIncidentId", f" {incident_id} ")).statuses[0][0] == incident_id
    )


@pytest.mark.parametrize("value", [..., None, 7, "", "\x07"])
def test_an_incident_without_an_id_of_the_agencys_is_called_by_its_tracking_identifier(value: Any) -> None:
    snapshot = eido.parse(changed("incidentComponent/0/internalIncidentId", value))
    assert {status.incident_id for status in snapshot.statuses} == {GOOD["$id"]}
    assert bool(snapshot.set_aside) == (value not in (..., None))


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("711@police.example", "711"),
        ("urn:emergency:uid:resourceid:711:police.example", "711"),
        ("URN:emergency:UID:resourceid:711@police.example", "711"),
        ("#711", "711"),
        ("Engine 5", "Engine 5"),
        ("urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66", "urn:uuid:6e8bc430-9c3a-11d9-9669-0800200c9a66"),
        ("urn:nena:resource:5@x", "urn:nena:resource:5@x"),
    ],
)
def test_units_and_officers_may_be_urns(written: str, name: str) -> None:
    assert eido.parse(changed(f"{UNIT}/$id", written)).statuses[0].unit_id == name
    assert eido.parse(changed(f"{UNIT}/agentReference", [{"$ref": written}])).statuses[0].officer_ids == (name,)


def test_what_is_wrong_with_many_parts_is_named_up_to_a_hundred() -> None:
    snapshot = eido.parse(changed("emergencyResourceComponent", ["no unit"] * 150))
    assert len(snapshot.set_aside) == 101
    assert snapshot.set_aside[-1] == "and 50 parts more"


def test_a_document_that_says_too_much_is_refused() -> None:
    unit = GOOD["emergencyResourceComponent"][0] | {"secondaryUnitStatusRegistryText": ["EnRoute"] * 1000}
    assert len(eido.parse(changed("emergencyResourceComponent", [unit] * 10)).statuses) == 10_000
    with pytest.raises(EidoError):
        eido.parse(changed("emergencyResourceComponent", [unit] * 11))


def test_with_several_incidents_a_unit_is_on_the_one_it_refers_to_or_else_on_all() -> None:
    second = document("I2: ")["incidentComponent"][0]
    several = changed("incidentComponent", [GOOD["incidentComponent"][0], second])
    first, last = several["emergencyResourceComponent"]
    first["incidentReference"] = {"$ref": "I2@cad.example"}
    for elsewhere in ({"$ref": "I9@cad.example"}, None):
        last["incidentReference"] = elsewhere
        found = [(status.incident_id, status.unit_id) for status in eido.parse(several).statuses]
        assert found == [("I2", "711"), ("I1", "712"), ("I2", "712")]


@pytest.mark.parametrize(
    ("tracking", "merges"),
    [
        (f"{URN}I2:cad.example", (Merge("I1", "REPLACING", f"{URN}I2:cad.example", "I2"),)),
        ("URN:Emergency:uid:IncidentId:I2:x", (Merge("I1", "REPLACING", f"{URN}I2:x", "I2"),)),
        ("I2@cad.example", (Merge("I1", "REPLACING", "I2@cad.example", "I2"),)),
        ("I2", (Merge("I1", "REPLACING", "I2", "I2"),)),
        ("urn:something:else", (Merge("I1", "REPLACING", "urn:something:else", "urn:something:else"),)),
    ],
)
def test_the_other_incident_of_a_merge_as_it_is_written_and_its_own_id_if_it_has_one(
    tracking: Any, merges: tuple[Merge, ...]
) -> None:
    assert eido.parse(changed("mergeComponent/0/incidentTrackingIdentifier", tracking)).merges == merges


@pytest.mark.parametrize(
    ("header", "component", "tracking"),
    [
        (f"{URN}a:x", f"{URN}b:x", f"{URN}a:x"),
        ("e@police.example", f"{URN}b:x", f"{URN}b:x"),
        ("e@police.example", "i@police.example", None),
        (None, 7, None),
    ],
)
def test_the_headers_id_is_the_incidents_tracking_identifier_or_else_the_components(
    header: Any, component: Any, tracking: str | None
) -> None:
    document = changed("incidentComponent/0/$id", component) | {"$id": header}
    assert eido.parse(document).incidents[0].tracking_id == tracking


def test_of_several_incidents_the_header_names_none() -> None:
    second = document("I2: ")["incidentComponent"][0] | {"$id": f"{URN}b:x"}
    several = changed("incidentComponent", [GOOD["incidentComponent"][0], second])
    assert [one.tracking_id for one in eido.parse(several).incidents] == [None, f"{URN}b:x"]


@given(st.datetimes(timezones=st.timezones(), min_value=datetime(1971, 1, 3), max_value=datetime(2100, 1, 1)))  # noqa: DTZ001
def test_every_offset_is_the_same_instant(moment: datetime) -> None:
    found = instant(moment.isoformat())
    assert found.tzinfo is UTC
    assert 0 <= (moment - found).total_seconds() < 0.001


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("2023-11-29T21:00:00Z"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
PATHS = [
    "lastUpdateTimeStamp", "incidentComponent", "incidentComponent/0", "incidentComponent/0/$id",
    "incidentComponent/0/incidentTypeCommonRegistryText", "incidentComponent/0/incidentCommonPriorityNumber",
    "emergencyResourceComponent", UNIT, f"{UNIT}/$id", f"{UNIT}/agentReference", f"{UNIT}/incidentReference",
    f"{UNIT}/secondaryUnitStatusRegistryText", f"{UNIT}/lastUpdateTimeStamp", "mergeComponent", "mergeComponent/0",
    "mergeComponent/0/incidentTrackingIdentifier", "mergeComponent/0/incidentMergeDirectionCode",
]  # fmt: skip


@given(st.sampled_from(PATHS), json_values)
def test_whatever_stands_anywhere_the_document_is_read_or_refused(path: str, value: Any) -> None:
    try:
        snapshot = eido.parse(changed(path, value))
    except EidoError:
        return
    assert isinstance(snapshot, Snapshot)
    hash(snapshot)


def test_a_byte_order_mark_changes_nothing() -> None:
    assert received.read(b"\xef\xbb\xbf" + json.dumps(GOOD).encode()) == eido.parse(GOOD)


def test_a_notification_says_what_its_documents_say_and_names_what_cannot_be_used() -> None:
    other = document("I2: 712 B Dispatched 21:30")
    bad = changed(f"{UNIT}/$id", "")
    wrapped = {"event": {"subscriptionId": "s", "notification": [GOOD, {}, other, bad, "no document"]}}
    found = received.read(json.dumps(wrapped).encode())
    every = eido.together([eido.parse(one) for one in (GOOD, other)])
    assert (set(found.statuses), set(found.incidents), found.as_of) == (
        set(every.statuses),
        set(every.incidents),
        every.as_of,
    )
    assert [part.partition(": ")[0] for part in found.set_aside] == [
        "event.notification[1]",
        "event.notification[3].emergencyResourceComponent[0].$id",
        "event.notification[4]",
    ]
    alone = received.read(json.dumps({"event": {"notification": GOOD}}).encode())
    assert set(alone.statuses) == set(eido.parse(GOOD).statuses)


@pytest.mark.parametrize("notification", [[], [{}], "x", None])
def test_a_notification_of_nothing_is_refused(notification: Any) -> None:
    with pytest.raises(EidoError):
        received.read(json.dumps({"event": {"notification": notification}}).encode())


def test_a_call_that_is_handed_over_says_nothing_of_units_and_is_no_error() -> None:
    transfer = {name: value for name, value in GOOD.items() if name in {"$id", "lastUpdateTimeStamp", "callComponent"}}
    for header in (GOOD["$id"], "e@x"):
        found = eido.parse(transfer | {"$id": header})
        assert (found.statuses, found.merges, found.set_aside, found.as_of) == ((), (), (), at("21:05"))
