"""A witness on the broker, and an auditor who later holds an export against what was witnessed."""

from __future__ import annotations

import base64
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo.world import AGENCY, DOCK
from daemon.seal.note import Checkpoint, sign_checkpoint, verify_checkpoint
from daemon.seal.private_keys import load_sign_key
from tests.kit.precinct import BWC_PLAIN, Precinct, running

pytestmark = pytest.mark.xdist_group("system")
NAME = "monitor.example"


def bwc(*arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
    ran = subprocess.run([*BWC_PLAIN, *map(str, arguments)], capture_output=True, text=True, check=False)
    assert ran.returncode == code, ran.stderr
    return ran


def witness(precinct: Precinct, out: Path, *more: object, code: int = 0) -> dict[str, Any]:
    """One visit; what is known of our dock's log afterwards."""
    world = precinct.world
    where = ("--broker", world.broker, "--agency", AGENCY, "--trust", world.config / "trust.json", "--name", NAME)
    keys = ("--root", world.key("root", "sign", public=True), "--key", out.parent / "keys" / "monitor.sign.pem")
    report = json.loads(
        bwc("custody", "witness", *where, *keys, "--out", out, "--once", "--json", *more, code=code).stdout
    )
    [mine] = [dock for dock in report["docks"] if dock["dock_id"] == DOCK]
    return {**mine, "alarms": report["alarms"]}


def test_witnessed_exported_and_forked(tmp_path: Path) -> None:
    out, keys = tmp_path / "witnessed", tmp_path / "keys"
    bwc("keys", "new", "monitor", "--out", keys)
    with running(tmp_path / "precinct") as precinct:
        world, config = precinct.world, precinct.world.config / "dock.toml"
        precinct.dock_camera("bay-1", "--clip", "seconds=2", "--stay")  # until the dock has seen that it erased
        precinct.await_custody(action="erased")
        late = witness(precinct, out)
        assert late["entries"] < late["missing"] + late["entries"], "published before anybody listened"
        known = witness(precinct, out, "--vault", world.vault)
        assert known["missing"] == 0
        assert known["witnessed"] == known["entries"] > 0
        assert known["alarms"] == []

        precinct.dock_camera("bay-2", "--clip", "seconds=2")  # the session keeps what is said meanwhile
        later = witness(precinct, out)
        assert later["witnessed"] > known["witnessed"]

        kept, dock_key = out / DOCK / "checkpoint.txt", world.key(DOCK, "sign", public=True)
        export = tmp_path / "export"
        bwc("custody", "export", "--config", config, "--out", export)
        check = ("custody", "verify", export / "custody.jsonl", "--key", dock_key, "--witnessed", kept)
        cosigned = ("--witness-key", keys / "monitor.sign.pub.pem", "--witness-name", NAME)
        bwc(*check, *cosigned)
        bwc(*check, "--witness-key", dock_key, "--witness-name", NAME, code=4)
        entries = len((export / "custody.jsonl").read_bytes().splitlines())
        proof = tmp_path / "proof.json"
        proof.write_text(bwc("custody", "prove", "--config", config, entries, "--since", later["witnessed"]).stdout)
        bwc("custody", "verify", proof, "--key", dock_key, "--witnessed", kept)
        proof.write_text(bwc("custody", "prove", "--config", config, "0").stdout)
        bwc("custody", "verify", proof, "--key", dock_key)
        proof.write_text(proof.read_text().replace("docked", "erased", 1))
        bwc("custody", "verify", proof, "--key", dock_key, code=4)

        note = verify_checkpoint(kept.read_text(), load_sign_key(world.key(DOCK, "sign")).public_key(), what="kept")
        forged = Checkpoint(note.origin, note.size, bytes(32))
        signed = sign_checkpoint(forged, load_sign_key(world.key(DOCK, "sign")))
        precinct.publish(precinct.topics.checkpoint(DOCK), signed.encode(), retain=False)
        other = tmp_path / "other.txt"
        other.write_text(signed)
        bwc("custody", "verify", export / "custody.jsonl", "--key", dock_key, "--witnessed", other, code=4)
        [alarm] = witness(precinct, out, code=4)["alarms"]
        assert "does not fit its earlier entries" in alarm["problem"]
        evidence = json.loads((out / DOCK / "alarms.jsonl").read_text().splitlines()[0])
        assert base64.b64encode(bytes(32)).decode() in evidence["heard"]
