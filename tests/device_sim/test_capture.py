"""What a camera says about a clip, checked as a stranger would: JSON, base64, Ed25519."""

from __future__ import annotations

import base64
import hashlib
import json
import uuid
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MEDIA_TYPE = "application/vnd.bwc.capture.v1+json"
CAPTURE_FIELDS = {
    "clip_id", "camera_serial", "officer_id", "size_bytes", "media_type", "sha256", "started_at", "triggered_at",
    "stopped_at", "pre_event_seconds", "trigger_on", "trigger_off", "markers",
}  # fmt: skip


def read_capture(path: Path, key: Ed25519PrivateKey, keyid: str) -> dict[str, Any]:
    envelope = json.loads(path.read_bytes())
    assert envelope["payloadType"] == MEDIA_TYPE
    [signature] = envelope["signatures"]
    assert signature["keyid"] == keyid
    body = base64.b64decode(envelope["payload"], validate=True)
    signed = b"DSSEv1 %d %s %d %s" % (len(MEDIA_TYPE), MEDIA_TYPE.encode(), len(body), body)
    key.public_key().verify(base64.b64decode(signature["sig"]), signed)
    payload: dict[str, Any] = json.loads(body)
    return payload


def keyid(key: Ed25519PrivateKey) -> str:
    # SubjectPublicKeyInfo of Ed25519 (RFC 8410 section 4): twelve fixed bytes and the key
    return hashlib.sha256(bytes.fromhex("302a300506032b6570032100") + key.public_key().public_bytes_raw()).hexdigest()


def only_capture(precinct: Any) -> dict[str, Any]:
    [path] = (precinct.bay / "clips").glob("*.capture.json")
    return read_capture(path, precinct.camera_key, keyid(precinct.camera_key))


def test_capture_and_camera_json(precinct: Any) -> None:
    result = precinct.camera("--until", "docked", "--json")
    assert result.code == 0
    [clip] = result.document["clips"]
    video = precinct.bay / "clips" / f"{clip['clip_id']}.mp4"
    payload = only_capture(precinct)
    assert payload.keys() == CAPTURE_FIELDS
    assert payload["clip_id"] == clip["clip_id"] == str(uuid.UUID(clip["clip_id"]))
    assert payload["sha256"] == clip["sha256"] == hashlib.sha256(video.read_bytes()).hexdigest()
    assert payload["size_bytes"] == clip["size_bytes"] == video.stat().st_size
    assert (payload["camera_serial"], payload["officer_id"]) == ("cam-1", "51234")
    assert payload["media_type"] == "video/mp4"
    assert clip["path"] == str(video)
    camera = json.loads((precinct.bay / "camera.json").read_bytes())
    assert camera.keys() == {
        "schema", "serial", "model", "firmware", "officer_id", "docked_at", "battery_percent", "total_bytes",
        "free_bytes",
    }  # fmt: skip
    assert (camera["schema"], camera["serial"], camera["officer_id"]) == ("bwc.camera/1", "cam-1", "51234")
    assert (precinct.bay / "receipts").is_dir()


def test_a_clip_as_specified(precinct: Any) -> None:
    spec = (
        "started_at=2023-11-29T13:45:02.120-08:00,seconds=600,pre_event=30,trigger_on=sidearm,trigger_off=timeout,"
        "clip_id=2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a11,footage=1,marker=use of force,marker=backup here@90"
    )
    assert precinct.camera("--until", "docked", "--clip", spec).code == 0
    payload = only_capture(precinct)
    assert payload["clip_id"] == "2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a11"
    assert payload["started_at"] == "2023-11-29T21:45:02.120Z"
    assert payload["triggered_at"] == "2023-11-29T21:45:32.120Z"
    assert payload["stopped_at"] == "2023-11-29T21:55:02.120Z"
    assert payload["pre_event_seconds"] == 30
    assert (payload["trigger_on"], payload["trigger_off"]) == ("sidearm", "timeout")
    assert payload["markers"] == [
        {"at": "2023-11-29T21:45:32.120Z", "label": "use of force"},
        {"at": "2023-11-29T21:46:32.120Z", "label": "backup here"},
    ]
    with av.open(str(precinct.bay / "clips" / f"{payload['clip_id']}.mp4")) as container:
        assert sum(1 for _ in container.decode(video=0)) == 30


def test_a_skewed_clock_shows_everywhere(precinct: Any) -> None:
    at = "2023-11-29T21:45:02.120Z"
    assert precinct.camera("--until", "docked", "--started-at", at, "--skew", "-90", "--bytes", "300").code == 0
    assert only_capture(precinct)["started_at"] == "2023-11-29T21:43:32.120Z"
    docked = datetime.fromisoformat(json.loads((precinct.bay / "camera.json").read_bytes())["docked_at"])
    behind = (datetime.now(docked.tzinfo) - docked).total_seconds()
    assert 90 <= behind < 120


def test_one_seed_one_camera(precinct: Any, tmp_path: Path) -> None:
    seen = []
    for store in ("one", "two"):
        more = ["--store", str(tmp_path / store), "--until", "docked", "--undock", "--count", "2", "--json"]
        seen.append(precinct.camera("--started-at", "2023-11-29T21:45:02.120Z", *more).document["clips"])
    for clips in seen:
        for clip in clips:
            del clip["path"]
    assert seen[0] == seen[1]
    assert seen[0][0]["clip_id"] != seen[0][1]["clip_id"]
    assert seen[0][0]["stopped_at"] < seen[0][1]["started_at"]


def test_clip_ids_differ_by_serial(precinct: Any) -> None:
    first = precinct.camera("--until", "docked", "--undock", "--bytes", "300", "--json")
    second = precinct.camera("--until", "docked", "--bytes", "300", "--json", serial="cam-2")
    assert first.document["clips"][0]["clip_id"] != second.document["clips"][0]["clip_id"]


def test_a_developers_own_video(precinct: Any, tmp_path: Path) -> None:
    made = precinct.camera("--until", "docked", "--undock", "--seconds", "2", "--json").document["clips"][0]
    own = tmp_path / "mine.mp4"
    own.write_bytes(Path(made["path"]).read_bytes())
    second = precinct.camera("--until", "docked", "--video", str(own), "--json", serial="cam-2").document["clips"][0]
    assert Path(second["path"]).read_bytes() == own.read_bytes()
    length = datetime.fromisoformat(second["stopped_at"]) - datetime.fromisoformat(second["started_at"])
    assert length.total_seconds() == pytest.approx(2, abs=0.1)


@pytest.mark.parametrize(
    ("spec", "names"),
    [
        ("seconds=5,colour=red", "colour"),
        ("seconds=much", "seconds"),
        ("started_at=2023-11-29T21:45:02", "started_at"),
        ("seconds=5,pre_event=30", "pre-event"),
        ("trigger_on=whim", "whim"),
        ("clip_id=../escape", "clip_id"),
        ("seconds=5,seconds=6", "seconds"),
    ],
)
def test_a_bad_spec_is_a_usage_error(precinct: Any, spec: str, names: str) -> None:
    result = precinct.camera("--until", "docked", "--clip", spec)
    assert result.code == 2
    assert names in result.err
    assert not precinct.bay.exists()
