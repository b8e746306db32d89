"""Object lock, which only a store that has it can show: Ceph's radosgw, in the long run (`make test-long`).

    python -m tests.objects.object_lock

A clip is replicated into a bucket with object lock and a default retention, is seen to be kept, cannot be removed
before its time whoever asks, and a disposal says until when the store keeps it. A bucket without it is refused.
"""

from __future__ import annotations

import json
import tempfile
import urllib.error
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from tests.kit import agency
from tests.kit.agency import CLIP
from tests.kit.dock_fixture import House, open_house
from tests.kit.signed_requests import send
from tests.objects.ceph import Ceph, running, why_not

DAYS = 2


@contextmanager
def housed(root: Path, ceph: Ceph, bucket: str) -> Iterator[House]:
    settings = root / "store.toml"
    settings.write_text(ceph.account.settings)
    replica = {
        "url": f"s3://{bucket}",
        "credentials": str(settings),
        "retention_days": DAYS,
        "retry_seconds": 0.001,
        "gather_seconds": 0,
    }
    with open_house(root / bucket, replica=replica, receipt_when="replicated") as house:
        house.clock.turn(seconds=(datetime.now(UTC) - house.clock.now()).total_seconds())  # the store has the real one
        house.acknowledge()
        house.record(CLIP, b"footage" * 1000)
        house.look(3)
        yield house


def rounds(house: House) -> None:
    assert house.service.replicator is not None
    for _ in range(4):
        house.service.replicator.round()


def run() -> dict[str, Any]:
    """What was seen. Raises AssertionError."""
    problem = why_not()
    if problem is not None:
        return {"object_lock": 0, "left_out": problem}
    with running() as ceph, tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        send(ceph.account, "PUT", "/plain")
        send(ceph.account, "PUT", "/locked", headers={"x-amz-bucket-object-lock-enabled": "true"})
        rule = f"<Rule><DefaultRetention><Mode>COMPLIANCE</Mode><Days>{DAYS}</Days></DefaultRetention></Rule>"
        lock = (
            f"<ObjectLockConfiguration><ObjectLockEnabled>Enabled</ObjectLockEnabled>{rule}</ObjectLockConfiguration>"
        )
        send(ceph.account, "PUT", "/locked?object-lock=", lock.encode())
        with housed(root, ceph, "plain") as house:
            rounds(house)
            assert house.custody("replicated") == [], "a bucket that locks nothing is refused"
        with housed(root, ceph, "locked") as house:
            rounds(house)
            [entry] = house.custody("replicated")
            objects, key = house.dock.objects, entry["detail"]["key"]
            assert objects is not None
            kept = objects.kept(key)
            assert kept.until is not None and kept.until > datetime.now(UTC) + timedelta(days=DAYS - 0.1)
            assert kept.versions
            path = f"/locked/dock-1/{key}"
            version = send(ceph.account, "HEAD", path).headers["x-amz-version-id"]
            try:
                send(ceph.account, "DELETE", f"{path}?versionId={version}")
                raise AssertionError("what is locked was removed")
            except urllib.error.HTTPError as refused:
                assert refused.code == 403
            row = house.dock.store.clip(CLIP)
            assert row is not None
            order = agency.statement("disposal", clip_id=CLIP, clip_sha256=row.clip_sha256)
            house.hear(house.dock.topics.order("dock-1", CLIP), agency.signed(order, "policy").to_bytes())
            rounds(house)
            [removed] = house.custody("removed")
            assert removed["detail"]["old_versions"] == "left to the store"
            assert datetime.fromisoformat(removed["detail"]["kept_until"]) > datetime.now(UTC)
    return {"object_lock": 1}


if __name__ == "__main__":
    print(json.dumps(run()))
