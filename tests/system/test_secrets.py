"""What must never be written down: footage in the clear, data keys, private keys. Looked for wherever we write."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from daemon.model.statements import Seal
from daemon.seal import envelope as envelopes
from daemon.seal.keys import keyid
from daemon.seal.private_keys import load_open_key
from daemon.seal.wrap import seal_info, unwrap
from daemon.vault.layout import VaultLayout
from tests.kit.coming_and_going import matching
from tests.kit.patience import PATIENCE
from tests.kit.precinct import Precinct, running, wait_until

pytestmark = pytest.mark.xdist_group("system")
LARGE = 300_000_000


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    with running(tmp_path_factory.mktemp("precinct")) as made:
        yield made


def written(precinct: Precinct) -> Iterator[tuple[Path, bytes]]:
    """Everything that the dock and the policy service have written, bit by bit."""
    root = precinct.world.root
    for folder in ("vault", "state", "logs"):
        for path in (root / folder).rglob("*"):
            if path.is_file():
                with path.open("rb") as file:
                    while piece := file.read(64 << 20):
                        yield path, piece


def spellings(secret: bytes) -> list[bytes]:
    """A secret as bytes, in hex, in base64."""
    return [secret, secret.hex().encode(), base64.b64encode(secret).rstrip(b"=")]


def descendants(pid: int) -> list[int]:
    """The processes that `pid` started, and those that they did."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that ended meanwhile
            for child in (task / "children").read_text().split():
                found += [int(child), *descendants(int(child))]
    return found


def test_data_keys_and_footage_are_nowhere(precinct: Precinct) -> None:
    [recorded] = precinct.dock_camera("bay-1", "--clip", "seconds=3")["clips"]
    clip = VaultLayout(precinct.world.vault).find(recorded["clip_id"])
    assert clip is not None
    seal = envelopes.parse(clip.seal.read_bytes(), what="seal").statement(Seal)
    key = load_open_key(precinct.world.key("policy", "open"))
    mine = keyid(key.public_key())
    data_key = unwrap(next(w for w in seal.wrapped_keys if w.recipient == mine), key, seal_info(seal, mine))
    footage = (precinct.world.root / "recorded" / f"{recorded['clip_id']}.mp4").read_bytes()
    secrets = [*spellings(data_key), footage[2000:2032], footage[-48:-16]]
    for path, data in written(precinct):
        for secret in secrets:
            assert secret not in data, path


def test_private_keys_are_only_where_they_belong(precinct: Precinct) -> None:
    bodies = []
    for path in (precinct.world.root / "keys").rglob("*.pem"):
        if not path.name.endswith(".pub.pem"):
            bodies += path.read_bytes().splitlines()[1:-1]
    assert bodies
    for path, data in written(precinct):
        for body in bodies:
            assert body not in data, path


def test_nothing_secret_in_arguments_or_environment(precinct: Precinct) -> None:
    for name in ("dock", "policy"):
        leader = precinct.stage.pid(name)
        for pid in (leader, *descendants(leader)):
            for what in ("cmdline", "environ"):
                assert b"PRIVATE KEY" not in Path(f"/proc/{pid}/{what}").read_bytes()


def test_services_leave_no_core_dump(precinct: Precinct) -> None:
    for name in ("dock", "policy"):
        limits = Path(f"/proc/{precinct.stage.pid(name)}/limits").read_text()
        [line] = [line for line in limits.splitlines() if line.startswith("Max core file size")]
        assert line.split()[4:6] == ["0", "0"], name


@pytest.mark.parametrize("careful", [True, False])
def test_a_careful_process_dumps_no_core_when_it_is_killed(tmp_path: Path, careful: bool) -> None:
    """PR_SET_DUMPABLE also holds where the kernel pipes cores to a program, which ignores the limit."""
    code = (
        "import ctypes, os\n"
        "from daemon.seal.core_dumps import forget_in_core_dumps\n"
        f"if {careful}: forget_in_core_dumps()\n"
        "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)\n"  # PR_GET_DUMPABLE
        "os.abort()"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=_path(), capture_output=True, check=False)
    assert ran.returncode == -signal.SIGABRT
    assert ran.stdout.strip() == (b"0" if careful else b"1")
    if careful:
        assert not list(tmp_path.iterdir())


def _path() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2])}


def test_staging_never_holds_footage_in_the_clear(precinct: Precinct) -> None:
    """The reader is frozen in the middle of a large clip, and what it has written so far is searched."""
    camera = precinct.camera("bay-2", "--bytes", str(LARGE))
    incoming, dock = precinct.world.vault / "incoming", precinct.stage.pid("dock")
    frozen: list[int] = []

    def freeze() -> bool:
        if any(path.stat().st_blocks for path in matching(incoming, "**/clip.sealed")):
            for pid in descendants(dock):
                with contextlib.suppress(ProcessLookupError):  # it ended meanwhile
                    os.kill(pid, signal.SIGSTOP)
                    frozen.append(pid)
        return bool(frozen)

    try:
        wait_until(freeze, "a clip being sealed")
        [sealed] = incoming.rglob("clip.sealed")
        [footage] = (precinct.world.mounts / "bay-2" / "clips").glob("*.mp4")
        with footage.open("rb") as file:
            pieces = [os.pread(file.fileno(), 32, LARGE * part // 10) for part in range(10)]
        assert all(len(set(piece)) > 16 for piece in pieces), "pieces that chance would not repeat"
        staged = sealed.read_bytes()
        assert not any(piece in staged for piece in pieces)
        assert all(piece in footage.read_bytes() for piece in pieces)
    finally:
        for pid in frozen:
            os.kill(pid, signal.SIGCONT)
    _, words = camera.communicate(timeout=PATIENCE)
    assert camera.returncode == 0, words
