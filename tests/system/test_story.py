"""The whole way, once, with real processes: each step of the demo's story, checked from outside."""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
from pathlib import Path
from typing import Any

import av
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tests.system.conftest import Told

pytestmark = pytest.mark.xdist_group("story")


def payload(envelope: dict[str, Any]) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(base64.b64decode(envelope["payload"]))
    return value


def test_the_story_ends_well(told: Told) -> None:
    assert [step["step"] for step in told.printed["steps"]] == [1, 2, 3, 4, 5, 6, 7]
    assert told.printed == json.loads((told.root / "story.json").read_text())
    assert told.printed["seconds"] > 0


def test_every_clip_was_sealed_receipted_and_erased(told: Told) -> None:
    clips = told.step(1)["clips"]
    assert len(clips) == 3
    for clip in clips:
        assert clip["receipt"] == "verified" and clip["erased"]
        sealed = told.root / "vault" / "clips" / clip["clip_id"] / "clip.sealed"
        seal = payload(json.loads((sealed.parent / "seal.json").read_text()))
        assert hashlib.sha256(sealed.read_bytes()).hexdigest() == seal["sealed_sha256"]
        assert seal["clip_sha256"] == clip["sha256"]
    assert list((told.root / "mounts").iterdir()) == []


def test_every_clip_was_announced_locked_with_its_incident(told: Told) -> None:
    announced = told.step(2)["announced"]
    assert [clip["lock"] for clip in announced] == ["locked"] * 3
    verdicts = {clip["activation"]["assignments"][0]["incident_id"]: clip["activation"] for clip in announced}
    assert set(verdicts) == {"23-310001", "23-310002"}
    assert verdicts["23-310001"]["verdict"] == "on_time"


def test_routine_is_released_and_deadly_is_refused(told: Told) -> None:
    step = told.step(2)
    assert step["routine"]["outcome"] == "released"
    assert step["deadly"]["outcome"] == "refused"
    (need,) = step["deadly"]["needs"]
    assert (need["kind"], need["from"], need["form"], need["officer_id"]) == (
        "statement",
        "internal_affairs",
        "audio",
        "51234",
    )
    assert need["by"].endswith("Z")


def test_neither_internal_affairs_nor_the_chief_gets_around_it(told: Told) -> None:
    step = told.step(3)
    assert step["internal_affairs"]["outcome"] == "refused"
    assert step["internal_affairs"]["needs"] == told.step(2)["deadly"]["needs"]
    assert step["after_authorization"] == {"31001": "refused", "51234": "refused"}


def test_the_statement_releases_both_open_requests_with_an_order_each(told: Told) -> None:
    step = told.step(4)
    releases = {person: payload(decision["release"]) for person, decision in step["decisions"].items()}
    assert {release["person_id"] for release in releases.values()} == {"51234", "31001"}
    assert len({release["order_id"] for release in releases.values()}) == 2
    assert releases["51234"]["request_id"] == told.step(2)["deadly"]["request_id"]
    assert releases["31001"]["request_id"] == told.step(3)["internal_affairs"]["request_id"]


def test_the_opened_clip_is_what_the_camera_recorded_and_plays(told: Told) -> None:
    (opened,) = (told.root / "opened").glob("*.mp4")
    recorded = told.root / "recorded" / opened.name
    assert opened.read_bytes() == recorded.read_bytes()
    with av.open(str(opened)) as container:
        stream = container.streams.video[0]
        frames = sum(1 for _ in container.decode(stream))
        assert frames == stream.frames >= 30
        assert stream.codec_context.name == "h264"


def test_ffprobe_decodes_every_frame(told: Told) -> None:
    (opened,) = (told.root / "opened").glob("*.mp4")
    command = ["ffprobe", "-v", "error", "-count_frames", "-select_streams", "v", "-of", "json"]
    try:
        ran = subprocess.run([*command, "-show_streams", str(opened)], capture_output=True, text=True, check=True)
    except FileNotFoundError:
        pytest.skip("ffprobe (Debian: ffmpeg) is not installed")
    assert ran.stderr == ""
    (stream,) = json.loads(ran.stdout)["streams"]
    assert stream["nb_read_frames"] == stream["nb_frames"]


def test_tampering_is_named_exactly(told: Told) -> None:
    step = told.step(6)
    assert step["sealed_file"] in step["dock_check"]
    assert f"entry {step['entry']} is not what was logged" in step["custody_verify"]


def test_the_checkpoint_covers_exactly_the_exported_log(told: Told) -> None:
    """Verified by a few independent lines: RFC 6962 section 2.1 and C2SP signed-note."""

    def root(leaves: list[bytes]) -> bytes:
        if len(leaves) == 1:
            return hashlib.sha256(b"\x00" + leaves[0]).digest()
        split = 1 << (len(leaves) - 1).bit_length() - 1
        return hashlib.sha256(b"\x01" + root(leaves[:split]) + root(leaves[split:])).digest()

    lines = (told.root / "custody.jsonl").read_bytes().splitlines()
    text, _, signature = (told.root / "checkpoint.txt").read_text().rpartition("\n\n")
    origin, size, encoded = text.split("\n")
    assert (origin, int(size), base64.b64decode(encoded)) == ("bwc/portland/central-1", len(lines), root(lines))
    key = serialization.load_pem_public_key((told.root / "keys" / "central-1.sign.pub.pem").read_bytes())
    assert isinstance(key, Ed25519PublicKey)
    key.verify(base64.b64decode(signature.split(" ")[2])[4:], (text + "\n").encode())


def test_custody_tells_the_clips_whole_life(told: Told) -> None:
    (opened,) = (told.root / "opened").glob("*.mp4")
    entries = [json.loads(line) for line in (told.root / "custody.jsonl").read_text().splitlines()]
    life = [entry["action"] for entry in entries if entry.get("clip_id") == opened.stem]
    assert life[:2] == ["ingested", "tagged"]
    assert {"receipted", "opened"} <= set(life)
    assert life.count("released") == 2
    assert life.index("released") < life.index("opened")


def test_no_private_key_and_no_footage_lie_open(told: Told) -> None:
    """Nothing in the vault, the databases or the logs holds what only the locked clip should."""
    (opened,) = (told.root / "opened").glob("*.mp4")
    secret = opened.read_bytes()[1000:1064]
    for folder in ("vault", "state", "logs"):
        for path in (told.root / folder).rglob("*"):
            if path.is_file():
                data = path.read_bytes()
                assert secret not in data, path
                assert b"PRIVATE KEY" not in data, path


def test_keys_lie_where_they_are_said_to(told: Told) -> None:
    owners = {
        "root",
        "policy",
        "recovery",
        "central-1",
        "cam-0001",
        "cam-0002",
        "51234",
        "52345",
        "41001",
        "31001",
        "10001",
    }
    for owner in owners:
        for use in ("sign", "open"):
            path = told.root / "keys" / f"{owner}.{use}.pem"
            serialization.load_pem_private_key(path.read_bytes(), password=None)
            assert path.stat().st_mode & 0o077 == 0
    assert Path(told.step(7)["paths"]["vault"]) == told.root / "vault"
