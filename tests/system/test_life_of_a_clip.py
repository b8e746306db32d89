"""What may become of a clip after it is locked: admitted, released, revoked, certified, bundled, disposed of."""

from __future__ import annotations

import hashlib
import itertools
import json
import shutil
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daemon.cli.demo import world as cast
from daemon.cli.demo.world import DOCK, CastMember, World
from daemon.link.session import Session
from daemon.model.times import format_instant
from tests.kit.acts import attest, classify, open_clip, request
from tests.kit.precinct import Precinct, running, wait_until

pytestmark = pytest.mark.xdist_group("life")


@pytest.fixture(scope="module")
def precinct(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Precinct]:
    def no_notice(world: World) -> None:
        settings = world.config / "policy.toml"
        settings.write_text(settings.read_text() + "[retention]\nnotice_days = 0.0\n")

    with running(tmp_path_factory.mktemp("life") / "world", before=no_notice, orphan_seconds=1.0) as precinct:
        yield precinct


_bays = itertools.count(1)


@pytest.fixture
def clip(precinct: Precinct) -> str:
    """A clip taken in, and classified (by naming it) as an incident without force of its own."""
    (taken,) = precinct.dock_camera(f"bay-{next(_bays)}", "--seconds", "2", "--timeout", "30")["clips"]
    clip_id = str(taken["clip_id"])
    precinct.notice(clip_id)
    classify(precinct, clip_id, "none")
    return clip_id


@pytest.fixture
def released(precinct: Precinct, clip: str) -> str:
    """A clip released to its officer, and honoured by the dock."""
    request(precinct, cast.OFFICER, clip, "report")
    precinct.notice(clip, lambda n: n["lock"]["state"] == "released")
    return clip


def test_a_locked_clip_does_not_open(precinct: Precinct, clip: str, tmp_path: Path) -> None:
    ran = open_clip(precinct, cast.SUPERVISOR, clip, tmp_path / "x.mp4", expect=3)
    assert "locked" in ran.words and "hint:" in ran.words
    assert list(tmp_path.iterdir()) == []


def test_released_opened_and_certified(precinct: Precinct, released: str, tmp_path: Path) -> None:
    clip = released
    out = tmp_path / "clip.mp4"
    opened = open_clip(precinct, cast.OFFICER, clip, out, "--certificate").document
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    certificate = json.loads((tmp_path / "clip.certificate.json").read_text())
    page = (tmp_path / "clip.certificate.html").read_text()
    assert opened["clip_sha256"] == certificate["file"]["sha256"] == digest
    assert digest in page and "902(14)" in page and "<script" not in page
    assert [entry["action"] for entry in certificate["custody"]][:2] == ["ingested", "tagged"]
    assert precinct.await_custody(action="opened", clip_id=clip)
    # nobody else's: the order is wrapped to the officer's key
    assert "locked" in open_clip(precinct, cast.SUPERVISOR, clip, tmp_path / "y.mp4", expect=3).words


