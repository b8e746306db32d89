"""Docking and undocking: what a dock sees on its mounts, and what the camera still has afterwards."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.kit.coming_and_going import matching


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_docked_receipted_erased_undocked(precinct: Any, receipting: Any) -> None:
    result = precinct.camera("--count", "3", "--seconds", "1", "--json")
    assert result.code == 0
    assert [clip["erased"] for clip in result.document["clips"]] == [True, True, True]
    assert not precinct.bay.exists()
    assert names(precinct.root / "cameras" / "cam-1" / "clips") == set()


def test_docked_stays_receipted_leaves(precinct: Any) -> None:
    assert precinct.camera("--until", "docked", "--bytes", "300").code == 0
    assert precinct.bay.is_dir()
    assert precinct.camera("--until", "docked", "--undock").code == 0
    assert not precinct.bay.exists()
    assert len(names(precinct.root / "cameras" / "cam-1" / "clips")) == 2


def test_what_was_not_erased_is_there_at_the_next_docking(precinct: Any, receipting: Any) -> None:
    first = precinct.camera("--fault", "keep", "--bytes", "300", "--json")
    assert first.code == 0
    [kept] = first.document["clips"]
    assert (kept["receipt"], kept["erased"]) == ("verified", False)
    again = precinct.camera("--json")
    assert [clip["clip_id"] for clip in again.document["clips"]] == [kept["clip_id"]]
    assert again.document["clips"][0]["erased"]
    [fresh] = precinct.camera("--seed", "8", "--bytes", "300", "--json").document["clips"]
    assert fresh["clip_id"] != kept["clip_id"]


def test_receipts_of_one_docking_do_not_count_at_the_next(precinct: Any) -> None:
    [clip] = precinct.camera("--until", "docked", "--bytes", "300", "--json").document["clips"]
    precinct.put_receipt(clip, precinct.receipt(clip))
    assert precinct.camera("--until", "docked", "--undock").code == 0
    assert precinct.camera("--timeout", "0.2").code == 1


def test_nothing_half_made_is_seen_in_the_mounts(precinct: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bay is absent or whole: it comes and goes by rename, from and to beside the mounts."""
    seen: list[tuple[set[str], bool]] = []
    rename = Path.rename

    def spy(self: Path, target: Path) -> Path:
        if precinct.mounts in self.parents or precinct.mounts in target.parents:
            source = set() if precinct.mounts in self.parents else names(self)
            seen.append((source, precinct.bay.exists()))
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", spy)
    assert precinct.camera("--until", "docked", "--undock", "--bytes", "300").code == 0
    assert seen == [({"camera.json", "clips", "receipts"}, False), (set(), True)]


def test_an_empty_bay_is_written_in_place_and_left_empty(precinct: Any, receipting: Any) -> None:
    precinct.bay.mkdir()
    inode = precinct.bay.stat().st_ino
    assert precinct.camera("--until", "docked", "--bytes", "300").code == 0
    assert precinct.bay.stat().st_ino == inode
    assert precinct.camera("--json", "--timeout", "5").code == 0
    precinct.bay.mkdir(exist_ok=True)
    result = precinct.camera("--count", "1", "--bytes", "300", "--json", "--timeout", "5")
    assert [clip["erased"] for clip in result.document["clips"]] == [True]
    assert names(precinct.bay) == set()


def test_another_cameras_bay_is_not_taken(precinct: Any) -> None:
    assert precinct.camera("--until", "docked", "--bytes", "300").code == 0
    before = sorted(precinct.bay.rglob("*"))
    result = precinct.camera("--until", "docked", "--bytes", "300", serial="cam-2")
    assert result.code == 1
    assert "cam-1" in result.err
    assert sorted(precinct.bay.rglob("*")) == before


