"""What bad input gets: a clear word, a place in custody, and nothing lost or opened."""

from __future__ import annotations

import itertools
import json
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.world import AGENCY, DOCK
from daemon.custody.evidence import verify_clip
from daemon.model.statements import Because, Release
from daemon.seal import envelope as envelopes
from daemon.seal.keys import load_open_public, load_sign_public
from daemon.seal.private_keys import load_open_key, load_sign_key, new_pair
from daemon.seal.trust import load_trust
from daemon.seal.wrap import release_key_info, seal_info, unwrap, wrap
from daemon.vault.layout import VaultLayout
from tests.kit.precinct import OFFICER, Precinct, running, wait_until

pytestmark = pytest.mark.xdist_group("bad-input")


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    with running(tmp_path_factory.mktemp("bad") / "world", orphan_seconds=1.0) as precinct:
        yield precinct


def quarantined(precinct: Precinct, bay: str, fault: str, integrity: str) -> None:
    """A faulty clip is sealed, announced locked, quarantined, and stays on its camera."""
    before = precinct.custody(action="quarantined")
    docking = precinct.dock_camera(bay, "--fault", fault, "--bytes", "200000", "--until", "docked", "--stay")
    (clip,) = docking["clips"]
    known = {entry["clip_id"] for entry in before}
    wait_until(lambda: len(precinct.custody(action="quarantined")) > len(before), "the clip in quarantine")
    entry = next(e for e in precinct.custody(action="quarantined") if e["clip_id"] not in known)
    assert entry["detail"]["integrity"] == integrity
    notice = precinct.notice(entry["clip_id"])
    assert (notice["lock"]["state"], notice["integrity"]) == ("locked", integrity)
    assert (precinct.world.vault / "quarantine" / entry["clip_id"] / "clip.sealed").exists()
    on_camera = precinct.world.mounts / bay / "clips"
    assert list(on_camera.glob("*.mp4")), "the footage left its camera"
    assert "quarantine" in precinct.bay(bay, "waiting")["reason"]
    assert not list((precinct.world.mounts / bay / "receipts").glob("*.json"))
    shutil.rmtree(precinct.world.mounts / bay)
    assert clip["receipt"] is None


def test_unknown_camera_is_refused_and_not_read(precinct: Precinct) -> None:
    new_pair(precinct.world.keys, "stranger")
    precinct.dock_camera("bay-a", "--bytes", "1000", "--until", "docked", "--stay", serial="stranger")
    assert "not enrolled" in precinct.bay("bay-a", "refused")["reason"]
    refused = precinct.await_custody(action="refused", camera_serial="stranger")
    assert refused["detail"]["bay"] == "bay-a"
    assert not precinct.custody(action="docked", camera_serial="stranger")
    shutil.rmtree(precinct.world.mounts / "bay-a")
    assert precinct.bay("bay-a", "empty")


def test_bad_signature_is_quarantined(precinct: Precinct) -> None:
    quarantined(precinct, "bay-b", "bad-signature", "mismatch")


def test_torn_capture_waits_and_is_taken_in_unsigned(precinct: Precinct) -> None:
    quarantined(precinct, "bay-c", "torn-capture", "unsigned")


def test_oversize_capture_is_taken_in_unsigned(precinct: Precinct) -> None:
    quarantined(precinct, "bay-d", "oversize-capture", "unsigned")


def test_wrong_digest_is_quarantined(precinct: Precinct) -> None:
    quarantined(precinct, "bay-e", "wrong-digest", "mismatch")


def test_truncated_container_is_flagged_but_receipted(precinct: Precinct) -> None:
    docking = precinct.dock_camera("bay-f", "--fault", "truncated", "--seconds", "1")
    (clip,) = docking["clips"]
    assert clip["receipt"] == "verified"
    assert precinct.notice(clip["clip_id"])["integrity"] == "unplayable"


def test_yanked_mid_read_is_taken_whole_next_time(precinct: Precinct) -> None:
    size = "400000000"
    options = ("--bytes", size, "--seed", "7", "--until", "docked")
    precinct.dock_camera("bay-g", *options, "--fault", "yank", "--yank-after", "0.3")
    precinct.bay("bay-g", "empty")
    docking = precinct.dock_camera("bay-g", "--until", "receipted", "--timeout", "60")
    (clip,) = docking["clips"]
    assert clip["receipt"] == "verified" and clip["erased"]
    assert len(precinct.custody(action="ingested", clip_id=clip["clip_id"])) == 1
    assert list((precinct.world.vault / "incoming").iterdir()) == []


def test_docked_twice_is_recognised(precinct: Precinct) -> None:
    first = precinct.dock_camera("bay-h", "--bytes", "5000", "--fault", "keep", "--timeout", "30")
    (clip,) = first["clips"]
    assert clip["receipt"] == "verified" and not clip["erased"]
    receipt = precinct.world.root / "cameras" / "bay-h" / "receipts" / f"{clip['clip_id']}.receipt.json"
    receipt.unlink()
    again = precinct.dock_camera("bay-h", "--count", "0", "--timeout", "30")
    assert again["clips"][0]["clip_id"] == clip["clip_id"]
    assert again["clips"][0]["receipt"] == "verified" and again["clips"][0]["erased"]
    assert len(precinct.custody(action="ingested", clip_id=clip["clip_id"])) == 1
    assert len(precinct.custody(action="receipted", clip_id=clip["clip_id"])) == 2


_bays = itertools.count()


@pytest.fixture
def clip(precinct: Precinct) -> dict[str, Any]:
    """A well-behaved clip, and what an order about it must say."""
    (taken,) = precinct.dock_camera(f"order-{next(_bays)}", "--bytes", "70000", "--timeout", "30")["clips"]
    return dict(taken)


