"""Ways in that were found here and mended: each once stopped a dock, a policy service or an auditor."""

from __future__ import annotations

import io
import json
import os
import zipfile
import zlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from daemon.core.settle import FileStat
from daemon.custody.bundle import verify_bundle, write_bundle
from daemon.dock.ingest.bay_progress import BayProgress
from daemon.dock.ingest.captures import read_capture
from daemon.dock.ingest.intake import prepare
from daemon.dock.ingest.jobs import CameraSeen, FoundOnCamera, Job
from daemon.model.documents import Bay
from daemon.model.errors import MalformedError, SchemaError
from daemon.model.statements import KINDS
from daemon.policy.cases import notices
from daemon.seal import envelope as envelopes
from daemon.seal.verify import verify
from tests.hostile.forging import signed_bytes, spelled
from tests.hostile.targets import EIDO, folder
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP
from tests.kit.dock_fixture import AGENCY, House, open_house
from tests.kit.policy_fixture import Office, open_office


@pytest.fixture
def root() -> Iterator[Path]:
    with folder() as made:
        yield made


@pytest.fixture
def house(root: Path) -> Iterator[House]:
    with open_house(root / "house") as made:
        made.acknowledge()
        yield made


@pytest.fixture
def office(root: Path) -> Iterator[Office]:
    made = open_office(root / "office")
    yield made
    made.context.store.close()


def test_a_file_that_claims_8_eib_keeps_no_other_from_being_taken_in(house: House) -> None:
    house.record(CLIP, b"footage")
    huge = house.mount.path / "clips" / f"{OTHER_CLIP}.mp4"
    huge.touch()
    for size in ((1 << 63) - 4096, 1 << 60, 1 << 53, 1 << 43):
        try:
            os.truncate(huge, size)
        except OSError:  # as much as this file system can
            continue
        break
    assert house.look() == "waiting"
    assert os.listdir(house.mount.path / "receipts") == [f"{CLIP}.receipt.json"]


def test_sizes_that_no_document_can_hold_are_shown_as_the_largest() -> None:
    shown: list[Bay] = []
    progress = BayProgress("bay-1", shown.append)
    progress.saw("a", (1 << 63) - 1)
    progress.saw("b", (1 << 63) - 1)
    progress.set("reading")
    progress.held("a")
    progress.set("done")
    assert [bay.bytes_total for bay in shown] == [2**53 - 1] * 2


def test_a_clip_larger_than_allowed_does_not_blame_the_disk(root: Path) -> None:
    with open_house(root / "small", max_clip_bytes=1000, reserve_bytes=1 << 50) as house:
        house.record(CLIP, bytes(1001))
        assert house.look() == "waiting"
        assert list(house.dock.vault.incoming.iterdir()) == []
        assert house.dock.store.staged() == []


def test_names_that_come_and_go_are_not_remembered() -> None:
    progress = BayProgress("bay-1", lambda _: None)
    for number in range(1000):
        progress.saw(str(number), 1)
        if number == 500:
            progress.held(str(number))
        progress.gone(str(number))
    progress.set("waiting")
    assert progress.shown is not None
    assert (progress.shown.clips_total, progress.shown.bytes_total) == (1, 1), "what the dock holds still counts"


def test_footage_whose_file_times_are_beyond_64_bits_survives_a_restart(house: House) -> None:
    far = 9223372036854775807 * 10**9
    camera = CameraSeen("cam-1", "officer", 0.0)
    absent = read_capture(house.dock.trust.get(), None, camera.serial, CLIP, NOW)
    found = FoundOnCamera(CLIP, FileStat(1, far, -far), absent)
    [job] = house.service.run_in_transaction(prepare, "bay-1", camera, [found])
    ((_, text),) = house.dock.store.staged()
    assert Job.from_text(text) == job


@pytest.mark.parametrize("name", [b"\xff.json", b"new\nline.json"])
def test_a_dispatch_document_of_any_name(house: House, name: bytes) -> None:
    house.service.receive_file(b"{", f"file {os.fsdecode(name)}")
    ((source, _),) = house.dock.dispatch.unclear.set_aside_rows()
    assert source.isascii() and source.isprintable()


