"""The broker of a city: Mosquitto with the configuration that ships; but for address, port, folders and saving."""

from __future__ import annotations

from pathlib import Path

from daemon.model.resources import mosquitto_dir
from tests.kit.mosquitto import debian

SAVES_EVERY = 10
"""Seconds: hours of the day that is played."""


def configuration(root: Path, address: str, port: int) -> Path:
    """Writes it below `root`, where the certificates are; returns the file to start Mosquitto with."""
    folder, installed = root / "mosquitto", root / "tls" / "broker"
    folder.mkdir()
    ours = (mosquitto_dir() / "bwc.conf").read_text()
    for before, after in (
        ("\nlistener 8883\n", f"\nlistener {port} {address}\n"),
        ("/etc/mosquitto/bwc", str(installed)),
        ("\nautosave_interval 60\n", f"\nautosave_interval {SAVES_EVERY}\n"),
    ):
        assert before in ours, before
        ours = ours.replace(before, after)
    (folder / "bwc.conf").write_text(ours)
    path = folder / "mosquitto.conf"
    path.write_text(debian(folder, f"include_dir {folder}/conf.d\n"))
    (folder / "conf.d").mkdir()
    (folder / "bwc.conf").rename(folder / "conf.d" / "bwc.conf")
    return path
