"""Opening a dock: its configuration checked, its parts opened, its trust file put in force."""

from __future__ import annotations

from daemon.custody.log import CustodyLog
from daemon.dock.context import CurrentTrust, DockContext
from daemon.dock.store.dispatch import DispatchStore
from daemon.dock.store.meta import MetaKey
from daemon.dock.store.replica import ReplicaStore
from daemon.dock.store.store import DockStore
from daemon.model.clock import Clock
from daemon.model.config import DockConfig
from daemon.model.errors import ConfigurationError
from daemon.model.times import parse_instant
from daemon.model.topics import Topics
from daemon.seal.keys import load_sign_public
from daemon.seal.private_keys import load_sign_key
from daemon.seal.trust import Trust, load_trust, refuse_rollback
from daemon.vault.layout import VaultLayout
from daemon.vault.replica.objects import Objects, open_objects


def open_dock(config: DockConfig, clock: Clock) -> DockContext:
    """The dock's parts, opened and checked. Raises ConfigurationError."""
    if not config.mounts.is_dir():
        raise ConfigurationError(f"{config.mounts}: no such directory", hint="it is where bays appear; create it")
    trust = load_trust(config.trust.file, load_sign_public(config.trust.root))
    sign_key = load_sign_key(config.sign_key)
    if config.dock_id not in trust.statement.docks:
        raise ConfigurationError(f"dock {config.dock_id} is not enrolled in {config.trust.file}")
    vault = VaultLayout(config.vault)
    vault.create()
    store = DockStore(config.state / "dock.sqlite")
    custody = CustodyLog(store.db, f"bwc/{config.agency}/{config.dock_id}", config.dock_id)
    dock = DockContext(
        config=config,
        clock=clock,
        store=store,
        dispatch=DispatchStore(store.db),
        replica=ReplicaStore(store),
        vault=vault,
        custody=custody,
        sign_key=sign_key,
        trust=CurrentTrust(trust),
        topics=Topics(config.agency),
        objects=open_replica(config),
    )
    with store.transaction():
        put_in_force(dock, trust)
        dock.replica.begin(dock.objects.url if dock.objects is not None else None)
    return dock


def open_replica(config: DockConfig) -> Objects | None:
    """This dock's vault in object storage, where one is configured. Raises ConfigurationError."""
    replica = config.replica
    if replica is None:
        return None
    url = f"{replica.url}/{config.dock_id}"
    return open_objects(url, replica.credentials, replica.ca, endpoint=replica.endpoint, region=replica.region)


def put_in_force(dock: DockContext, trust: Trust) -> None:
    """A trust version takes effect. Raises ConfigurationError for one older than what was in force."""
    version, digest = dock.store.get(MetaKey.TRUST_VERSION), dock.store.get(MetaKey.TRUST_DIGEST)
    if version is not None and digest is not None:
        refuse_rollback(trust, int(version), digest, str(dock.config.trust.file))
    dock.store.set(MetaKey.TRUST_VERSION, str(trust.version))
    dock.store.set(MetaKey.TRUST_DIGEST, trust.digest)
    dock.trust.replace(trust)


def away_seconds(dock: DockContext) -> float:
    """For how many seconds nobody has looked at the bays; 0 for a new store or a clock that went back."""
    latest = dock.store.get(MetaKey.LATEST)
    return max(0.0, (dock.now() - parse_instant(latest)).total_seconds()) if latest else 0.0
