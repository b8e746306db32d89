"""What the crash tests share: an agency, cameras that erase only against a receipt, a nursery of daemons, the promise.

The promise: once the dock has written a receipt (or published a notice), the clip is whole in the vault, in custody,
and opens to the recorded bytes; everything else is still on its camera and comes in later; nothing is stored twice.
"""

from __future__ import annotations

import base64
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from daemon.cli.demo import world as worlds
from daemon.cli.demo.world import AGENCY, CAMERAS, DOCK, World
from daemon.custody.evidence import verify_clip
from daemon.custody.vault_check import VaultCheck, VaultCheckOptions
from daemon.link.mqtt import LinkEvent, MqttClient, Received
from daemon.model.config import Broker
from daemon.model.errors import BwcError
from daemon.model.statements import Receipt, Seal
from daemon.model.topics import Topics
from daemon.seal import envelope as envelopes
from daemon.seal import stream
from daemon.seal.keys import keyid, load_sign_public
from daemon.seal.private_keys import load_open_key
from daemon.seal.trust import Trust, load_trust
from daemon.seal.verify import verify
from daemon.seal.wrap import seal_info, unwrap
from daemon.vault.layout import VaultLayout
from daemon.vault.reading import hash_file, open_sealed, size_of
from device_sim.camera import memory, mp4
from device_sim.camera.recording import Clip, ClipSpec, Wearer, clip_id, signed_capture
from tests.kit.patience import PATIENCE

ROOT = Path(__file__).resolve().parents[2]
FAST = {"settle_seconds": 0.02, "scan_seconds": 0.1, "reserve_bytes": 1 << 20}
_PIECE = 16 << 20
_APART = timedelta(days=5)  # clips of one officer on different days: no commit has to look at the others


@contextmanager
def scratch() -> Iterator[Path]:
    """A directory in memory where there is room for it: what is cut is an image, not the machine's own disk."""
    shm = Path("/dev/shm")
    roomy = shm.is_dir() and shutil.disk_usage(shm).free > 4 << 30
    folder = Path(tempfile.mkdtemp(prefix="bwc-crash-", dir=shm if roomy else None))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def make_world(root: Path, port: int, disk: Path, state: Path | None = None, **ingest: object) -> World:
    """An agency whose vault and dock state lie on `disk` (or the state in `state`), all else beside it."""
    world = worlds.make(root, port)
    path = world.config / "dock.toml"
    text = (
        path.read_text()
        .replace('"../vault"', f'"{disk}/vault"')
        .replace('"../state/dock"', f'"{state or disk / "state"}"')
    )
    text = "\n".join(line for line in text.splitlines() if line.split(" = ")[0] not in FAST)
    path.write_text(text + "".join(f"\n{name} = {value}" for name, value in (FAST | ingest).items()) + "\n")
    return world


