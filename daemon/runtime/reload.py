"""Configuration read again while a service runs (SIGHUP): what takes effect at once, and what has to wait.

Trust, the log's level, and the broker's certificates and passwords take effect; all else is named and waits for a
restart. What cannot be used changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator

from daemon.link.credentials import Credentials
from daemon.link.mqtt import MqttClient
from daemon.model.config import DockConfig, PolicyConfig, Section

log = logging.getLogger(__name__)
_AT_ONCE = {"log", "broker.ca", "broker.certificate", "broker.key", "broker.username", "broker.password_file"}


def take_effect(
    running: DockConfig | PolicyConfig,
    read: DockConfig | PolicyConfig,
    credentials: Credentials,
    clients: Iterable[MqttClient],
) -> bool:
    """Puts in force what can be. `running` is what the service started with. Returns whether it connects anew."""
    logging.getLogger().setLevel(read.log.upper())
    waiting = sorted(set(changed(running, read)) - _AT_ONCE)
    if waiting:
        log.warning("changed, but in force only after a restart: %s", ", ".join(waiting))
    if read.broker.url != running.broker.url:
        return False  # the certificates are for another broker: they wait with its address
    renewed = [client.renew(credentials) for client in clients]
    if any(renewed):
        log.info("connecting to the broker anew: its certificates or passwords changed")
    return any(renewed)


def changed(before: Section, after: Section, within: str = "") -> Iterator[str]:
    """Names of the settings that differ, such as `ingest.readers`."""
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, Section) and isinstance(new, Section):
            yield from changed(old, new, f"{within}{name}.")
        elif old != new:
            yield within + name
