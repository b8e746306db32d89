"""`bwc policy check|explain|compare`: what they print, and how they end."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from daemon.cli.policy.command import policy
from daemon.model.errors import ConfigurationError
from daemon.model.resources import policies_dir
from daemon.policy.rules.decide import decide
from daemon.policy.rules.regime import bundled, bundled_names
from tests.policy.world import facts

DEADLY = facts("deadly", "wearer", "report")


@pytest.fixture
def deadly(tmp_path: Path) -> str:
    path = tmp_path / "facts.json"
    path.write_text(DEADLY.model_dump_json())
    return str(path)


def run(*arguments: str) -> str:
    result = CliRunner().invoke(policy, arguments, catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def test_compare_prints_every_regime(deadly: str) -> None:
    expected = {name: decide(bundled(name), DEADLY).document() for name in bundled_names()}
    assert json.loads(run("compare", "--facts", deadly, "--json")) == expected
    text = run("compare", "--facts", deadly)
    assert "portland-union-offer-2023: released" in text
    incident = DEADLY.incident.incident_id if DEADLY.incident else None
    owed = f"an audio-recorded statement to internal affairs from W1 about incident {incident}"
    assert f"{owed}, due 2023-12-01T20:00:00.000Z" in text


def test_explain_prints_the_inner_object(deadly: str) -> None:
    name = "portland-city-offer-2023"
    expected = decide(bundled(name), DEADLY).document()
    assert json.loads(run("explain", "--facts", deadly, "--regime", name, "--json")) == expected
    folder = str(policies_dir() / name)
    assert json.loads(run("explain", "--facts", deadly, "--regime", folder, "--json")) == expected
    assert "authorization by the chief" in run("explain", "--facts", deadly, "--regime", name)
    assert "portland-negotiated-2023: refused" in run("explain", "--facts", deadly)


def test_check_lists_the_policies_and_the_digest(tmp_path: Path) -> None:
    for name in bundled_names():
        printed = json.loads(run("check", str(policies_dir() / name), "--json"))
        assert printed["regime_sha256"] == bundled(name).sha256
        assert bundled(name).sha256 in run("check", str(policies_dir() / name))
    (tmp_path / "bad.cedar").write_text("permit (principal, action, resource);")
    with pytest.raises(ConfigurationError, match=r"bad\.cedar") as caught:
        run("check", str(tmp_path))
    assert caught.value.exit_code == 2


def test_an_unknown_regime_is_a_configuration_error(deadly: str) -> None:
    with pytest.raises(ConfigurationError, match="nowhere"):
        run("explain", "--facts", deadly, "--regime", "nowhere")
