"""Reading the configuration again while a service runs (SIGHUP): what takes effect at once, and what does not.

Trust, the log level, and the broker's certificates and passwords take effect at once. Every other changed setting is
named in the log and waits for a restart. A configuration that cannot be used changes nothing.
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
    """Applies what can change now. `running` is the configuration that the service started with.

    Returns whether a client connects again.
    """
    logging.getLogger().setLevel(read.log.upper())
    waiting = sorted(set(changed(running, read)) - _AT_ONCE)
    if waiting:
        log.warning("these settings changed and take effect after a restart: %s", ", ".join(waiting))
    if read.broker.url != running.broker.url:
        return False  # the new certificates belong to the new broker, whose address waits for a restart
    renewed = [client.renew(credentials) for client in clients]
    if any(renewed):
        log.info("connecting to the broker again: its certificates or passwords changed")
    return any(renewed)


def changed(before: Section, after: Section, within: str = "") -> Iterator[str]:
    """Names of the settings that differ, such as `ingest.readers`. `within`: the section's prefix, with its dot."""
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if isinstance(old, Section) and isinstance(new, Section):
            yield from changed(old, new, f"{within}{name}.")
        elif old != new:
            yield within + name