class Camera:
    """A camera in its bay, a plain directory. It erases a clip once it holds a valid receipt for it, and not before."""

    def __init__(
        self,
        world: World,
        number: int,
        rng: random.Random,
        apart: timedelta = _APART,
        cameras: dict[str, str] = CAMERAS,
    ) -> None:
        self.officer, self.serial = list(cameras.items())[number]
        self._apart = apart
        self.folder = world.mounts / f"bay-{number}"
        self._rng = rng
        key = load_pem_private_key(world.key(self.serial, "sign").read_bytes(), None)
        self.wearer = Wearer(self.serial, self.officer, cast(Ed25519PrivateKey, key))
        self._dock_key = load_sign_public(world.key(DOCK, "sign", public=True))
        self.recorded: dict[str, str] = {}
        self._at = datetime.now(UTC) - timedelta(days=1)
        self.dock()

    def dock(self) -> None:
        """Appears in its bay by one rename."""
        if self.folder.exists():
            return
        away = self._away
        memory.lay_out(away)
        memory.introduce(away, self.wearer, self.wearer.clock(datetime.now(UTC)))
        away.rename(self.folder)

    def undock(self) -> None:
        self.folder.rename(self._away)

    @property
    def _away(self) -> Path:
        return self.folder.parents[1] / f"away-{self.serial}"

    def record(self, size: int, name: str | None = None) -> str:
        """A new clip of `size` bytes, its capture last."""
        folder = (self.folder if self.folder.exists() else self._away) / "clips"
        seed = self._rng.getrandbits(60)
        name = name or clip_id(seed)
        self._at -= self._apart
        spec = ClipSpec(self._at, 60, 10, "button", "button", name, seed, 0)
        with (folder / f"{name}.new").open("wb") as file:
            _write_playable(file, max(0, size - 200), self._rng)
        digest = hash_file(folder / f"{name}.new")
        clip = Clip(
            name,
            (folder / f"{name}.new").stat().st_size,
            digest,
            *(self.wearer.clock(self._at + timedelta(seconds=after)) for after in (0, 10, 60)),
        )
        (folder / f"{name}.new").rename(folder / f"{name}.mp4")
        capture = signed_capture(self.wearer, spec, clip, frozenset())
        assert capture is not None
        (folder / f"{name}.capture.new").write_bytes(capture)
        (folder / f"{name}.capture.new").rename(folder / f"{name}.capture.json")
        self.recorded[name] = digest
        return name

    @property
    def pending(self) -> set[str]:
        """Clips still in its memory."""
        return {path.stem for path in (self.folder / "clips").glob("*.mp4")}

    def harvest(self) -> dict[str, Receipt]:
        """Erases what it has a receipt for; returns those receipts."""
        found: dict[str, Receipt] = {}
        pending = self.pending
        for path in (self.folder / "receipts").glob("*.receipt.json"):
            name = path.name.removesuffix(".receipt.json")
            if name not in pending:
                path.unlink()  # of a clip erased before, written again for a camera that looked as if it had it
                continue
            envelope = envelopes.parse(path.read_bytes(), what=str(path))
            self._dock_key.verify(*envelope_signature(envelope))
            receipt = envelope.statement(Receipt)
            assert (receipt.camera_serial, receipt.clip_sha256) == (self.serial, self.recorded[name]), path
            found[name] = receipt
            memory.erase(self.folder, name)
            path.unlink()
        return found


def envelope_signature(envelope: envelopes.Envelope) -> tuple[bytes, bytes]:
    """An envelope's one signature, and what it is over (DSSE)."""
    document = json.loads(envelope.to_bytes())
    payload, kind = base64.b64decode(document["payload"]), document["payloadType"].encode()
    signature = base64.b64decode(document["signatures"][0]["sig"])
    return signature, b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def _write_playable(file: BinaryIO, size: int, rng: random.Random) -> None:
    """A container with so many bytes of footage; a large one in several boxes."""
    file.write(mp4.STAND_IN)
    while size:
        data = rng.randbytes(min(size, _PIECE - 8))
        file.write(mp4.box_header(b"mdat", 8 + len(data)) + data)
        size -= len(data)


class Listener:
    """Hears every notice: what was published must hold too."""

    def __init__(self, world: World) -> None:
        self.heard: dict[str, str] = {}
        broker, topics = Broker(url=world.broker), Topics(AGENCY)
        self._client = MqttClient(broker, "crash-listener", self._hear, subscriptions=(topics.clip(DOCK, "+"),))
        self._client.start()

    def _hear(self, event: LinkEvent) -> None:
        if isinstance(event, Received):
            self._client.ack(event)
            if event.payload:
                notice = json.loads(event.payload)
                self.heard[notice["clip_id"]] = notice["sealed_sha256"]

    def stop(self) -> None:
        self._client.stop()


