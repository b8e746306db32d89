"""A camera erases a clip only against a receipt that holds. Everything else leaves the footage where it is."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

Clip = dict[str, Any]
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def docked(precinct: Any) -> Clip:
    clip: Clip = precinct.camera("--until", "docked", "--bytes", "20000", "--json").document["clips"][0]
    return clip


def footage_is_there(precinct: Any, clip: Clip) -> bool:
    names = {path.name for path in precinct.root.glob("*/*/clips/*")}
    assert names in (set(), {f"{clip['clip_id']}.mp4", f"{clip['clip_id']}.capture.json"})
    return bool(names)


def changed(raw: bytes, **changes: Any) -> bytes:
    """The same envelope with another payload under the old signature."""
    envelope = json.loads(raw)
    payload = json.loads(base64.b64decode(envelope["payload"])) | changes
    return json.dumps(envelope | {"payload": base64.b64encode(json.dumps(payload).encode()).decode()}).encode()


def respelled(raw: bytes, **members: Any) -> bytes:
    return json.dumps(json.loads(raw) | members).encode()


def test_a_valid_receipt_erases(precinct: Any) -> None:
    clip = docked(precinct)
    precinct.put_receipt(clip, precinct.receipt(clip))
    result = precinct.camera("--json", "--timeout", "5")
    assert result.code == 0
    [seen] = result.document["clips"]
    assert (seen["receipt"], seen["erased"], seen["path"]) == ("verified", True, None)
    assert not footage_is_there(precinct, clip)
    assert not precinct.bay.exists()


def test_a_receipt_under_a_fresh_clip_id_erases(precinct: Any) -> None:
    """A dock gives a clip another id when the camera's is taken: digest and serial are what binds."""
    clip = docked(precinct)
    precinct.put_receipt(clip, precinct.receipt(clip, clip_id="2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a11"))
    assert precinct.camera("--timeout", "5").code == 0
    assert not footage_is_there(precinct, clip)


def two_signatures(precinct: Any, clip: Clip) -> bytes:
    envelope = json.loads(precinct.receipt(clip))
    return respelled(json.dumps(envelope).encode(), signatures=envelope["signatures"] * 2)


def another_keyid(precinct: Any, clip: Clip) -> bytes:
    raw = precinct.receipt(clip)
    [signature] = json.loads(raw)["signatures"]
    return respelled(raw, signatures=[signature | {"keyid": "ab" * 32}])


REFUSED: dict[str, Callable[[Any, Clip], bytes]] = {
    "wrong key": lambda p, c: p.receipt(c, key=Ed25519PrivateKey.generate()),
    "the camera's own key": lambda p, c: p.receipt(c, key=p.camera_key),
    "wrong clip hash": lambda p, c: p.receipt(c, clip_sha256="cd" * 32),
    "another camera": lambda p, c: p.receipt(c, camera_serial="cam-2"),
    "changed after signing": lambda p, c: changed(p.receipt(c, clip_sha256="cd" * 32), clip_sha256=c["sha256"]),
    "truncated": lambda p, c: p.receipt(c)[:-40],
    "empty": lambda p, c: b"",
    "not an object": lambda p, c: b"[]",
    "too large": lambda p, c: respelled(p.receipt(c), padding="x" * (1 << 20)),
    "another kind": lambda p, c: p.receipt(c, kind="disposal"),
    "another kind, respelled": lambda p, c: respelled(p.receipt(c), payloadType="application/vnd.bwc.seal.v1+json"),
    "another keyid": another_keyid,
    "no signature": lambda p, c: respelled(p.receipt(c), signatures=[]),
    "two signatures": two_signatures,
    "unknown field": lambda p, c: p.receipt(c, note="hello"),
    "no such time": lambda p, c: p.receipt(c, erase_after="soon"),
    "a time without zone": lambda p, c: p.receipt(c, erase_after="2023-11-29T21:45:02.120"),
    "no sealed digest": lambda p, c: p.receipt(c, sealed_sha256="none"),
    "a sequence of text": lambda p, c: p.receipt(c, sequence="3"),
    "nested without end": lambda p, c: b"[" * 100_000,
}


@pytest.mark.parametrize("why", REFUSED)
def test_an_invalid_receipt_erases_nothing(precinct: Any, why: str) -> None:
    clip = docked(precinct)
    precinct.put_receipt(clip, REFUSED[why](precinct, clip))
    result = precinct.camera("--json", "--timeout", "5")
    assert result.code == 4
    [seen] = result.document["clips"]
    assert not seen["erased"]
    assert seen["receipt"] not in (None, "verified")
    assert clip["clip_id"] in result.err
    assert footage_is_there(precinct, clip)


def test_a_receipt_for_later_is_waited_for_and_erases_nothing(precinct: Any) -> None:
    clip = docked(precinct)
    precinct.put_receipt(clip, precinct.receipt(clip, erase_after=LATER))
    result = precinct.camera("--json", "--timeout", "0.3")
    assert result.code == 1
    assert not result.document["clips"][0]["erased"]
    assert footage_is_there(precinct, clip)


def test_a_skewed_camera_does_not_erase_early(precinct: Any) -> None:
    clip = docked(precinct)
    precinct.put_receipt(clip, precinct.receipt(clip, erase_after=LATER))
    assert precinct.camera("--skew", "86400", "--timeout", "0.3").code == 1
    assert footage_is_there(precinct, clip)


def test_no_receipt_erases_nothing(precinct: Any) -> None:
    clip = docked(precinct)
    result = precinct.camera("--json", "--timeout", "0.2")
    assert result.code == 1
    assert clip["clip_id"] in result.err
    assert footage_is_there(precinct, clip)


def test_one_bad_receipt_spoils_only_its_clip(precinct: Any) -> None:
    good, bad = precinct.camera("--until", "docked", "--bytes", "300", "--count", "2", "--json").document["clips"]
    precinct.put_receipt(good, precinct.receipt(good))
    precinct.put_receipt(bad, precinct.receipt(good))
    result = precinct.camera("--json", "--timeout", "5")
    assert result.code == 4
    assert {clip["clip_id"]: clip["erased"] for clip in result.document["clips"]} == {
        good["clip_id"]: True,
        bad["clip_id"]: False,
    }
    assert footage_is_there(precinct, bad)


def test_without_a_dock_key_there_is_nothing_to_wait_for(precinct: Any, sim: Any) -> None:
    keys = precinct.root / "keys"
    result = sim(
        "camera", "--mounts", str(precinct.mounts), "--bay", "bay-1", "--serial", "cam-1", "--officer", "51234",
        "--key", str(keys / "cam-1.sign.pem"),
    )  # fmt: skip
    assert result.code == 2
    assert "--dock-key" in result.err
    assert not precinct.bay.exists()
