"""`bwc setup check`: whether everything is there that the services need, and who answers. Changes nothing.

What it publishes at the broker are empty messages that nobody keeps: they mean nothing to anybody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from daemon.dock.camera.mounts import MOUNTINFO
from daemon.link.mqtt import Received
from daemon.link.session import Session
from daemon.model import strict_json
from daemon.model.config import BoardConfig, Broker, DockConfig, PolicyConfig, load_config
from daemon.model.errors import BwcError, ConfigurationError
from daemon.model.topics import Topics
from daemon.policy.mqtt.subscriptions import topic_filters
from daemon.seal.keys import keyid, load_sign_public
from daemon.seal.private_keys import load_open_key, load_sign_key
from daemon.seal.trust import Trust, load_trust
from daemon.vault.space import free_bytes

State = Literal["ok", "note", "missing"]
Config = DockConfig | PolicyConfig
_MODELS: dict[str, type[DockConfig] | type[PolicyConfig] | type[BoardConfig]] = {
    "dock": DockConfig,
    "policy": PolicyConfig,
    "board": BoardConfig,
}
_FORGETFUL, _WEAK = {"tmpfs", "ramfs"}, {"vfat", "exfat", "msdos", "ntfs", "ntfs3", "fuseblk"}
_PROBE = "setup-check"
_BROKER_HINT = (
    "is Mosquitto running, reachable, and with the files of secrets/broker/broker?"
    " when its bwc.acl is new: copy it there, systemctl reload mosquitto"
)
_START_POLICY = "systemctl enable --now bwc-policy, where it is to run"


@dataclass(frozen=True)
class CheckResult:
    """One thing that was looked at. `note` wants attention, `missing` keeps the services from working."""

    what: str
    state: State
    words: str
    hint: str | None = None


def check(to: Path, services: list[str], seconds: float) -> Iterator[CheckResult]:
    """Everything about the services configured in `to`. `seconds` bounds each wait for the broker."""
    if not services:
        yield CheckResult("configuration", "missing", f"nothing is set up in {to}", "run: bwc setup")
    yield from _secrets(to / "secrets")
    for name in services:
        path = to / f"{name}.toml"
        try:
            config = load_config(_MODELS[name], path)
            config.broker.address  # noqa: B018 - raises for an address that is none
        except ConfigurationError as error:
            yield _missing("configuration", error, f"correct {path}")
            continue
        yield CheckResult("configuration", "ok", str(path))
        if isinstance(config, BoardConfig):
            hears = (Topics(config.agency).status("+"),)
            yield _visit("board", config.broker, hears, None, seconds)[0]
            continue
        yield from _keys(config)
        if isinstance(config, DockConfig):
            yield from _mounts(config)
            yield from _vault(config)
        yield from _broker(config, to, seconds)


def _secrets(folder: Path) -> Iterator[CheckResult]:
    for name in ("root.sign.pem", "recovery.open.pem"):
        if (folder / "offline" / name).exists():
            hint = f"move {folder / 'offline'} to a medium that lies in a safe, and keep a copy of it"
            yield CheckResult("offline keys", "note", f"{name} is still on this machine", hint)
    for name in ("people", "cameras", "policy"):
        if (folder / name).is_dir() and any((folder / name).iterdir()):
            yield CheckResult("secrets", "note", f"{folder / name}: to be handed over, then removed here")


def _keys(config: Config) -> Iterator[CheckResult]:
    """That the private keys are those that the trust in force names."""
    try:
        trust = load_trust(config.trust.file, load_sign_public(config.trust.root))
    except ConfigurationError as error:
        yield _missing("trust", error, "run: bwc setup, with the root key at hand")
        return
    yield CheckResult("trust", "ok", f"version {trust.version}, {len(trust.statement.people)} people")
    for path, private, enrolled in _pairs(config, trust):
        if private is None:
            yield CheckResult("key", "missing", f"{path}: cannot be read or is no such key", "as root; or: bwc setup")
        elif enrolled != private:
            hint = "bring the private key that belongs to the enrolled one, or enrol this one"
            yield CheckResult("key", "missing", f"{path}: is not the key that is enrolled", hint)
        elif path.stat().st_mode & 0o077:
            yield CheckResult("key", "missing", f"{path}: others can read it", f"chmod 600 {path}")
        else:
            yield CheckResult("key", "ok", f"{path}: enrolled, and for its owner alone")


def _pairs(config: Config, trust: Trust) -> Iterator[tuple[Path, str | None, str | None]]:
    """Each private key's file, its keyid (None when it cannot be read), and the keyid that is enrolled."""
    if isinstance(config, DockConfig):
        enrolled = trust.sign_key_of("dock", config.dock_id)
    else:
        enrolled = trust.sign_key_of("policy", "policy")
    yield config.sign_key, _keyid(config.sign_key, "sign"), keyid(enrolled) if enrolled else None
    if isinstance(config, PolicyConfig):
        yield config.open_key, _keyid(config.open_key, "open"), trust.policy_keyid()


