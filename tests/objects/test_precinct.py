"""A real dock, a real store: clips arrive whole whatever is killed, and an evicted one opens from there."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.stage import free_port
from daemon.cli.demo.world import DOCK
from daemon.custody.evidence import verify_clip
from daemon.seal.keys import load_sign_public
from daemon.seal.trust import load_trust
from daemon.vault.replica.objects import Objects
from daemon.vault.sources import Replica
from tests.kit.acts import classify, request
from tests.kit.bucket import Bucket
from tests.kit.faulty_store import Faults, proxy
from tests.kit.patience import PATIENCE
from tests.kit.precinct import Precinct, running, wait_until
from tests.kit.scrape import await_value

pytestmark = pytest.mark.xdist_group("objects")
LARGE = 24 << 20


@contextmanager
def replicating(root: Path, bucket: Bucket, endpoint: str, more: str = "", **ingest: Any) -> Iterator[Precinct]:
    settings = bucket.folder / "dock.toml"
    settings.write_text(bucket.swift.settings.replace(bucket.swift.endpoint, endpoint))
    pace = "retry_seconds = 0.2\ngather_seconds = 0"
    section = f'\n[replica]\nurl = "{bucket.url}"\ncredentials = "{settings}"\n{pace}\n{more}'
    with running(root, section, **ingest) as precinct:
        yield precinct


def replica(bucket: Bucket) -> Objects:
    return bucket.swift.objects(bucket.name, bucket.folder, DOCK)


def sealed_in(bucket: Bucket, clip_id: str) -> int:
    """How many sealed files of the clip the store has."""
    return sum("/clip.sealed/" in stored.key for stored in replica(bucket).list(f"clips/{clip_id}"))


def peak_memory(pid: int) -> int:
    """The most memory a process ever had, in bytes."""
    status = Path(f"/proc/{pid}/status").read_text()
    return 1024 * int(status.split("VmHWM:")[1].split()[0])


class Gate:
    """Holds the parts of a large upload until it is opened; says when the first has come."""

    def __init__(self) -> None:
        self.reached, self.open = threading.Event(), threading.Event()

    def __call__(self, method: str, path: str) -> None:
        if method == "PUT" and "partNumber=" in path:
            self.reached.set()
            self.open.wait(60)


def begin(precinct: Precinct, bay: str) -> Any:
    return precinct.camera(bay, "--bytes", str(LARGE), "--timeout", "120")


def test_whatever_is_killed_in_the_middle_each_clip_arrives_once_and_whole(tmp_path: Path, bucket: Bucket) -> None:
    faults = Faults()
    with (
        proxy(bucket.swift.endpoint, faults) as endpoint,
        replicating(tmp_path, bucket, endpoint, receipt_when='"replicated"') as precinct,
    ):
        taken = []
        for number, victim in enumerate(("store", "dock"), 1):
            faults.waiting = gate = Gate()
            camera = begin(precinct, f"bay-{number}")
            assert gate.reached.wait(60), "an upload has begun"
            assert camera.poll() is None, "no receipt yet: the camera waits"
            if victim == "store":
                bucket.swift.kill()
            else:
                os.kill(precinct.stage.pid("dock"), signal.SIGKILL)
                precinct.stage.stop("dock")
            gate.open.set()
            if victim == "store":
                bucket.swift.start()
            else:
                precinct.stage.start_dock()
            ran = precinct.stage.finish(camera)
            assert ran.code == 0, ran.words
            taken += [clip["clip_id"] for clip in ran.document["clips"]]
        assert len(taken) == 2
        for clip_id in taken:
            assert len(precinct.custody(action="replicated", clip_id=clip_id)) == 1
            assert sealed_in(bucket, clip_id) == 1
            [receipted] = precinct.custody(action="receipted", clip_id=clip_id)[:1]
            assert precinct.custody(action="replicated", clip_id=clip_id)[0]["sequence"] < receipted["sequence"]
        memory = peak_memory(precinct.stage.pid("dock"))
        assert memory < 256 << 20, f"{memory >> 20} MiB"
        trust = load_trust(
            precinct.world.config / "trust.json", load_sign_public(precinct.world.key("root", "sign", public=True))
        )
        for clip_id in taken:
            source = Replica(replica(bucket), tmp_path / "seen")
            seal = verify_clip(source.clip(clip_id), clip_id, cast.AGENCY, trust).seal.statement
            replica(bucket).check(f"clips/{clip_id}/clip.sealed/{seal.sealed_sha256}", seal.sealed_bytes)


def test_an_evicted_clip_opens_from_its_url_and_checks_read_it_there(tmp_path: Path, bucket: Bucket) -> None:
    with replicating(tmp_path, bucket, bucket.swift.endpoint, "spool_bytes = 1\n") as precinct:
        [clip_id] = [clip["clip_id"] for clip in precinct.dock_camera("bay-1", "--clip", "seconds=2")["clips"]]
        evicted = precinct.await_custody(action="evicted", clip_id=clip_id)
        assert evicted["detail"]["url"] == f"{bucket.url}/{DOCK}"
        sealed = precinct.world.vault / "clips" / clip_id / "clip.sealed"
        wait_until(lambda: not sealed.exists(), "the sealed file to go")
        classify(precinct, clip_id, "none")
        request(precinct, cast.OFFICER, clip_id, "report")
        world, store = precinct.world, bucket.swift.settings_file(bucket.folder)
        url = f"{bucket.url}/{DOCK}"

        def released_there() -> bool:
            return (Replica(replica(bucket), tmp_path / "there").clip(clip_id).path / "releases").is_dir()

        wait_until(released_there, "the release to be copied", PATIENCE)
        trust = ("--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True))
        about = (*world.as_person(cast.OFFICER), "--clip", clip_id, *trust)
        out = tmp_path / "clip.mp4"
        ran = precinct.stage.bwc("review", "open", *about, "--vault", world.vault, "--out", out, expect=1)
        assert "object storage" in ran.words
        precinct.stage.bwc("review", "open", *about, "--vault", url, "--store", store, "--out", out)
        assert out.read_bytes() == (world.root / "recorded" / f"{clip_id}.mp4").read_bytes()
        config = ("--config", world.config / "dock.toml")
        assert precinct.stage.bwc("dock", "check", *config).document == {"checked": 1, "findings": []}
        wait_until(lambda: status(precinct)["unreplicated"] == 0, "everything to be copied", PATIENCE)
        precinct.stage.stop("dock")
        ran = precinct.stage.bwc("dock", "check", *config, "--vault", url, "--store", store)
        assert ran.document == {"checked": 1, "findings": []}
        [key] = [stored.key for stored in replica(bucket).list(f"clips/{clip_id}") if "/clip.sealed/" in stored.key]
        replica(bucket).remove(key)
        for vault in ((), ("--vault", url, "--store", store)):
            ran = precinct.stage.bwc("dock", "check", *config, *vault, expect=4)
            assert [finding["clip_id"] for finding in ran.document["findings"]] == [clip_id]


def status(precinct: Precinct) -> dict[str, Any]:
    standing: dict[str, Any] = precinct.stage.bwc(
        "dock", "status", "--config", precinct.world.config / "dock.toml"
    ).document["dock"]
    return standing


def test_what_waits_is_told(tmp_path: Path, bucket: Bucket) -> None:
    faults, port = Faults(answer=lambda method, path: (503, b"")), free_port()
    metrics = f'[metrics]\nlisten = "127.0.0.1:{port}"\n'
    with (
        proxy(bucket.swift.endpoint, faults) as endpoint,
        replicating(tmp_path, bucket, endpoint, metrics) as precinct,
    ):
        precinct.dock_camera("bay-1", "--bytes", "1000", "--timeout", "30")
        await_value(port, lambda n: n == 1, "bwc_dock_unreplicated_clips")
        await_value(port, lambda n: n > 0, "bwc_dock_oldest_unreplicated_seconds")
        assert status(precinct)["unreplicated"] == 1
        faults.answer = lambda method, path: None
        await_value(port, lambda n: n == 0, "bwc_dock_unreplicated_clips")
        await_value(port, lambda n: n == 0, "bwc_dock_oldest_unreplicated_seconds")
