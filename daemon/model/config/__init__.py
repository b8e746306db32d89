"""Configuration files: `dock.toml`, `policy.toml`, `board.toml`, and the client's part that they share.

Relative paths are relative to the file they stand in; a `credential:NAME` path is a file systemd passed in
(`$CREDENTIALS_DIRECTORY/NAME`). Our units pass in folders, `credentials/dock/sign.pem` as `dock_sign.pem`: there
commands look that run without systemd, as root.
"""

from __future__ import annotations

from daemon.model.config.board import BoardConfig, BoardTls, Listen, Login, is_loopback
from daemon.model.config.dock import ActivationSettings, DisposalSettings, DockConfig, Ingest, ReplicaSettings, Scrub
from daemon.model.config.loading import C, check_config, load_config
from daemon.model.config.policy import PolicyConfig, PolicyStore, Retention
from daemon.model.config.sections import Broker, Enrolment, FilePath, Metrics, Positive, Section

__all__ = [
    "ActivationSettings",
    "BoardConfig",
    "BoardTls",
    "Broker",
    "C",
    "DisposalSettings",
    "DockConfig",
    "Enrolment",
    "FilePath",
    "Ingest",
    "Listen",
    "Login",
    "Metrics",
    "PolicyConfig",
    "PolicyStore",
    "Positive",
    "ReplicaSettings",
    "Retention",
    "Scrub",
    "Section",
    "check_config",
    "is_loopback",
    "load_config",
]