def _keyid(path: Path, use: str) -> str | None:
    try:
        return keyid((load_sign_key(path) if use == "sign" else load_open_key(path)).public_key())
    except ConfigurationError:
        return None  # said by whoever asked, with the path


def _mounts(config: DockConfig) -> Iterator[CheckResult]:
    if config.mounts.is_dir():
        yield CheckResult("mounts", "ok", str(config.mounts))
    else:
        hint = f"systemd-tmpfiles --create bwc.conf; or mkdir -p {config.mounts}"
        yield CheckResult("mounts", "missing", f"{config.mounts}: no such directory", hint)


def _vault(config: DockConfig) -> Iterator[CheckResult]:
    where = next(path for path in (config.vault, *config.vault.parents) if path.exists())
    kind, free = filesystem(where), free_bytes(where)
    if kind in _FORGETFUL:
        yield CheckResult("vault", "missing", f"{where} is {kind}: it forgets", "put the vault on a disk: ext4 or xfs")
    elif kind in _WEAK:
        yield CheckResult(
            "vault", "missing", f"{where} is {kind}: no place for evidence", "put the vault on ext4 or xfs"
        )
    elif kind.startswith(("nfs", "cifs", "smb", "9p", "fuse", "overlay")):
        yield CheckResult("vault", "note", f"{where} is {kind}: what is synced there must really be on a disk")
    else:
        yield CheckResult("vault", "ok", f"{where} is {kind or 'a disk'}")
    if free <= config.ingest.reserve_bytes:
        spared = f"{config.ingest.reserve_bytes:,} stay free by [ingest] reserve_bytes"
        yield CheckResult(
            "space", "missing", f"{where}: {free:,} bytes free, of which {spared}", "make room, or lower it"
        )
    else:
        yield CheckResult("space", "ok", f"{where}: {free:,} bytes free")


def filesystem(path: Path) -> str:
    """The type of filesystem a path is on, as /proc/self/mountinfo (proc(5)) names it; empty when it does not."""
    device = path.stat().st_dev
    wanted = f"{os.major(device)}:{os.minor(device)}"
    for line in reversed(MOUNTINFO.read_text().splitlines()):
        fields = line.split(" ")
        if fields[2] == wanted:
            return fields[fields.index("-") + 1]
    return ""


def _broker(config: Config, to: Path, seconds: float) -> Iterator[CheckResult]:
    """As each role that has a certificate here: gets in, hears, and may say what it must."""
    topics = Topics(config.agency)
    if isinstance(config, PolicyConfig):
        yield _visit("policy service", config.broker, topic_filters(topics), topics.ack(_PROBE), seconds)[0]
        return
    own = config.dock_id
    hears = (topics.status(own), topics.ack(own))
    found, heard = _visit(f"dock {own}", config.broker, hears, topics.bay(own, _PROBE), seconds)
    yield found
    if found.state == "ok":
        yield from _who_answers({message.topic: message.payload for message in heard}, topics, own)
    for path in sorted((to / "secrets" / "broker" / "clients" / "person").glob("*.pem"))[:1]:
        broker = config.broker.model_copy(update={"certificate": path, "key": path.with_suffix(".key")})
        hears_own = (topics.decision(path.stem, "+"),)
        says = topics.attestation(path.stem, _PROBE, _PROBE)
        yield _visit(f"person {path.stem}", broker, hears_own, says, seconds)[0]


def _visit(
    who: str, broker: Broker, hears: tuple[str, ...], says: str | None, seconds: float
) -> tuple[CheckResult, list[Received]]:
    """One visit to the broker; what is retained there for it."""
    try:
        with Session(broker, hears, seconds) as session:
            if says is not None:
                session.publish(says, b"", retain=False)
            heard = session.retained()
    except (BwcError, OSError) as error:
        return CheckResult("broker", "missing", f"as {who}: {error}", _BROKER_HINT), []
    return CheckResult("broker", "ok", f"as {who}: let in, hears{' and may speak' if says else ''}"), heard


def _who_answers(heard: dict[str, bytes], topics: Topics, dock_id: str) -> Iterator[CheckResult]:
    """What is retained tells who has been here; of the policy service, that it has acknowledged."""
    status = heard.get(topics.status(dock_id))
    online = status is not None and strict_json.parse_object(status, what="status").get("state") == "online"
    yield (
        CheckResult("answers", "ok", f"dock {dock_id} is online")
        if online
        else CheckResult("answers", "note", f"dock {dock_id} is not running", "systemctl enable --now bwc-dock")
    )
    yield (
        CheckResult("answers", "ok", "the policy service has acknowledged this dock")
        if heard.get(topics.ack(dock_id))
        else CheckResult("answers", "note", "no policy service has acknowledged this dock yet", _START_POLICY)
    )


def _missing(what: str, error: BwcError, hint: str) -> CheckResult:
    return CheckResult(what, "missing", str(error), error.hint or hint)
