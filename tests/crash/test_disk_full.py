"""A full vault: the clip stays on its camera, the bay says why, and ingest goes on by itself when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from daemon.cli.demo.world import World
from tests.kit.precinct import Precinct, running

pytestmark = pytest.mark.xdist_group("disk-full")


@contextmanager
def small_vault(root: Path, options: str) -> Iterator[Precinct]:
    """A precinct whose vault is a tmpfs of its own."""
    if os.geteuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    vault = root / "vault"

    def mount(world: World) -> None:
        world.vault.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", options, "bwc-test", str(world.vault)], check=True)

    try:
        with running(root, before=mount) as precinct:
            yield precinct
    finally:
        subprocess.run(["umount", "-l", str(vault)], check=False)


def fill_bytes(vault: Path) -> Callable[[], None]:
    filler = vault / "filler"
    filler.write_bytes(b"\0" * (20 << 20))
    return filler.unlink


def fill_inodes(vault: Path) -> Callable[[], None]:
    folder = vault / "filler"
    folder.mkdir()
    made: list[Path] = []
    try:
        while True:
            path = folder / str(len(made))
            path.touch()
            made.append(path)
    except OSError:
        pass

    def empty() -> None:
        for path in made:
            path.unlink()

    return empty


@pytest.mark.parametrize(
    ("options", "fill"),
    [("size=40m", fill_bytes), ("size=100m,nr_inodes=60", fill_inodes)],
    ids=["bytes", "inodes"],
)
def test_a_full_vault_says_so_and_recovers_by_itself(
    tmp_path: Path, options: str, fill: Callable[[Path], Callable[[], None]]
) -> None:
    with small_vault(tmp_path / "world", options) as precinct:
        (before,) = precinct.dock_camera("bay-0", "--bytes", "1000000", "--timeout", "30")["clips"]
        assert before["erased"]
        empty = fill(precinct.world.vault)
        camera = precinct.camera("bay-1", "--bytes", "9000000", "--timeout", "60")
        assert "disk is full" in precinct.bay("bay-1", "waiting", lambda bay: "disk" in bay.get("reason", ""))["reason"]
        precinct.stage.check_alive()
        assert list((precinct.world.mounts / "bay-1" / "clips").glob("*.mp4"))
        empty()
        docked = precinct.stage.finish(camera)
        assert docked.code == 0, docked.words
        (clip,) = docked.document["clips"]
        assert clip["receipt"] == "verified" and clip["erased"]
        assert list((precinct.world.vault / "incoming").iterdir()) == []
