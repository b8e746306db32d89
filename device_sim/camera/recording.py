"""One clip: its specification, the recording, and the capture that the camera signs."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device_sim import envelope, times
from device_sim.camera import footage
from device_sim.errors import usage

TRIGGERS = (
    "button", "dispatch", "light_bar", "sidearm", "conducted_energy_weapon",
    "vehicle", "timeout", "battery", "docked", "unknown",
)  # fmt: skip
_OVERSIZE = 1 << 20
_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass(frozen=True)
class ClipSpec:
    """A clip to be recorded. `started_at` is true time; the camera's clock adds its skew.

    `seconds` is the length of the recording, including the pre-event buffer. `footage_seconds` is the length of the
    video in the file, which may be shorter. `size` is the file's size in bytes, if it must be exact.
    """

    started_at: datetime
    seconds: float
    pre_event: float
    trigger_on: str
    trigger_off: str
    clip_id: str
    seed: int
    footage_seconds: float
    size: int | None = None
    video: Path | None = None
    markers: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True)
class Clip:
    """A clip in the camera's memory. Its times are by the camera's clock."""

    clip_id: str
    size_bytes: int
    sha256: str
    started_at: str
    triggered_at: str
    stopped_at: str

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Wearer:
    """A camera and its officer: what every capture says about them, and the camera's key and clock."""

    serial: str
    officer_id: str
    key: Ed25519PrivateKey
    model: str = "simulated"
    firmware: str = "1.0.0"
    skew_seconds: float = 0.0

    def clock(self, at: datetime) -> str:
        """The time that this camera's clock shows at `at`."""
        return times.utc_text(at + timedelta(seconds=self.skew_seconds))


def clip_seed(serial: str, seed: int, index: int) -> int:
    """A different seed for each clip of each camera."""
    return int.from_bytes(hashlib.sha256(f"{serial}|{seed}|{index}".encode()).digest()[:8])


def clip_id(seed: int) -> str:
    """A clip id from a seed: a UUID in lowercase with hyphens. The same seed gives the same id."""
    return str(uuid.UUID(bytes=hashlib.sha256(f"clip|{seed}".encode()).digest()[:16], version=4))


def record(wearer: Wearer, spec: ClipSpec, folder: Path, faults: frozenset[str]) -> Clip:
    """Writes footage, then its capture, into `folder` (a camera's `clips/`). Both are durable when it returns."""
    path = folder / f"{spec.clip_id}.mp4"
    sha256 = _footage(spec, path)
    if "truncated" in faults:
        sha256 = footage.cut(path)
    clip = Clip(
        clip_id=spec.clip_id,
        size_bytes=path.stat().st_size,
        sha256=sha256,
        started_at=wearer.clock(spec.started_at),
        triggered_at=wearer.clock(spec.started_at + timedelta(seconds=spec.pre_event)),
        stopped_at=wearer.clock(spec.started_at + timedelta(seconds=spec.seconds)),
    )
    raw = signed_capture(wearer, spec, clip, faults)
    if raw is not None:
        footage.write_durably(folder / f"{spec.clip_id}.capture.json", raw)
    return clip


def _footage(spec: ClipSpec, path: Path) -> str:
    if spec.video is not None:
        return footage.copy(spec.video, path)
    if spec.size is not None:
        return footage.of_size(path, spec.size, spec.seed)
    return footage.record(path, spec.footage_seconds, spec.seed, spec.clip_id)