class Promise:
    """Looks whether it was kept, with nothing but the vault, the agency's trust and the policy service's key."""

    def __init__(self, world: World, vault: Path) -> None:
        self.layout = VaultLayout(vault)
        self.trust: Trust = load_trust(
            world.config / "trust.json", load_sign_public(world.key("root", "sign", public=True))
        )
        self._key = load_open_key(world.key("policy", "open"))

    def broken(self, name: str, recorded: str, sealed: str) -> str | None:
        """Why this clip, owed with `sealed` as its sealed digest, is not held as promised; None when it is."""
        clip = self.layout.clip(name)
        try:
            seal = verify_clip(clip, name, AGENCY, self.trust).seal.statement
            if seal.sealed_sha256 != sealed:
                return "another sealing than was promised"
            if (seal.integrity, seal.clip_sha256) != ("verified", recorded):
                return f"integrity {seal.integrity}, clip_sha256 {seal.clip_sha256}, recorded {recorded}"
            if hash_file(clip.sealed) != seal.sealed_sha256:
                return "its sealed bytes are not those that were sealed"
            if self._opened(clip, seal) != recorded:
                return "opens to other bytes than were recorded"
        except (BwcError, OSError, StopIteration) as error:
            return f"{type(error).__name__}: {error}"
        return None

    def _opened(self, clip: Any, seal: Seal) -> str:
        recipient = keyid(self._key.public_key())
        wrapped = next(wrap for wrap in seal.wrapped_keys if wrap.recipient == recipient)
        data_key = unwrap(wrapped, self._key, seal_info(seal, recipient))
        digest = hashlib.sha256()
        with open_sealed(clip) as file:
            for part in stream.decrypt(file, size_of(clip.sealed), data_key, seal.clip_id):
                digest.update(part)
        return digest.hexdigest()

    def findings(self) -> list[str]:
        """Whatever a whole check of the vault finds, and whatever is stored twice or left over."""
        check = VaultCheck(VaultCheckOptions(self.layout, AGENCY, self.trust, datetime.now(UTC), read_data=True))
        found = [f"{finding.path}: {finding.problem}" for finding in check.run(None, lambda _: None)]
        ingested: Counter[str] = Counter()
        for path in self.layout.custody.glob("*.jsonl"):
            for line in path.read_bytes().splitlines():
                entry = json.loads(line)
                if entry["action"] == "ingested":
                    ingested[entry["detail"]["clip_sha256"]] += 1
        found += [f"{digest} was taken in {times} times" for digest, times in ingested.items() if times > 1]
        held = len(list((self.layout.root / "clips").iterdir()))
        if held != len(ingested):
            found.append(f"{held} clips in their place, {len(ingested)} in custody")
        found += [f"{path}: in quarantine" for path in (self.layout.root / "quarantine").iterdir()]
        found += [f"{path}: left behind" for path in self.layout.incoming.iterdir()]
        return found

    def verified(self, data: bytes) -> Receipt:
        return verify(envelopes.parse(data, what="receipt"), Receipt, self.trust, at=datetime.now(UTC)).statement


class Nursery:
    """A process that has imported everything once, and forks: a daemon is up in milliseconds, from clean memory."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.kit.daemon_forks"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._process.stdin is not None
        self._process.communicate(timeout=PATIENCE)

    def ask(self, **command: object) -> int:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(command) + "\n")
        self._process.stdin.flush()
        return int(self._process.stdout.readline())

    def dock(self, config: Path, log: Path, ready: Path) -> int:
        """Starts a dock as the leader of a process group of its own; returns its pid. It touches `ready` when up."""
        ready.unlink(missing_ok=True)
        return self.ask(do="dock", config=str(config), log=str(log), ready=str(ready))

    def wait(self, pid: int) -> int:
        """The exit code, negative for a signal."""
        return os.waitstatus_to_exitcode(self.ask(do="wait", pid=pid))


def alive(pid: int) -> bool:
    """Whether the process runs: not gone, and not a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rsplit(")", 1)[1].split()[0] != "Z"


def group(leader: int) -> dict[int, str]:
    """The living processes of a process group, and their command lines."""
    found = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text().rsplit(")", 1)[1].split()
                if int(stat[2]) == leader and stat[0] != "Z":
                    found[int(entry.name)] = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
            except (OSError, IndexError):
                continue
    return found


def until(done: Any, seconds: float, pause: float = 0.002) -> bool:
    """Polls; whether it came to be."""
    end = time.monotonic() + seconds
    while not done():
        if time.monotonic() >= end:
            return False
        time.sleep(pause)
    return True
