"""The example configurations are complete and load; mistakes are named with file and key."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime
from pathlib import Path
from typing import get_args

import pytest

from daemon.model.config import DockConfig, Metrics, PolicyConfig, Section, check_config, load_config
from daemon.model.errors import ConfigurationError
from daemon.model.zones import MACHINE

CONFIG = Path(__file__).parents[2] / "config"


@pytest.mark.parametrize(("model", "name"), [(DockConfig, "dock.toml"), (PolicyConfig, "policy.toml")])
def test_the_example_loads_and_mentions_every_key(model: type[Section], name: str) -> None:
    load_config(model, CONFIG / name)
    text = (CONFIG / name).read_text()
    for key in _keys(model):
        assert re.search(rf"^#? ?{key} = |^(# )?\[(.*\.)?{key}\]", text, re.MULTILINE), f"{name} does not mention {key}"


def _keys(model: type[Section]) -> set[str]:
    found = set()
    for name, field in model.model_fields.items():
        found.add(name)
        for part in (field.annotation, *get_args(field.annotation)):
            if isinstance(part, type) and issubclass(part, Section):
                found |= _keys(part)
    return found


def test_the_sections_left_out_of_the_example_load_too() -> None:
    text = (CONFIG / "dock.toml").read_text()
    data = tomllib.loads(re.sub(r"^# (\[replica\]|[a-z_]+ = )", r"\1", text, flags=re.MULTILINE))
    replica = check_config(DockConfig, data, base=CONFIG, what="dock.toml").replica
    assert replica is not None and replica.url == "s3://evidence/docks"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "agency: field required"),
        ('agency = "a/b"', "agency: "),
        ("colour = 1", "colour: "),
        ("[ingest]\nscan_seconds = 0", "ingest.scan_seconds: "),
        ("[broker]\nurl = 5", "broker.url: "),
        ('sign_key = "credential:dock"', "sign_key: "),
        ('[metrics]\nlisten = "0.0.0.0:9464"', "only programs on this machine may ask"),
        ('[metrics]\nlisten = "dock.example:9464"', "metrics.listen: "),
        (
            'timezone = "America/Los_Angelos"',
            "'America/Los_Angelos'; such as America/Los_Angeles",
        ),
        ('[metrics]\nlisten = "127.0.0.1"', "metrics.listen: "),
        ('[metrics]\nlisten = "127.0.0.1:70000"', "metrics.listen: "),
        ('[replica]\nurl = "https://store.example/bucket"', "expected s3://bucket/prefix"),
        ('[replica]\nurl = "s3://user:word@bucket"', "expected s3://bucket/prefix"),
        ('[replica]\nurl = "gs://bucket"\nretention_days = 5', "retention_days: of object storage"),
    ],
)
def test_every_mistake_is_named(tmp_path: Path, text: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "dock.toml"
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_config(DockConfig, path)
    assert str(path) in str(caught.value)
    assert says in str(caught.value)


def test_paths_are_relative_to_the_file_and_credentials_come_from_systemd(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", "/run/credentials/bwc-dock")
    path = tmp_path / "dock.toml"
    text = (CONFIG / "dock.toml").read_text()
    text = re.sub(r"^sign_key = .*$", 'sign_key = "credential:sign"', text, flags=re.MULTILINE)
    path.write_text(re.sub(r"^vault = .*$", 'vault = "vault"', text, flags=re.MULTILINE))
    config = load_config(DockConfig, path)
    assert config.vault == tmp_path / "vault"
    assert config.sign_key == Path("/run/credentials/bwc-dock/sign")


def test_the_agencys_zone_is_the_machines_unless_it_is_named() -> None:
    base = {"broker": {"url": "mqtt://b"}, "trust": {"file": "t", "root": "r"}, "agency": "portland"}
    files = {"state": "s", "sign_key": "k", "open_key": "o"}
    named = check_config(PolicyConfig, base | files | {"timezone": "America/Los_Angeles"}, base=CONFIG, what="test")
    assert named.zone.day_of(datetime(2026, 12, 1, 7, tzinfo=UTC)) == date(2026, 11, 30)
    assert check_config(PolicyConfig, base | files, base=CONFIG, what="test").zone == MACHINE


def test_metrics_are_for_this_machine_by_either_protocol() -> None:
    assert Metrics(listen="127.0.0.1:9464").address == ("127.0.0.1", 9464)
    assert Metrics(listen="[::1]:9464").address == ("::1", 9464)
    assert Metrics().address is None


def test_without_systemd_a_credential_is_looked_for_where_the_unit_takes_it_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    path = tmp_path / "dock.toml"
    text = (CONFIG / "dock.toml").read_text()
    path.write_text(re.sub(r"^sign_key = .*$", 'sign_key = "credential:dock_sign.pem"', text, flags=re.MULTILINE))
    assert load_config(DockConfig, path).sign_key == tmp_path / "credentials" / "dock" / "sign.pem"
