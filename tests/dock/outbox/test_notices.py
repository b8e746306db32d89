"""A clip's notice: what the broker retains gives nothing away, and what the vault lacks is an error of ours."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.core.lifecycle import State
from daemon.dock.context import Transaction
from daemon.dock.outbox import notices
from daemon.dock.outbox.notices import NoticeBytes
from daemon.dock.store.rows import HonouredOrder
from daemon.model.errors import BwcError
from daemon.model.times import format_instant
from tests.kit import agency
from tests.kit.agency import CLIP, NOW
from tests.kit.dock_fixture import House, open_house


def built(house: House, clip_id: str = CLIP) -> NoticeBytes:
    clip = house.dock.store.clip(clip_id)
    assert clip is not None
    return notices.build(house.dock, house.service.state, clip)


def retained(house: House, clip_id: str = CLIP) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(built(house, clip_id).retained)
    return document


def test_what_is_retained_has_no_key_and_no_envelope_that_never_changes(house: House) -> None:
    notice = built(house)
    whole = json.loads(notice.announced or b"")
    kept = json.loads(notice.retained)
    assert whole.keys() - kept.keys() == {"seal_envelope", "capture_envelope"}
    assert {name: value for name, value in whole.items() if name in kept} == kept
    assert (kept["lock"]["state"], kept["clip_sha256"]) == ("locked", whole["clip_sha256"])
    assert kept["capture"]["clip_id"] == CLIP


def test_what_is_acknowledged_is_not_announced(house: House) -> None:
    sequence = retained(house)["sequence"]
    house.acknowledge(sequence - 1)
    assert built(house).announced is not None
    house.acknowledge(sequence)
    assert built(house).announced is None


def test_the_notice_before_it_is_named_so_that_a_gap_is_seen(house: House) -> None:
    second = "00000000-0000-4000-8000-000000000002"
    house.record(second, b"later")
    house.look(3)
    first = retained(house)
    assert (first["previous"], retained(house, second)["previous"]) == (0, first["sequence"])


@pytest.mark.parametrize("name", ["seal.json", "tags/1.json", "capture.json"])
@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"\xff{")])
def test_what_the_vault_lacks_is_an_error_of_ours(house: House, name: str, damage: Any) -> None:
    damage(house.dock.vault.clip(CLIP).path / name)
    with pytest.raises(BwcError):
        built(house)


def test_a_clip_that_the_vault_lost_is_one_too(house: House) -> None:
    house.dock.vault.clip(CLIP).path.rename(house.root / "elsewhere")
    with pytest.raises(BwcError):
        built(house)


def test_quarantined_footage_says_what_its_doubtful_capture_claims_and_stays_locked(house: House) -> None:
    house.record("7", b"doubtful", signer="nobody", clip_id=CLIP)
    house.look(3)
    [entry] = house.custody("quarantined")
    notice = retained(house, entry["clip_id"])
    assert (notice["integrity"], notice["lock"]["state"]) == ("mismatch", "locked")
    assert notice["capture"]["officer_id"] == "officer"


def test_footage_without_a_capture_has_none(tmp_path: Path) -> None:
    with open_house(tmp_path, orphan_seconds=1e-9) as house:
        house.mount.footage("7", b"unsigned")
        house.look(2)
        [entry] = house.custody("quarantined")
        notice = json.loads(built(house, entry["clip_id"]).announced or b"")
    assert (notice["integrity"], notice.get("capture"), notice.get("capture_envelope")) == ("unsigned", None, None)


def test_the_last_notice_of_a_clip_has_neither_envelopes_nor_people(house: House) -> None:
    clip = house.dock.store.clip(CLIP)
    assert clip is not None
    order = agency.signed(agency.statement("disposal", clip_sha256=clip.clip_sha256), "policy").to_bytes()
    house.hear(house.dock.topics.order("dock-1", CLIP), order)
    notice = built(house)
    assert notice.announced == notice.retained
    said = json.loads(notice.retained)
    assert said["lock"]["state"] == "disposed"
    assert not {"seal_envelope", "capture_envelope", "tag_envelope", "capture", "activation"} & said.keys()
    assert b"officer" not in notice.retained


def order(number: int, **changes: Any) -> HonouredOrder:
    facts: dict[str, Any] = {
        "order_id": f"order-{number:03}",
        "clip_id": CLIP,
        "person_id": "officer",
        "purpose": "report",
    }
    expires = format_instant(NOW + timedelta(days=number))
    rest = {"expires_at": expires, "deadline": 1e12, "remaining": 1e6, "boot_id": "boot", "state": "expired"}
    return HonouredOrder(**(facts | rest | changes))


def test_of_many_releases_the_live_ones_and_the_latest_are_named(house: House) -> None:
    def put(tx: Transaction) -> None:
        tx.store.put_order(order(0, state="live", expires_at=format_instant(NOW + timedelta(minutes=5))))
        for number in range(1, 80):
            tx.store.put_order(order(number))
        tx.store.put_order(order(99, person_id="unknown", state="revoked"))
        tx.store.move(CLIP, State.RELEASED, tx.store.next_sequence())

    house.service.run_in_transaction(put)
    notice = retained(house)
    named = [release["order_id"] for release in notice["lock"]["releases"]]
    assert len(named) == 50
    assert "order-000" in named, "the live one, though it ends first"
    assert {"order-031", "order-079"} <= set(named)
    assert "order-099" not in named, "a revocation that came before its release names nobody"
    assert notice["lock"]["state"] == "released"
