"""`bwc policy disposal`: the report as it is hashed, its digest, and in words."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization

from daemon.cli.policy.command import policy
from daemon.model import statements as st
from daemon.model.errors import BwcError
from tests.kit import agency
from tests.kit.agency import CLIP, OTHER_CLIP
from tests.kit.policy_fixture import open_office

_PEM = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
_TOML = """
agency = "portland"
state = "state"
sign_key = "policy.sign.pem"
open_key = "policy.open.pem"
[trust]
file = "trust.json"
root = "root.sign.pub.pem"
[broker]
url = "mqtt://127.0.0.1:1"
[retention]
dispose = "automatic"
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A service's files."""
    (tmp_path / "policy.toml").write_text(_TOML)
    (tmp_path / "policy.sign.pem").write_bytes(agency.sign_key("policy").private_bytes(*_PEM))
    (tmp_path / "policy.open.pem").write_bytes(agency.open_key("policy").private_bytes(*_PEM))
    (tmp_path / "trust.json").write_bytes(agency.trust_bytes())
    (tmp_path / "root.sign.pub.pem").write_text(agency.sign_pem("root"))
    return tmp_path / "policy.toml"


def printed(config: Path, *options: str) -> str:
    result = CliRunner().invoke(policy, ["disposal", "--config", str(config), *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_the_report_is_printed_as_it_is_hashed_and_in_words(config: Path) -> None:
    with pytest.raises(BwcError):
        printed(config)
    office = open_office(config.parent, retention={"dispose": "automatic"})
    for clip_id in (CLIP, OTHER_CLIP):
        office.announce(office.notice(clip_id, recorded=office.clock.now() - timedelta(days=181)))
    office.classify("none")
    office.tick()
    row = office.context.store.newest_report()
    assert row is not None
    assert printed(config, "--digest") == f"{row.digest}\n"
    document = printed(config, "--json")
    assert hashlib.sha256(document.encode()).hexdigest() == row.digest
    assert [clip["clip_id"] for clip in json.loads(document)["due"]] == sorted([CLIP, OTHER_CLIP])
    words = printed(config)
    assert row.digest in words and CLIP in words and "180 days as every clip" in words
    hold = st.Hold(hold_id="h1", clip_id=OTHER_CLIP, state="placed", reason="a suit", at=office.clock.now())
    office.attest(hold, "chief")
    for person in ("chief", "records"):
        times = {"issued_at": office.clock.now(), "expires_at": office.clock.now() + timedelta(days=30)}
        fields = {"authorization_id": "d1", "report_sha256": row.digest, "purposes": ["disposal"]}
        assert office.attest(st.Authorization.model_validate(fields | times), person)[0]
    office.clock.turn(days=14)
    office.tick()
    office.context.store.close()
    words = printed(config)
    assert f"report {row.digest} was authorized: 1 clip ordered disposed" in words
    assert "withheld: it is held by h1" in words and "by the hold h1" in words
    assert row.digest in printed(config, "--report", row.digest)
