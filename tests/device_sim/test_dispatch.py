"""The dispatch center's documents: the same for the same seed, complete, and as unruly as real ones."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from device_sim import times
from device_sim.dispatch import center as dispatch
from device_sim.dispatch.incidents import Incident, load

DAY = date(2023, 8, 21)


@pytest.fixture(scope="module")
def incidents() -> list[Incident]:
    return dispatch.shift(400, 7, DAY)


@pytest.fixture(scope="module")
def sent(incidents: list[Incident]) -> list[dispatch.Delivery]:
    return dispatch.deliveries(incidents, 7, "portland")


@pytest.fixture(scope="module")
def deliveries(sent: list[dispatch.Delivery]) -> list[dispatch.Delivery]:
    """Each with its document taken out of the notification, where it is in one."""
    return [replace(one, document=opened(one.document)) for one in sent]


def test_some_documents_come_in_a_notification(sent: list[dispatch.Delivery]) -> None:
    assert 0.02 < sum("event" in one.document for one in sent) / len(sent) < 0.08


def opened(document: dict[str, Any]) -> dict[str, Any]:
    """The document in a notification, or as it is."""
    inner: dict[str, Any] = document["event"]["notification"][0] if "event" in document else document
    return inner


def components(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for name, value in document.items():
        if name.endswith("Component"):
            yield from value


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if "$ref" in value:
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def test_the_same_seed_sends_the_same_bytes() -> None:
    def sent(seed: int) -> str:
        made = dispatch.deliveries(dispatch.shift(60, seed, DAY), seed, "portland")
        return json.dumps([(item.incident_id, item.number, item.at.isoformat(), item.document) for item in made])

    assert sent(3) == sent(3)
    assert sent(3) != sent(4)


def test_every_document_has_what_a_dock_needs(deliveries: list[dispatch.Delivery]) -> None:
    assert sum(bool(delivery.document["emergencyResourceComponent"]) for delivery in deliveries) > 1500
    for delivery in deliveries:
        document = delivery.document
        [incident] = document["incidentComponent"]
        assert incident["internalIncidentId"] == delivery.incident_id
        assert incident["incidentTypeCommonRegistryText"]
        assert incident["incidentCommonPriorityNumber"] in range(1, 6)
        assert times.parse(document["lastUpdateTimeStamp"])
        for unit in document["emergencyResourceComponent"]:
            assert unit["$id"].endswith(("@police.example", ":police.example"))
            assert [type(status) for status in unit["secondaryUnitStatusRegistryText"]] == [str]
            assert times.parse(unit["lastUpdateTimeStamp"]) <= times.parse(document["lastUpdateTimeStamp"])
            assert unit["incidentReference"] == {"$ref": incident["$id"]}


def test_every_reference_resolves_and_more_is_said_than_is_used(deliveries: list[dispatch.Delivery]) -> None:
    for delivery in deliveries:
        named = {component["$id"] for component in components(delivery.document)}
        assert set(references(delivery.document)) <= named
        assert {"locationComponent", "notesComponent", "personComponent", "callComponent"} <= delivery.document.keys()


def test_a_document_may_come_before_any_unit_is_sent(
    incidents: list[Incident], deliveries: list[dispatch.Delivery]
) -> None:
    opened = {incident.incident_id for incident in incidents if incident.opened_at}
    empty = {item.incident_id for item in deliveries if not item.document["emergencyResourceComponent"]}
    assert opened
    assert opened <= empty


def test_officers_are_agents_but_not_all_agents_officers(deliveries: list[dispatch.Delivery]) -> None:
    for delivery in deliveries:
        crew = {
            ref["$ref"] for unit in delivery.document["emergencyResourceComponent"] for ref in unit["agentReference"]
        }
        agents = {agent["$id"] for agent in delivery.document["agentComponent"]}
        assert crew < agents


def test_documents_come_late_and_twice(deliveries: list[dispatch.Delivery]) -> None:
    assert [item.at for item in deliveries] == sorted(item.at for item in deliveries)
    newest: dict[str, datetime] = {}
    disordered = 0
    for item in deliveries:
        at = times.parse(item.document["lastUpdateTimeStamp"])
        assert at < item.at
        disordered += at < newest.get(item.incident_id, at)
        newest[item.incident_id] = max(at, newest.get(item.incident_id, at))
    assert disordered > 10
    first = {json.dumps(item.document): item for item in reversed(deliveries)}
    delays = [item.at - times.parse(item.document["lastUpdateTimeStamp"]) for item in first.values()]
    assert len(first) / 50 < sum(delay > timedelta(minutes=10) for delay in delays) < len(first) / 5
    texts = Counter(json.dumps(item.document) for item in deliveries)
    assert sum(count - 1 for count in texts.values()) > 10
    assert max(texts.values()) < 4


def test_numbers_count_arrivals(deliveries: list[dispatch.Delivery]) -> None:
    counts: Counter[str] = Counter()
    for item in deliveries:
        counts[item.incident_id] += 1
        assert item.number == counts[item.incident_id]


def test_both_clocks_are_written(deliveries: list[dispatch.Delivery]) -> None:
    stamps = [item.document["lastUpdateTimeStamp"] for item in deliveries]
    assert any(stamp.endswith("-07:00") for stamp in stamps)
    assert any(stamp.endswith("Z") for stamp in stamps)


def test_some_documents_hold_a_units_whole_history(deliveries: list[dispatch.Delivery]) -> None:
    most = [
        max(Counter(unit["$id"] for unit in item.document["emergencyResourceComponent"]).values(), default=0)
        for item in deliveries
    ]
    assert {1, 4} <= set(most)


def test_a_shift_has_every_kind_of_call(incidents: list[Incident]) -> None:
    calls = [[status for status, _ in unit.statuses] for incident in incidents for unit in incident.units]
    assert any(call[-1] == "AssignmentCancelled" for call in calls)
    assert any("Cleared" not in call and "AssignmentCancelled" not in call for call in calls)
    assert any(call.count("Dispatched") == 2 for call in calls)
    assert any("Dispatched" not in call for call in calls)
    units = [unit for incident in incidents for unit in incident.units]
    assert any(unit.relieved for unit in units)
    assert any(unit.crew_unknown for unit in units)
    at_once = [unit.statuses[-1][1] - unit.statuses[0][1] for unit in units if unit.statuses[-1][0][0] == "A"]
    assert min(at_once) < timedelta(seconds=60) < max(at_once)
    assert any(unit.crew_known_from for incident in incidents for unit in incident.units)
    assert {len(unit.officers) for incident in incidents for unit in incident.units} == {1, 2}
    midnight = datetime(2023, 8, 22, 7, tzinfo=UTC)
    assert any(
        unit.statuses[0][1] < midnight < unit.statuses[-1][1] for incident in incidents for unit in incident.units
    )
    for incident in incidents:
        for unit in incident.units:
            moments = [at for _, at in unit.statuses]
            assert moments == sorted(set(moments))


def test_an_officer_joins_a_unit_during_the_shift(incidents: list[Incident]) -> None:
    crews: dict[str, set[tuple[str, ...]]] = {}
    for incident in incidents:
        for unit in incident.units:
            crews.setdefault(unit.unit_id, set()).add(unit.officers)
    assert any(len(crew) == 2 for crew in crews.values())


def test_two_calls_at_once(incidents: list[Incident]) -> None:
    spans: dict[str, list[tuple[datetime, datetime]]] = {}
    for incident in incidents:
        for unit in incident.units:
            if unit.statuses[-1][0] in ("Cleared", "AssignmentCancelled"):
                spans.setdefault(unit.unit_id, []).append((unit.statuses[0][1], unit.statuses[-1][1]))
    overlapping = 0
    for own in spans.values():
        ordered = sorted(own)
        overlapping += sum(second[0] < first[1] for first, second in itertools.pairwise(ordered))
    assert overlapping > 0


def test_merges_name_each_other(incidents: list[Incident]) -> None:
    by_id = {incident.incident_id: incident for incident in incidents}
    directions: Counter[str] = Counter()
    for incident in incidents:
        for merge in incident.merges:
            directions[merge.direction] += 1
            other = {(m.direction, m.incident_id) for m in by_id[merge.incident_id].merges}
            if merge.direction == "REPLACING":
                assert ("REPLACED", incident.incident_id) in other
    assert set(directions) == {"REPLACING", "REPLACED", "SPLIT"}
    assert directions["REPLACING"] == directions["REPLACED"]


def test_merges_are_in_the_documents(deliveries: list[dispatch.Delivery]) -> None:
    merges = [merge for item in deliveries for merge in item.document.get("mergeComponent", [])]
    assert {merge["incidentMergeDirectionCode"] for merge in merges} == {"REPLACING", "REPLACED", "SPLIT"}
    known = {item.document["$id"] for item in deliveries}
    assert all(item.incident_id not in item.document["$id"] for item in deliveries)
    assert {merge["incidentTrackingIdentifier"] for merge in merges} <= known


EXPLICIT = [
    {
        "incident_id": "PP23-1",
        "incident_type": "Theft",
        "priority": 2,
        "units": [
            {
                "unit_id": "711",
                "officers": ["51234", "51235"],
                "statuses": [
                    ["Dispatched", "2023-11-29T21:45:02.120Z"],
                    ["OnScene", "2023-11-29T13:52:00.000-08:00"],
                    ["Cleared", "2023-11-29T22:45:02.120Z"],
                ],
            }
        ],
        "merge": [["REPLACING", "PP23-2"]],
    },
    {"incident_id": "PP23-2", "units": [{"unit_id": "712", "statuses": [["Dispatched", "2023-11-29T21:50:00.000Z"]]}]},
]


def written(tmp_path: Path, sim: Any, *more: str) -> dict[str, dict[str, Any]]:
    source = tmp_path / "incidents.json"
    source.write_text(json.dumps(EXPLICIT))
    result = sim("dispatch", "--from", str(source), "--to", str(tmp_path / "cad"), "--json", *more)
    assert result.code == 0
    assert sorted(result.document["places"]) == sorted(str(path) for path in (tmp_path / "cad").iterdir())
    return {path.name: json.loads(path.read_bytes()) for path in (tmp_path / "cad").iterdir()}


def history(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        (unit["secondaryUnitStatusRegistryText"][0], times.utc_text(times.parse(unit["lastUpdateTimeStamp"])))
        for unit in document["emergencyResourceComponent"]
    ]


def test_given_incidents_one_document_each(tmp_path: Path, sim: Any) -> None:
    documents = written(tmp_path, sim)
    assert documents.keys() == {"PP23-1-1.eido.json", "PP23-2-1.eido.json"}
    first = documents["PP23-1-1.eido.json"]
    assert history(first) == [
        ("Dispatched", "2023-11-29T21:45:02.120Z"),
        ("OnScene", "2023-11-29T21:52:00.000Z"),
        ("Cleared", "2023-11-29T22:45:02.120Z"),
    ]
    assert first["lastUpdateTimeStamp"] == "2023-11-29T14:45:02.120-08:00"
    assert [unit["$id"] for unit in first["emergencyResourceComponent"]] == ["711@police.example"] * 3
    crew = [{"$ref": "51234@police.example"}, {"$ref": "51235@police.example"}]
    assert first["emergencyResourceComponent"][0]["agentReference"] == crew
    assert first["mergeComponent"][0]["incidentMergeDirectionCode"] == "REPLACING"
    other = documents["PP23-2-1.eido.json"]["$id"]
    assert first["mergeComponent"][0]["incidentTrackingIdentifier"] == other


def test_who_is_relieved_is_named_no_more_and_an_unknown_crew_never(tmp_path: Path, sim: Any) -> None:
    statuses = [["Dispatched", "2023-11-29T21:45:00.000Z"], ["OnScene", "2023-11-29T22:00:00.000Z"]]
    unit = {"unit_id": "711", "officers": ["A", "B"], "statuses": statuses, "relieved": [["B", statuses[1][1]]]}
    nobody = {"unit_id": "712", "officers": ["C"], "statuses": statuses, "crew_unknown": True}
    source = tmp_path / "incidents.json"
    source.write_text(json.dumps([{"incident_id": "I1", "units": [unit, nobody]}]))
    sim("dispatch", "--from", str(source), "--to", str(tmp_path / "cad"))
    document = json.loads((tmp_path / "cad" / "I1-1.eido.json").read_bytes())
    crews = [[agent["$ref"] for agent in one["agentReference"]] for one in document["emergencyResourceComponent"]]
    assert crews == [["A@police.example", "B@police.example"], ["A@police.example"], [], []]
    assert {"C@police.example"}.isdisjoint(agent["$id"] for agent in document["agentComponent"])


def test_given_incidents_step_by_step(tmp_path: Path, sim: Any) -> None:
    documents = written(tmp_path, sim, "--steps")
    steps = [history(documents[f"PP23-1-{number}.eido.json"]) for number in (1, 2, 3)]
    assert steps == [
        [("Dispatched", "2023-11-29T21:45:02.120Z")],
        [("OnScene", "2023-11-29T21:52:00.000Z")],
        [("Cleared", "2023-11-29T22:45:02.120Z")],
    ]


def test_made_up_incidents_can_be_given_again(tmp_path: Path, incidents: list[Incident]) -> None:
    source = tmp_path / "incidents.json"
    source.write_text(json.dumps([incident.as_dict() for incident in incidents]))
    again = load(source)
    assert again == incidents


def test_a_folder_gets_whole_files_only(tmp_path: Path, sim: Any) -> None:
    result = sim("dispatch", "--incidents", "30", "--seed", "3", "--to", str(tmp_path / "cad"), "--json")
    paths = sorted(path.name for path in (tmp_path / "cad").iterdir())
    assert len(paths) == result.document["documents"]
    assert all(name.endswith(".eido.json") and not name.startswith(".") for name in paths)
    assert len(result.document["incidents"]) == 30


def test_an_incidents_number_may_be_any_text(tmp_path: Path, sim: Any) -> None:
    numbers = ["23/310001", "PP 23-310001", "..", "ä" * 64]
    source = tmp_path / "incidents.json"
    source.write_text(json.dumps([{"incident_id": number} for number in numbers]))
    result = sim("dispatch", "--from", str(source), "--to", str(tmp_path / "cad"), "--json")
    assert result.document["incidents"] == numbers
    found = [json.loads(path.read_bytes()) for path in (tmp_path / "cad").iterdir()]
    assert {one["incidentComponent"][0]["internalIncidentId"] for one in found} == set(numbers)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("{", "json"),
        ("{}", "list"),
        ('[{"units": []}]', "incident_id"),
        ('[{"incident_id": "A", "units": [{"unit_id": "7", "statuses": [["Dispatched", "today"]]}]}]', "[0]"),
        ('[{"incident_id": "A", "merge": [["SIDEWAYS", "B"]]}]', "SIDEWAYS"),
    ],
)
def test_incidents_that_cannot_be_used(tmp_path: Path, sim: Any, text: str, names: str) -> None:
    source = tmp_path / "incidents.json"
    source.write_text(text)
    result = sim("dispatch", "--from", str(source), "--to", str(tmp_path / "cad"))
    assert result.code == 2
    assert names in result.err
    assert not (tmp_path / "cad").exists()


@pytest.mark.parametrize(
    ("at", "local"),
    [
        ("2023-03-12T09:59:59.999Z", "2023-03-12T01:59:59.999-08:00"),
        ("2023-03-12T10:00:00.000Z", "2023-03-12T03:00:00.000-07:00"),
        ("2023-11-05T08:59:59.999Z", "2023-11-05T01:59:59.999-07:00"),
        ("2023-11-05T09:00:00.000Z", "2023-11-05T01:00:00.000-08:00"),
        ("2024-01-01T00:00:00.000Z", "2023-12-31T16:00:00.000-08:00"),
    ],
)
def test_portlands_clock(at: str, local: str) -> None:
    assert times.local_text(times.parse(at)) == local
    assert times.parse(local) == times.parse(at)


def test_a_local_day_begins_at_local_midnight() -> None:
    for day in (
        datetime(2023, 3, 12, tzinfo=UTC),
        datetime(2023, 3, 13, tzinfo=UTC),
        datetime(2023, 11, 6, tzinfo=UTC),
    ):
        local = times.local_text(times.local_midnight(day))
        assert local.startswith(f"{day:%Y-%m-%d}T00:00:00")
    assert times.local_midnight(datetime(2023, 3, 13, tzinfo=UTC)) - times.local_midnight(
        datetime(2023, 3, 12, tzinfo=UTC)
    ) == timedelta(hours=23)
