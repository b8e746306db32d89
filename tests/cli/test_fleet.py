"""`bwc fleet status`: worries in words, and custody logs that must only ever grow."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as worlds
from daemon.cli.demo.world import AGENCY, DOCK
from daemon.custody.tree import leaf_hash
from daemon.custody.verify import Root
from daemon.link.mqtt import Received
from daemon.model.errors import ConfigurationError
from daemon.model.times import format_instant
from daemon.model.topics import Topics
from daemon.review.fleet import DockLine, describe
from daemon.seal.keys import SignKey, load_sign_public
from daemon.seal.note import Checkpoint, sign_checkpoint
from daemon.seal.private_keys import load_sign_key
from daemon.seal.trust import Trust, load_trust
from tests.kit.precinct import BWC_PLAIN, running

TOPICS = Topics(AGENCY)
NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
LINES = [f"line {number}".encode() for number in range(8)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> worlds.World:
    return worlds.make(tmp_path_factory.mktemp("fleet") / "world", 1)


@pytest.fixture(scope="module")
def trust(world: worlds.World) -> Trust:
    return load_trust(world.config / "trust.json", load_sign_public(world.key("root", "sign", public=True)))


@pytest.fixture(scope="module")
def key(world: worlds.World) -> SignKey:
    return load_sign_key(world.key(DOCK, "sign"))


def root_of(lines: list[bytes]) -> bytes:
    root = Root()
    for line in lines:
        root.add(leaf_hash(line))
    return root.value


def checkpoint(key: SignKey, lines: list[bytes], origin: str = f"bwc/{AGENCY}/{DOCK}") -> Received:
    note = sign_checkpoint(Checkpoint(origin, len(lines), root_of(lines)), key)
    return Received("", TOPICS.checkpoint(DOCK), note.encode(), True, 1, 1)


def status(dock_id: str = DOCK, **fields: Any) -> Received:
    said: dict[str, Any] = {
        "schema": "bwc.status/1",
        "dock_id": dock_id,
        "state": "online",
        "since": format_instant(NOW),
    }
    said |= {"version": "1", "vault_free_bytes": 1 << 40, "said_at": format_instant(NOW)}
    return Received("", TOPICS.status(dock_id), json.dumps(said | fields).encode(), True, 1, 1)


def only(found: list[DockLine]) -> DockLine:
    (line,) = found
    return line


def test_a_dock_that_is_well_has_no_worries(trust: Trust, key: SignKey, tmp_path: Path) -> None:
    line = only(describe([status(), checkpoint(key, LINES[:3])], TOPICS, trust, NOW, tmp_path))
    assert (line.worries, line.log, line.extends, line.ahead) == ([], 3, "first seen", None)
    assert only(describe([status(), checkpoint(key, LINES[:3])], TOPICS, trust, NOW, tmp_path)).extends == "same"


@pytest.mark.parametrize(
    "message, words",
    [
        (status(state="offline"), "offline"),
        (status(said_at=format_instant(NOW - timedelta(minutes=7))), "said so 7 minutes ago"),
        (status(said_at=format_instant(NOW + timedelta(seconds=90))), "its clock is at least 90 s ahead"),
        (status(vault_free_bytes=1 << 30), "little disk left"),
        (status(scrub_findings=2), "2 findings in its vault"),
        (Received("", TOPICS.status(DOCK), b"{", True, 1, 1), "status of central-1"),
        (Received("", TOPICS.bay(DOCK, "x"), b"{", True, 1, 1), "has said nothing"),
    ],
)
def test_worries_in_words(trust: Trust, tmp_path: Path, message: Received, words: str) -> None:
    assert words in only(describe([message], TOPICS, trust, NOW, tmp_path)).worries[0]


def test_a_dock_that_nobody_enrolled_is_named(trust: Trust, tmp_path: Path) -> None:
    lines = describe([status(), status("stranger")], TOPICS, trust, NOW, tmp_path)
    assert [(line.dock_id, line.worries) for line in lines] == [(DOCK, []), ("stranger", ["not enrolled"])]


@pytest.mark.parametrize("lines", [[*LINES[:4], b"other"], LINES[:3]], ids=["another root of that size", "shorter"])
def test_a_log_that_contradicts_itself_is_a_split_view_for_ever(
    trust: Trust, key: SignKey, tmp_path: Path, lines: list[bytes]
) -> None:
    describe([status(), checkpoint(key, LINES[:5])], TOPICS, trust, NOW, tmp_path)
    for _ in range(2):
        line = only(describe([status(), checkpoint(key, lines)], TOPICS, trust, NOW, tmp_path))
        assert line.alarming and "SPLIT VIEW: 5 entries" in line.worries[0]
    assert only(describe([status(), checkpoint(key, LINES[:5])], TOPICS, trust, NOW, tmp_path)).extends == "same"


def test_a_witness_proves_that_it_only_grew(trust: Trust, key: SignKey, tmp_path: Path) -> None:
    seen, witnessed = tmp_path / "seen", tmp_path / "witnessed"
    leaves = witnessed / DOCK / "leaves"
    leaves.parent.mkdir(parents=True)

    def hear(lines: list[bytes]) -> DockLine:
        return only(describe([status(), checkpoint(key, lines)], TOPICS, trust, NOW, seen, witnessed))

    assert hear(LINES[:3]).extends == "first seen"
    leaves.write_bytes(b"".join(leaf_hash(line) for line in LINES[:4]))
    assert hear(LINES[:6]).extends == "longer", "the witness has not heard all of it"
    leaves.write_bytes(b"".join(leaf_hash(line) for line in LINES))
    assert hear(LINES[:8]).extends == "extends"


def test_a_longer_log_that_does_not_follow_is_seen_with_a_witness(trust: Trust, key: SignKey, tmp_path: Path) -> None:
    seen, witnessed = tmp_path / "seen", tmp_path / "witnessed"
    (witnessed / DOCK).mkdir(parents=True)
    (witnessed / DOCK / "leaves").write_bytes(b"".join(leaf_hash(line) for line in LINES))
    describe([status(), checkpoint(key, LINES[:3])], TOPICS, trust, NOW, seen, witnessed)
    forked = [*LINES[:2], b"other", *LINES[3:6]]
    assert only(describe([status(), checkpoint(key, forked)], TOPICS, trust, NOW, seen, witnessed)).alarming


def test_what_a_stranger_signed_is_no_checkpoint(
    trust: Trust, world: worlds.World, key: SignKey, tmp_path: Path
) -> None:
    stranger = load_sign_key(world.key("policy", "sign"))
    for message in (checkpoint(stranger, LINES), checkpoint(key, LINES, "bwc/other/central-1")):
        line = only(describe([status(), message], TOPICS, trust, NOW, tmp_path))
        assert line.extends == "none" and "checkpoint" in line.worries[0]
    assert list(tmp_path.iterdir()) == []


def test_a_memory_that_was_damaged_is_not_overwritten(trust: Trust, key: SignKey, tmp_path: Path) -> None:
    (tmp_path / f"{DOCK}.checkpoint.txt").write_text("junk")
    with pytest.raises(ConfigurationError, match=f"{DOCK}.checkpoint.txt"):
        describe([checkpoint(key, LINES)], TOPICS, trust, NOW, tmp_path)
    assert (tmp_path / f"{DOCK}.checkpoint.txt").read_text() == "junk"


@pytest.mark.xdist_group("life")
def test_a_running_dock(tmp_path: Path) -> None:
    with running(tmp_path / "precinct") as precinct:
        precinct.dock_camera("bay-1", "--bytes", "5000")
        precinct.await_custody(action="receipted")
        world = precinct.world
        command: list[str | Path] = [*BWC_PLAIN, "fleet", "status", "--broker", world.broker, "--agency", AGENCY]
        command += ["--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True)]
        command += ["--seen", tmp_path / "seen"]
        ran = subprocess.run([*map(str, command), "--json"], capture_output=True, text=True, check=True)
        (line,) = json.loads(ran.stdout)
        assert (line["dock_id"], line["status"]["state"], line["custody"]) == (DOCK, "online", "first seen")
        assert line["custody_entries"] > 0 and line["status"]["said_at"] and line["clock_ahead_seconds"] is None
        shown = subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout
        assert DOCK in shown and "online" in shown