def test_a_recording_of_seven_thousand_years(house: House) -> None:
    first = json.loads(EIDO)
    for component in (*first["incidentComponent"], *first["emergencyResourceComponent"], first):
        component["lastUpdateTimeStamp"] = "1972-01-02T00:00:00Z"
    house.service.receive_file(json.dumps(first).encode(), "file x.json")
    start = datetime(1972, 1, 1, tzinfo=UTC)
    house.record(CLIP, b"x", started_at=start, triggered_at=start, stopped_at=datetime(9000, 12, 31, tzinfo=UTC))
    assert house.look() == "done"
    held = house.dock.vault.find(CLIP)
    assert held is not None
    tag = json.loads(held.tag(1).read_bytes())
    assert tag["payloadType"].endswith("tag.v1+json")


def test_an_order_about_a_clip_that_is_gone(house: House) -> None:
    house.record(CLIP, b"footage")
    house.look()
    topic = house.dock.topics.order("dock-1", CLIP)
    sha = house.evidence(CLIP).seal.statement.clip_sha256
    for kind, changes in (("disposal", {"clip_sha256": sha}), ("revocation", {"order_id": "order-9"})):
        house.hear(topic, agency.signed(agency.statement(kind, **changes), "policy").to_bytes())
    assert house.dock.vault.find(CLIP) is None
    (refused,) = house.custody("refused")
    assert refused["detail"]["error"] == "InconsistentError"


@pytest.mark.parametrize("field", ["sequence", "previous"])
def test_a_number_that_the_database_cannot_hold(office: Office, field: str) -> None:
    office.announce(office.notice().model_copy(update={field: 2**63}))
    assert [entry["detail"]["error"] for entry in office.log("refused")] == ["SchemaError"]


@pytest.mark.parametrize("kind", ["acknowledgement", "receipt", "tag", "release"])
def test_signed_numbers_have_an_end_too(kind: str) -> None:
    field = {"acknowledgement": "through", "receipt": "sequence", "tag": "revision", "release": "trust_version"}[kind]
    payload = spelled(agency.statement(kind).plain() | {field: 2**63})
    envelope = envelopes.from_dict(signed_bytes(kind, payload, agency.SIGNERS[kind]), what=kind)
    with pytest.raises(SchemaError):
        verify(envelope, KINDS[kind], agency.trust(), at=NOW)


def test_a_notice_on_a_topic_that_names_no_clip(office: Office) -> None:
    with office.context.store.transaction():
        notices.receive(office.context, b"{", "dock-1", "no-clip")
    assert [entry["detail"]["error"] for entry in office.log("refused")] == ["MalformedError"]


def _bundle(house: House, out: Path) -> dict[str, bytes]:
    house.record(CLIP, b"footage")
    house.look()
    held = house.dock.vault.find(CLIP)
    assert held is not None
    write_bundle(held, AGENCY, agency.trust_bytes(), agency.sign_key("root").public_key(), out)
    assert verify_bundle(out, None).clip_id == CLIP
    with zipfile.ZipFile(out) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize(
    "more", ["clip/seal.json", "clip/seal.json/x", "clip/tags", "clip//seal.json", "clip/../trust.json", "clip/x", "x"]
)
def test_a_bundle_with_a_file_too_many(house: House, root: Path, more: str) -> None:
    files = _bundle(house, root / "good.zip")
    with zipfile.ZipFile(root / "bad.zip", "w") as archive:
        for name, data in (*files.items(), (more, b"{}")):
            archive.writestr(name, data)
    with pytest.raises(MalformedError):
        verify_bundle(root / "bad.zip", None)


def test_a_bundle_that_does_not_unpack(house: House, root: Path) -> None:
    files = _bundle(house, root / "good.zip")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    data = packed.getvalue()
    squeezed = zlib.compressobj(6, zlib.DEFLATED, -15)
    part = squeezed.compress(files["clip/custody.json"]) + squeezed.flush()
    assert part in data
    (root / "bad.zip").write_bytes(data.replace(part, b"\xff" * len(part)))
    with pytest.raises(MalformedError):
        verify_bundle(root / "bad.zip", None)


def test_a_bundle_packed_in_another_way(house: House, root: Path) -> None:
    files = _bundle(house, root / "good.zip")
    with zipfile.ZipFile(root / "bad.zip", "w", zipfile.ZIP_LZMA) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    with pytest.raises(MalformedError):
        verify_bundle(root / "bad.zip", None)
