"""What a bay may ask of the dock: decisions that are durable when they return, each once."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.core.settle import FileStat
from daemon.dock.ingest.jobs import CameraSeen, FoundOnCamera, Job, ReadCapture
from daemon.dock.ingest.ledger import IngestLedger
from daemon.dock.loop import StoppedError
from daemon.dock.service import DockService
from daemon.model.documents import Camera
from daemon.model.parse import parse_model
from daemon.model.statements import Receipt
from daemon.seal import envelope as envelopes
from daemon.seal.trust import parse_trust
from daemon.seal.verify import verify
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house

NO_CAPTURE = ReadCapture("absent", None, None, None, None)
SEEN = CameraSeen("cam-1", "officer", 0.0)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        yield made


@pytest.fixture
def ledger(house: House) -> IngestLedger:
    return house.service.ledger


def docked(house: House) -> Camera:
    return parse_model(Camera, (house.mount.path / "camera.json").read_bytes(), what="camera.json")


def job(ledger: IngestLedger, stem: str = CLIP) -> Job:
    [made] = ledger.prepare("bay-1", SEEN, [FoundOnCamera(stem, FileStat(7, 1, 1), NO_CAPTURE)])
    assert isinstance(made, Job)
    return made


def test_the_skew_of_a_docking_is_the_one_measured_first(house: House, ledger: IngestLedger) -> None:
    """A dock that starts again while the camera stands there would measure how long it was away."""
    camera = docked(house)
    assert ledger.record_docking("bay-1", camera, -2.0, 0.0).skew == -2.0
    assert ledger.record_docking("bay-1", camera, -900.0, 0.0).skew == -2.0
    later = camera.model_copy(update={"docked_at": NOW + timedelta(days=1)})
    assert ledger.record_docking("bay-1", later, -900.0, 30.0).skew == -900.0
    details = [entry["detail"] for entry in house.custody("docked")]
    assert [detail["clock_skew_seconds"] for detail in details] == [-2.0, -2.0, -900.0]
    assert [detail.get("unseen_seconds") for detail in details] == [None, None, 30.0]


def test_a_refused_camera_is_recorded_once_for_each_docking_and_reason(house: House, ledger: IngestLedger) -> None:
    for identity in ("1", "1", "2"):
        for reason in ("not enrolled", "not enrolled", "unreadable"):
            ledger.refuse_camera("bay-1", identity, docked(house), "unenrolled", reason)
    ledger.refuse_camera("bay-2", "1", None, "unreadable", "x" * 1000)
    entries = [entry["detail"] for entry in house.custody("refused")]
    assert len(entries) == 5
    assert entries[0]["camera_serial"] == "cam-1"
    assert "camera_serial" not in entries[-1]
    assert len(entries[-1]["reason"]) == 500, "a stranger's words are bounded"


def test_who_is_enrolled_follows_the_trust_in_force(house: House, ledger: IngestLedger) -> None:
    assert ledger.is_enrolled("cam-1") and not ledger.is_enrolled("cam-9")
    fewer = agency.trust_bytes(version=2, cameras={"cam-9": agency.sign_pem("cam-9")})
    house.dock.trust.replace(parse_trust(fewer, agency.sign_key("root").public_key(), what="trust"))
    assert ledger.is_enrolled("cam-9") and not ledger.is_enrolled("cam-1")


def test_data_keys_are_wrapped_to_those_whom_the_trust_in_force_names(house: House, ledger: IngestLedger) -> None:
    policy, recovery = agency.open_pem("policy"), agency.open_pem("recovery")
    assert set(ledger.recipients()) == {policy, recovery}
    services = {"policy": {"sign": agency.sign_pem("policy"), "open": agency.open_pem("newer")}}
    newer = agency.trust_bytes(version=2, services=services)
    house.dock.trust.replace(parse_trust(newer, agency.sign_key("root").public_key(), what="trust"))
    assert ledger.recipients() == (agency.open_pem("newer"),)


def test_what_is_dropped_leaves_neither_files_nor_a_job(house: House, ledger: IngestLedger) -> None:
    first, other = job(ledger), job(ledger, OTHER_CLIP)
    for one in (first, other):
        (house.dock.vault.incoming / one.clip_id).mkdir()
        (house.dock.vault.incoming / one.clip_id / "clip.sealed").write_bytes(b"under a key that is forgotten")
    ledger.drop([first])
    assert [clip_id for clip_id, _ in house.dock.store.staged()] == [other.clip_id]
    assert [path.name for path in house.dock.vault.incoming.iterdir()] == [other.clip_id]


def test_nothing_to_decide_asks_nobody(house: House, ledger: IngestLedger) -> None:
    house.dock.store.close()
    assert ledger.are_dispatched(SEEN, []) == []


def test_receipts_are_signed_by_the_dock_and_the_rest_is_in_words(house: House, ledger: IngestLedger) -> None:
    house.record(CLIP, b"footage")
    house.record(OTHER_CLIP, b"other", signer="nobody")
    house.look(2)
    house.acknowledge()
    names = sorted(clip.clip_id for clip in house.dock.store.clips())
    quarantined = next(name for name in names if name != CLIP)
    unknown = "00000000-0000-4000-8000-000000000000"
    issued = ledger.issue_receipts([*names, unknown])
    assert set(issued) == {*names, unknown}
    assert isinstance(issued[quarantined], str) and isinstance(issued[unknown], str)
    data = issued[CLIP]
    assert isinstance(data, bytes)
    receipt = verify(envelopes.parse(data, what="receipt"), Receipt, agency.trust(), at=NOW).statement
    assert (receipt.clip_id, receipt.dock_id) == (CLIP, "dock-1")


def test_a_dock_that_stops_decides_nothing_more(house: House) -> None:
    stopping: Any = StoppingLoop(house.service)
    ledger = IngestLedger(house.dock, stopping)
    with pytest.raises(StoppedError):
        job(ledger)
    assert house.dock.store.staged() == []


class StoppingLoop:
    """The service's own way of asking, once it was told to stop."""

    def __init__(self, service: DockService) -> None:
        service.stop()
        self._service = service

    def run_in_transaction(self, *given: Any, **named: Any) -> Any:
        return DockService.run_in_transaction(self._service, *given, **named)
