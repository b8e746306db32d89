"""Each fault spoils exactly what it says, and nothing else."""

from __future__ import annotations

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidSignature

from device_sim.camera import faults, mp4

MEDIA_TYPE = b"application/vnd.bwc.capture.v1+json"


class Docked:
    def __init__(self, precinct: Any, fault: str) -> None:
        result = precinct.camera("--fault", fault, "--until", "docked", "--seconds", "1", "--json")
        assert result.code == 0
        [clip] = result.document["clips"]
        self.video = Path(clip["path"])
        self.capture = self.video.with_suffix(".capture.json")
        self.key = precinct.camera_key

    @property
    def envelope(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.capture.read_bytes())
        return loaded

    @property
    def payload(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(base64.b64decode(self.envelope["payload"]))
        return loaded

    def signature_holds(self) -> bool:
        body = base64.b64decode(self.envelope["payload"])
        signed = b"DSSEv1 %d %s %d %s" % (len(MEDIA_TYPE), MEDIA_TYPE, len(body), body)
        try:
            self.key.public_key().verify(base64.b64decode(self.envelope["signatures"][0]["sig"]), signed)
        except InvalidSignature:
            return False
        return True

    def digest_agrees(self) -> bool:
        raw = self.video.read_bytes()
        return (self.payload["sha256"], self.payload["size_bytes"]) == (hashlib.sha256(raw).hexdigest(), len(raw))

    def plays(self) -> bool:
        try:
            with self.video.open("rb") as file:
                return "moov" in [kind for kind, _, _ in mp4.walk(file, self.video.stat().st_size)]
        except ValueError:
            return False


@pytest.fixture
def enrolled(precinct: Any) -> str:
    der = bytes.fromhex("302a300506032b6570032100") + precinct.camera_key.public_key().public_bytes_raw()
    return hashlib.sha256(der).hexdigest()


def test_keep_spoils_nothing_on_the_mount(precinct: Any, enrolled: str) -> None:
    docked = Docked(precinct, "keep")
    assert docked.signature_holds()
    assert docked.digest_agrees()
    assert docked.plays()
    assert docked.envelope["signatures"][0]["keyid"] == enrolled


def test_torn_capture(precinct: Any) -> None:
    docked = Docked(precinct, "torn-capture")
    assert docked.capture.stat().st_size > 100
    with pytest.raises(json.JSONDecodeError):
        _ = docked.envelope
    assert docked.plays()


def test_oversize_capture(precinct: Any) -> None:
    docked = Docked(precinct, "oversize-capture")
    assert docked.capture.stat().st_size > 1 << 20
    assert docked.signature_holds()


def test_no_capture(precinct: Any) -> None:
    docked = Docked(precinct, "no-capture")
    assert docked.plays()
    assert not docked.capture.exists()


def test_bad_signature(precinct: Any, enrolled: str) -> None:
    docked = Docked(precinct, "bad-signature")
    assert not docked.signature_holds()
    assert docked.envelope["signatures"][0]["keyid"] == enrolled
    assert docked.digest_agrees()


def test_unknown_signer(precinct: Any, enrolled: str) -> None:
    docked = Docked(precinct, "unknown-signer")
    assert not docked.signature_holds()
    assert docked.envelope["signatures"][0]["keyid"] != enrolled


def test_wrong_digest(precinct: Any) -> None:
    docked = Docked(precinct, "wrong-digest")
    assert docked.signature_holds()
    assert docked.payload["size_bytes"] == docked.video.stat().st_size
    assert not docked.digest_agrees()


def test_truncated(precinct: Any) -> None:
    docked = Docked(precinct, "truncated")
    assert docked.signature_holds()
    assert docked.digest_agrees()
    assert not docked.plays()


def test_an_unknown_fault_is_a_usage_error(precinct: Any) -> None:
    result = precinct.camera("--fault", "gremlins", "--until", "docked")
    assert result.code == 2
    assert all(name in result.err for name in ("gremlins", *faults.FAULTS))


def test_help_explains_every_fault(sim: Any) -> None:
    shown = sim("camera", "--help").out
    assert all(name in shown for name in faults.FAULTS)
