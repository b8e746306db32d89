"""Every command answers bad input with one clear line on standard error and the right exit code, never a traceback."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from daemon.cli.main import main
from daemon.seal.private_keys import new_pair

CLIP = "2d9f5f0e-6e0c-4a93-8a3c-0a8f6b1f9a11"
WHO = "--as 51234 --agency portland --broker mqtt://127.0.0.1:9"
ME = "--as p --keys k --agency portland --broker mqtt://127.0.0.1:9"

CASES = [
    ("", 2, "usage: bwc"),
    ("nonsense", 2, "no such command"),
    ("dock run --config missing.toml", 2, "missing.toml: no such file"),
    ("dock run --config broken.toml", 2, "broken.toml: not valid toml"),
    ("dock run --config misspelt.toml", 2, "colour"),
    ("dock run --config binary.toml", 2, "binary.toml"),
    ("dock check --config missing.toml", 2, "missing.toml"),
    (f"dock seal missing.mp4 --escrow k/p.open.pub.pem --clip-id {CLIP} --out o", 2, "missing.mp4"),
    ("dock seal a.mp4 --escrow k/p.open.pub.pem --clip-id 7 --out o", 2, "uuid"),
    (f"dock seal a.mp4 --escrow k/p.sign.pub.pem --clip-id {CLIP} --out o", 2, "p-256"),
    (f"dock seal . --escrow k/p.open.pub.pem --clip-id {CLIP} --out o", 2, "not a regular file"),
    ("dock unseal . --key k/p.open.pem --out b.mp4", 2, "wrapped_keys.json"),
    ("policy serve --config missing.toml", 2, "missing.toml"),
    ("policy check missing", 2, "missing"),
    ("policy explain", 2, "either --facts"),
    ("policy explain --facts missing.json", 2, "missing.json"),
    ("policy explain --facts broken.toml", 2, "broken.toml"),
    ("policy replay --regime nowhere --config missing.toml", 2, "nowhere"),
    ("custody verify missing.jsonl --key k/p.sign.pub.pem", 2, "checkpoint.txt"),
    ("custody verify broken.toml", 2, "--key"),
    ("custody verify not.zip", 4, "not.zip"),
    ("custody log --config missing.toml", 2, "missing.toml"),
    ("trust sign missing.toml --key k/p.sign.pem --out t.json", 2, "missing.toml"),
    ("trust sign misspelt.toml --key k/p.sign.pem --out t.json", 2, "version"),
    ("trust check broken.toml --root k/p.sign.pub.pem", 4, "broken.toml"),
    ("keys new ../evil --out k", 2, "owner"),
    ("keys new p --out k", 2, "exists already"),
    ("keys show a.mp4", 2, "a.mp4"),
    ("dispatch report", 2, "either --eido"),
    ("dispatch report --config missing.toml", 2, "missing.toml"),
    (f"review list {WHO}", 1, "no connection"),
    (f"review request {WHO} --keys k --clip {CLIP} --purpose report", 1, "no connection"),
    (f"review request {WHO} --clip x --purpose gossip", 2, "gossip"),
    ("review list --as 51234 --agency portland --broker http://x", 2, "mqtt://"),
    ("review list --as 51234 --agency a/b --broker mqtt://x", 2, "--agency"),
    (f"attest classification {WHO} --keys missing --force none", 2, "missing"),
    (f"attest statement {WHO} --keys k --form whispered", 2, "whispered"),
    (f"attest hold {WHO} --from broken.toml --keys k", 2, "broken.toml"),
    (f"attest report {WHO} --timezone America/Los_Angelos", 2, "america/los_angeles"),
    (f"attest report {WHO} --trust missing.json", 2, "give both"),
    (f"attest report {WHO} --trust missing.json --root k/p.sign.pub.pem", 2, "missing.json"),
    (f"attest report {WHO} --from broken.toml --officer-id 51234", 2, "--from"),
    (f"attest report {ME} --incident-id i --officer-id 51234 --filed-at 2026-13-28T00:47Z", 2, "2026-13-28t00:47z"),
    (f"attest report {ME} --incident-id i --officer-id 51234", 1, "no connection"),
    (f"attest classification {ME} --force none --occurred-at 2026-11-28T00:47Z", 2, "clip_ids"),
    (f"attest classification {ME} --shift yesterday", 2, "yesterday"),
    (f"attest classification {ME} --shift 2026-11-28 --json", 2, "--yes"),
    (f"attest classification {ME} --shift 2026-11-28 --incident-id i", 2, "--incident-id"),
    (f"attest classification {ME} --shift 2026-11-28 --from broken.toml", 2, "--from"),
    (f"attest classification {ME} --shift 2026-11-28 --involved p", 2, "yourself"),
    (f"attest classification {WHO} --keys k --shift 2026-11-28", 2, "51234.sign.pem"),
    (f"attest classification {ME} --shift 2026-11-28", 1, "no connection"),
    ("demo --keep .", 2, "not an empty directory"),
    ("demo --keep a.mp4", 2, "not an empty directory"),
    (f"dock seal a.mp4 --escrow k/p.open.pub.pem --clip-id {CLIP} --out a.mp4", 2, "a.mp4"),
    ("keys new q --out a.mp4", 1, "a.mp4"),
]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    new_pair(tmp_path / "k", "p")
    (tmp_path / "a.mp4").write_bytes(b"footage")
    (tmp_path / "broken.toml").write_text("= 1")
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    (tmp_path / "misspelt.toml").write_text('colour = "blue"')
    (tmp_path / "not.zip").write_bytes(b"PK\x03\x04 no zip")
    return tmp_path


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(("arguments", "code", "says"), CASES, ids=[case[0][:60] or "nothing" for case in CASES])
def test_bad_input(
    arguments: str, code: int, says: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["bwc", *arguments.split()])
    monkeypatch.setattr("daemon.link.session.CONNECT_SECONDS", 0.3)
    with pytest.raises(SystemExit) as ended:
        main()
    words = capsys.readouterr().err
    assert ended.value.code == code, words
    assert says in words.lower()
    assert "traceback" not in words.lower()
    for line in words.splitlines():
        if line.startswith("bwc: "):
            assert not line.endswith("."), line


def test_a_good_command_prints_one_json_document(
    folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["bwc", "keys", "show", "k/p.sign.pub.pem", "k/p.open.pub.pem", "--json"])
    main()
    shown = json.loads(capsys.readouterr().out)
    assert [entry["use"] for entry in shown] == ["sign", "open"]
    assert len({entry["keyid"] for entry in shown}) == 2
    assert (folder / "k" / "p.sign.pem").stat().st_mode & 0o777 == 0o600