def signed_capture(wearer: Wearer, spec: ClipSpec, clip: Clip, faults: frozenset[str]) -> bytes | None:
    """The bytes of the capture file, changed by `faults`; None when a fault says that there is none."""
    if "no-capture" in faults:
        return None
    if "wrong-digest" in faults:
        clip = replace(clip, sha256=hashlib.sha256(clip.sha256.encode()).hexdigest())
    key, claimed = wearer.key, None
    if "bad-signature" in faults:
        key, claimed = Ed25519PrivateKey.generate(), envelope.keyid(wearer.key.public_key())
    elif "unknown-signer" in faults:
        key = Ed25519PrivateKey.generate()
    document = envelope.sign("capture", capture(wearer, spec, clip), key, claimed)
    if "oversize-capture" in faults:
        document["padding"] = "x" * _OVERSIZE
    raw = json.dumps(document, indent=1).encode()
    return raw[: len(raw) // 2] if "torn-capture" in faults else raw


def capture(wearer: Wearer, spec: ClipSpec, clip: Clip) -> dict[str, Any]:
    """The capture's statement about a clip, as a JSON object."""
    return {
        "clip_id": clip.clip_id,
        "camera_serial": wearer.serial,
        "officer_id": wearer.officer_id,
        "size_bytes": clip.size_bytes,
        "media_type": "video/mp4",
        "sha256": clip.sha256,
        "started_at": clip.started_at,
        "triggered_at": clip.triggered_at,
        "stopped_at": clip.stopped_at,
        "pre_event_seconds": int(spec.pre_event) if spec.pre_event == int(spec.pre_event) else spec.pre_event,
        "trigger_on": spec.trigger_on,
        "trigger_off": spec.trigger_off,
        "markers": [
            {"at": wearer.clock(spec.started_at + timedelta(seconds=after)), "label": label}
            for label, after in spec.markers
        ],
    }


def parse_spec(text: str, default: ClipSpec) -> ClipSpec:
    """Reads `key=value,…`; what is missing comes from `default`. Raises a usage error that names the key."""
    values: dict[str, str] = {}
    labels: list[str] = []
    for part in text.split(","):
        key, separator, value = part.strip().partition("=")
        if not separator or key not in _SPEC_KEYS:
            raise usage(f"--clip has no key {key!r}", f"keys: {', '.join(_SPEC_KEYS)}")
        if key == "marker":
            labels.append(value)
        elif key in values:
            raise usage(f"--clip names {key} twice")
        else:
            values[key] = value
    try:
        return checked(_overlay(values, labels, default))
    except ValueError as bad:
        raise usage(f"cannot read --clip {text!r}", str(bad).lower()) from bad


_SPEC_KEYS = (
    "started_at", "seconds", "pre_event", "trigger_on", "trigger_off", "clip_id", "bytes", "footage", "marker",
)  # fmt: skip


def _overlay(values: dict[str, str], labels: list[str], default: ClipSpec) -> ClipSpec:
    seconds = float(values.get("seconds", default.seconds))
    pre_event = float(values.get("pre_event", min(default.pre_event, usual_pre_event(seconds))))
    return replace(
        default,
        started_at=times.parse(values["started_at"]) if "started_at" in values else default.started_at,
        seconds=seconds,
        pre_event=pre_event,
        trigger_on=values.get("trigger_on", default.trigger_on),
        trigger_off=values.get("trigger_off", default.trigger_off),
        clip_id=values.get("clip_id", default.clip_id),
        footage_seconds=float(values.get("footage", seconds if "seconds" in values else default.footage_seconds)),
        size=int(values["bytes"]) if "bytes" in values else default.size,
        markers=tuple(_marker(label, pre_event) for label in labels),
    )


def _marker(text: str, pre_event: float) -> tuple[str, float]:
    """`label` (set at the trigger) or `label@seconds` after the start."""
    label, separator, after = text.rpartition("@")
    return (label, float(after)) if separator else (text, pre_event)


def usual_pre_event(seconds: float) -> float:
    """The usual pre-event buffer for a clip of `seconds`: 30 s, as agencies set it, but at most a third of the clip."""
    return float(min(30, int(seconds // 3)))


def checked(spec: ClipSpec) -> ClipSpec:
    """Returns the spec. Raises a usage error when such a clip cannot exist."""
    if spec.seconds < 0 or spec.footage_seconds < 0 or (spec.size is not None and spec.size < 0):
        raise usage("a clip's length cannot be negative")
    if not 0 <= spec.pre_event <= spec.seconds:
        raise usage(
            f"a pre-event buffer of {spec.pre_event:g} s does not fit a clip of {spec.seconds:g} s",
            "seconds is the whole recording, the buffer included",
        )
    if not _ID.fullmatch(spec.clip_id) or not spec.clip_id.strip("."):
        raise usage(f"{spec.clip_id!r} is not a clip_id", "a UUID, or 1 to 64 of A-Z a-z 0-9 . _ -")
    for trigger in (spec.trigger_on, spec.trigger_off):
        if trigger not in TRIGGERS:
            raise usage(f"unknown trigger {trigger!r}", f"one of: {', '.join(TRIGGERS)}")
    return spec
