"""The alert rules that ship: sound, each tried both quiet and firing, and each with words for whoever is called."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.patience import PATIENCE

FOLDER = Path(__file__).parents[2] / "config" / "grafana"


def promtool(*words: str) -> str:
    """Runs it in the folder that ships; what it says."""
    if shutil.which("promtool") is None:
        assert not os.environ.get("CI"), "CI must have promtool"
        pytest.skip("promtool is not installed")
    ran = subprocess.run(["promtool", *words], cwd=FOLDER, capture_output=True, text=True, timeout=PATIENCE)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def alerts() -> dict[str, dict[str, Any]]:
    groups = yaml.safe_load((FOLDER / "alerts.yml").read_text())["groups"]
    return {rule["alert"]: rule for group in groups for rule in group["rules"]}


def test_rules_and_configuration_are_sound() -> None:
    assert f"{len(alerts())} rules found" in promtool("check", "rules", "alerts.yml")
    assert "SUCCESS" in promtool("check", "config", "prometheus.yml")


def test_each_alert_is_quiet_and_fires_when_it_should() -> None:
    assert "SUCCESS" in promtool("test", "rules", "alerts.test.yml")
    tried = set(re.findall(r"Bwc\w+", (FOLDER / "alerts.test.yml").read_text()))
    assert tried == alerts().keys()


@pytest.mark.parametrize("name", alerts())
def test_whoever_is_called_reads_what_it_means_and_what_to_do(name: str) -> None:
    rule = alerts()[name]
    assert rule["labels"]["severity"] in {"warning", "critical"}
    assert rule["annotations"].keys() == {"summary", "what", "clips", "do"}
    for key in ("what", "clips", "do"):
        words = rule["annotations"][key]
        assert len(words.split()) >= 5 and words.endswith("."), f"{key}: whole sentences"


def test_the_dashboard_is_whole(tmp_path: Path) -> None:
    dashboard = json.loads((FOLDER / "dashboard.json").read_text())
    panels = [panel for panel in dashboard["panels"] if panel["type"] != "row"]
    expressions = [target["expr"].replace("$instance", ".*") for panel in panels for target in panel["targets"]]
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(dashboard["panels"])
    for panel in panels:
        assert panel["targets"] and panel["description"] and panel["fieldConfig"]["defaults"]["unit"]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(expressions)]
    (tmp_path / "panels.yml").write_text(json.dumps({"groups": [{"name": "panels", "rules": rules}]}))
    assert f"{len(rules)} rules found" in promtool("check", "rules", str(tmp_path / "panels.yml"))
