"""What a reload changes at once, and how a connection is renewed without losing what is on its way."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from daemon.link.credentials import read_credentials
from daemon.link.mqtt import Connected, Received
from daemon.model.config import DockConfig, load_config
from daemon.model.errors import ConfigurationError
from daemon.runtime.reload import changed, take_effect
from tests.kit.mosquitto import Mosquitto
from tests.kit.mqtt_clients import Watched, reach

CONFIG = Path(__file__).parents[2] / "config"


@pytest.fixture
def root_level() -> Iterator[None]:
    before = logging.getLogger().level
    yield
    logging.getLogger().setLevel(before)


def dock_config(folder: Path, *changes: tuple[str, str]) -> DockConfig:
    text = (CONFIG / "dock.toml").read_text().replace("mqtts://", "mqtt://")
    for before, after in changes:
        assert text.count(before) == 1
        text = text.replace(before, after)
    path = folder / "dock.toml"
    path.write_text(text)
    return load_config(DockConfig, path)


@pytest.mark.usefixtures("root_level")
def test_what_waits_for_a_restart_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    running = dock_config(tmp_path)
    read = dock_config(
        tmp_path,
        ('log = "info"', 'log = "warning"'),
        ("scan_seconds = 1.0", "scan_seconds = 2.0"),
        ('vault = "/var/lib/bwc/vault"', 'vault = "/elsewhere"'),
    )
    assert set(changed(running, read)) == {"log", "ingest.scan_seconds", "vault"}
    take_effect(running, read, read_credentials(read.broker), ())
    assert logging.getLogger().level == logging.WARNING
    [record] = caplog.records
    assert record.getMessage() == "these settings changed and take effect after a restart: ingest.scan_seconds, vault"


def test_a_connection_is_renewed_and_keeps_its_session(mosquitto: Mosquitto, watched: Callable[..., Watched]) -> None:
    listener, speaker = watched("listener", subscriptions=("a/#",), session_seconds=60), watched("speaker")
    listener.connect()
    speaker.connect()
    speaker.client.publish("a/1", b"not yet acknowledged", retain=False)
    pending = listener.next(Received)
    same = read_credentials(reach(mosquitto))
    assert listener.client.renew(same) is False, "the same credentials end no connection"
    assert listener.client.renew(replace(same, fingerprint="of other files")) is True
    assert listener.next(Connected).forgotten is False
    listener.client.ack(pending)  # of the connection before: it means nothing now
    again = listener.next(Received)
    assert (again.payload, again.connection != pending.connection) == (b"not yet acknowledged", True)
    speaker.client.publish("a/2", b"new", retain=False)
    listener.client.ack(again)
    assert listener.take().payload == b"new"


@pytest.mark.parametrize("missing", ["ca", "certificate", "key"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, mosquitto: Mosquitto, missing: str) -> None:
    path = tmp_path / f"no-such-{missing}.pem"
    broker = reach(mosquitto).model_copy(update={"url": "mqtts://localhost", missing: path})
    with pytest.raises(ConfigurationError) as caught:
        read_credentials(broker)
    assert str(path) in str(caught.value)