def order(precinct: Precinct, clip: dict[str, Any], signer: Path | None = None, **changes: Any) -> bytes:
    """A release order as the policy service would sign it, with some of its fields changed."""
    world = precinct.world
    now = datetime.now(UTC)
    order_id = str(uuid.uuid4())
    directory = VaultLayout(world.vault).clip(clip["clip_id"])
    trust = load_trust(world.config / "trust.json", load_sign_public(world.key("root", "sign", public=True)))
    seal = verify_clip(directory, clip["clip_id"], AGENCY, trust).seal.statement
    escrow = load_open_key(world.key("policy", "open"))
    data_key = unwrap(seal.wrapped_keys[0], escrow, seal_info(seal, seal.wrapped_keys[0].recipient))
    recipient = load_open_public(world.key(OFFICER, "open", public=True))
    fields: dict[str, Any] = {
        "order_id": order_id,
        "request_id": "r1",
        "clip_id": clip["clip_id"],
        "clip_sha256": clip["sha256"],
        "dock_id": DOCK,
        "person_id": OFFICER,
        "roles": ("officer",),
        "purpose": "report",
        "granted_at": now - timedelta(seconds=10),
        "expires_at": now + timedelta(hours=1),
        "regime": "portland-negotiated-2023",
        "regime_sha256": "0" * 64,
        "trust_version": 1,
        "because": (Because(policy_id="test", reason="a test"),),
        "facts": (),
    } | changes
    info = release_key_info(order_id, clip["clip_id"], trust_keyid(recipient))
    release = Release(**fields, wrapped_key=wrap(data_key, recipient, info))
    return envelopes.sign(release, load_sign_key(signer or world.key("policy", "sign"))).to_bytes()


def trust_keyid(key: Any) -> str:
    from daemon.seal.keys import keyid

    return keyid(key)


REFUSED: dict[str, tuple[dict[str, Any], str | None, str]] = {
    "expired": ({"expires_at": datetime.now(UTC) - timedelta(seconds=1)}, None, "InconsistentError"),
    "another clip's footage": ({"clip_sha256": "1" * 64}, None, "InconsistentError"),
    "another dock": ({"dock_id": "east-1"}, None, "InconsistentError"),
    "granted in the future": ({"granted_at": datetime.now(UTC) + timedelta(hours=1)}, None, "InconsistentError"),
    "signed by a person": ({}, OFFICER, "SignerNotAllowedError"),
    "signed by a camera": ({}, "cam-0001", "SignerNotAllowedError"),
    "signed by a stranger": ({}, "nobody", "BadSignatureError"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_wrong_order_is_refused_and_recorded(precinct: Precinct, clip: dict[str, Any], name: str) -> None:
    changes, signer, error = REFUSED[name]
    key = None
    if signer == "nobody":
        if not precinct.world.key("nobody", "sign").exists():
            new_pair(precinct.world.keys, "nobody")
        key = precinct.world.key("nobody", "sign")
    elif signer is not None:
        key = precinct.world.key(signer, "sign")
    data = order(precinct, clip, key, **changes)
    digest = envelopes.parse(data, what="order").digest
    precinct.publish(precinct.topics.order(DOCK, clip["clip_id"]), data)
    wait_until(lambda: any(digest in e["attestations"] for e in precinct.custody(action="refused")), f"refusal: {name}")
    entry = next(e for e in precinct.custody(action="refused") if digest in e["attestations"])
    assert entry["detail"]["error"] == error
    assert precinct.notice(clip["clip_id"])["lock"] == {"state": "locked", "reason": "no release order", "releases": []}


def test_garbage_on_every_topic_stops_nothing(precinct: Precinct, clip: dict[str, Any]) -> None:
    topics = precinct.topics
    garbage = [b"", b"{", b"\xff\xfe", b"[" * 5000, json.dumps({"payload": "x"}).encode(), b"0" * 300_000]
    for data in garbage:
        for topic in (
            topics.order(DOCK, clip["clip_id"]),
            topics.order(DOCK, "no-such-clip"),
            topics.ack(DOCK),
            topics.cad("x"),
            topics.clip(DOCK, str(uuid.uuid4())),
            topics.attestation(OFFICER, "request", "0" * 64),
            topics.attestation(OFFICER, "nonsense", "0" * 64),
            topics.attestation(OFFICER, "opened", "0" * 64),
        ):
            precinct.publish(topic, data)
    (after,) = precinct.dock_camera("bay-z", "--bytes", "9000", "--timeout", "30")["clips"]
    assert after["receipt"] == "verified"
    precinct.stage.check_alive()


def test_a_right_order_is_honoured_and_locks_again_by_itself(precinct: Precinct, clip: dict[str, Any]) -> None:
    precinct.stage.stop("policy")  # which would revoke an order that it has no record of
    data = order(precinct, clip, expires_at=datetime.now(UTC) + timedelta(seconds=4))
    precinct.publish(precinct.topics.order(DOCK, clip["clip_id"]), data)
    released = precinct.notice(clip["clip_id"], lambda n: n["lock"]["state"] == "released")
    assert released["lock"]["releases"][0]["state"] == "live"
    locked = precinct.notice(clip["clip_id"], lambda n: bool(n["lock"]["releases"]) and n["lock"]["state"] == "locked")
    assert locked["lock"]["releases"][0]["state"] == "expired"
    life = [entry["action"] for entry in precinct.custody(clip_id=clip["clip_id"])]
    assert [action for action in life if action in {"released", "expired"}] == ["released", "expired"]