def test_yanked(precinct: Any) -> None:
    """Who had the footage open comes to an end; the camera still has every byte."""
    taken: list[bytes] = []
    opened, gone = threading.Event(), threading.Event()

    def read() -> None:
        while not (clips := matching(precinct.bay, "clips/*.mp4")):
            pass
        with clips[0].open("rb") as file:
            taken.append(file.read(1000))
            opened.set()
            gone.wait(30)
            taken.append(file.read())

    reader = threading.Thread(target=read)
    reader.start()
    result = precinct.camera(
        "--fault", "yank", "--yank-after", "0.3", "--bytes", "5000000", "--keep-footage", str(precinct.root / "kept"),
        "--json",
    )  # fmt: skip
    gone.set()
    reader.join()
    assert opened.is_set()
    [clip] = result.document["clips"]
    assert result.document["yanked"]
    assert not precinct.bay.exists()
    assert not clip["erased"]
    stored = precinct.root / "cameras" / "cam-1" / "clips" / f"{clip['clip_id']}.mp4"
    assert stored.read_bytes() == Path(clip["path"]).read_bytes()
    assert stored.stat().st_size == 5_000_000
    assert sum(map(len, taken)) < 5_000_000


def test_yanked_after_receipts_keeps_nothing_erased(precinct: Any, receipting: Any) -> None:
    result = precinct.camera("--fault", "yank", "--yank-after", "1", "--bytes", "300", "--json")
    assert result.document["clips"][0]["erased"]
    assert names(precinct.root / "cameras" / "cam-1" / "clips") == set()


def test_slow_footage_grows_before_its_capture(precinct: Any) -> None:
    sizes: list[tuple[int, bool]] = []
    done = threading.Event()

    def watch() -> None:
        while not done.is_set():
            for video in matching(precinct.bay, "clips/*.mp4"):
                capture = video.with_suffix(".capture.json").exists()  # looked for first: it may come in between
                sizes.append((video.stat().st_size, capture))

    watcher = threading.Thread(target=watch)
    watcher.start()
    more = ["--slow-for", "0.4", "--bytes", "100000", "--until", "docked", "--json"]
    result = precinct.camera("--fault", "slow", *more)
    done.set()
    watcher.join()
    assert result.code == 0
    without = {size for size, capture in sizes if not capture}
    assert len(without) > 3
    assert {size for size, capture in sizes if capture} <= {100_000}
    [clip] = result.document["clips"]
    assert Path(clip["path"]).stat().st_size == 100_000
    assert (precinct.bay / "clips" / f"{clip['clip_id']}.capture.json").exists()


def test_footage_kept_for_comparison(precinct: Any, receipting: Any) -> None:
    kept = precinct.root / "kept"
    result = precinct.camera("--bytes", "70000", "--keep-footage", str(kept), "--json")
    [clip] = result.document["clips"]
    assert clip["erased"]
    assert clip["path"] == str(kept / f"{clip['clip_id']}.mp4")
    assert Path(clip["path"]).stat().st_size == 70_000


def test_a_store_on_another_filesystem(precinct: Any, receipting: Any) -> None:
    other = Path("/dev/shm") / f"bwc-sim-test-{precinct.root.name}"
    if not other.parent.is_dir() or other.parent.stat().st_dev == precinct.root.stat().st_dev:
        pytest.skip("no second filesystem to be had")
    store = other / "cam-1"
    try:
        assert precinct.camera("--store", str(store), "--fault", "keep", "--bytes", "9000", "--json").code == 0
        assert len(names(store / "clips")) == 2
        assert names(precinct.mounts) == set()
        result = precinct.camera("--store", str(store), "--json")
        assert result.document["clips"][0]["erased"]
    finally:
        for path in sorted(other.rglob("*"), reverse=True):
            path.rmdir() if path.is_dir() else path.unlink()
        other.rmdir()


def test_plain_lines_without_json(precinct: Any, receipting: Any) -> None:
    result = precinct.camera("--bytes", "300")
    assert [line.split()[0] for line in result.out.splitlines()] == ["camera", "clip", "camera"]
    assert result.err == ""


def test_the_mounts_must_be_there(precinct: Any) -> None:
    precinct.mounts.rmdir()
    result = precinct.camera("--until", "docked")
    assert result.code == 2
    assert str(precinct.mounts) in result.err


@pytest.mark.parametrize("bay", ["..", "a/b", "", "x" * 65])
def test_a_bay_is_one_name(precinct: Any, bay: str) -> None:
    assert precinct.camera("--until", "docked", "--bay", bay).code == 2
    assert names(precinct.mounts) == set()


def test_json_is_one_document(precinct: Any) -> None:
    result = precinct.camera("--until", "docked", "--count", "0", "--json")
    assert json.loads(result.out)["clips"] == []
