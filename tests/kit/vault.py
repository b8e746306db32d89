"""A small vault with real sealed clips and their custody, made without a dock."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from daemon.custody.evidence import Finding
from daemon.custody.log import CustodyLog, NewEntry
from daemon.custody.record import Records
from daemon.custody.vault_check import VaultCheck, VaultCheckOptions
from daemon.dock.camera import byte_path, sealer
from daemon.dock.camera.messages import SealTarget
from daemon.dock.upkeep.custody_copies import CustodyFiles
from daemon.model.custody_actions import CustodyAction
from daemon.vault.layout import ClipDirectory, VaultLayout
from tests.kit.agency import CLIP, EARLIER, NOW, OTHER_CLIP, open_pem, sign_key, signed, statement, trust

ORIGIN = "bwc/agency/dock-1"


@dataclass
class SmallVault:
    """Two clips (the second in quarantine, its capture being another's), a release, and the log's lines."""

    root: Path
    connection: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:", isolation_level=None))

    def __post_init__(self) -> None:
        self.layout = VaultLayout(self.root)
        self.layout.create()
        self.log = CustodyLog(self.connection, ORIGIN, "dock-1")
        self._record(CustodyAction.DOCKED, None)
        self.clip = self._take_in(CLIP, "clips", "verified", b"footage " * 1000)
        self.doubtful = self._take_in(OTHER_CLIP, "quarantine", "mismatch", b"other footage")
        (self.clip.path / "releases").mkdir()
        self.clip.release("order-1").write_bytes(signed(statement("release"), "policy").to_bytes())
        self.clip.revocation("order-1").write_bytes(signed(statement("revocation"), "policy").to_bytes())
        self._record(CustodyAction.REFUSED, None)
        for clip_id, clip in ((CLIP, self.clip), (OTHER_CLIP, self.doubtful)):
            clip.custody.write_bytes(Records(self.log, sign_key("dock-1")).of(clip_id))
        CustodyFiles(self.layout, self.log, sign_key("dock-1")).follow()

    def _record(
        self, action: CustodyAction, clip_id: str | None, detail: dict[str, Any] | None = None, *proofs: str
    ) -> None:
        self.log.append(NewEntry(action, clip_id, detail or {}, proofs), EARLIER + timedelta(seconds=self.log.size))

    def _take_in(self, clip_id: str, place: Any, integrity: str, data: bytes) -> ClipDirectory:
        clip = self.layout.clip(clip_id, place)
        (clip.path / "tags").mkdir(parents=True)
        source = self.root / "source"
        source.write_bytes(data)
        fd = os.open(source, os.O_RDONLY)
        target = SealTarget(str(clip.sealed), clip_id, "dock-1", None, (open_pem("policy"),))
        sealed, wrapped_keys = sealer.seal_one(fd, target, byte_path.make_slots(), lambda _: None)
        os.close(fd)
        source.unlink()
        about = statement("capture", clip_id=clip_id, sha256=sealed.clip_sha256, size_bytes=len(data))
        capture = signed(about, "cam-1" if integrity == "verified" else "nobody")
        seal = statement(
            "seal",
            clip_id=clip_id,
            capture_sha256=capture.digest,
            clip_sha256=sealed.clip_sha256,
            sealed_sha256=sealed.sealed_sha256,
            sealed_bytes=sealed.sealed_bytes,
            wrapped_keys=[one.plain() for one in wrapped_keys],
            integrity=integrity,
        )
        envelope = signed(seal, "dock-1")
        tag = signed(statement("tag", clip_id=clip_id), "dock-1")
        clip.seal.write_bytes(envelope.to_bytes())
        clip.capture.write_bytes(capture.to_bytes())
        clip.tag(1).write_bytes(tag.to_bytes())
        file_sha256 = hashlib.sha256(clip.capture.read_bytes()).hexdigest()
        detail = {"sealed_sha256": seal.sealed_sha256, "capture_file_sha256": file_sha256}
        self._record(CustodyAction.INGESTED, clip_id, detail, envelope.digest)
        self._record(CustodyAction.TAGGED, clip_id, {"revision": 1}, tag.digest)
        return clip

    def findings(self, clips: set[str] | None = None, *, read_data: bool = True) -> list[Finding]:
        walk = VaultCheck(VaultCheckOptions(self.layout, "agency", trust(), NOW, read_data))
        return list(walk.run(clips, lambda _: None))
