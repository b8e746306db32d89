"""A precinct in a temporary directory, and a dock that knows only how to sign receipts.

Everything a dock would check is checked here with plain `cryptography` and `json`, not with the simulator's own code.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device_sim.cli import main
from tests.kit.coming_and_going import matching

PEM = serialization.Encoding.PEM
ERASE_NOW = "2023-11-29T21:45:02.120Z"


@dataclass
class Result:
    code: int
    out: str
    err: str

    @property
    def document(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.out)
        return loaded


def pae(media_type: str, body: bytes) -> bytes:
    return b"DSSEv1 %d %s %d %s" % (len(media_type), media_type.encode(), len(body), body)


def keyid_of(key: Ed25519PrivateKey) -> str:
    der = key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    return hashlib.sha256(der).hexdigest()


@dataclass
class Precinct:
    """`mounts/`, `keys/` with a camera's and a dock's pair, and `bwc-sim` at hand."""

    root: Path
    camera_key: Ed25519PrivateKey
    dock_key: Ed25519PrivateKey

    @property
    def mounts(self) -> Path:
        return self.root / "mounts"

    @property
    def bay(self) -> Path:
        return self.mounts / "bay-1"

    def camera(self, *more: str, serial: str = "cam-1") -> Result:
        keys = self.root / "keys"
        always = ["camera", "--mounts", str(self.mounts), "--bay", "bay-1", "--serial", serial, "--officer", "51234"]
        keyed = ["--key", str(keys / "cam-1.sign.pem"), "--dock-key", str(keys / "dock-1.sign.pub.pem")]
        return run(*always, *keyed, "--seed", "7", *more)

    def receipt(
        self, clip: dict[str, Any], key: Ed25519PrivateKey | None = None, kind: str = "receipt", **changes: Any
    ) -> bytes:
        """What a dock would answer for this clip of `bwc-sim camera --json`."""
        payload = {
            "clip_id": clip["clip_id"],
            "dock_id": "dock-1",
            "camera_serial": "cam-1",
            "clip_sha256": clip["sha256"],
            "sealed_sha256": "ab" * 32,
            "sequence": 3,
            "erase_after": ERASE_NOW,
        }
        payload |= changes
        media_type = f"application/vnd.bwc.{kind}.v1+json"
        signer = key or self.dock_key
        body = json.dumps(payload).encode()
        signature = {
            "keyid": keyid_of(signer),
            "sig": base64.b64encode(signer.sign(pae(media_type, body))).decode(),
        }
        envelope = {"payload": base64.b64encode(body).decode(), "payloadType": media_type, "signatures": [signature]}
        return json.dumps(envelope).encode()

    def put_receipt(self, clip: dict[str, Any], raw: bytes) -> None:
        (self.bay / "receipts" / f"{clip['clip_id']}.receipt.json").write_bytes(raw)


def run(*arguments: str) -> Result:
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
        main(list(arguments))
    return Result(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def write_pair(folder: Path, owner: str) -> Ed25519PrivateKey:
    folder.mkdir(exist_ok=True)
    key = Ed25519PrivateKey.generate()
    (folder / f"{owner}.sign.pem").write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    (folder / f"{owner}.sign.pub.pem").write_bytes(
        key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return key


@pytest.fixture
def precinct(tmp_path: Path) -> Precinct:
    (tmp_path / "mounts").mkdir()
    keys = tmp_path / "keys"
    return Precinct(tmp_path, write_pair(keys, "cam-1"), write_pair(keys, "dock-1"))


@pytest.fixture
def sim() -> Callable[..., Result]:
    """`bwc-sim` with these arguments."""
    return run


@pytest.fixture
def receipting(precinct: Precinct) -> Iterator[list[dict[str, Any]]]:
    """A dock that answers every capture on the mounts with a valid receipt; yields the camera.json files it saw."""
    stop = threading.Event()
    seen: dict[str, dict[str, Any]] = {}
    found: list[dict[str, Any]] = []

    def serve() -> None:
        while not stop.is_set():
            for capture in matching(precinct.mounts, "*/clips/*.capture.json"):
                with contextlib.suppress(OSError, ValueError):  # the camera may leave at any moment
                    _answer(precinct, capture, seen)
            found[:] = seen.values()
            time.sleep(0.01)

    dock = threading.Thread(target=serve)
    dock.start()
    yield found
    stop.set()
    dock.join()


def _answer(precinct: Precinct, capture: Path, seen: dict[str, dict[str, Any]]) -> None:
    said = json.loads(base64.b64decode(json.loads(capture.read_bytes())["payload"]))
    bay = capture.parent.parent
    camera = json.loads((bay / "camera.json").read_bytes())
    seen[camera["serial"]] = camera
    target = bay / "receipts" / f"{said['clip_id']}.receipt.json"
    if not target.exists():
        temporary = target.with_suffix(".tmp")
        temporary.write_bytes(precinct.receipt(said, camera_serial=said["camera_serial"]))
        temporary.rename(target)
