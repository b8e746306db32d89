"""The decisions of a clip's intake: who it is, what the dock says of it, and the commit that happens once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.lifecycle import State
from daemon.core.settle import FileStat
from daemon.dock.camera.messages import SealedFile, SealResult
from daemon.dock.ingest import intake
from daemon.dock.ingest.captures import read_capture
from daemon.dock.ingest.jobs import CameraSeen, FoundOnCamera, Job, ReadCapture, SealedClip, SignedClip
from daemon.dock.store.rows import HeldClip
from daemon.model.errors import ReplayedError
from daemon.model.statements import Seal, WrappedKey
from tests.kit import agency
from tests.kit.agency import CLIP, DIGEST, OTHER_CLIP, signed, statement
from tests.kit.dock_fixture import House, open_house

CAMERA = CameraSeen("cam-1", "officer", 0.5)
FILE, OTHER_FILE = FileStat(7, 1, 1), FileStat(7, 2, 2)
BYTES = hashlib.sha256(b"footage").hexdigest()


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        yield made


def capture(house: House, stem: str = CLIP, sha256: str = BYTES, signer: str = "cam-1") -> ReadCapture:
    data = signed(statement("capture", clip_id=stem, sha256=sha256, size_bytes=7), signer).to_bytes()
    return read_capture(agency.trust(), data, "cam-1", stem, house.clock.now())


def prepare(
    house: House, stem: str = CLIP, file: FileStat = FILE, read: ReadCapture | None = None, camera: CameraSeen = CAMERA
) -> Job | HeldClip:
    found = FoundOnCamera(stem, file, read if read is not None else capture(house, stem))
    [job] = house.service.run_in_transaction(intake.prepare, "bay-1", camera, [found])
    return job


def staged(house: House, stem: str = CLIP, file: FileStat = FILE, read: ReadCapture | None = None) -> Job:
    job = prepare(house, stem, file, read)
    assert isinstance(job, Job)
    return job


def sealed(
    house: House, job: Job, read: ReadCapture | None = None, digest: str = BYTES, *, playable: bool = True
) -> SealedClip:
    wraps = (WrappedKey(recipient=DIGEST, suite="P256-SHA256-AES256GCM", ciphertext="AA=="),)
    written = SealedFile(digest, DIGEST, 7, 63, 0.0, 0.0, 0.0)
    return SealedClip(job, read or capture(house, job.stem), SealResult(playable, written, wraps))


def said(house: House, clip: SealedClip) -> SignedClip | HeldClip:
    [made] = house.service.ledger.sign_statements([clip])
    return made


def take_in(house: House, stem: str = CLIP, file: FileStat = FILE) -> HeldClip:
    made = said(house, sealed(house, staged(house, stem, file)))
    assert isinstance(made, SignedClip)
    [row] = house.service.ledger.commit([made])
    return row


def test_a_clip_is_noted_before_a_byte_of_it_is_read(house: House) -> None:
    job = staged(house)
    assert (job.clip_id, job.claimed, job.skew) == (CLIP, None, 0.5)
    assert house.dock.store.staged() == [(CLIP, job.to_text())]
    assert house.custody("ingested") == []


def test_the_same_file_is_the_clip_it_was(house: House) -> None:
    row = take_in(house)
    assert prepare(house) == house.dock.store.clip(CLIP) == row
    assert house.dock.store.staged() == []


def test_a_file_touched_since_is_the_clip_it_was_if_its_capture_holds_and_names_those_bytes(house: House) -> None:
    row = take_in(house)
    assert prepare(house, file=OTHER_FILE) == row
    job = staged(house, file=OTHER_FILE, read=capture(house, signer="nobody"))
    assert job.clip_id != CLIP, "whose capture does not hold is read again, under an id of its own"
    assert job.claimed == CLIP


def test_another_cameras_clip_of_the_same_name_is_another(house: House) -> None:
    take_in(house)
    job = prepare(house, camera=CameraSeen("cam-2", "officer", 0.0))
    assert isinstance(job, Job) and job.clip_id != CLIP and job.claimed == CLIP


def test_an_id_under_way_is_not_given_twice(house: House) -> None:
    first = staged(house)
    second = prepare(house, camera=CameraSeen("cam-2", "officer", 0.0))
    assert isinstance(second, Job) and second.clip_id not in {first.clip_id, CLIP}


@pytest.mark.parametrize("stem", ["AXON 7", CLIP.upper(), "../../etc/passwd", "bytes:ff", "x" * 255])
def test_a_name_that_is_no_id_names_no_directory(house: House, stem: str) -> None:
    job = staged(house, stem, read=ReadCapture("absent", None, None, None, None))
    assert job.clip_id != stem and job.claimed
    assert "/" not in job.clip_id


def test_the_officer_is_the_captures_where_it_holds_else_the_cameras(house: House) -> None:
    named = signed(statement("capture", officer_id="witness"), "cam-1").to_bytes()
    holds = read_capture(agency.trust(), named, "cam-1", CLIP, house.clock.now())
    assert staged(house, read=holds).officer_id == "witness"
    forged = signed(statement("capture", officer_id="witness"), "nobody").to_bytes()
    doubtful = read_capture(agency.trust(), forged, "cam-1", CLIP, house.clock.now())
    assert staged(house, OTHER_CLIP, OTHER_FILE, doubtful).officer_id == "officer"


@pytest.mark.parametrize(
    ("signer", "digest", "playable", "expected", "state"),
    [
        ("cam-1", BYTES, True, "verified", State.LOCKED),
        ("cam-1", BYTES, False, "unplayable", State.LOCKED),
        ("cam-1", "0" * 64, True, "mismatch", State.QUARANTINED),
        ("nobody", BYTES, True, "mismatch", State.QUARANTINED),
        (None, BYTES, True, "unsigned", State.QUARANTINED),
    ],
)
def test_what_is_doubtful_is_sealed_all_the_same_and_kept_apart(
    house: House, signer: str | None, digest: str, playable: bool, expected: str, state: State
) -> None:
    read = capture(house, signer=signer) if signer else ReadCapture("absent", None, None, None, None)
    made = said(house, sealed(house, staged(house, read=read), read, digest, playable=playable))
    assert isinstance(made, SignedClip)
    assert made.seal.statement(Seal).integrity == expected
    assert made.place == ("quarantine" if state == State.QUARANTINED else "clips")
    [row] = house.service.ledger.commit([made])
    assert (row.state, row.integrity) == (state, expected)
    assert len(house.custody("quarantined")) == (state == State.QUARANTINED)
    assert (row.started_at is None) == (state == State.QUARANTINED), "a doubtful time is nobody's"


def test_footage_longer_than_its_capture_says_is_a_mismatch(house: House) -> None:
    longer = signed(statement("capture", sha256=BYTES, size_bytes=8), "cam-1").to_bytes()
    read = read_capture(agency.trust(), longer, "cam-1", CLIP, house.clock.now())
    made = said(house, sealed(house, staged(house, read=read), read))
    assert isinstance(made, SignedClip) and made.seal.statement(Seal).integrity == "mismatch"


def test_the_same_bytes_read_again_are_the_clip_they_were(house: House) -> None:
    """Their capture did not hold at the first look of this docking, so they were read: nothing is kept twice."""
    row = take_in(house)
    read = capture(house, signer="nobody")
    job = staged(house, file=OTHER_FILE, read=read)
    assert said(house, sealed(house, job, read)) == row


def test_a_commit_is_one_transaction_and_happens_once(house: House) -> None:
    made = said(house, sealed(house, staged(house)))
    assert isinstance(made, SignedClip)
    [row] = house.service.ledger.commit([made])
    [entry] = house.custody("ingested")
    assert (entry["clip_id"], entry["detail"]["clip_sha256"]) == (CLIP, BYTES)
    assert made.seal.digest in entry["attestations"]
    assert entry["detail"]["capture_file_sha256"] == hashlib.sha256(made.capture_file or b"").hexdigest()
    assert house.dock.store.notices_after(0, 10) == [row]
    assert house.dock.store.staged() == []
    with pytest.raises(ReplayedError):
        house.service.ledger.commit([made])
    assert len(house.custody("ingested")) == 1
    assert house.dock.store.clips() == [row]


def test_of_a_batch_that_cannot_be_committed_nothing_is(house: House) -> None:
    first = said(house, sealed(house, staged(house)))
    assert isinstance(first, SignedClip)
    house.service.ledger.commit([first])
    other = said(house, sealed(house, staged(house, OTHER_CLIP, OTHER_FILE)))
    assert isinstance(other, SignedClip)
    before = house.dock.custody.size
    with pytest.raises(ReplayedError):
        house.service.ledger.commit([other, first])
    assert house.dock.store.clip(OTHER_CLIP) is None
    assert house.dock.custody.size == before
    assert [clip_id for clip_id, _ in house.dock.store.staged()] == [OTHER_CLIP]