def test_a_clip_changed_on_the_share_is_not_written(precinct: Precinct, released: str, tmp_path: Path) -> None:
    clip = released
    copy = tmp_path / "share"
    shutil.copytree(precinct.world.vault, copy)
    sealed = copy / "clips" / clip / "clip.sealed"
    data = bytearray(sealed.read_bytes())
    data[len(data) // 2] ^= 1
    sealed.write_bytes(data)
    world = precinct.world
    trust = ("--trust", world.config / "trust.json", "--root", world.key("root", "sign", public=True))
    who: tuple[str | Path, ...] = ("review", "open", *world.as_person(cast.OFFICER), "--clip", clip, "--vault", copy)
    ran = precinct.stage.bwc(*who, *trust, "--out", tmp_path / "z.mp4", expect=4)
    assert "segment" in ran.words
    assert not (tmp_path / "z.mp4").exists()


def test_a_bundle_verifies_anywhere_and_tampering_is_named(precinct: Precinct, released: str, tmp_path: Path) -> None:
    clip = released
    bundle, config = tmp_path / "clip.bundle.zip", precinct.world.config / "dock.toml"
    precinct.stage.bwc("custody", "export", "--config", config, "--clip", clip, "--out", bundle)
    root = precinct.world.key("root", "sign", public=True)
    verified = precinct.stage.bwc("custody", "verify", bundle, "--root", root).document
    assert verified["clip_id"] == clip and verified["root_was_given"]
    stranger = precinct.world.key("policy", "sign", public=True)
    assert "is not the agency's" in precinct.stage.bwc("custody", "verify", bundle, "--root", stranger, expect=4).words
    with zipfile.ZipFile(bundle) as archive:
        files = {name: archive.read(name) for name in archive.namelist()}
    assert any(name.endswith(".release.json") for name in files)
    for name in files:
        if name in {"bundle.json", "root.sign.pub.pem"}:
            continue
        changed = tmp_path / "changed.zip"
        with zipfile.ZipFile(changed, "w") as archive:
            for other, data in files.items():
                archive.writestr(other, data.replace(b"a", b"b", 40) if other == name else data)
        ran = precinct.stage.bwc("custody", "verify", changed, expect=4)
        assert Path(name).name in ran.words or "trust" in ran.words, name


def test_a_reclassification_locks_it_again_at_the_dock(precinct: Precinct, released: str, tmp_path: Path) -> None:
    clip = released
    classify(precinct, clip, "deadly")
    notice = precinct.notice(clip, lambda n: any(r["state"] == "revoked" for r in n["lock"]["releases"]))
    assert (notice["lock"]["state"], notice["lock"]["reason"]) == ("locked", "the release order was revoked")
    ran = open_clip(precinct, cast.OFFICER, clip, tmp_path / "again.mp4", expect=3)
    assert "revoked" in ran.words


def test_quarantined_footage_leaves_its_camera_once_admitted(precinct: Precinct) -> None:
    camera = precinct.camera("bay-q", "--fault", "torn-capture", "--bytes", "5000", "--timeout", "60")
    clip_id = str(precinct.await_custody(action="quarantined")["clip_id"])
    reason = ("--reason", "camera broken in a struggle", "--admit", "--officer-id", cast.OFFICER.person_id)
    attest(precinct, cast.SUPERVISOR, "correction", "--clip-id", clip_id, *reason)
    docked = precinct.stage.finish(camera)
    assert docked.code == 0, docked.words
    assert docked.document["clips"][0]["erased"]
    assert precinct.custody(action="admitted", clip_id=clip_id)
    assert (precinct.world.vault / "clips" / clip_id / "clip.sealed").exists()
    assert not (precinct.world.vault / "quarantine" / clip_id).exists()
    refused = request(precinct, cast.OFFICER, clip_id, "report", expect=3)
    assert [need["kind"] for need in refused["needs"]] == ["classification"]
    classify(precinct, clip_id, "none")
    precinct.notice(clip_id, lambda n: n["lock"]["state"] == "released")


def test_disposal_destroys_the_clip_and_keeps_the_fact(precinct: Precinct, tmp_path: Path) -> None:
    """A court orders it: nothing else disposes of a clip of today. Chief and records both put the order on record."""
    (taken,) = precinct.dock_camera("bay-d", "--bytes", "7000", "--timeout", "30")["clips"]
    clip_id = str(taken["clip_id"])
    precinct.notice(clip_id)
    classify(precinct, clip_id, "none")
    now = datetime.now(UTC)
    court = {"reference": "23CV-1", "court": "Circuit Court", "dated": format_instant(now), "sha256": "ab" * 32}
    times = {"issued_at": format_instant(now), "expires_at": format_instant(now + timedelta(days=1))}
    signed = {"authorization_id": "d1", "clip_id": clip_id, "purposes": ["disposal"], "court_order": court}
    (tmp_path / "order.json").write_text(json.dumps([signed | times]))
    attest(precinct, cast.CHIEF, "authorization", "--from", str(tmp_path / "order.json"))
    assert (precinct.world.vault / "clips" / clip_id).exists()
    attest(precinct, cast.RECORDS, "authorization", "--from", str(tmp_path / "order.json"))
    entry = precinct.await_custody(action="disposed", clip_id=clip_id)
    assert len(entry["attestations"]) == 2  # the order, and what both signed: the same words
    wait_until(lambda: not (precinct.world.vault / "clips" / clip_id).exists(), "the clip's directory to go")
    topic = precinct.topics.clip(DOCK, clip_id)

    def cleared() -> bool:
        with Session(precinct.broker, (topic,)) as session:
            return session.retained() == []

    wait_until(cleared, "the last notice to be cleared")
    assert request(precinct, cast.OFFICER, clip_id, "report", expect=3)["because"][0]["policy_id"] == "disposed"
    checked = precinct.stage.bwc("dock", "check", "--config", precinct.world.config / "dock.toml").document
    assert checked["findings"] == []


def test_a_live_explanation_says_what_a_request_would_be_answered(precinct: Precinct, clip: str) -> None:
    config = precinct.world.config / "policy.toml"

    def explain(person: CastMember, purpose: str, *more: str) -> Any:
        who = ("--clip", clip, "--person", person.person_id, "--purpose", purpose, *more)
        return precinct.stage.bwc("policy", "explain", "--config", config, *who).document

    assert explain(cast.OFFICER, "report")["outcome"] == "released"
    assert explain(cast.ROUTINE_OFFICER, "report")["outcome"] == "refused"
    classify(precinct, clip, "deadly")
    refused = explain(cast.OFFICER, "report")
    assert [(need["kind"], need["form"]) for need in refused["needs"]] == [("statement", "audio")]
    assert explain(cast.OFFICER, "report", "--regime", "portland-union-offer-2023")["outcome"] == "released"


def test_the_policy_services_own_log_verifies_as_well(precinct: Precinct, released: str, tmp_path: Path) -> None:
    config = precinct.world.config / "policy.toml"
    precinct.stage.bwc("custody", "export", "--config", config, "--out", tmp_path)
    key = precinct.world.key("policy", "sign", public=True)
    verified = precinct.stage.bwc("custody", "verify", tmp_path / "custody.jsonl", "--key", key).document
    assert verified["origin"] == "bwc/portland/policy"
    entries = [json.loads(line) for line in (tmp_path / "custody.jsonl").read_text().splitlines()]
    assert "released" in {entry["action"] for entry in entries if entry.get("clip_id") == released}
