"""A capture beside its footage: verified, or why not; whatever it is, the footage is taken in."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from daemon.dock.ingest.captures import read_capture
from daemon.dock.ingest.jobs import ReadCapture
from tests.kit import agency
from tests.kit.agency import CLIP, NOW, OTHER_CLIP, revoked, signed, statement


def read(data: bytes | None, *, stem: str = CLIP, serial: str = "cam-1", **trust: Any) -> ReadCapture:
    return read_capture(agency.trust(**trust), data, serial, stem, NOW)


def test_one_that_holds() -> None:
    envelope = signed(statement("capture"), "cam-1")
    found = read(envelope.to_bytes())
    assert (found.state, found.problem) == ("verified", None)
    assert found.verified is not None and found.verified.clip_id == CLIP
    assert found.envelope is not None and found.envelope.digest == envelope.digest
    assert (found.data, found.size) == (envelope.to_bytes(), 5)


def test_none() -> None:
    assert read(None) == ReadCapture("absent", None, None, None, None)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"\xff", b"{}"])
def test_what_is_no_envelope_is_kept_as_it_is(data: bytes) -> None:
    found = read(data)
    assert (found.state, found.data, found.envelope, found.verified) == ("unusable", data, None, None)
    assert found.problem


def _changed(**fields: Any) -> bytes:
    return signed(statement("capture", **fields), "cam-1").to_bytes()


def _signature_of_another() -> bytes:
    envelope = signed(statement("capture"), "cam-1").to_dict()
    other = signed(statement("capture", size_bytes=6), "cam-1").to_dict()
    return json.dumps(envelope | {"signatures": other["signatures"]}).encode()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: signed(statement("capture"), "nobody").to_bytes(), "BadSignatureError"),
        (lambda: signed(statement("capture"), "cam-2").to_bytes(), "SignerNotAllowedError"),
        (lambda: signed(statement("capture"), "dock-1").to_bytes(), "SignerNotAllowedError"),
        (lambda: signed(statement("seal"), "dock-1").to_bytes(), "SchemaError"),
        (_signature_of_another, "BadSignatureError"),
        (lambda: _changed(clip_id=OTHER_CLIP), "InconsistentError"),
    ],
    ids=["nobody's key", "another camera's", "a dock's", "another kind", "another's signature", "another clip's"],
)
def test_one_that_does_not_hold_says_why(make: Callable[[], bytes], error: str) -> None:
    found = read(make())
    assert (found.state, found.verified) == ("refused", None)
    assert found.problem is not None and found.problem.startswith(f"{error}: ")
    assert found.envelope is not None, "it is what the seal names, and stays beside the footage"


def test_one_of_another_enrolled_camera_is_not_this_cameras_word() -> None:
    """A clip copied from one camera to another, capture and all."""
    data = signed(statement("capture", camera_serial="cam-2"), "cam-2").to_bytes()
    assert read(data, serial="cam-2").state == "verified"
    found = read(data, serial="cam-1")
    assert found.state == "refused"
    assert found.problem is not None and found.problem.startswith("InconsistentError: ")


def test_the_key_must_have_been_good_when_it_was_docked() -> None:
    data = signed(statement("capture"), "cam-1").to_bytes()
    assert read(data, revoked=[revoked("cam-1", NOW + timedelta(seconds=1))]).state == "verified"
    assert read(data, revoked=[revoked("cam-1", NOW - timedelta(days=1))]).state == "refused"


def test_a_size_that_a_doubtful_one_claims_is_still_waited_for() -> None:
    """Footage is settled when it is as long as its capture says, whoever signed that."""
    assert read(signed(statement("capture", size_bytes=99), "nobody").to_bytes()).size == 99
    assert read(b"{}").size is None


def test_one_larger_than_a_capture_can_be_is_not_parsed() -> None:
    data = signed(statement("capture"), "cam-1").to_bytes()
    assert read(data + b" " * (65_536 - len(data))).state == "verified"
    assert read(data + b" " * (65_537 - len(data))).state == "unusable"
