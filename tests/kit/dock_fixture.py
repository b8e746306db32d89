"""A dock without a broker, on the tests' agency: the daemon's own service, its steps taken by whoever asks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization

from daemon.custody.evidence import ClipEvidence, verify_clip
from daemon.dock.camera.mounts import Docked
from daemon.dock.context import DockContext
from daemon.dock.inbox import router
from daemon.link.mqtt import Received
from daemon.model import statements as st
from daemon.model.config import DockConfig, check_config
from daemon.model.times import format_instant
from daemon.seal.keys import keyid
from daemon.seal.wrap import release_key_info, seal_info, unwrap, wrap
from tests.kit import agency
from tests.kit.camera import Mount
from tests.kit.inline_dock import InlineBay, InlineReader, InlineService
from tests.kit.policy_fixture import TurnedClock

AGENCY = "portland"


@dataclass
class House:
    """A dock, its clock, and the camera in its one bay."""

    service: InlineService
    clock: TurnedClock
    root: Path
    mount: Mount
    woken: list[str] = field(default_factory=list)

    @property
    def dock(self) -> DockContext:
        return self.service.dock

    @property
    def docked(self) -> Docked:
        """The camera in the bay."""
        return Docked(self.mount.path.name, self.mount.path, "1")

    def bay(self, **options: Any) -> InlineBay:
        """A new thread's worth of looking at that camera."""
        return self.service.bay(self.docked, **options)

    def record(self, stem: str, data: bytes, signer: str = "cam-1", **changes: Any) -> None:
        """Footage with its capture, on the camera."""
        self.mount.footage(stem, data)
        facts = {"clip_id": stem, "size_bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        capture = agency.signed(agency.statement("capture", **(facts | changes)), signer)
        (self.mount.path / "clips" / f"{stem}.capture.json").write_bytes(capture.to_bytes())

    def look(self, times: int = 2) -> str:
        """Docks the camera for as many looks; the bay's state after the last."""
        bay, reader = self.bay(), InlineReader(self.mount.path)
        try:
            return [bay.state_after(reader) for _ in range(times)][-1]
        finally:
            reader.close()

    def hear(self, topic: str, payload: bytes) -> None:
        """One message of the broker's."""
        message = Received("consumer", topic, payload, retained=False, mid=0, qos=1)
        self.service.run_in_transaction(router.receive, message, lambda _: None, lambda: None)

    def acknowledge(self, through: int = 0) -> None:
        """The policy service can open what this dock seals: receipts may be written."""
        ack = agency.statement("acknowledgement", through=through, recipients=[self.dock.trust.get().policy_keyid()])
        self.hear(self.dock.topics.ack("dock-1"), agency.signed(ack, "policy").to_bytes())

    def lose_the_database(self) -> None:
        """The dock ends, and the disk of its database is lost. The vault, with its copies of custody, is not."""
        self.service.finish()
        for path in self.dock.config.state.glob("dock.sqlite*"):
            path.unlink()

    def evidence(self, clip_id: str) -> ClipEvidence:
        found = self.dock.vault.find(clip_id)
        assert found is not None
        return verify_clip(found, clip_id, AGENCY, self.dock.trust.get())

    def id_of(self, stem: str) -> str:
        """The id that the dock gave the footage of this name: its own, or a fresh one where nothing vouches for it."""
        for entry in self.custody("ingested"):
            if stem in (entry["clip_id"], entry["detail"].get("claimed_clip_id")):
                return str(entry["clip_id"])
        raise AssertionError(f"{stem} was not taken in")

    def release(self, clip_id: str, person: str = "officer", **changes: Any) -> st.Release:
        """A release of a held clip as the policy service would make it now."""
        seal = self.evidence(clip_id).seal.statement
        escrow = agency.open_key("policy")
        data_key = unwrap(seal.wrapped_keys[0], escrow, seal_info(seal, seal.wrapped_keys[0].recipient))
        recipient = agency.open_key(person).public_key()
        order_id = changes.get("order_id", "order-1")
        info = release_key_info(order_id, clip_id, keyid(recipient))
        facts = {
            "clip_id": clip_id,
            "clip_sha256": seal.clip_sha256,
            "person_id": person,
            "order_id": order_id,
            "granted_at": self.clock.now(),
            "expires_at": self.clock.now() + timedelta(days=7),
            "wrapped_key": wrap(data_key, recipient, info).plain(),
        }
        release: st.Release = agency.statement("release", **(facts | changes))
        return release

    def custody(self, action: str) -> list[dict[str, Any]]:
        """The dock's entries of one action."""
        entries = [json.loads(line) for line in self.dock.custody.lines()]
        return [entry for entry in entries if entry["action"] == action]


@contextmanager
def open_house(
    root: Path, trust: bytes | None = None, replica: dict[str, Any] | None = None, **ingest: Any
) -> Iterator[House]:
    """A dock, with nothing in it yet where `root` is new. `ingest` are further settings of [ingest]."""
    root.mkdir(parents=True, exist_ok=True)
    (root / "mounts").mkdir(exist_ok=True)
    (root / "trust.json").write_bytes(trust or agency.trust_bytes())
    (root / "root.sign.pub.pem").write_text(agency.sign_pem("root"))
    key = agency.sign_key("dock-1").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (root / "dock-1.sign.pem").write_bytes(key)
    settings = {
        "agency": AGENCY,
        "dock_id": "dock-1",
        "mounts": "mounts",
        "vault": "vault",
        "state": "state",
        "sign_key": "dock-1.sign.pem",
        "trust": {"file": "trust.json", "root": "root.sign.pub.pem"},
        "broker": {"url": "mqtt://127.0.0.1:1"},
        "replica": replica,
        "ingest": {"settle_seconds": 0, "reserve_bytes": 0, "plain_directories": True} | ingest,
    }
    config = check_config(DockConfig, settings, base=root, what="test")
    clock = TurnedClock()
    service = InlineService(config, clock)
    mount = Mount(root / "mounts" / "bay-1", root / "staging")
    mount.introduce(docked_at=format_instant(clock.now()))
    try:
        service.recover()
        yield House(service, clock, root, mount)
    finally:
        service.finish()
