"""Every attack of the table fails, and the same story told by somebody who may tell it does not."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

import tests.policy.attacks.scene_retention  # noqa: F401 - its sentences
from tests.policy.attacks.scene import clip_id, staged

TABLE: list[dict[str, Any]] = tomllib.loads(Path(__file__).with_name("attacks.toml").read_text())["attack"]


def test_the_table_is_long_and_each_row_has_a_name_of_its_own() -> None:
    assert len({row["name"] for row in TABLE}) == len(TABLE) >= 60


@pytest.mark.parametrize("row", TABLE, ids=[row["name"] for row in TABLE])
def test_attack(row: dict[str, Any], tmp_path: Path) -> None:
    scene = staged(tmp_path, row.get("regime", "portland-negotiated-2023"), **row.get("settings", {}))
    try:
        for step in row["steps"]:
            scene.play(step)
        kinds = {name: [order.kind for order in _orders(scene, name)] for name in ("c1", "c2")}
        for name in row.get("kept", ()):
            assert "disposal" not in kinds[name]
        for name in row.get("gone", ()):
            assert "disposal" in kinds[name]
        for name in row.get("revoked", ()):
            assert "revocation" in kinds[name], "the order it had is not revoked"
        assert [question for question in row.get("closed", ()) if scene.opens(question)] == []
        assert [question for question in row.get("open", ()) if not scene.opens(question)] == []
    finally:
        scene.office.context.store.close()


def _orders(scene: Any, name: str) -> list[Any]:
    return [order for dock in ("dock-1", "dock-2") for order in scene.office.orders(clip_id(name), dock)]
