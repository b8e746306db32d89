"""Corrections: who wore a pool camera, and what leaves quarantine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.core.lifecycle import State
from daemon.seal.envelope import Envelope
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.dock_fixture import House, open_house


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    with open_house(tmp_path) as made:
        made.acknowledge()
        made.record(CLIP, b"footage")
        made.record(OTHER_CLIP, b"doubtful", sha256="0" * 64)
        made.look(3)
        yield made


def correct(house: House, signer: str, **changes: object) -> Envelope:
    envelope = agency.signed(agency.statement("correction", **changes), signer)
    house.hear(house.dock.topics.attestation(signer, "correction", envelope.digest), envelope.to_bytes())
    return envelope


def test_another_officer_wore_it(house: House) -> None:
    envelope = correct(house, "records", clip_id=CLIP, officer_id="witness", admit=False)
    clip = house.dock.store.clip(CLIP)
    assert clip is not None and clip.officer_id == "witness"
    [entry] = house.custody("corrected")
    assert entry["detail"] == {"officer_id": "witness", "instead_of": "officer"}
    assert entry["attestations"] == [envelope.digest]


def test_footage_is_admitted_from_quarantine_and_may_have_its_receipt(house: House) -> None:
    assert (house.dock.vault.root / "quarantine" / OTHER_CLIP).is_dir()
    correct(house, "records", clip_id=OTHER_CLIP, officer_id=None, admit=True)
    clip = house.dock.store.clip(OTHER_CLIP)
    assert clip is not None and clip.state == State.LOCKED
    assert (house.dock.vault.root / "clips" / OTHER_CLIP).is_dir()
    assert house.look(3) == "done"
    assert {entry["clip_id"] for entry in house.custody("receipted")} == {CLIP, OTHER_CLIP}


def test_the_same_word_twice_counts_once(house: House) -> None:
    for officer in ("witness", "officer", "witness"):  # the broker gives the first again
        correct(house, "records", clip_id=CLIP, officer_id=officer, admit=False)
    assert [entry["detail"]["officer_id"] for entry in house.custody("corrected")] == ["witness", "officer"]


def test_a_correction_of_a_clip_that_lies_elsewhere_changes_nothing(house: House) -> None:
    correct(house, "records", clip_id="00000000-0000-4000-8000-000000000000", officer_id="witness", admit=False)
    assert house.custody("corrected") == house.custody("refused") == []
